/* The sentence for 3 a.m., and the quantities in it: no browser needed. Run by test_scripts.py with node --test. */
import assert from "node:assert/strict";
import test from "node:test";

import { headline, lost } from "../../web/headline.js";
import { nextSteps } from "../../web/next-step.js";
import { duration, limitPercent, percent, sentence } from "../../web/words.js";

const run = {
  id: 3, kind: "rollback", mode: "automatic", from: "v3.0.0", to: "v2.4.0", initiator: "controller", decision: 1,
  reason: "error rate 4.90 % > 1.0 % in 4 of 5 samples over 120 s (newest: 49 of 1000 requests failed); success rate 95.10 % < 99.0 %",
  phase: "succeeded", outcome: "succeeded", created: "2001-02-03T03:12:07.000Z", ended: "2001-02-03T03:12:07.048Z", duration_ms: 48, failure: "",
  serving: "v2.4.0", in_flight_cut: 0, requests_failed: 0, validation: "passed", steps: [], recovery: [],
};
const status = {
  version: "v2.4.0", version_problem: null, units: { state: "active", names: [], detail: "" }, health: { state: "healthy" },
  traffic: { state: "flowing" }, window: { degraded: 0, expected: 5, needed: 4 }, metrics: { source: "edge", connected: true },
  deployments: { paused: false, by: null, why: null }, alerts: [], run: null, last_run: run,
};
const said = (change, connection = "live") => {
  const { tone, lead, more } = headline({ status: { ...status, ...change }, connection });
  return [tone, [lead, ...more].join(" ")];
};

const steps = [
  { step: 0, title: "Prove the target", state: "done" },
  { step: 1, title: "Pause deployments", state: "done" },
  { step: 2, title: "Drain traffic", state: "acting" },
  { step: 3, title: "Stop current version", state: "pending" },
];
const happened = "Rolled back from v3.0.0 to v2.4.0 at 2001-02-03 03:12:07 UTC because error rate 4.90 % > 1.0 %; took 48 ms; no request lost; validated.";
const alert = { since: run.ended, source: "rollback", message: "" };

const cases = [
  ["all is well", {}, ["good", `v2.4.0 runs and is healthy. ${happened}`]],
  ["a run is under way", { run: { ...run, outcome: "open", phase: "forward", steps } }, ["acting", "Rolling back v3.0.0 → v2.4.0: step 2 of 8, drain traffic. Because error rate 4.90 % > 1.0 %."]],
  ["the original is put back", { run: { ...run, outcome: "open", phase: "recovery", recovery: [{ step: 5, title: "Start current version", state: "acting" }] } },
    ["warn", "Rolling back v3.0.0 → v2.4.0: failed, v3.0.0 is being put back: step 5 of 8, start current version. Because error rate 4.90 % > 1.0 %."]],
  ["it holds", { last_run: { ...run, phase: "holding", outcome: "held", failure: "neither unit starts", requests_failed: null, serving: null } },
    ["bad", "Holding: a person is needed. The rollback to v2.4.0 stopped at 2001-02-03 03:12:07 UTC because nothing safe was left to do: neither unit starts; took 48 ms; whether requests failed meanwhile is not known."]],
  ["what is live is not known", { version: null, version_problem: "current is missing", last_run: null }, ["bad", "Which release is live is not known: current is missing."]],
  ["a unit has failed", { units: { state: "failed", detail: "novacron-dwcp-v2.service: failed" }, last_run: null }, ["bad", "v2.4.0 has failed: novacron-dwcp-v2.service: failed."]],
  ["unhealthy", { health: { state: "unhealthy" }, last_run: null }, ["bad", "v2.4.0 runs, but is unhealthy."]],
  ["health unknown is not healthy", { health: { state: "unknown" }, last_run: null }, ["unknown", "v2.4.0 runs; its health is unknown."]],
  ["drained", { traffic: { state: "drained" }, last_run: null }, ["bad", "v2.4.0 runs, but its traffic is drained: clients get nothing."]],
  ["being drained", { traffic: { state: "draining" }, last_run: null }, ["bad", "v2.4.0 runs, but its traffic is being drained: clients get nothing."]],
  ["the balancer can't be asked", { traffic: { configured: true, state: "unknown", detail: "/run/haproxy.sock: connection refused" }, last_run: null },
    ["bad", "The balancer doesn't answer: clients may get nothing. /run/haproxy.sock: connection refused."]],
  ["no balancer is no fault", { traffic: { configured: false, state: "unknown", detail: "no balancer is configured (traffic.driver)" }, last_run: null }, ["good", "v2.4.0 runs and is healthy."]],
  ["not asked yet is no fault", { traffic: { configured: true, state: "unknown", detail: "" }, last_run: null }, ["good", "v2.4.0 runs and is healthy."]],
  ["a review", { review: { version: "v2.4.0", reason: "error rate 4 % > 1 %", guard_text: "3 were today" }, last_run: null },
    ["bad", "v2.4.0 is degraded, and a person has to decide. Not rolled back automatically: 3 were today. Error rate 4 % > 1 %."]],
  ["a hold that was released", { last_run: { ...run, phase: "holding", outcome: "held", released: true, failure: "" } },
    ["good", "v2.4.0 runs and is healthy. The rollback to v2.4.0 stopped at 2001-02-03 03:12:07 UTC because nothing safe was left to do; took 48 ms; no request lost."]],
  ["stopped", { units: { state: "inactive", detail: "" }, health: { state: "unknown" }, last_run: null }, ["bad", "v2.4.0 is stopped: its units are inactive."]],
  ["the window fills", { window: { degraded: 3, expected: 5, needed: 4 }, last_run: null }, ["warn", "v2.4.0 runs, but 3 of 5 samples are degraded; 4 trigger a rollback."]],
  ["what stands", { last_run: null, alerts: [alert, alert], metrics: { source: "edge", connected: false }, deployments: { paused: true, by: "ann (uid 1000)", why: "schema" } },
    ["good", "v2.4.0 runs and is healthy. Deployments are paused by ann (uid 1000): schema. The metrics source is not heard: nothing is decided on samples until it is. 2 alerts stand."]],
  ["a person's reason is told as it was typed", { last_run: { ...run, decision: null, mode: "manual", reason: "slow; (see chat)", validation: "failed", requests_failed: 2, in_flight_cut: 1 } },
    ["warn", "v2.4.0 runs and is healthy. Rolled back from v3.0.0 to v2.4.0 at 2001-02-03 03:12:07 UTC because “slow; (see chat)”; took 48 ms; 2 requests failed meanwhile; 1 request in flight given up; but validation failed."]],
  ["a refusal", { last_run: { ...run, outcome: "refused", phase: "failed", failure: "v2.4.0 is incomplete", validation: null } },
    ["good", "v2.4.0 runs and is healthy. The rollback to v2.4.0 was refused at 2001-02-03 03:12:07 UTC before anything was touched: v2.4.0 is incomplete; took 48 ms; no request lost."]],
];

for (const [name, change, expected] of cases) test(name, () => assert.deepEqual(said(change), expected));

const parts = (status, ...components) => ({ status, arithmetic: { components: components.map((one) => ({ configured: true, critical: false, reason: "", ...one })) } });
const withHealth = (health, change) => {
  const { tone, lead, more } = headline({ status: { ...status, last_run: null, ...change }, health, connection: "live" });
  return [tone, [lead, ...more].join(" ")];
};

test("a component that is not well is never healthy", () => {
  const consensus = { name: "consensus", status: "unhealthy", critical: true, reason: "1 of 3 members answer, 2 needed" };
  const system = { name: "system", status: "unhealthy" };
  const disk = { name: "storage", status: "degraded", reason: "91 % used > 90 %" };
  assert.deepEqual(withHealth(parts("unhealthy", disk, system, consensus)), ["bad", "v2.4.0 runs, but consensus (critical) is unhealthy (1 of 3 members answer, 2 needed), system is unhealthy."]);
  assert.deepEqual(withHealth(parts("degraded", disk)), ["warn", "v2.4.0 runs, but storage is degraded (91 % used > 90 %)."]);
  assert.deepEqual(withHealth(parts("degraded", { ...disk, status: "healthy" })), ["warn", "v2.4.0 runs, but the whole is degraded."]);
  assert.deepEqual(withHealth(parts("healthy", { ...disk, status: "healthy" })), ["good", "v2.4.0 runs and is healthy."]);
  assert.deepEqual(withHealth(parts("unhealthy", consensus), { window: { degraded: 1, expected: 5, needed: 4 } }),
    ["bad", "v2.4.0 runs, but 1 of 5 samples are degraded; 4 trigger a rollback. Component health: consensus (critical) is unhealthy (1 of 3 members answer, 2 needed)."]);
  assert.deepEqual(withHealth(parts("degraded", disk), { traffic: { state: "drained" } }),
    ["bad", "v2.4.0 runs, but its traffic is drained: clients get nothing. Component health: storage is degraded (91 % used > 90 %)."]);
});

const lines = (change, connection = "live") => nextSteps({ status: { ...status, target: { version: "v2.3.0" }, ...change }, connection }).map(({ line }) => line);

test("what to type", () => {
  const held = { ...run, phase: "holding", outcome: "held" };
  assert.deepEqual(lines({}), []);
  assert.deepEqual(lines({ last_run: held }), ['sudo auto-rollback emergency --to v2.4.0 "recovery after a held rollback"']);
  assert.deepEqual(lines({ last_run: { ...held, remedy: "Mend the cause, then: systemctl start a.service; auto-rollback resume" } }),
    ["systemctl start a.service; auto-rollback resume"], "v2.4.0 is live and serves: to start it again would be refused");
  const both = ["systemctl start a.service; auto-rollback resume", 'sudo auto-rollback emergency --to v2.4.0 "recovery after a held rollback"'];
  const remedied = { last_run: { ...held, remedy: "Mend the cause, then: systemctl start a.service; auto-rollback resume" } };
  assert.deepEqual(lines({ ...remedied, units: { state: "failed" } }), both);
  assert.deepEqual(lines({ ...remedied, version: "v3.0.0" }), both);
  assert.deepEqual(lines({ last_run: { ...held, released: true } }), []);
  assert.deepEqual(lines({ last_run: { ...held, kind: "deployment" } }), ['sudo auto-rollback emergency --to v3.0.0 "recovery after a held deployment"']);
  assert.deepEqual(lines({ health: { state: "unhealthy" } }), ['sudo auto-rollback emergency "why"']);
  assert.deepEqual(lines({ units: { state: "failed" }, target: null }), ['sudo auto-rollback emergency --to RELEASE "why"']);
  assert.deepEqual(lines({ traffic: { state: "drained" } }), ["sudo auto-rollback restore"]);
  assert.deepEqual(lines({ traffic: { configured: true, state: "unknown", detail: "it does not answer" } }), ["systemctl status haproxy"]);
  assert.deepEqual(lines({ traffic: { state: "drained" }, run }), [], "a run gives it back itself");
  assert.deepEqual(lines({ traffic: { state: "drained" } }, "lost"), ["systemctl start novacron-auto-rollback", 'sudo auto-rollback emergency "why"']);
});

test("a refused run lost nothing", () => assert.equal(lost({ ...run, outcome: "refused", requests_failed: null }), "no request lost"));

test("a lost connection makes it old news", () => {
  assert.deepEqual(said({ last_run: null }, "lost"), ["unknown", "As of the last word from the controller: v2.4.0 runs and is healthy."]);
});

test("nothing known yet", () => {
  assert.equal(headline({ status: null }).tone, "unknown");
  assert.equal(headline({ status: null, refusal: "the controller does not answer" }).lead, "The controller does not answer");
});

test("unknown is never 0", () => {
  assert.equal(percent(null), "unknown");
  assert.equal(duration(null), "unknown");
  assert.equal(limitPercent(undefined), "unknown");
  assert.match(lost({ ...run, requests_failed: null }), /not known/);
});

test("quantities", () => {
  assert.deepEqual([0, 100, 4.9, 0.001, 99.999].map(percent), ["0 %", "100 %", "4.90 %", "< 0.01 %", "> 99.99 %"]);
  assert.deepEqual([0.45, 9.96, 10.4, 999, 1530, 61000, 86400000, 5400000].map(duration), ["0.5 ms", "10 ms", "10 ms", "999 ms", "1.53 s", "1 min 1 s", "24 h", "1 h 30 min"]);
  assert.deepEqual([1, 0.5, 99.25].map(limitPercent), ["1.0 %", "0.5 %", "99.25 %"]);
  assert.deepEqual(["healthy 3 times", "v2.4.0 is current", "novacron-dwcp-v2.service: failed", "cpu 99 %", ""].map(sentence), ["Healthy 3 times", "v2.4.0 is current", "novacron-dwcp-v2.service: failed", "CPU 99 %", ""]);
});
