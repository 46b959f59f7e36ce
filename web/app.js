/* The dashboard: asks once, then follows the event stream; every view is drawn anew from the state when something has changed. */
import { isDrained } from "./next-step.js";
import { listen } from "./acting.js";
import { Problem, Stream, Unreachable, beginSession, get, session } from "./api.js";
import { h, show } from "./dom.js";
import { showHealth } from "./view-health.js";
import { showDecisions, showHistory } from "./view-history.js";
import { showIncidents } from "./view-incidents.js";
import { showMetrics, showWindow } from "./view-metrics.js";
import { showAlerts, showConnection, showFacts, showHeadline, showWho } from "./view-now.js";
import { showReceivers } from "./view-receivers.js";
import { animateBars, showRun } from "./view-run.js";
import { age, learnClock, now } from "./words.js";

const SAMPLES_KEPT = 2400; // more than an hour of them, unless they are shorter than the controller's default by far

const state = {
  connection: "connecting", // live, lost, refused
  heard: null, // the controller's last word, once it isn't heard any more
  refusal: null, // why the controller tells us nothing
  session: null, // { who, may_read, may_act }
  status: null,
  health: null,
  healthProblem: null,
  metrics: null,
  recorded: null, // the last hour, as it was when we began
  history: null,
  decisions: null,
  incidents: null,
  receivers: null,
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
    for (const view of [showHeadline, showConnection, showWho, showFacts, showMetrics, showWindow, showAlerts, showRun, showHealth, showIncidents, showReceivers, showHistory, showDecisions]) view(state);
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
  const lost = state.connection === "lost" && "The controller does not answer";
  const button = (name, text, kind, off) => h("button", { type: "button", class: kind, "data-act": name, "data-key": name, disabled: Boolean(lost || off), title: lost || (typeof off === "string" && off) }, text);
  show(
    host,
    isDrained(status) && button("restore", "Restore traffic\u00a0…", "primary"),
    running ? button("cancel", "Cancel the run\u00a0…", "") : button("manual", status.target ? `Roll back to ${status.target.version}\u00a0…` : "Roll back\u00a0…", "primary", !status.target && "No earlier release is fit for it"),
    button("emergency", "Emergency\u00a0…", "danger"),
    paused && !running ? button("resume", "Resume deployments\u00a0…", "") : button("pause", "Pause deployments\u00a0…", "", running),
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
  if (part === "recorded" && value) takeSamples(joined(value));
  if (part === "decisions") for (const decision of value ?? []) takeSamples(decision.samples);
  if (part === "history" && value) {
    state.marks = value.deployments.map((one) => ({ at: Date.parse(one.at) / 1000, label: one.version })).reverse();
    state.drawn++;
  }
  draw();
}

/* Of a thinned history each sample stands for those before it, too: the line isn't broken between them. */
function joined({ thinned, samples }) {
  return thinned ? samples.map((sample, at) => (at > 0 ? { ...sample, start: samples[at - 1].end } : sample)) : samples;
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
  recorded: () => get("/metrics/history?from=1h&points=1200"),
  history: () => get("/history?limit=50"),
  decisions: () => get("/decisions?limit=20"),
  incidents: () => get("/incidents?limit=50"),
  receivers: () => get("/receivers"),
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
    refresh("receivers");
  },
  sample(sample) {
    takeSamples([sample]);
    refresh("status");
    refresh("metrics");
    refresh("receivers"); // no event tells of them
  },
  decision() {
    refresh("decisions");
    refresh("status");
  },
  alert() {
    refresh("status");
    refresh("receivers");
  },
  incident: () => refresh("incidents"),
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
  /* Nothing has happened for a while: what is told by no event, ages above all, is asked for. A page that nobody sees waits. */
  heartbeat() {
    if (document.hidden) return;
    refresh("status");
    refresh("metrics");
    refresh("receivers");
    if (state.health?.status !== "unhealthy") refresh("health"); // its end is told, and its answer is an error to the browser's console
  },
  lost() {
    state.connection = "lost";
    state.heard = new Date(now() - (Date.now() - stream.heard)).toISOString();
    draw();
  },
  refused() {
    state.connection = "refused";
    draw();
  },
});

/* ---- the beginning ---- */

listen({
  state,
  draw,
  refresh,
  again() {
    stream.again();
    refreshAll();
  },
});
draw();
await signIn();
await refreshAll();
stream.start(stream.newest);
