"""What the controller costs while nothing happens: sampling every second, no traffic."""

import time
from dataclasses import dataclass
from pathlib import Path

from stage import CONTROLLER, HostError, Stage

SECONDS = 60
SETTLE = 5


@dataclass
class Idle:
    cpu_s_per_hour: float
    rss_kib: int
    rss_anon_kib: int
    children: int


def _cpu_us(on):
    """The unit's cgroup counts every process that ever lived in it, to the microsecond."""
    text = (on.host.cgroup / "host/system.slice" / CONTROLLER / "cpu.stat").read_text()
    return int(dict(line.split() for line in text.splitlines())["usage_usec"])


def _next_pid(on):
    """A host numbers its processes and threads one by one. Two looks' own pids tell how many began between them, on the whole
    host, however short they lived."""
    return int(on.host.output(["sh", "-c", "echo $$"]))


def _status_kib(pid, key):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise HostError(f"/proc/{pid}/status has no {key}")


def idle(number, _, length=SECONDS):
    with Stage(f"idle-{number}", decision={"interval": "1s"}, thresholds={"degradation_window": "10s"}) as on:
        pid = on.site.outside_pid(on.site.controller_pid())
        time.sleep(SETTLE)
        pids, cpu, began = _next_pid(on), _cpu_us(on), time.monotonic()
        time.sleep(length)
        cpu, took = _cpu_us(on) - cpu, time.monotonic() - began
        pids = _next_pid(on) - pids - 1
        if on.site.outside_pid(on.site.controller_pid()) != pid:
            raise HostError(f"{on.host.name}: the controller was restarted while it should have been idle")
        return Idle(cpu / 1e6 / took * 3600, _status_kib(pid, "VmRSS"), _status_kib(pid, "RssAnon"), pids)
