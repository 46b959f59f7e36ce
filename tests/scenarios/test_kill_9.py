"""The controller is killed with SIGKILL before and after each step's intent, act and result: after its restart the run ends by
itself, correctly, and no request or write is lost to it.

Where to kill is counted, not timed: strace delivers the signal at the entry of the k-th system call of a kind, for every k until a
run gets through. The journal syncs twice for each append (what it is about to write isn't there at the first, and is at the
second), so the syncs are the moments before and after each intent and result; the renames and what is sent to the
balancer lie in the middle of the acts."""

import re
import shutil
from itertools import count

import pytest
from hosts import wait_until
from testsite import CONTROLLER

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")

MOST = 200


class Killer:
    """Kills the controller at the entry of its k-th `syscall` from now on."""

    def __init__(self, site, syscall, k):
        self.site = site
        self.pid = site.controller_pid()
        self.tracer = site.host.popen(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={syscall}", "-e",
                                       f"inject={syscall}:signal=KILL:when={k}", "-p", str(self.pid)])
        status = f"/proc/{site.outside_pid(self.pid)}/status"
        wait_until(lambda: "TracerPid:\t0\n" not in open(status).read(), what="strace has attached")

    def end(self):
        """Whether it has killed."""
        self.tracer.terminate()
        self.tracer.wait(10)
        return self.site.controller_pid() != self.pid


def settled(site, newer_than):
    """The controller is there and nothing is under way: how the newest run ended."""

    def condition():
        status = site.status()
        if not status or status["run"] or status["traffic"]["state"] == "unknown":
            return None
        last = status["last_run"]
        return status if last is None or last["ended"] else None

    status = site.wait(condition, 20, "the run has ended")
    last = status["last_run"]
    return last if last["id"] > newer_than else None


def newest(site):
    return site.runs()[0]["id"]


def begin(site, kind, version):
    if kind == "rollback":
        return site.ask("POST", "/rollback", {"mode": "manual", "reason": "killed again and again"})
    return site.ask("POST", "/deploy", {"version": version})


def check_run(site, run, kind, origin, target):
    """It ended in one of the three ways, says the truth, and nothing is held back."""
    serving = origin
    if run:  # else it was killed before anything was written: there never was a run
        assert run["kind"] == kind and run["outcome"] in ("succeeded", "put_back", "undone", "refused"), run
        serving = run["serving"]
        assert serving == (target if run["outcome"] == "succeeded" else origin), run
        assert run["outcome"] == "succeeded", f"only a kill must not make it fail: {run['failure']}"
    site.check_steady(serving)
    return serving


def steps_hit(site):
    """The steps the log was at when the controller was killed."""
    hit, last = set(), None
    for line in site.host.journal(CONTROLLER).splitlines():
        if found := re.match(r"step (\d)/8 [^:]*: (begins|done)", line):
            last = int(found[1])
        elif line.startswith("watching ") and last is not None:
            hit.add(last)
    return hit


def kill_at_every(site, syscall, kind, origin, target):
    """Until a run gets through; the number of kills."""
    back = "deployment" if kind == "rollback" else "rollback"
    for k in count(1):
        before = newest(site)
        killer = Killer(site, syscall, k)
        begin(site, kind, target)
        run = settled(site, before)
        killed = killer.end()
        serving = check_run(site, run, kind, origin, target)
        if serving == target:
            before = newest(site)
            assert begin(site, back, origin)[0] < 300
            check_run(site, settled(site, before), back, target, origin)
        if not killed:
            return k - 1
        assert k < MOST, "there is no end to it"


@pytest.mark.parametrize("kind", ["rollback", "deployment"])
@pytest.mark.parametrize("syscall", ["fdatasync", "rename", "sendto"])
def test_killed_at_every(site, syscall, kind):
    load = site.begin_with(measured=kind == "deployment")
    if kind == "deployment":
        site.roll_back()
    site.kills_controller = True
    origin, target = ("v3.0.0", "v2.4.0") if kind == "rollback" else ("v2.4.0", "v3.0.0")
    kills = kill_at_every(site, syscall, kind, origin, target)
    if syscall == "fdatasync" and steps_hit(site) != set(range(9)):
        # what the controller journals on its own between two runs is counted, too, and may have shifted one
        kills += kill_at_every(site, syscall, kind, origin, target)
        assert steps_hit(site) == set(range(9)), steps_hit(site)
    site.check_ledger(load.end())
    assert kills >= {"fdatasync": 18, "rename": 2, "sendto": 4}[syscall], f"only {kills} kills: is it still this system call?"
