/* What happened: runs, deployments that others made, and the decisions. */
import { h, show } from "./dom.js";
import { lost } from "./headline.js";
import { badge } from "./view-now.js";
import { runTone, runWord, validationWord } from "./view-run.js";
import { count, duration, sentence, when } from "./words.js";

const ROWS = 8; // of each table, until all are asked for

/* The roles are what these elements are anyway, until a narrow window's style takes it from them. */
export const table = (caption, columns, rows) =>
  h(
    "table",
    { class: "rows", role: "table" },
    h("caption", { class: "unseen" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((name) => h("th", { scope: "col", role: "columnheader" }, name)))),
    h("tbody", { role: "rowgroup" }, rows),
  );

export const cell = (label, ...children) => h("td", { role: "cell", "data-label": label }, h("span", null, children));

const opener = (act, id, text) => h("button", { type: "button", class: "row-button", "data-act": act, "data-id": id }, text);

function runRow(run) {
  const checked = run.validation ? `, ${{ passed: "validated", failed: "validation failed", pending: "validation under way" }[run.validation] ?? validationWord(run)}` : "";
  return h(
    "tr",
    { role: "row", "data-key": `run-${run.id}` },
    cell("When", when(run.created)),
    cell("Run", opener("run", run.id, `${run.id}: ${run.mode} ${run.kind}`)),
    cell("Release", `${run.from || "nothing"} → ${run.to}`),
    cell("Outcome", badge(runTone(run), runWord(run) + checked)),
    h("td", { role: "cell", class: "number", "data-label": "Took" }, h("span", null, run.duration_ms === null ? "–" : duration(run.duration_ms))),
    h("td", { role: "cell", class: "number", "data-label": "Failed requests" }, h("span", { title: sentence(lost(run)) }, run.requests_failed === null ? (run.outcome === "refused" ? "–" : "unknown") : count(run.requests_failed))),
    h("td", { role: "cell", class: "reason", "data-label": "Reason" }, h("span", null, run.failure ? `${sentence(run.failure)} ` : "", run.reason, h("span", { class: "detail" }, ` by ${run.initiator}`))),
  );
}

const foundRow = (deployment) =>
  h(
    "tr",
    { role: "row", "data-key": `deployment-${deployment.id}` },
    cell("When", when(deployment.at)),
    cell("Run", "observed deployment"),
    cell("Release", `${deployment.previous ?? "nothing"} → ${deployment.version}`),
    cell("Outcome", badge("unknown", "found in place")),
    h("td", { role: "cell", class: "number", "data-label": "Took" }, h("span", null, "–")),
    h("td", { role: "cell", class: "number", "data-label": "Failed requests" }, h("span", null, "unknown")),
    h("td", { role: "cell", class: "reason", "data-label": "Reason" }, h("span", null, "Somebody else changed what is live.")),
  );

export function shown(state, key, rows) {
  const more = rows.length - ROWS;
  const all = state.whole.has(key);
  return [all ? rows : rows.slice(0, ROWS), more > 0 && h("button", { type: "button", class: "quiet more-rows", "data-act": "whole", "data-id": key, "aria-expanded": String(all) }, all ? "Show fewer" : `Show ${more} more`)];
}

export function showHistory(state) {
  const host = document.getElementById("history");
  const { history } = state;
  if (!history) return show(host, h("p", { class: "nothing" }, "Unknown"));
  const all = [...history.runs.map((run) => ({ at: run.created, row: () => runRow(run) })), ...history.deployments.filter((one) => one.observed).map((one) => ({ at: one.at, row: () => foundRow(one) }))];
  all.sort((one, other) => (one.at < other.at ? 1 : -1));
  if (all.length === 0) return show(host, h("p", { class: "nothing" }, "Nothing has happened yet."));
  const [rows, more] = shown(state, "history", all);
  show(host, table("Runs and observed deployments, newest first", ["When", "Run", "Release", "Outcome", "Took", "Failed requests", "Reason"], rows.map((one) => one.row())), more);
}

/* ---- decisions ---- */

export const decisionTones = { rollback: "warn", review: "warn", none: "unknown" };
export const decisionWords = { rollback: "roll back", review: "manual review", none: "nothing to do" };

const decisionRow = (decision) =>
  h(
    "tr",
    { role: "row", "data-key": `decision-${decision.id}` },
    cell("When", when(decision.at)),
    cell("Decision", opener("evidence", decision.id, `${decision.id}: ${decisionWords[decision.kind]}`)),
    cell("Release", decision.version ? `${decision.version}${decision.target ? ` → ${decision.target}` : ""}` : "unknown"),
    cell("Samples", `${decision.degraded} of ${decision.expected} degraded, ${decision.needed} needed`),
    h("td", { role: "cell", class: "reason", "data-label": "Reason" }, h("span", null, decision.reason, decision.guard !== "none" && h("span", { class: "detail" }, ` Not rolled back: ${decision.guard_text}.`))),
  );

export function showDecisions(state) {
  const host = document.getElementById("decisions");
  const { decisions } = state;
  if (!decisions) return show(host, h("p", { class: "nothing" }, "Unknown"));
  if (decisions.length === 0) return show(host, h("p", { class: "nothing" }, "No rule has been met so far: there was nothing to decide."));
  const [rows, more] = shown(state, "decisions", decisions);
  show(host, table("Decisions, newest first", ["When", "Decision", "Release", "Samples", "Reason"], rows.map(decisionRow)), more);
}
