/* Component health: each component with its weight and reason, and the arithmetic of the score. */
import { h, show } from "./dom.js";
import { badge } from "./view-now.js";
import { ago, sentence, UNKNOWN } from "./words.js";

export const healthTones = { healthy: "good", degraded: "warn", unhealthy: "bad", unknown: "unknown" };

const row = (component) =>
  h(
    "li",
    { class: `component${component.configured ? "" : " off"}`, "data-key": component.name },
    h("span", { class: "name" }, component.name, component.critical && component.configured && h("span", { class: "critical" }, "critical")),
    badge(healthTones[component.status], component.configured ? component.status : "not configured"),
    h("span", { class: "weighed", title: "score × weight" }, `${component.score ?? "–"} × ${component.weight}`),
    component.configured && component.reason && h("span", { class: "detail" }, sentence(component.reason)),
  );

export function showHealth(state) {
  const host = document.getElementById("health");
  const { health } = state;
  if (!health) return show(host, h("p", { class: "nothing" }, state.healthProblem ?? "Unknown"));
  const { arithmetic, score } = health;
  show(
    host,
    h("p", { class: "score" }, h("span", { class: `number ${healthTones[health.status]}` }, score === null ? UNKNOWN : score), score !== null && h("span", { class: "of" }, "of 100"), badge(healthTones[health.status], health.status)),
    h("p", { class: "detail formula" }, arithmetic.formula || "No component that counts is known, so there is no score."),
    h("ul", { class: "components", "aria-label": "Components: state, score × weight" }, [...arithmetic.components].sort((one, other) => other.configured - one.configured).map(row)),
    health.checked && h("p", { class: "detail" }, "Newest check ", ago(health.checked), ". What is unknown counts neither for nor against."),
  );
}
