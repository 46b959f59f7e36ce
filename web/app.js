/* The dashboard: asks once, then follows the event stream; every view is drawn anew from the state when something has changed. */
import { Problem, Stream, Unreachable, beginSession, endSession, get, session } from "./api.js";
import * as dialogs from "./dialogs.js";
import { h, show } from "./dom.js";
import { evidence, runDetails } from "./evidence.js";
import { showHealth } from "./view-health.js";
import { showDecisions, showHistory } from "./view-history.js";
import { showMetrics, showWindow } from "./view-metrics.js";
import { showAlerts, showConnection, showFacts, showHeadline, showWho } from "./view-now.js";
import { animateBars, showRun } from "./view-run.js";
import { age, learnClock } from "./words.js";

const SAMPLES_KEPT = 400;

const state = {
  connection: "connecting", // live, lost, refused
  refusal: null, // why the controller tells us nothing
  session: null, // { who, may_read, may_act }
  status: null,
  health: null,
  healthProblem: null,
  metrics: null,
  history: null,
  decisions: null,
  samples: new Map(), // by their end
  marks: [], // releases that came, for the charts
  whole: new Set(), // tables shown to their end
  drawn: 0, // counts what the charts show
};

/* ---- drawing ---- */

let due = false;
function draw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    for (const view of [showHeadline, showConnection, showWho, showFacts, showMetrics, showWindow, showAlerts, showRun, showHealth, showHistory, showDecisions]) view(state);
    showActions();
    showFoot();
    animate();
  });
}

let animating = false;
function animate() {
  if (animating) return;
  animating = animateBars();
  if (!animating) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const next = () => {
    animating = false;
    animate();
  };
  if (still) setTimeout(next, 1000);
  else requestAnimationFrame(next);
}

setInterval(() => {
  for (const node of document.querySelectorAll("[data-age]")) {
    const text = age(node.dataset.age);
    if (node.textContent !== text) node.textContent = text;
  }
}, 1000);

function showActions() {
  const host = document.getElementById("actions");
  const { status, session } = state;
  if (!status) return show(host);
  if (!session) return show(host, h("p", { class: "detail" }, "To act, sign in with a token."));
  if (!session.may_act) return show(host, h("p", { class: "detail" }, `${session.who} may look, not act. Root, the service's user and the members of its group may; or sign in with a token.`));
  const paused = status.deployments.paused;
  const running = status.run !== null;
  const button = (name, text, kind, off) => h("button", { type: "button", class: kind, "data-act": name, "data-key": name, disabled: Boolean(off), title: typeof off === "string" && off }, text);
  show(
    host,
    running ? button("cancel", "Cancel the run …", "") : button("manual", status.target ? `Roll back to ${status.target.version} …` : "Roll back …", "primary", !status.target && "No earlier release is fit for it"),
    button("emergency", "Emergency …", "danger"),
    paused && !running ? button("resume", "Resume deployments …", "") : button("pause", "Pause deployments …", "", running),
  );
}

function showFoot() {
  const { controller } = state.status ?? {};
  show(document.getElementById("foot"), controller && h("span", null, `Controller ${controller.version}, ${controller.state}, pid ${controller.pid}. All times UTC.`), h("span", null, h("a", { href: "/openapi.json" }, "Interface"), " ", h("a", { href: "/metrics" }, "Metrics"), " ", h("a", { href: "/assets/licences.txt" }, "Licences")));
}

/* ---- asking ---- */

function take(part, value) {
  state[part] = value;
  if (part === "status" && value) {
    takeSamples(value.window?.samples ?? []);
    if (value.metrics.sample) takeSamples([value.metrics.sample]);
  }
  if (part === "decisions") for (const decision of value ?? []) takeSamples(decision.samples);
  if (part === "history" && value) {
    state.marks = value.deployments.map((one) => ({ at: Date.parse(one.at) / 1000, label: one.version })).reverse();
    state.drawn++;
  }
  draw();
}

function takeSamples(samples) {
  const before = state.samples.size;
  for (const sample of samples) if (!state.samples.has(sample.end)) state.samples.set(sample.end, sample);
  if (state.samples.size === before) return;
  const sorted = [...state.samples].sort(([one], [other]) => (one < other ? -1 : 1));
  state.samples = new Map(sorted.slice(-SAMPLES_KEPT));
  state.drawn++;
}

const sources = {
  status: () => get("/status"),
  health: () => get("/health"),
  metrics: () => get("/metrics/summary"),
  history: () => get("/history?limit=50"),
  decisions: () => get("/decisions?limit=20"),
};

/* Asks for a part again; what comes in meanwhile makes one more question, not many. */
const asking = new Map();
async function refresh(part) {
  if (asking.has(part)) {
    asking.set(part, true);
    return;
  }
  asking.set(part, false);
  try {
    const { body, newest, date } = await sources[part]();
    learnClock(date);
    if (part === "status") {
      state.refusal = null;
      stream.newest ??= newest;
    }
    take(part, part === "decisions" ? body.decisions : body);
  } catch (error) {
    refused(part, error);
  }
  const again = asking.get(part);
  asking.delete(part);
  if (again) await refresh(part);
}

function refused(part, error) {
  if (!(error instanceof Problem) && !(error instanceof Unreachable)) throw error;
  if (part === "status") state.refusal = notForUs(error) ? "Sign in with a token to look." : error.message;
  if (part === "status" && notForUs(error)) state.status = null;
  if (part === "health") state.healthProblem = error.message;
  draw();
}

const notForUs = (error) => error.status === 401 || error.status === 403;

const refreshAll = () => Promise.all(Object.keys(sources).map(refresh));

async function signIn() {
  state.session = (await whoAsks(session)) ?? (await whoAsks(beginSession)) ?? null;
  draw();
}

/* A session that lets act, or a token's, is kept; without one the machine says who we are. */
async function whoAsks(ask) {
  try {
    const { body } = await ask();
    return body.may_act || ask === beginSession || body.who.startsWith("token ") ? body : null;
  } catch (error) {
    if (!(error instanceof Problem) && !(error instanceof Unreachable)) throw error;
    return null;
  }
}

/* ---- following ---- */

const events = {
  status: (status) => take("status", status),
  health: (health) => take("health", health),
  run(run) {
    if (run.outcome === "open" && state.status) return take("status", { ...state.status, run, last_run: run });
    refresh("status"); // what it held is given back, too: all of that is shown at once
    refresh("history");
  },
  sample(sample) {
    takeSamples([sample]);
    refresh("status");
    refresh("metrics");
  },
  decision() {
    refresh("decisions");
    refresh("status");
  },
  alert: () => refresh("status"),
  reset: () => refreshAll(),
};

let begun = false;
const stream = new Stream({
  event: (type, data) => events[type]?.(data),
  live() {
    state.connection = "live";
    if (begun) {
      signIn(); // a controller that was started again knows no session
      refreshAll(); // what was missed, and what is told by no event
    }
    begun = true;
    draw();
  },
  lost() {
    state.connection = "lost";
    draw();
  },
  refused() {
    state.connection = "refused";
    draw();
  },
});

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
    refresh("status");
  } catch (error) {
    if (!(error instanceof Problem) && !(error instanceof Unreachable)) throw error;
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
    state.session = (await beginSession()).body;
    draw();
    if (!state.session.may_act) throw error;
    return go();
  }
}

function signedIn(session) {
  state.session = session;
  stream.again();
  refreshAll();
}

const tell = (text) => open([h("h2", { id: "dialog-title" }, "What came of it"), h("p", null, text), h("div", { class: "buttons" }, h("button", { type: "button", "data-act": "close" }, "Close"))]);

/* ---- what is clicked ---- */

const find = async (list, path, id) => list?.find((one) => one.id === id) ?? (await get(`${path}/${id}`)).body;

const acts = {
  manual: () => open(dialogs.manual(state)),
  emergency: () => open(dialogs.emergency(state)),
  cancel: () => state.status.run && open(dialogs.cancel(state)),
  pause: () => open(dialogs.pause()),
  resume: () => open(dialogs.resume(state)),
  "sign-in": () => open(dialogs.signIn()),
  async "sign-out"() {
    await endSession();
    location.reload(); // nothing of what was shown stays
  },
  close: () => dialog.close(),
  evidence: async (id) => open(evidence(await find(state.decisions, "/decisions", id))),
  run: async (id) => open(runDetails(await find(state.history?.runs, "/rollback", id))),
  whole(_, key) {
    if (!state.whole.delete(key)) state.whole.add(key);
    draw();
  },
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  try {
    await acts[button.dataset.act](Number(button.dataset.id), button.dataset.id);
  } catch (error) {
    if (!(error instanceof Problem) && !(error instanceof Unreachable)) throw error;
    tell(error.message);
  }
});

/* ---- the beginning ---- */

draw();
await signIn();
await refreshAll();
stream.start(stream.newest);
