/* Dialogs that act: each shows what will happen, asks for what the specification asks, and shows the controller's problem in place. */
import { act, beginSession } from "./api.js";
import { h } from "./dom.js";
import { sentence, UNKNOWN } from "./words.js";

const REASON_MAX = 500;

const pairs = (...rows) => h("dl", { class: "pairs" }, rows.map(([name, ...text]) => h("div", null, h("dt", null, name), h("dd", null, text))));

function field(id, label, properties, hint) {
  return h("div", { class: "field" }, h("label", { for: id }, label), h("input", { id, type: "text", autocomplete: "off", "aria-describedby": hint ? `${id}-hint` : false, ...properties }), hint && h("p", { id: `${id}-hint`, class: "detail" }, hint));
}

const buttons = (kind, text, no = "Cancel") => h("div", { class: "buttons" }, h("button", { type: "button", "data-act": "close" }, no), h("button", { type: "submit", class: kind }, text));

const problem = () => h("p", { class: "problem", role: "alert" });

/* What is typed; the error in words, or null. */
const value = (form, id) => form.querySelector(`#${id}`).value.trim();
function refuse(form, id, text) {
  const input = form.querySelector(`#${id}`);
  input.setAttribute("aria-invalid", "true");
  input.focus();
  return text;
}

/* ---- rolling back ---- */

function readiness(target) {
  if (target.ready === true) return `ready: ${target.detail}`;
  return target.ready === false ? `not ready: ${target.detail}` : `readiness unknown: ${target.detail}`;
}

const doubt = (target) => target.state !== "good" && h("p", { class: "warning" }, `${target.version} is ${target.state}: it has not proven itself here.`);

/* Where the plan's word on the database comes: whoever acts needn't wait for it. */
const databasePlace = () => h("div", { class: "database", role: "status" });

/* What the database says of the target (schema_gate); null: there is nothing to ask. Which rows a script can't keep may show only when
 * it runs, so that they may go is offered whenever a way back is taken. */
export function database(gate) {
  if (!gate) return [];
  const said = `Database: ${gate.detail}`;
  return [
    h("p", { class: gate.verdict === "compatible" ? "detail" : "warning" }, said),
    gate.verdict !== "compatible" && gate.verdict !== "pending" && h("div", { class: "field check" }, h("input", { id: "allow-row-loss", type: "checkbox" }), h("label", { for: "allow-row-loss" }, "Rows may be lost: go on even if the way back can't keep them. Unticked, it stops before a row goes.")),
  ].filter(Boolean);
}

const rowLoss = (form) => (form.querySelector("#allow-row-loss")?.checked ? { allow_row_loss: true } : {});

export function manual(state) {
  const { version, target } = state.status;
  return {
    body: [
      h("h2", { id: "dialog-title" }, "Roll back"),
      pairs(["Current version", version ?? UNKNOWN], ["Target version", target.version, h("span", { class: "detail" }, ` ${readiness(target)}`)]),
      doubt(target),
      databasePlace(),
      field("reason", "Reason", { maxlength: REASON_MAX, required: true }, "Kept with the run, and told to whoever is paged."),
      field("confirm", "Confirm rollback? Type yes", { autocapitalize: "none", spellcheck: "false" }),
      problem(),
      buttons("primary", `Roll back to ${target.version}`),
    ],
    check(form) {
      for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
      if (!value(form, "reason")) return refuse(form, "reason", "Say why: a reason is needed.");
      return value(form, "confirm") === "yes" ? null : refuse(form, "confirm", "Type yes to confirm.");
    },
    go: (form) => act("/rollback", { mode: "manual", reason: value(form, "reason"), to: target.version, ...(version ? { expect_from: version } : {}), ...rowLoss(form) }),
  };
}

/* The releases that the controller names when it can't choose one, and those that runs and deployments speak of, newest first. */
function known({ history, status }, none) {
  const there = [...(none ?? "").matchAll(/(\S+) \([a-z ]+\)/g)].map(([, name]) => name);
  const named = (history?.deployments ?? []).flatMap((one) => [one.version, one.previous]);
  const run = (history?.runs ?? []).flatMap((one) => [one.to, one.from]);
  return [...new Set([...there, ...named, ...run, status.version])].filter(Boolean);
}

/* `none`: why no target can be chosen, in the controller's words. */
export function emergency(state, none) {
  const { version, target } = state.status;
  const releases = target ? [] : known(state, none);
  const wanted = target ? `Type the target version, ${target.version}, to confirm` : "Type the version that is to run; it needs a name";
  return {
    body: [
      h("h2", { id: "dialog-title" }, "Emergency rollback"),
      h("p", { class: "warning" }, "It begins at once. What is in flight gets 5 s at most, and what does not stop is killed. For a total outage, corrupted data or a breach."),
      pairs(["Current version", version ?? UNKNOWN], ["Target version", target ? [target.version, h("span", { class: "detail" }, ` ${readiness(target)}`)] : "none can be chosen: name one"]),
      none && h("p", { class: "detail" }, `${sentence(none.replace(/: to go to one, name it.*/, ""))}.`),
      target && doubt(target),
      target && databasePlace(),
      field("reason", "Reason (may be left out)", { maxlength: REASON_MAX }),
      field("confirm", wanted, { autocapitalize: "none", spellcheck: "false", list: releases.length > 0 && "releases" }, releases.length > 0 && `Known here: ${releases.join(", ")}.${version ? ` ${version} would be started again.` : ""}`),
      releases.length > 0 && h("datalist", { id: "releases" }, releases.map((one) => h("option", { value: one }))),
      problem(),
      buttons("danger", "Roll back now"),
    ],
    check(form) {
      const typed = value(form, "confirm");
      if (target && typed !== target.version) return refuse(form, "confirm", `Type ${target.version} exactly, to confirm.`);
      return typed ? null : refuse(form, "confirm", "Type the version that is to run: the controller can't choose one.");
    },
    go: (form) => act("/rollback", { mode: "emergency", reason: value(form, "reason"), to: value(form, "confirm"), ...rowLoss(form) }),
  };
}

export function cancel(state) {
  const { run } = state.status;
  return {
    body: [
      h("h2", { id: "dialog-title" }, `Cancel run ${run.id}`),
      pairs(["Run", `${run.mode} ${run.kind}, ${run.from || "nothing"} → ${run.to}`]),
      h("p", null, `Before step 3 it is undone, and ${run.from || "what runs"} goes on serving. After it the run is finished: half-way back would be no place to stay.`),
      problem(),
      buttons("danger", "Cancel the run", "Let it go on"),
    ],
    check: () => null,
    go: () => act(`/rollback/${run.id}/cancel`),
    said: (answer) => answer.detail,
  };
}

/* ---- traffic ---- */

export const restore = (state) => ({
  body: [
    h("h2", { id: "dialog-title" }, "Restore traffic"),
    pairs(["Held by", state.status.traffic.by ?? "not known"], ["Runs", `${state.status.version ?? UNKNOWN}, ${state.status.units.state}, ${state.status.health.state}`]),
    h("p", null, "Clients get the service again at once. Whoever drained it may have had a reason."),
    problem(),
    buttons("primary", "Restore traffic"),
  ],
  check: () => null,
  go: () => act("/traffic/restore"),
});

/* ---- deployments, session ---- */

export const pause = () => ({
  body: [
    h("h2", { id: "dialog-title" }, "Pause deployments"),
    h("p", null, "Nobody can deploy until they are resumed; rollbacks go on."),
    field("why", "Why (may be left out)", { maxlength: REASON_MAX }, "Shown to whoever wants to deploy."),
    problem(),
    buttons("primary", "Pause deployments"),
  ],
  check: () => null,
  go: (form) => act("/deployment/pause", value(form, "why") ? { why: value(form, "why") } : {}),
});

export const resume = (state) => ({
  body: [
    h("h2", { id: "dialog-title" }, "Resume deployments"),
    pairs(["Paused by", state.status.deployments.by ?? UNKNOWN], ["Why", state.status.deployments.why ?? "not said"]),
    problem(),
    buttons("primary", "Resume deployments"),
  ],
  check: () => null,
  go: () => act("/deployment/resume"),
});

/* ---- incidents ---- */

const about = (incident) => pairs(["Incident", `${incident.id}, ${incident.severity}`], ["What", sentence(incident.title)], ["Outcome", sentence(incident.outcome)]);

export const acknowledge = (incident) => ({
  body: [
    h("h2", { id: "dialog-title" }, `Acknowledge incident ${incident.id}`),
    about(incident),
    h("p", null, "Others see that you have taken it."),
    problem(),
    buttons("primary", "Acknowledge"),
  ],
  check: () => null,
  go: () => act(`/incidents/${incident.id}/acknowledge`),
});

export const resolve = (incident) => ({
  body: [
    h("h2", { id: "dialog-title" }, `Resolve incident ${incident.id}`),
    about(incident),
    field("note", "How it was settled (may be left out)", { maxlength: REASON_MAX }, "Kept with the incident."),
    problem(),
    buttons("primary", "Resolve"),
  ],
  check: () => null,
  go: (form) => act(`/incidents/${incident.id}/resolve`, value(form, "note") ? { note: value(form, "note") } : {}),
});

export const signIn = () => ({
  body: [
    h("h2", { id: "dialog-title" }, "Sign in with a token"),
    h("p", null, "On this machine, root, the user of the service and the members of its group may act; everybody else needs a token."),
    field("token", "Token", { type: "password", required: true, spellcheck: "false" }, "Sent once to begin a session; the page keeps it nowhere."),
    problem(),
    buttons("primary", "Sign in"),
  ],
  check: (form) => (value(form, "token") ? null : refuse(form, "token", "Paste a token.")),
  go: (form) => beginSession(value(form, "token")),
  signsIn: true,
});
