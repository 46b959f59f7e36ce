/* The sentence for 3 a.m.: what runs now, is it healthy, what happened last, is anything lost? */
import { isDrained, isForReview, isHolding, isTrafficLost } from "./next-step.js";
import { clock, duration, plural, sentence, UNKNOWN } from "./words.js";

/* { tone, lead, more[] }: the lead is what is now, the rest what happened and what stands. */
export function headline(state) {
  const { status } = state;
  if (!status) return state.refusal ? { tone: "unknown", lead: sentence(state.refusal), more: [] } : { tone: "unknown", lead: "Asking the controller …", more: [] };
  const now = whatIs(status, state.health ?? status.score);
  const more = [now.why, status.run ? `${sentence(because(status.run))}.` : lastRun(status), ...whatStands(status), !now.parts && partsAreOff(state.health ?? status.score) ? `Component health: ${partsAreOff(state.health ?? status.score)}` : null].filter(Boolean);
  return state.connection === "lost" ? { ...now, tone: "unknown", lead: `As of the last word from the controller: ${now.lead}`, more } : { ...now, more };
}

function whatIs(status, health) {
  const { run, last_run: last, version, window } = status;
  if (run) return underWay(run);
  if (isHolding(status)) return { tone: "bad", lead: "Holding: a person is needed." };
  if (!version) return { tone: "bad", lead: `Which release is live is not known: ${status.version_problem ?? UNKNOWN}.` };
  if (status.units.state === "failed") return { tone: "bad", lead: `${version} has failed: ${status.units.detail}.` };
  if (status.units.state === "inactive" && status.health.state !== "healthy") return { tone: "bad", lead: `${version} is stopped: ${status.units.detail || "its units are inactive"}.` };
  if (status.health.state === "unhealthy") return { tone: "bad", lead: `${version} runs, but is unhealthy.` };
  if (isTrafficLost(status)) return { tone: "bad", lead: "The balancer doesn't answer: clients may get nothing.", why: `${sentence(status.traffic.detail)}.` };
  if (isDrained(status)) return { tone: "bad", lead: `${version} runs, but its traffic is ${status.traffic.state === "drained" ? "drained" : "being drained"}: clients get nothing.` };
  if (isForReview(status)) return { tone: "bad", lead: `${version} is degraded, and a person has to decide.`, why: `Not rolled back automatically: ${status.review.guard_text}. ${sentence(status.review.reason)}.` };
  if (window?.degraded > 0) return { tone: health?.status === "unhealthy" ? "bad" : "warn", lead: `${version} runs, but ${window.degraded} of ${window.expected} samples are degraded; ${window.needed} trigger a rollback.` };
  if (partsAreOff(health)) return { tone: health.status === "unhealthy" ? "bad" : "warn", lead: `${version} runs, but ${partsAreOff(health)}`, parts: true };
  if (status.health.state === "healthy") return { tone: last?.validation === "failed" ? "warn" : "good", lead: `${version} runs and is healthy.` };
  return { tone: "unknown", lead: `${version} runs; its health is unknown.` };
}

/* The components that make the whole unhealthy or degraded, each with its reason; null when all is well or not known. */
function partsAreOff(health) {
  if (health?.status !== "unhealthy" && health?.status !== "degraded") return null;
  const of = (...states) => (health.arithmetic?.components ?? []).filter((one) => one.configured && states.includes(one.status));
  const unhealthy = of("unhealthy").sort((one, other) => other.critical - one.critical);
  const off = unhealthy.length ? unhealthy : of("degraded");
  if (off.length === 0) return `the whole is ${health.status}${health.reason ? ` (${health.reason})` : ""}.`;
  const names = off.map(({ name, critical, status }, place) => `${name}${critical ? " (critical)" : ""} is ${status}${place === 0 && off[0].reason ? ` (${off[0].reason})` : ""}`);
  return `${names.join(", ")}.`;
}

function underWay(run) {
  const what = run.kind === "rollback" ? `Rolling back ${run.from || "nothing"} → ${run.to}` : `Deploying ${run.to}`;
  const steps = run.phase === "recovery" || run.phase === "undo" ? run.recovery : run.steps;
  const current = steps.findLast((step) => step.state !== "pending");
  const back = run.phase === "recovery" ? `: failed, ${run.from} is being put back` : run.phase === "undo" ? ": it is being undone" : "";
  return { tone: run.phase === "recovery" ? "warn" : "acting", lead: `${what}${back}${current ? `: step ${current.step} of 8, ${current.title.toLowerCase()}` : ""}.` };
}

/* ---- what happened last ---- */

export function lost(run) {
  const cut = run.in_flight_cut > 0 ? `; ${plural(run.in_flight_cut, "request")} in flight given up` : "";
  if (run.requests_failed === null && run.outcome === "refused") return "no request lost"; // it touched nothing
  if (run.requests_failed === null) return `whether requests failed meanwhile is not known${cut}`;
  return (run.requests_failed === 0 ? "no request lost" : `${plural(run.requests_failed, "request")} failed meanwhile`) + cut;
}

const validations = { passed: "validated", failed: "but validation failed", not_verified: "not verified", pending: "validation is under way" };

/* A decision's reason begins with the trigger that weighs most; the whole of it stands with the run. */
const because = (run) => (run.decision === null ? `because “${run.reason}”` : `because ${run.reason.split(";")[0].replace(/ in \d+ of \d+ samples.*| \(newest.*/, "")}`);

/* `at`: " at 03:12:07 UTC", or nothing. */
export function runOutcome(run, at = "") {
  const what = run.kind === "rollback" ? "rollback" : "deployment";
  const failure = run.failure ? `: ${run.failure}` : "";
  switch (run.outcome) {
    case "succeeded":
      return (run.kind === "deployment" ? `Deployed ${run.to}` : run.from ? `Rolled back from ${run.from} to ${run.to}` : `Started ${run.to} again`) + at;
    case "refused":
      return `The ${what} to ${run.to} was refused${at} before anything was touched${failure}`;
    case "cancelled":
      return `The ${what} to ${run.to} was cancelled${at} before ${run.from || "anything"} was stopped`;
    case "undone":
      return `The ${what} to ${run.to} failed${at} before ${run.from || "anything"} was stopped${failure}`;
    case "put_back":
      return `The ${what} to ${run.to} failed${at} and ${run.from} was put back${failure}`;
    case "held":
      return `The ${what} to ${run.to} stopped${at} because nothing safe was left to do${failure}`;
    default:
      return `The ${what} to ${run.to} has not ended`;
  }
}

function lastRun(status) {
  const run = status.last_run;
  if (!run || status.run || run.outcome === "open") return null;
  const why = run.kind === "rollback" && run.outcome === "succeeded" ? ` ${because(run)}` : "";
  const ended = [`took ${duration(run.duration_ms)}`, lost(run), run.outcome === "succeeded" ? validations[run.validation] : null];
  return `${runOutcome(run, ` at ${clock(run.ended)} UTC`)}${why}; ${ended.filter(Boolean).join("; ")}.`;
}

function whatStands(status) {
  const { deployments, alerts, metrics } = status;
  return [
    status.mode === "shadow" ? "Shadow mode: nothing is rolled back automatically, it is only decided and recorded." : null,
    deployments.paused && !status.run ? `Deployments are paused by ${deployments.by ?? UNKNOWN}${deployments.why ? `: ${deployments.why}` : ""}.` : null,
    metrics.source !== "none" && !metrics.connected ? "The metrics source is not heard: nothing is decided on samples until it is." : null,
    alerts.length ? `${plural(alerts.length, "alert")} ${alerts.length === 1 ? "stands" : "stand"}.` : null,
  ];
}
