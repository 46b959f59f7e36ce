/* What clients get: the three metrics with their thresholds over time, and the window's verdict as it fills. */
import { Chart } from "./chart.js";
import { h, icon, show } from "./dom.js";
import { badge } from "./view-now.js";
import { clock, count, duration, limitPercent, percent, plural, seconds, sentence, UNKNOWN } from "./words.js";

const SAMPLES_SHOWN = 40; // at least; the charts reach back as far as there are samples, an hour at most
const SHOWN_S = 3600;

/* `exceeds` only draws and words it: whether a sample is degraded is the controller's to say. */
export const metrics = [
  {
    key: "error_rate",
    title: "Error rate",
    short: "errors",
    sign: ">",
    limitShort: limitPercent,
    of: (sample) => sample.error_rate_percent,
    limit: (thresholds) => thresholds.error_rate_percent,
    exceeds: (value, limit) => value > limit,
    text: percent,
    limitText: (limit) => `at most ${limitPercent(limit)}`,
    range: (low, high, limit = 1) => [0, Math.max(limit * 2, (high ?? 0) * 1.15)],
    tick: (value) => `${Number(value.toFixed(2))} %`,
  },
  {
    key: "latency_p99",
    title: "Latency, p99",
    short: "p99",
    sign: ">",
    limitShort: duration,
    of: (sample) => sample.latency_p99_ms,
    limit: (thresholds) => thresholds.latency_p99_ms,
    exceeds: (value, limit) => value > limit,
    text: duration,
    limitText: (limit) => `at most ${duration(limit)}`,
    range: (low, high, limit = 100) => [0, Math.max(limit * 1.3, (high ?? 0) * 1.15)],
    tick: (value) => (value >= 1000 ? `${Number((value / 1000).toFixed(2))} s` : `${value} ms`),
  },
  {
    key: "success_rate",
    title: "Success rate",
    short: "success",
    sign: "<",
    limitShort: limitPercent,
    of: (sample) => sample.success_rate_percent,
    limit: (thresholds) => thresholds.success_rate_percent,
    exceeds: (value, limit) => value < limit,
    text: percent,
    limitText: (limit) => `at least ${limitPercent(limit)}`,
    range: (low, high, limit = 99) => {
      const bottom = Math.min(100 - 2 * (100 - limit), 100 - (100 - (low ?? 100)) * 1.15);
      return [Math.max(0, bottom), 100 + (100 - bottom) * 0.04];
    },
    tick: (value) => `${Number(value.toFixed(2))} %`,
  },
];

/* ---- numbers and charts ---- */

const charts = new Map();

function card(metric, sample, thresholds) {
  const value = sample ? metric.of(sample) : null;
  const limit = thresholds ? metric.limit(thresholds) : null;
  const [tone, word] = value === null || sample.state === "unknown" ? ["unknown", UNKNOWN] : metric.exceeds(value, limit) ? ["bad", "degraded"] : ["good", "healthy"];
  return h(
    "figure",
    { class: "card metric", "data-key": metric.key },
    h("figcaption", null, h("span", { class: "name" }, metric.title), badge(tone, word), h("span", { class: `number ${tone}` }, value === null ? UNKNOWN : metric.text(value)), h("span", { class: "limit" }, limit === null ? "" : metric.limitText(limit))),
    h("div", { class: "chart", "data-own": true, id: `chart-${metric.key}`, role: "img", "aria-label": inWords(metric, sample, value, limit) }),
    h("p", { class: "reading", "aria-hidden": "true", "data-own": true, id: `reading-${metric.key}` }),
  );
}

const inWords = (metric, sample, value, limit) =>
  value === null || limit === null ? `${metric.title} over time; the newest value is unknown` : `${metric.title} over time; newest ${metric.text(value)}, limit ${metric.limitText(limit)}`;

export function showMetrics(state) {
  const { status } = state;
  const sample = status?.metrics.sample ?? null;
  const host = document.getElementById("metrics");
  show(
    host,
    metrics.map((metric) => card(metric, sample, status?.thresholds)),
    h("p", { class: "beside" }, beside(state, sample)),
  );
  if (status) for (const metric of metrics) draw(metric, state);
}

/* How the numbers came about, and what goes with them. */
function beside(state, sample) {
  const { requests, latency, connections, system } = state.metrics ?? {};
  const measured = !sample
    ? state.status?.metrics.detail || "no sample yet"
    : sample.measured
      ? `Newest sample: ${plural(sample.requests, "request")}, ${sample.errors === null ? "errors unknown" : plural(sample.errors, "error")}, up to ${clock(sample.end)} UTC${sample.note ? `; ${sample.note}` : ""}${sample.dropped ? `; ${count(sample.dropped)} lost from sight` : ""}`
      : `Not measured: ${sample.note}`;
  const value = (part, text) => (part === null || part === undefined ? UNKNOWN : text(part));
  const whole = (part) => value(part, (number) => `${Number(number.toFixed(1))} %`);
  if (!state.metrics) return measured;
  return [
    measured,
    `Last minute: ${value(requests.rate_1m, (rate) => `${Number(rate.toFixed(1))} requests/s`)}`,
    `p50 ${value(latency.p50_ms, duration)}`,
    `in flight ${value(connections.active, count)}${connections.max === null ? "" : ` of at most ${count(connections.max)}`}`,
    `CPU ${whole(system.cpu_percent)}, memory ${whole(system.memory_percent)}, disk ${whole(system.disk_percent)}`,
  ].join(" · ");
}

function draw(metric, state) {
  const host = document.getElementById(`chart-${metric.key}`);
  let chart = charts.get(metric.key);
  if (!chart || chart.host !== host) {
    chart = new Chart(host, metric);
    charts.set(metric.key, chart);
    const reading = document.getElementById(`reading-${metric.key}`);
    host.addEventListener("sample", ({ detail }) => (reading.textContent = detail ? `${clock(detail.end)} UTC: ${metric.text(metric.of(detail))}` : ""));
  }
  if (chart.drawn === state.drawn) return; // nothing new to draw
  chart.drawn = state.drawn;
  const { samples, span } = lastHour([...state.samples.values()]);
  chart.update(samples, metric.limit(state.status.thresholds), state.marks, span);
}

function lastHour(all) {
  const end = Date.parse(all.at(-1)?.end) / 1000;
  const samples = all.filter((sample) => Date.parse(sample.start) / 1000 >= end - SHOWN_S);
  const there = samples.length ? end - Date.parse(samples[0].start) / 1000 : 0;
  return { samples, span: Math.max(there, interval(samples) * SAMPLES_SHOWN) };
}

function interval(samples) {
  const newest = samples.at(-1);
  return newest ? (Date.parse(newest.end) - Date.parse(newest.start)) / 1000 : 30;
}

/* ---- the window ---- */

const cells = { healthy: ["good", "healthy"], degraded: ["bad", "degraded"], unknown: ["unknown", "unknown"] };

export function whatExceeds(sample, thresholds) {
  return metrics
    .filter((metric) => metric.of(sample) !== null && metric.exceeds(metric.of(sample), metric.limit(thresholds)))
    .map((metric) => `${metric.short} ${metric.text(metric.of(sample))} ${metric.sign} ${metric.limitShort(metric.limit(thresholds))}`);
}

function cell(sample, thresholds) {
  if (!sample) return h("li", { class: "cell empty" }, icon("empty"), h("span", { class: "word" }, "not yet"), h("span", { class: "value" }, ""), h("span", { class: "at" }, ""));
  const [tone, word] = cells[sample.state];
  const why = sample.state === "degraded" ? whatExceeds(sample, thresholds).join(", ") : sample.state === "unknown" ? sample.note || (sample.measured ? `only ${plural(sample.requests, "request")}` : "not measured") : `${percent(sample.error_rate_percent)} errors, p99 ${duration(sample.latency_p99_ms)}`;
  return h("li", { class: `cell ${tone}`, title: why }, icon(tone), h("span", { class: "word" }, word), h("span", { class: "value" }, why), h("span", { class: "at" }, clock(sample.end).slice(-8)));
}

export function showWindow(state) {
  const host = document.getElementById("window");
  const { status } = state;
  if (!status?.window) return show(host, h("p", { class: "nothing" }, status ? "Nothing is measured, so nothing is decided on samples." : "Unknown"));
  if (status.metrics.source === "none") return show(host, h("p", { class: "verdict" }, badge("unknown", "not measured")), h("p", { class: "nothing" }, `${sentence(status.metrics.detail)}.`));
  const { window, thresholds } = status;
  const missing = Math.max(0, window.expected - window.samples.length);
  const unknown = window.samples.filter((sample) => sample.state === "unknown").length;
  const tone = window.degraded >= window.needed ? "bad" : window.degraded > 0 ? "warn" : window.samples.length > unknown ? "good" : "unknown";
  show(
    host,
    h(
      "p",
      { class: "verdict" },
      badge(tone, `${window.degraded} of ${window.expected} degraded, ${window.needed} needed`),
      h("span", { class: "detail" }, ` ${[unknown > 0 && `${unknown} unknown`, missing > 0 && `${missing} not yet`, `the newest must be degraded too; the window is ${seconds(thresholds.degradation_window_s)} long`].filter(Boolean).join("; ")}`),
    ),
    h("ol", { class: `cells${window.expected > 9 ? " many" : ""}`, css: { "--cells": window.expected }, "aria-label": "Samples of the window, oldest first" }, window.samples.map((sample) => cell(sample, thresholds)), Array.from({ length: missing }, () => cell(null))),
  );
}
