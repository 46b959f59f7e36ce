/* Dialogs that only show: a decision's evidence, with the arithmetic to follow it by hand, and a run. */
import { h } from "./dom.js";
import { cell, decisionTones, decisionWords, table } from "./view-history.js";
import { whatExceeds } from "./view-metrics.js";
import { badge } from "./view-now.js";
import { runSummary, runTone, runWord, stepList } from "./view-run.js";
import { clock, count, duration, limitPercent, percent, seconds, sentence, when } from "./words.js";

const tones = { healthy: "good", degraded: "bad", unknown: "unknown" };

/* "20 / 400 = 5.00 %" */
const share = (part, whole, value) => (value === null || part === null || !whole ? percent(value) : `${count(part)} / ${count(whole)} = ${percent(value)}`);

function judged(sample, rules) {
  if (sample.state === "degraded") return whatExceeds(sample, rules).join(", ");
  if (sample.state === "healthy") return "";
  return sentence(sample.note) || (sample.measured ? `${count(sample.requests)} requests, fewer than ${count(rules.min_requests)}` : "Not measured");
}

const sampleRow = (sample, rules) =>
  h(
    "tr",
    { role: "row" },
    cell("Ended", clock(sample.end)),
    cell("State", badge(tones[sample.state], sample.state)),
    cell("Failed / requests", share(sample.errors, sample.requests, sample.error_rate_percent)),
    cell("p99", duration(sample.latency_p99_ms)),
    cell("Success", percent(sample.success_rate_percent)),
    h("td", { role: "cell", class: "reason", "data-label": "Why" }, judged(sample, rules)),
  );

function arithmetic(decision) {
  const { rules, expected, needed, degraded } = decision;
  const share = rules.degraded_share_percent;
  return [
    `Expected samples: ${seconds(rules.degradation_window_s)} window / ${seconds(rules.interval_s)} interval + 1 = ${expected}.`,
    `Needed: ${Number(share.toFixed(4))} % of ${expected} = ${Number(((share * expected) / 100).toFixed(2))}, so ${needed}, the newest among them. Missing and unknown samples count as not degraded.`,
    `Found: ${degraded} degraded${degraded >= needed ? `, ${degraded} ≥ ${needed}` : `, ${degraded} < ${needed}`}.`,
  ];
}

function rulesList(rules) {
  const rows = [
    ["Error rate", `more than ${limitPercent(rules.error_rate_percent)} is degraded`],
    ["Latency, p99", `more than ${duration(rules.latency_p99_ms)} is degraded`],
    ["Success rate", `less than ${limitPercent(rules.success_rate_percent)} is degraded`],
    ["Thin samples", `fewer than ${count(rules.min_requests)} requests are unknown`],
    ["Outage", `no success for ${seconds(rules.outage_window_s)}, and the health check agrees`],
    ["Restarts", `${rules.restart_limit} within ${seconds(rules.outage_window_s)} mean failed`],
    ["Armed", rules.armed_for_s ? `${seconds(rules.armed_for_s)} after a deployment` : "always"],
    ["Automatic rollbacks", `at most ${rules.rollbacks_per_day} a day`],
  ];
  return h("dl", { class: "rules" }, rows.map(([name, text]) => h("div", null, h("dt", null, name), h("dd", null, text))));
}

const verdictWords = { identical: "recomputed from its evidence: identical", differs: "recomputed from its evidence, it differs", no_evidence: "it can't be recomputed", other_rules: "it can't be recomputed" };
const verdictTones = { identical: "good", differs: "bad" };

/* What only the journal tells: the guards that were asked, and whether the same comes out again. */
const proof = (explanation) =>
  explanation && [
    explanation.guards.length > 0 && h("h3", null, "Guards, in the order in which they are asked"),
    explanation.guards.length > 0 && h("ul", { class: "arithmetic" }, explanation.guards.map(({ forbids, answer }) => h("li", null, badge(forbids ? "bad" : "good", forbids ? "no" : "ok"), ` ${sentence(answer)}.`))),
    explanation.target && h("p", null, `Target: ${explanation.target}.`),
    h("p", null, badge(verdictTones[explanation.replay.verdict] ?? "warn", verdictWords[explanation.replay.verdict] ?? explanation.replay.verdict), explanation.replay.detail && ` ${sentence(explanation.replay.detail)}.`),
  ];

export const evidence = (decision, explanation) => [
  h("h2", { id: "dialog-title" }, `Decision ${decision.id}: ${decisionWords[decision.kind]}`),
  h("p", null, badge(decisionTones[decision.kind], `${decision.version ?? "unknown"}${decision.target ? ` → ${decision.target}` : ""}`), " ", when(decision.at)),
  h("p", null, `${sentence(decision.reason)}.`),
  decision.guard !== "none" && h("p", null, `Not rolled back: ${decision.guard_text}.`),
  h("h3", null, "Samples"),
  decision.samples.length > 0
    ? table("The samples that the decision rests on, oldest first", ["Ended", "State", "Failed / requests", "p99", "Success", "Why"], decision.samples.map((sample) => sampleRow(sample, decision.rules)))
    : h("p", { class: "nothing" }, "It rests on no samples."),
  h("h3", null, "Arithmetic"),
  h("ul", { class: "arithmetic" }, arithmetic(decision).map((line) => h("li", null, line))),
  proof(explanation),
  h("h3", null, "Rules, as they stood then"),
  rulesList(decision.rules),
  closing(),
];

export const runDetails = (run) => [
  h("h2", { id: "dialog-title" }, `Run ${run.id}: ${run.mode} ${run.kind}`),
  h("p", null, badge(runTone(run), runWord(run)), ` ${run.from || "nothing"} → ${run.to} `, when(run.created)),
  ...runSummary(run),
  ...stepList(run),
  run.decision !== null && h("p", null, h("button", { type: "button", class: "quiet", "data-act": "evidence", "data-id": run.decision }, `Evidence of decision ${run.decision} …`)),
  closing(),
];

export const closing = () => h("div", { class: "buttons" }, h("button", { type: "button", "data-act": "close" }, "Close"));
