/* Incidents: the list, and one of them with its timeline, pictures, what the release changed, and its last lines. */
import { h, show } from "./dom.js";
import { cell, shown, table } from "./view-history.js";
import { badge } from "./view-now.js";
import { clock, count, sentence, when } from "./words.js";

const PLOTS = [
  ["error-rate", "Error rate"],
  ["latency-p99", "Latency, p99"],
  ["success-rate", "Success rate"],
];

const tone = (incident) => (incident.state === "resolved" ? "good" : incident.severity === "P0" ? "bad" : "warn");

const stateWord = (incident) => {
  const by = incident.resolved_by ?? incident.acknowledged_by;
  return by ? `${incident.state} by ${by}` : incident.state;
};

const row = (incident) =>
  h(
    "tr",
    { role: "row", "data-key": `incident-${incident.id}` },
    cell("Opened", when(incident.opened)),
    cell("Incident", h("button", { type: "button", class: "row-button", "data-act": "incident", "data-id": incident.id }, `${incident.id}: ${incident.severity}, ${incident.cause}`)),
    cell("Release", incident.source ?? `${incident.version ?? "unknown"}${incident.target ? ` → ${incident.target}` : ""}`),
    cell("State", badge(tone(incident), stateWord(incident))),
    h("td", { role: "cell", class: "reason", "data-label": "What" }, h("span", null, sentence(incident.title), h("span", { class: "detail" }, ` ${sentence(incident.outcome)}.`))),
  );

export function showIncidents(state) {
  const host = document.getElementById("incidents");
  const { incidents } = state;
  if (!incidents) return show(host, h("p", { class: "nothing" }, "Unknown"));
  if (incidents.incidents.length === 0) return show(host, h("p", { class: "nothing" }, "There has been no incident."));
  const [rows, more] = shown(state, "incidents", incidents.incidents);
  show(host, table("Incidents, newest first", ["Opened", "Incident", "Release", "State", "What"], rows.map(row)), more);
}

/* ---- one ---- */

const fact = (name, ...text) => h("div", null, h("dt", null, name), h("dd", null, text));

const facts = (incident) =>
  h(
    "dl",
    { class: "pairs" },
    fact("Opened", when(incident.opened)),
    fact("Acknowledged", incident.acknowledged ? [when(incident.acknowledged), ` by ${incident.acknowledged_by}`] : "not yet"),
    fact("Resolved", incident.resolved ? [when(incident.resolved), ` by ${incident.resolved_by}`] : "not yet"),
    incident.version && fact("Release", incident.version, incident.release_state && h("span", { class: "detail" }, ` ${incident.release_state} now`)),
    incident.target && fact("Rolled back to", incident.target),
    fact("Outcome", `${sentence(incident.outcome)}.`),
    fact("Report", h("code", null, incident.report)),
  );

const plot = (incident, [name, title]) => h("img", { class: "plot", src: `/api/v3/incidents/${incident.id}/plot/${name}`, alt: `${title} over the incident, with its limit and the steps of the run`, loading: "lazy" });

const timeline = (entries) =>
  h(
    "ol",
    { class: "timeline" },
    entries.map((entry) => h("li", { class: entry.kind }, h("time", { datetime: entry.at, title: entry.at }, `${clock(entry.at)}.${entry.at.slice(20, 23)}`), " ", h("span", null, entry.text))),
  );

const scrolls = (label, children) => h("pre", { class: "lines", tabindex: "0", role: "region", "aria-label": label }, children);

const lineKinds = { "+": "added", "-": "removed", "@": "hunk" };

const diff = (text) => [h("h4", null, text.name), scrolls(`What changed in ${text.name}`, text.diff.trimEnd().split("\n").map((line) => h("span", { class: lineKinds[line[0]] ?? false }, `${line}\n`))), text.cut && h("p", { class: "detail" }, "There is more.")];

const bytes = (size) => (size === null ? "" : count(size));

function difference(found) {
  if (!found) return null;
  const rows = found.files.map((file) => h("tr", { role: "row" }, cell("File", file.path), cell("Change", file.change), h("td", { role: "cell", class: "number", "data-label": "Bytes before" }, h("span", null, bytes(file.size_before))), h("td", { role: "cell", class: "number", "data-label": "Bytes after" }, h("span", null, bytes(file.size_after)))));
  return [
    h("h3", null, `What ${found.after} changed against ${found.before}`),
    found.notes.map((note) => h("p", { class: "detail" }, `${sentence(note)}.`)),
    rows.length > 0 && table(`Files that differ between ${found.before} and ${found.after}`, ["File", "Change", "Bytes before", "Bytes after"], rows),
    found.left_out > 0 && h("p", { class: "detail" }, `${count(found.left_out)} more are left out.`),
    found.texts.map(diff),
  ];
}

const log = (found, title) =>
  found && [
    h("h3", null, `${title} ${found.version}`),
    found.lines.length > 0 && scrolls(`${title} ${found.version}`, found.lines.map((line) => `${line.at ? `${clock(line.at)} ` : ""}${line.text}\n`)),
    found.note && h("p", { class: "detail" }, `${sentence(found.note)}.`),
  ];

const buttons = (incident, mayAct) =>
  h(
    "div",
    { class: "buttons" },
    incident.decision !== null && h("button", { type: "button", class: "quiet", "data-act": "evidence", "data-id": incident.decision }, "Evidence …"),
    h("button", { type: "button", "data-act": "close" }, "Close"),
    mayAct && incident.state === "open" && h("button", { type: "button", class: "primary", "data-act": "acknowledge", "data-id": incident.id }, "Acknowledge …"),
    mayAct && incident.state !== "resolved" && h("button", { type: "button", "data-act": "resolve", "data-id": incident.id }, "Resolve …"),
  );

export const incidentDetails = (incident, mayAct) => [
  h("h2", { id: "dialog-title" }, `Incident ${incident.id}: ${incident.severity}, ${incident.cause}`),
  h("p", null, badge(tone(incident), stateWord(incident)), ` ${sentence(incident.title)}`),
  facts(incident),
  incident.samples.length > 0 && [h("h3", null, "Metrics"), PLOTS.map((one) => plot(incident, one))],
  h("h3", null, "Timeline"),
  timeline(incident.timeline),
  difference(incident.difference),
  log(incident.log, "The last lines of"),
  log(incident.target_log, "The last lines of what should have replaced it,"),
  buttons(incident, mayAct),
];
