/* What is clicked and typed: the one dialog, and what its forms ask of the controller. */
import { Problem, Unreachable, beginSession, endSession, get } from "./api.js";
import * as dialogs from "./dialogs.js";
import { h } from "./dom.js";
import { evidence, runDetails } from "./evidence.js";
import { incidentDetails } from "./view-incidents.js";

let page; // { state, draw(), refresh(part), again() }

export function listen(its) {
  page = its;
}

const expected = (error) => error instanceof Problem || error instanceof Unreachable;

/* ---- the dialog ---- */

const dialog = document.getElementById("dialog");
let opened = null;

function open(made) {
  opened = made;
  const form = h("form", { method: "dialog", novalidate: true }, made.body ?? made);
  dialog.replaceChildren(form);
  dialog.classList.toggle("wide", !made.body);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  (form.querySelector("input") ?? form.querySelector(".buttons button")).focus({ preventScroll: !made.body });
}

dialog.addEventListener("close", () => {
  if (dialog.open) return; // the event comes late: it shows something else already
  opened = null;
  dialog.replaceChildren(); // what was typed is gone
});

dialog.addEventListener("submit", async (event) => {
  event.preventDefault();
  const made = opened;
  const form = event.target;
  const said = form.querySelector(".problem");
  said.textContent = made.check(form) ?? "";
  if (said.textContent) return;
  const submit = form.querySelector("[type=submit]");
  submit.disabled = true;
  try {
    const { body } = await withSession(() => made.go(form), made.signsIn);
    if (made.signsIn) signedIn(body);
    dialog.close();
    if (made.said) tell(made.said(body));
    page.refresh("status");
  } catch (error) {
    if (!expected(error)) throw error;
    said.textContent = error.title && error.title !== error.message ? `${error.title}: ${error.message}` : error.message;
    submit.disabled = false;
    submit.focus();
  }
});

/* A session that has run out, or was the last controller's, is begun anew, once. */
async function withSession(go, signsIn) {
  try {
    return await go();
  } catch (error) {
    if (signsIn || !(error instanceof Problem) || (error.status !== 401 && error.status !== 403)) throw error;
    page.state.session = (await beginSession()).body;
    page.draw();
    if (!page.state.session.may_act) throw error;
    return go();
  }
}

function signedIn(session) {
  page.state.session = session;
  page.again();
}

const tell = (text) => open([h("h2", { id: "dialog-title" }, "What came of it"), h("p", null, text), h("div", { class: "buttons" }, h("button", { type: "button", "data-act": "close" }, "Close"))]);

/* ---- what is clicked ---- */

const find = async (list, path, id) => list?.find((one) => one.id === id) ?? (await get(`${path}/${id}`)).body;

/* The controller says it when it is asked for a plan. */
async function whyNoTarget() {
  try {
    await get("/plan?mode=emergency");
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
  return null;
}

const PENDING_MS = 1000; // the controller is still asking the database
const PENDING_TRIES = 20;

/* Into the dialog that is open; without an answer nothing is said, and acting waits for none. */
async function showDatabase(mode) {
  const made = opened;
  const version = page.state.status.target?.version;
  const place = dialog.querySelector(".database");
  if (!version || !place) return;
  try {
    for (let tries = 0; tries < PENDING_TRIES; tries++) {
      const { body } = await get(`/plan?mode=${mode}&to=${encodeURIComponent(version)}`);
      if (opened !== made) return;
      place.replaceChildren(...dialogs.database(body.database));
      if (body.database?.verdict !== "pending") return;
      await new Promise((after) => setTimeout(after, PENDING_MS));
    }
  } catch (error) {
    if (!expected(error)) throw error;
  }
}

/* Without it the evidence is shown as far as it is known. */
async function explanation(id) {
  try {
    return (await get(`/decisions/${id}/explain`)).body;
  } catch (error) {
    if (!expected(error)) throw error;
    return null;
  }
}

const acts = {
  manual() {
    open(dialogs.manual(page.state));
    return showDatabase("manual");
  },
  async emergency() {
    open(dialogs.emergency(page.state, page.state.status.target ? null : await whyNoTarget()));
    return showDatabase("emergency");
  },
  restore: () => open(dialogs.restore(page.state)),
  cancel: () => page.state.status.run && open(dialogs.cancel(page.state)),
  pause: () => open(dialogs.pause()),
  resume: () => open(dialogs.resume(page.state)),
  "sign-in": () => open(dialogs.signIn()),
  async "sign-out"() {
    await endSession();
    location.reload(); // nothing of what was shown stays
  },
  close: () => dialog.close(),
  evidence: async (id) => open(evidence(await find(page.state.decisions, "/decisions", id), await explanation(id))),
  run: async (id) => open(runDetails(await find(page.state.history?.runs, "/rollback", id))),
  incident: async (id) => open(incidentDetails((await get(`/incidents/${id}`)).body, page.state.session?.may_act)),
  acknowledge: async (id) => open(dialogs.acknowledge((await get(`/incidents/${id}`)).body)),
  resolve: async (id) => open(dialogs.resolve((await get(`/incidents/${id}`)).body)),
  whole(_, key) {
    if (!page.state.whole.delete(key)) page.state.whole.add(key);
    page.draw();
  },
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  try {
    await acts[button.dataset.act](Number(button.dataset.id), button.dataset.id);
  } catch (error) {
    if (!expected(error)) throw error;
    tell(error.message);
  }
});
