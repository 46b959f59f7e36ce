"""From typing `auto-rollback explain` (and `replay`) to its last line, of the newest decision, while the controller runs."""

import os

from stage import BAD_UNIT, Stage

TIMES = 20
# Timed where it is typed: in the host, without the way into it.
TIMER = """
import subprocess, time
for verb in ("explain", "replay"):
    for _ in range({times}):
        began = time.perf_counter()
        subprocess.run(["auto-rollback", verb], check=True, stdout=subprocess.DEVNULL)
        print(time.perf_counter() - began)
"""


def explain():
    """Every time it took, in ms."""
    with Stage("explain", bad_unit="Restart=no") as on:
        on.begin_load()
        on.deploy_bad()
        os.kill(on.site.outside_pid(int(on.host.show(BAD_UNIT, "MainPID")["MainPID"])), 9)
        on.site.wait_for_run(timeout=20, kind="rollback", mode="automatic")
        on.end_load()
        return [float(line) * 1e3 for line in on.host.output(["python3", "-c", TIMER.format(times=TIMES)], timeout=60).splitlines()]
