/* The top of the page: headline, facts, alerts, who we are. */
import { h, icon, show } from "./dom.js";
import { headline } from "./headline.js";
import { isTrafficLost, nextSteps } from "./next-step.js";
import { ago, count, sentence, UNKNOWN, when } from "./words.js";

export const tones = { good: "good", warn: "warn", bad: "bad", unknown: "unknown", acting: "acting" };

/* A state in a word, a shape and a colour. */
export const badge = (tone, word) => h("span", { class: `badge ${tone}` }, icon(tone), h("span", null, word));

export function showHeadline(state) {
  const { tone, lead, more } = headline(state);
  document.getElementById("now").className = `now ${tone}`;
  const steps = nextSteps(state);
  show(
    document.getElementById("headline"),
    h("p", { class: "lead" }, icon(tone), h("span", null, lead)),
    steps.length > 0 && h("ul", { class: "next", "aria-label": "What to do" }, steps.map(({ advice, line }) => h("li", null, advice, " ", h("code", null, line)))),
    more.length > 0 && h("p", { class: "more" }, more.join(" ")),
  );
  document.title = `${{ good: "✓", warn: "!", bad: "✕", acting: "▶", unknown: "?" }[tone]} ${state.status?.version ?? UNKNOWN} · NovaCron Rollback`;
}

export function showConnection(state) {
  const words = {
    connecting: ["unknown", "Connecting …"],
    live: ["good", "Live"],
    lost: ["bad", "Connection lost; trying again"],
    refused: ["unknown", "Not signed in"],
  }[state.connection];
  const host = document.getElementById("connection");
  host.className = `connection ${words[0]}`;
  show(host, icon(words[0]), h("span", null, words[1]));
}

export function showWho(state) {
  const { session } = state;
  show(
    document.getElementById("who"),
    session && h("span", { class: "name" }, `You are ${session.who}${session.may_act ? "" : " and may only look"}`),
    session?.who.startsWith("token ") && h("button", { type: "button", class: "quiet", "data-act": "sign-out" }, "Sign out"),
    (!session || !session.may_act) && h("button", { type: "button", class: "quiet", "data-act": "sign-in" }, "Sign in …"),
  );
}

/* ---- facts ---- */

let lastWord = null; // when the controller was last heard, while it isn't

/* What isn't known any more is grey, and says as of when. */
const fact = (name, tone, word, ...detail) =>
  h("div", { class: "fact" }, h("dt", null, name, lastWord && h("span", { class: "as-of" }, ", as of ", ago(lastWord))), h("dd", null, badge(lastWord ? "unknown" : tone, word), h("p", { class: "detail" }, detail)));

/* What its readiness rests on, item by item; what is not ok says what to do. */
function checklist(checks = []) {
  const tones = { ok: "good", failed: "bad", unknown: "unknown", not_applicable: "unknown" };
  return checks.length > 0 && h("details", { class: "checklist", open: hasFailed(checks) },
    h("summary", null, `${count(checks.filter(({ verdict }) => verdict === "ok").length)} of ${count(checks.length)} checks ok`),
    h("ul", null, checks.map(({ title, verdict, measured, next }) => h("li", null, icon(tones[verdict] ?? "unknown"), h("span", null, `${title}, ${verdict.replace("_", " ")}: ${measured}${next && verdict !== "ok" ? `. ${sentence(next)}` : ""}`)))));
}

const hasFailed = (checks = []) => checks.some(({ verdict }) => verdict === "failed");

/* Unfolded it needs the whole width; while all is well nothing on the page moves for it. */
const whyNotReady = ({ target }) =>
  hasFailed(target?.checks) && h("div", { class: "fact wide" }, h("dt", null, `Why ${target.version} is not ready`), h("dd", null, checklist(target.checks)));

function target(status) {
  const { target } = status;
  if (!target) return fact("Roll back to", "warn", "nothing", "No earlier release is fit for it.");
  const [tone, word] = target.ready === null ? ["unknown", "readiness unknown"] : target.ready ? ["good", "ready"] : ["bad", "not ready"];
  const shown = fact("Roll back to", tone, `${target.version}, ${word}`, `${sentence(target.state)}. ${sentence(target.detail)}`);
  const list = !hasFailed(target.checks) && checklist(target.checks);
  if (list) shown.lastChild.append(list);
  return shown;
}

/* Why nothing would be rolled back by itself, though it is armed; null when it would. */
function preventing(status) {
  const { automatic } = status.deployment;
  return !automatic || automatic.possible ? null : automatic.why; // a page that is open outlives a controller that says less
}

function armed(status) {
  const { deployment } = status;
  const used = ` ${status.rollbacks_today} of ${status.rollbacks_per_day} used in 24 h.`;
  if (!deployment) return fact("Automatic rollback", "unknown", "no deployment known", used);
  if (!deployment.armed) return fact("Automatic rollback", "warn", "not armed", "A failure is an alert, and a person decides.", used);
  const why = preventing(status);
  if (why) return fact("Automatic rollback", "warn", "not possible", `${sentence(why)}.`);
  if (deployment.automatic?.why) return fact("Automatic rollback", "warn", "armed in part", `${sentence(deployment.automatic.why)}.`);
  return fact("Automatic rollback", "good", "armed", deployment.armed_until ? ["Until ", when(deployment.armed_until), "."] : "Always.", used);
}

function deployments(status) {
  const { deployments } = status;
  if (!deployments.paused) return fact("Deployments", "good", "allowed", "Nobody has paused them.");
  if (/^run \d+$/.test(deployments.by)) return fact("Deployments", "acting", "paused", `By ${deployments.by}, until it ends.`);
  return fact("Deployments", "warn", "paused", `By ${deployments.by ?? UNKNOWN}${deployments.why ? `: ${deployments.why}` : ""}. `, deployments.since && ago(deployments.since));
}

/* The balancer is looked at every few seconds; a run under way knows better whether it holds the traffic. */
function heldByRun({ run }) {
  const steps = [...(run?.steps ?? []), ...(run?.recovery ?? [])];
  const done = (key) => steps.some((step) => step.key === key && step.state === "done");
  return done("drain_traffic") && !done("restore_traffic");
}

function traffic(status) {
  const { traffic } = status;
  if (heldByRun(status)) return fact("Traffic", "acting", "held", `By run ${status.run.id}; requests ${traffic.gate === false ? "are refused" : traffic.gate ? "wait" : "wait or are refused"} until it gives it back.`);
  const tone = isTrafficLost(status) ? "bad" : { flowing: "good", drained: "bad", draining: "warn", restoring: "warn" }[traffic.state] ?? "unknown";
  const parts = [
    `${traffic.in_flight === null ? UNKNOWN : count(traffic.in_flight)} in flight`,
    traffic.parked ? `${count(traffic.parked)} parked` : null,
    traffic.gate === null || traffic.state !== "flowing" ? null : traffic.gate ? "a switch parks requests" : "no gate: a switch refuses requests",
    traffic.by ? `held by ${traffic.by}` : null,
  ];
  return fact("Traffic", tone, traffic.state, traffic.state === "unknown" ? sentence(traffic.detail) : parts.filter(Boolean).join("; "));
}

function service(status) {
  const { units, deployment } = status;
  const tone = status.run && units.state !== "active" ? "acting" : { active: "good", failed: "bad", inactive: "bad" }[units.state] ?? "unknown";
  const release = deployment && deployment.version === status.version ? [`${sentence(deployment.state)}, ${deployment.observed ? "found" : "deployed"} `, ago(deployment.at), ". "] : [];
  return fact("Runs", tone, `${status.version ?? UNKNOWN}, ${units.state}`, release, units.names.join(", ") || units.detail);
}

function probe(status) {
  const { health } = status;
  const tone = { healthy: "good", unhealthy: "bad" }[health.state] ?? "unknown";
  return fact("Health check", tone, health.state, health.since ? ["Since ", when(health.since), ". "] : "", health.state === "healthy" ? "" : sentence(health.detail));
}

export function showFacts(state) {
  const host = document.getElementById("facts");
  lastWord = state.connection === "lost" ? state.heard : null;
  document.getElementById("main").classList.toggle("stale", lastWord !== null);
  if (!state.status) return show(host, ["Runs", "Health check", "Traffic", "Roll back to", "Automatic rollback", "Deployments"].map((name) => fact(name, "unknown", UNKNOWN, "")));
  show(host, [service, probe, traffic, target, armed, deployments, whyNotReady].map((one) => one(state.status)));
}

/* ---- alerts ---- */

export function showAlerts(state) {
  const host = document.getElementById("alerts");
  const alerts = state.status?.alerts;
  document.getElementById("alerts-title").textContent = `Alerts that stand${alerts?.length ? `: ${alerts.length}` : ""}`;
  if (!alerts) return show(host, h("p", { class: "nothing" }, sentence(UNKNOWN)));
  if (alerts.length === 0) return show(host, h("p", { class: "nothing" }, badge("good", "none")));
  show(host, h("ul", { class: "alert-list" }, alerts.map((alert) => h("li", { "data-key": alert.source }, badge("warn", alert.source), " ", h("span", { class: "detail" }, when(alert.since)), h("p", null, sentence(alert.message))))));
}
