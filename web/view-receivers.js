/* Who is told: each receiver, what waits for it, and since when and why it takes nothing. */
import { h, show } from "./dom.js";
import { cell, table } from "./view-history.js";
import { badge } from "./view-now.js";
import { UNKNOWN, ago, clock, plural, sentence, when } from "./words.js";

const forms = { alertmanager: "Alertmanager", notify: "notify and page", webhook: "webhook (CDEvents)", otlp: "OTLP traces" };

/* The four states of the interface; a word that came later is shown as it is. */
const states = {
  delivering: ["good", "delivering"],
  failing: ["bad", "failing"],
  gone: ["warn", "wants no more"],
  unused: ["unknown", "told nothing yet"],
};

const waiting = ({ waiting, oldest }) => (waiting === null ? UNKNOWN : waiting === 0 ? "none" : [`${plural(waiting, "message")}, the oldest `, ago(oldest)]);

/* What the receiver last said, while that was no yes, or why it could not be asked. */
function trouble({ state, failing_since, error, dropped }) {
  return [
    error && (failing_since ? `Since ${clock(failing_since)} UTC: ${error}. ` : `${sentence(error)}. `),
    state === "gone" && "It is told again when the configuration is read again. ",
    dropped > 0 && `${plural(dropped, "message")} given up.`,
  ].filter(Boolean);
}

const row = (receiver) => {
  const [tone, word] = states[receiver.state] ?? ["unknown", receiver.state];
  const why = trouble(receiver);
  return h(
    "tr",
    { role: "row", "data-key": `receiver-${receiver.name}` },
    cell("Name", receiver.name),
    cell("Kind", forms[receiver.form] ?? receiver.form),
    cell("State", badge(tone, word)),
    cell("Waiting", waiting(receiver)),
    cell("Last delivered", receiver.delivered_at ? when(receiver.delivered_at) : "not since the controller began"),
    h("td", { role: "cell", class: "reason", "data-label": "Trouble" }, why.length > 0 && h("span", null, why)),
  );
};

/* Not there where nobody is to be told. */
export function showReceivers(state) {
  const all = state.receivers?.receivers ?? [];
  document.getElementById("receivers-card").hidden = all.length === 0;
  show(document.getElementById("receivers"), all.length > 0 && table("Who is told", ["Name", "Kind", "State", "Waiting", "Last delivered", "Trouble"], all.map(row)));
}
