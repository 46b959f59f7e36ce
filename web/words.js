/* Quantities and times in words. What isn't known is "unknown", never 0. Times are UTC, as in the log. */
import { h } from "./dom.js";

export const UNKNOWN = "unknown";
const known = (value) => value !== null && value !== undefined;

const trimmed = (value, digits) => Number(value.toFixed(digits)).toString();

export function percent(value) {
  if (!known(value)) return UNKNOWN;
  if (value > 0 && value < 0.01) return "< 0.01 %";
  if (value > 99.99 && value < 100) return "> 99.99 %";
  return value === 0 || value === 100 ? `${value} %` : `${value.toFixed(2)} %`;
}

/* A limit, as it was configured: 1 is "1.0 %". */
export const limitPercent = (value) => (known(value) ? `${Number.isInteger(value) ? value.toFixed(1) : trimmed(value, 4)} %` : UNKNOWN);

export function duration(ms) {
  if (!known(ms)) return UNKNOWN;
  if (ms < 10) return `${trimmed(ms, 1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${trimmed(ms / 1000, ms < 10000 ? 2 : 1)} s`;
  const minutes = Math.floor(ms / 60000);
  const seconds = Math.round(ms / 1000) % 60;
  if (minutes < 60) return seconds ? `${minutes} min ${seconds} s` : `${minutes} min`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
}

export const seconds = (value) => (known(value) ? duration(value * 1000) : UNKNOWN);

export const count = (value) => (known(value) ? value.toLocaleString("en").replaceAll(",", "\u2009") : UNKNOWN);

export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/* A word begins with a capital; a name (v2.4.0, novacron-dwcp-v2.service) stays as it is. */
export const sentence = (text) => (/^[a-z]+(?![\w.:/-])/.test(text ?? "") ? text[0].toUpperCase() + text.slice(1) : text ?? "").replace(/^Cpu\b/, "CPU");

/* ---- times ---- */

let skew = 0; // of this machine's clock against the controller's, when it is worth a correction
export function learnClock(date) {
  const difference = date ? new Date(date).getTime() - Date.now() : 0;
  skew = Math.abs(difference) > 3000 ? difference : 0;
}
export const now = () => Date.now() + skew;

export function clock(iso) {
  if (!iso) return UNKNOWN;
  const today = new Date(now()).toISOString().slice(0, 10);
  const text = iso.slice(11, 19);
  return iso.slice(0, 10) === today ? text : `${iso.slice(0, 10)} ${text}`;
}

export function age(iso) {
  const passed = (now() - new Date(iso).getTime()) / 1000;
  const size = Math.abs(passed);
  const text =
    size < 60 ? `${Math.floor(size)} s` : size < 3600 ? `${Math.floor(size / 60)} min` : size < 172800 ? `${Math.floor(size / 3600)} h` : `${Math.floor(size / 86400)} days`;
  return passed < 0 ? `in ${text}` : `${text} ago`;
}

/* "19:07:05 UTC, 4 min ago"; app.js keeps the age up to date. */
export function when(iso) {
  if (!iso) return h("span", null, UNKNOWN);
  return h("span", { class: "when" }, h("time", { datetime: iso, title: iso }, `${clock(iso)} UTC`), h("span", { class: "comma" }, ", "), ago(iso));
}

export const ago = (iso) => h("span", { class: "age", "data-age": iso }, age(iso));
