/* The controller's interface: requests, problems (RFC 9457), and the event stream. */

const BASE = "/api/v3";

export class Problem extends Error {
  constructor(status, document) {
    super(document?.detail || document?.title || `the controller answered ${status}`);
    this.status = status;
    this.title = document?.title ?? "";
    this.holder = document?.holder ?? null;
  }
}

/* The connection broke, or nobody listens: not the controller's word. */
export class Unreachable extends Error {}

async function ask(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(BASE + path, {
      method,
      headers: { Accept: "application/json", ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
      body: body ? JSON.stringify(body) : undefined,
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw new Unreachable("the controller does not answer");
  }
  const type = answer.headers.get("Content-Type") ?? "";
  let document = null;
  try {
    document = await answer.json();
  } catch {
    if (answer.ok) throw new Unreachable("the answer was cut off");
  }
  // /health says 503 with a whole answer when the service is unhealthy
  if (!answer.ok && !type.startsWith("application/json")) throw new Problem(answer.status, document);
  return { body: document, newest: answer.headers.get("Last-Event-ID"), date: answer.headers.get("Date") };
}

export const get = (path) => ask("GET", path);

/* Acting needs the session's cookie, and this header: a page from elsewhere can send neither. */
export const act = (path, body) => ask("POST", path, body ?? {}, { "X-Novacron-Session": "1" });

/* Who we are by the session that there is; a page that was loaded anew has it still. */
export const session = () => get("/session");

/* Begins one, with the rights of whoever's browser this is, or the token's. `token` is sent once and kept nowhere. */
export const beginSession = (token) => ask("POST", "/session", null, token ? { Authorization: `Bearer ${token}` } : {});

export const endSession = () => ask("DELETE", "/session", null, { "X-Novacron-Session": "1" });

/* ---- the event stream ---- */

const SILENT_MS = 45000; // the controller says something every 15 s, if only that it is there
const RETRY_MS = [500, 1000, 2000]; // who waits for it wants to see that it is back

/* Follows the events after `newest` for ever. `on.event(type, data)`; `on.live()` whenever it is connected anew: everything may have
 * changed; `on.lost(error)`: it is tried again; `on.refused(problem)`: it isn't, until again() is called;
 * `on.heartbeat()`: nothing has happened for a while. fetch() and not EventSource, which cannot say at first what it has already seen. */
export class Stream {
  constructor(on) {
    this.on = on;
    this.newest = null;
    this.tries = 0;
    this.heard = Date.now(); // its last word
  }

  start(newest) {
    this.newest = newest;
    this.#connect();
    addEventListener("online", () => this.again());
    document.addEventListener("visibilitychange", () => !document.hidden && this.again());
  }

  /* Now, if it isn't connected. */
  again() {
    if (this.open) return;
    clearTimeout(this.timer);
    this.#connect();
  }

  async #connect() {
    this.open = true;
    const stop = new AbortController();
    const watch = () => {
      clearTimeout(this.silence);
      this.silence = setTimeout(() => stop.abort(), SILENT_MS);
    };
    let error = new Unreachable("the connection was closed");
    try {
      watch();
      const headers = { Accept: "text/event-stream", ...(this.newest ? { "Last-Event-ID": this.newest } : {}) };
      const answer = await fetch(`${BASE}/events`, { headers, signal: stop.signal, credentials: "same-origin", cache: "no-store" });
      if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => null));
      this.tries = 0;
      this.heard = Date.now();
      this.on.live();
      await this.#read(answer.body.pipeThrough(new TextDecoderStream()).getReader(), watch);
    } catch (caught) {
      error = caught;
    }
    clearTimeout(this.silence);
    this.open = false;
    if (error instanceof Problem && (error.status === 401 || error.status === 403)) return this.on.refused(error);
    this.timer = setTimeout(() => this.#connect(), RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
    this.on.lost(error);
  }

  async #read(reader, watch) {
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.heard = Date.now();
      watch();
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) this.#take(text.slice(0, end));
    }
  }

  #take(block) {
    let type = "message";
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("id: ")) this.newest = line.slice(4);
      else if (line.startsWith("event: ")) type = line.slice(7);
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (data) this.on.event(type, JSON.parse(data));
    else if (block.startsWith(": still")) this.on.heartbeat();
  }
}
