/* What the dialogs for a rollback say of the database, and what they ask of the controller: no browser needed. */
import assert from "node:assert/strict";
import test from "node:test";

/* As much of a document as the dialogs' nodes need. */
class Node {
  constructor(tag) {
    this.tag = tag;
    this.attributes = {};
    this.children = [];
  }
  setAttribute(name, value) {
    this.attributes[name] = String(value);
  }
  append(...children) {
    this.children.push(...children);
  }
  get all() {
    return [this, ...this.children.flatMap((child) => (child instanceof Node ? child.all : []))];
  }
  get text() {
    return this.children.map((child) => (child instanceof Node ? child.text : child)).join("");
  }
}
globalThis.document = { createElement: (tag) => new Node(tag) };
const asked = [];
globalThis.fetch = async (path, { body }) => {
  asked.push([path, JSON.parse(body)]);
  return { ok: true, status: 200, headers: new Map([["Content-Type", "application/json"]]), json: async () => ({}) };
};
const dialogs = await import("../../web/dialogs.js");

const gate = (verdict, detail = "down.sql takes it back") => dialogs.database({ verdict, detail });
const box = (nodes) => nodes.flatMap((node) => node.all).find((node) => node.attributes.type === "checkbox");
const state = { status: { version: "v3.0.0", target: { version: "v2.4.0", state: "good", ready: true, detail: "it starts" } } };
/* A form in which this is typed, and that box is ticked. */
const form = (typed, ticked) => ({ querySelector: (what) => (what === "#allow-row-loss" ? (ticked === undefined ? null : { checked: ticked }) : { value: typed[what] }) });

test("without a database nothing is said of one", () => {
  assert.deepEqual(dialogs.database(null), []);
});

test("the verdict is shown in the gate's words", () => {
  for (const verdict of ["pending", "unknown", "compatible", "reversible", "refused"]) assert.equal(gate(verdict)[0].text, "Database: down.sql takes it back");
});

test("that rows may go is offered where there is a way back to take, and never ticked", () => {
  for (const verdict of ["unknown", "reversible", "refused"]) {
    assert.match(gate(verdict).map((node) => node.text).join(" "), /Rows may be lost/);
    assert.equal(box(gate(verdict)).attributes.checked, undefined);
  }
  for (const verdict of ["pending", "compatible"]) assert.equal(box(gate(verdict)), undefined);
});

test("only what is ticked is asked for", async () => {
  const typed = { "#reason": "it must go", "#confirm": "v2.4.0" };
  for (const mode of ["manual", "emergency"])
    for (const ticked of [undefined, false, true]) {
      await dialogs[mode](state, null).go(form(typed, ticked));
      const [path, body] = asked.pop();
      assert.equal(path, "/api/v3/rollback");
      assert.deepEqual([body.mode, body.to, body.allow_row_loss], [mode, "v2.4.0", ticked === true ? true : undefined]);
    }
});
