/* What a person does next when something is off, with the line to type: the same that `auto-rollback status` advises. */

const RELEASE = "RELEASE"; // where a name is needed and none can be chosen

/* The release that the service should go back to after a run that holds. */
const wantedAfterHolding = (run) => (run.kind === "deployment" && run.from ? run.from : run.to) || RELEASE;
const afterHolding = (run) => `sudo auto-rollback emergency --to ${wantedAfterHolding(run)} "recovery after a held ${run.kind}"`;

const emergency = (status) => `sudo auto-rollback emergency ${status.target ? "" : `--to ${RELEASE} `}"why"`;

/* Until an operator has released it. */
export const isHolding = (status) => !status.run && status.last_run?.phase === "holding" && !status.last_run.released;

/* The release that is live would be rolled back, and isn't: a person decides. */
export const isForReview = (status) => !status.run && Boolean(status.review) && status.review.version === status.version;

/* No run holds the traffic, and clients get nothing: somebody has to give it back. */
export const isDrained = (status) => !status.run && ["drained", "draining"].includes(status.traffic.state);

/* A balancer is configured, was asked, and gave no answer. Without a detail it wasn't asked yet. */
export const isTrafficLost = ({ traffic }) => traffic.configured && traffic.state === "unknown" && Boolean(traffic.detail);

const isIll = (status) => !status.run && Boolean(status.version) && (status.health.state === "unhealthy" || ["failed", "inactive"].includes(status.units.state));

/* [{ advice, line }], the most urgent first. */
export function nextSteps(state) {
  const { status } = state;
  if (state.connection === "lost")
    return [
      { advice: "Nothing is decided and nothing is done by itself until the controller is back. Start it on its machine:", line: "systemctl start novacron-auto-rollback" },
      { advice: "To go back at once, without it:", line: status ? emergency(status) : 'sudo auto-rollback emergency "why"' },
    ];
  if (!status || status.run) return [];
  const steps = [];
  const step = (advice, line) => steps.push({ advice, line });
  if (isHolding(status)) {
    const [advice, line] = (status.last_run.remedy ?? "").split(/: (.*)/s); // "Mend the cause, then: auto-rollback resume"
    if (line) step(`${advice}:`, line);
    // what is live is started again on a wish that names it, but only while it doesn't serve: else that would be refused
    if (!line) step("Mend what is named here, then start a release that is known to work:", afterHolding(status.last_run));
    else if (wantedAfterHolding(status.last_run) !== status.version || isIll(status)) step("Or start a release that is known to work:", afterHolding(status.last_run));
  } else if (isForReview(status)) step(status.target ? "To go back:" : "Name the release that is to run:", emergency(status));
  else if (isIll(status)) step(status.target ? "To go back at once:" : "Name the release that is to run; the one that is live is started again:", emergency(status));
  if (isTrafficLost(status)) step("Look at the balancer, and whether its socket is where the configuration has it:", "systemctl status haproxy");
  if (isDrained(status)) step("To give clients the service again:", "sudo auto-rollback restore");
  if (!status.version) step("Mend that. When no release was deployed yet, take in those on this machine, and deploy one:", "sudo auto-rollback adopt");
  return steps;
}
