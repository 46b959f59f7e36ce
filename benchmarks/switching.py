"""From the decision to the old release's first healthy answer: ours, the specification's commands, the shortest script."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import stage
from stage import BAD, CONTROLLER, GOOD, HERE, Stage, seconds, step

SLOW_START = {"slow_start_ms": 2000}
AFTERMATH = 1.0  # the load goes on that long, so that what waited is answered and the ledger complete


@dataclass
class Switch:
    """One rollback. Seconds."""

    to_answer: float  # decision to the old release's first healthy answer through the balancer
    to_knowing: float  # decision to the end of what makes sure of it
    failed: int
    lost: int
    longest: float  # of the client's requests, from the decision on
    parts: dict = field(default_factory=dict)  # what a request had to wait for, and the rest
    own: float | None = None
    steps: dict = field(default_factory=dict)


def judge(on, ledger, decision, known):
    stop, start = on.job_seconds()
    longest = ledger.longest(decision, known + AFTERMATH)
    in_flight = ledger.longest_in_flight(decision)
    parts = {"longest request": longest, "in flight at the decision": in_flight, "stop job": stop, "start job": start,
             "beyond": longest - in_flight - stop - start}
    to_answer = ledger.first_answer(GOOD, decision) - decision
    return Switch(to_answer, known - decision, ledger.failed_by_rollback(decision), ledger.lost_writes, longest, parts)


@contextmanager
def under_load(name, slow):
    """The bad release is live under load; nobody has decided anything yet on its five percent errors."""
    with Stage(name, good=SLOW_START if slow else None, bad={"error_every": 20}) as on:
        on.begin_load()
        on.deploy_bad()
        yield on


def ours(slow=False, meanwhile=None):
    """`meanwhile(on)` begins what goes on beside it: a process."""
    with under_load("ours", slow) as on:
        beside = meanwhile(on) if meanwhile else None
        on.site.roll_back("measuring")
        if beside:
            beside.terminate()
            beside.wait(10)
        time.sleep(AFTERMATH)
        ledger = on.end_load()
        run = on.site.runs()[0]
        if (run["kind"], run["outcome"], run["from"], run["to"]) != ("rollback", "succeeded", BAD, GOOD):
            raise stage.HostError(f"the rollback did not succeed: {run}")
        # `created` is told in whole ms, rounded down: up to 1 ms is added to our time. Durations are told in microseconds.
        switch = judge(on, ledger, seconds(run["created"]), seconds(step(run, "verify_health")["ended"]))
        switch.steps = {one["key"]: one["duration_ms"] / 1e3 for one in run["steps"]}
        restored = run["duration_ms"] / 1e3 - switch.steps["resume_deployments"]
        waited = switch.steps["drain_traffic"] + switch.parts["stop job"] + switch.parts["start job"]
        switch.own = restored - waited
        return switch


def script(name, slow=False):
    """A shell script, typed on a host where no controller is in the way."""
    with under_load(name.removesuffix(".sh"), slow) as on:
        on.host.systemctl("stop", CONTROLLER)
        time.sleep(0.5)
        said = on.host.output(["sh", str(HERE / name)], timeout=180).split()
        time.sleep(AFTERMATH)
        return judge(on, on.end_load(), int(said[0]) / 1e6, int(said[-1]) / 1e6)
