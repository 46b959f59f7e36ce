/* The event stream's client: events in pieces, where it goes on, when it gives up. Run by test_scripts.py with node --test. */
import assert from "node:assert/strict";
import test from "node:test";

import { Problem, Stream } from "../../web/api.js";

globalThis.document = { addEventListener() {}, hidden: false };
globalThis.addEventListener ??= () => {};
const later = setTimeout;
globalThis.setTimeout = (...what) => later(...what).unref(); // its patience is not waited for

/* Follows what `answers` give, one for each connection; what it was told, and the ids it asked from. */
async function follow(answers) {
  const told = [];
  const asked = [];
  let stream;
  const over = new Promise((resolve) => {
    globalThis.fetch = async (_, { headers }) => {
      asked.push(headers["Last-Event-ID"]);
      const answer = answers[asked.length - 1];
      if (!answer) return resolve(), new Promise(() => {});
      if (answer.status) return new Response(JSON.stringify({ title: "Who are you?", detail: "show a token" }), answer);
      return new Response(new Blob([answer.text]).stream().pipeThrough(pieces(answer.size)));
    };
    stream = new Stream({
      event: (type, data) => told.push([type, data]),
      live: () => told.push("live"),
      lost: () => (told.push("lost"), stream.again()),
      refused: (problem) => resolve(told.push(["refused", problem instanceof Problem && problem.message])),
      heartbeat: () => told.push("heartbeat"),
    });
    stream.start("41");
  });
  await over;
  return { told, asked };
}

const pieces = (size) =>
  new TransformStream({
    transform(chunk, controller) {
      for (let at = 0; at < chunk.length; at += size) controller.enqueue(chunk.slice(at, at + size));
    },
  });

const TEXT = ': connected\n\nid: 42\nevent: sample\ndata: {"note":"ü"}\n\n: still here\n\nid: 43\nevent: run\ndata: {"id":7}\n\nevent: reset\ndata: {}\n\nid: 44\nevent: run\nda';
const EVENTS = ["live", ["sample", { note: "ü" }], "heartbeat", ["run", { id: 7 }], ["reset", {}], "lost"];

for (const size of [1, 3, 1000])
  test(`events in pieces of ${size} bytes, and on from the last whole one`, async () => {
    const { told, asked } = await follow([{ text: TEXT, size }]);
    assert.deepEqual(told, EVENTS);
    assert.deepEqual(asked, ["41", "43"]);
  });

test("a refusal is not tried again", async () => {
  const { told, asked } = await follow([{ text: TEXT, size: 9 }, { status: 401 }]);
  assert.deepEqual(told, [...EVENTS, ["refused", "show a token"]]);
  assert.deepEqual(asked, ["41", "43"]);
});
