"""From the first wrong answer to the decision to roll back, on the defaults."""

import os
import time

from stage import BAD_UNIT, CONTROLLER, HostError, Stage, seconds

INTERVAL = 30.0  # the default's
OUTAGES = {  # how nothing is answered any more, while systemd sees nothing wrong
    "only errors": {"error_every": 1, "unhealthy": True},
    "no answer at all": {"hang": True},
}


def _decision(on, timeout):
    """When the controller decided: the created time of the run that it began."""
    run = on.site.wait_for_run(timeout=timeout, kind="rollback", mode="automatic")
    if run["outcome"] != "succeeded":
        raise HostError(f"the rollback did not succeed: {run}")
    return seconds(run["created"])


def _first_failure(ledger):
    return min(one.due for one in ledger.requests if one.failed)


def errors(number, count):
    """5 % errors that begin at another moment of the sampling interval on each host."""
    offset = INTERVAL * number / count
    with Stage(f"errors-{number}", bad={"error_every": 20, "faults_from_ms": round(offset * 1000)}) as on:
        on.site.configure(decision={"bake_for": None})
        on.host.systemctl("restart", CONTROLLER)
        on.begin_load()
        on.deploy_bad(settle=0)
        decided = _decision(on, timeout=offset + 160)
        return decided - _first_failure(on.end_load())


def outage(number, _):
    kind = list(OUTAGES)[number % len(OUTAGES)]
    with Stage(f"outage-{number}") as on:
        on.begin_load(timeout=2000)  # a client that waits for ever makes no failed request
        on.deploy_bad(settle=3 + number * 0.2)
        on.site.write("/etc/novacron/config.yaml", "".join(
            f"{key}: {str(value).lower()}\n" for key, value in {
                "listen": "127.0.0.1:9001", "data": "/var/lib/service", **OUTAGES[kind]}.items()))
        on.host.systemctl("reload", BAD_UNIT)
        decided = _decision(on, timeout=40)
        return decided - _first_failure(on.end_load())


def unit_failed(number, _):
    with Stage(f"failed-{number}", bad_unit="Restart=no") as on:
        on.begin_load()
        on.deploy_bad(settle=2 + number * 0.2)
        pid = on.site.outside_pid(int(on.host.show(BAD_UNIT, "MainPID")["MainPID"]))
        began = time.time()
        os.kill(pid, 9)
        decided = _decision(on, timeout=20)
        on.end_load()
        return decided - began
