/* The run under way, or the newest: its steps with their budgets, which fill while time passes. */
import { h, show } from "./dom.js";
import { lost, runOutcome } from "./headline.js";
import { badge } from "./view-now.js";
import { ago, clock, duration, now, sentence, when } from "./words.js";

const states = {
  pending: ["empty", "not yet"],
  acting: ["acting", "under way"],
  done: ["good", "done"],
  failed: ["bad", "failed"],
  timed_out: ["bad", "timed out"],
  skipped: ["skipped", "skipped"],
};

export const runTone = (run) => ({ open: "acting", succeeded: run.validation === "failed" ? "bad" : "good", cancelled: "unknown", refused: "warn", undone: "warn" })[run.outcome] ?? "bad";

export const runWord = (run) => ({ open: "under way", put_back: "put back" })[run.outcome] ?? run.outcome;

export const validationWord = (run) => (run.validation === null ? "" : { not_verified: "not verified" }[run.validation] ?? run.validation);

/* How far a step has come within its budget: 0 to 1. */
export function filled(step) {
  const elapsed = step.state === "acting" ? now() - Date.parse(step.started) : step.duration_ms;
  return elapsed === null ? 0 : Math.min(1, Math.max(0, elapsed / step.budget_ms));
}

function stepRow(step, prefix) {
  const [tone, word] = states[step.state];
  const acting = step.state === "acting";
  const again = step.attempt > 1 ? `Attempt ${step.attempt}. ` : "";
  return h(
    "li",
    { class: `step ${tone}`, "data-key": `${prefix}${step.step}` },
    h("span", { class: "no" }, step.step),
    h("span", { class: "title" }, step.title, step.critical && h("span", { class: "critical" }, "critical")),
    badge(tone, word),
    h(
      "span",
      { class: `bar ${tone}`, css: { "--filled": step.state === "pending" || step.state === "skipped" ? "0" : String(filled(step)) }, "data-started": acting && step.started, "data-budget": acting && step.budget_ms },
      h("span", null),
    ),
    h("span", { class: "time" }, acting || step.duration_ms === null ? `of ${duration(step.budget_ms)}` : `${duration(step.duration_ms)} of ${duration(step.budget_ms)}`),
    h("span", { class: "detail" }, again + sentence(step.detail)),
  );
}

export const stepList = (run) => [
  h("ol", { class: "steps", "data-key": "steps" }, run.steps.map((step) => stepRow(step, "s"))),
  run.recovery.length > 0 && h("h3", { "data-key": "recovery-title" }, run.phase === "undo" ? "Undone" : "What was done to go back"),
  run.recovery.length > 0 && h("ol", { class: "steps", "data-key": "recovery" }, run.recovery.map((step) => stepRow(step, "r"))),
];

/* What a run came to, in sentences. */
export const runSummary = (run) => [
  h("p", { class: "detail" }, `Reason: ${run.reason}`),
  h("p", { class: "detail" }, `By ${run.initiator}. `, run.outcome === "open" ? ["Begun ", when(run.created)] : [`${runOutcome(run)} in ${duration(run.duration_ms)}; ${lost(run)}${run.validation ? `; validation: ${validationWord(run)}` : ""}.`]),
];

export function showRun(state) {
  const host = document.getElementById("run");
  const run = state.status?.run ?? state.status?.last_run;
  const title = (text) => h("h2", { id: "run-title", "data-key": "title" }, text);
  if (!run) return show(host, title("Run"), h("p", { class: "nothing" }, state.status ? "There was no run yet." : "Unknown"));
  const open = run.outcome === "open";
  show(
    host,
    h(
      "div",
      { class: "run-head", "data-key": "head" },
      title(`${open ? "Run" : "Last run"} ${run.id}: ${run.mode} ${run.kind}, ${run.from || "nothing"} → ${run.to}`),
      badge(runTone(run), open ? `under way (${run.phase})` : runWord(run)),
      run.ended && h("span", { class: "detail" }, `${clock(run.ended)} UTC, `, ago(run.ended)),
      run.decision !== null && h("button", { type: "button", class: "quiet", "data-act": "evidence", "data-id": run.decision }, "Evidence …"),
    ),
    stepList(run),
    h("div", { class: "run-summary", "data-key": "summary" }, runSummary(run)),
  );
}

/* Between two events the bar of the step under way goes on by the clock. */
export function animateBars() {
  let any = false;
  for (const bar of document.querySelectorAll(".bar[data-started]")) {
    any = true;
    bar.style.setProperty("--filled", String(Math.min(1, Math.max(0, (now() - Date.parse(bar.dataset.started)) / Number(bar.dataset.budget)))));
  }
  return any;
}
