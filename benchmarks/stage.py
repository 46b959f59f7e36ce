"""What every measurement plays on: a throw-away systemd host with HAProxy, the service in a good and a bad release, the controller
on the defaults, and the load client's ledger, request by request."""

import csv
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / where) for where in ("hosts", "scenarios")]

from hosts import Host, HostError, why_not  # noqa: E402, F401
from testsite import CONTROLLER, UNITS, Site, merge, seconds, step  # noqa: E402, F401

GOOD, BAD = "v2.4.0", "v3.0.0"
GOOD_UNIT, BAD_UNIT = UNITS[GOOD], UNITS[BAD]
RATE = 200
REQUESTS = "/run/requests.csv"

# The tests' site with what they shorten put back to the defaults. Only the bake is short: a release that is not good yet is no
# target for an automatic rollback, and the default is ten minutes.
DEFAULTS = {
    "thresholds": None,
    "budgets": None,
    "decision": {"interval": None, "min_requests": None, "outage_window": None, "bake_for": "1s"},
    "traffic": {"drain_park_max": None},
    "health": {"interval": None, "timeout": None},
    "paths": {"group": ""},
}
# systemd forgets a stopped unit that nothing refers to, and with it when it was stopped.
REMEMBERING_UNIT = f"[Unit]\nAfter={GOOD_UNIT} {BAD_UNIT}\n[Service]\nType=exec\nExecStart=/bin/sleep inf\n"


@dataclass
class Request:
    due: float  # seconds since the epoch
    taken: float
    failed: bool
    version: str  # "": nobody who said so answered

    @property
    def ended(self):
        return self.due + self.taken


class Ledger:
    """All requests of a load, and what became of the writes."""

    def __init__(self, site, summary):
        self.summary = summary
        rows = csv.DictReader(site.read(REQUESTS).splitlines())
        self.requests = [Request(int(row["due_us"]) / 1e6, int(row["latency_us"]) / 1e6, row["outcome"] != "answered", row["version"])
                         for row in rows]

    def first_answer(self, version, since):
        """When the first healthy answer of `version` came."""
        return min(one.ended for one in self.requests if one.version == version and not one.failed and one.ended >= since)

    def failed_by_rollback(self, decision):
        """What the bad release answered badly itself is not the rollback's doing; everything else from the decision on is."""
        return sum(one.failed and one.version != BAD and one.ended >= decision for one in self.requests)

    def longest(self, since, until):
        return max(one.taken for one in self.requests if one.ended >= since and one.due <= until)

    def longest_in_flight(self, moment):
        return max((one.taken for one in self.requests if one.due <= moment < one.ended), default=0.0)

    @property
    def lost_writes(self):
        return self.summary["lost"]


class Stage:
    """with Stage("name") as stage: the good release is live and good, the bad one is there."""

    def __init__(self, name, good=None, bad=None, bad_unit=None, **config):
        self.host = Host(name)
        try:
            self.site = Site(self.host, **merge(DEFAULTS, config))
            self.site.release(GOOD, **(good or {}))
            self.site.release(BAD, bad_unit, **(bad or {}))
            self.site.write("/etc/systemd/system/remembering.service", REMEMBERING_UNIT)
            self.site.start()
            self.host.systemctl("start", "remembering.service")
            self.site.deploy_good(GOOD)
        except BaseException:
            self.host.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind and issubclass(kind, Exception) and self.host.pid:
            print(f"{error}\n{self.site.report()}", file=sys.stderr)
        self.host.close()

    def begin_load(self, **options):
        self.load = self.site.load(RATE, requests=REQUESTS, **options)

    def end_load(self):
        return Ledger(self.site, self.load.end())

    def deploy_bad(self, settle=1.5):
        """`settle`: until nothing of the deployment is left in the way of what is measured."""
        self.site.deploy(BAD)
        time.sleep(settle)

    def job_seconds(self):
        """How long systemd itself took to stop the bad release and to start the good one until its READY=1."""
        stop = self.host.show(BAD_UNIT, "ActiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic")
        start = self.host.show(GOOD_UNIT, "InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
        times = [int(one[key]) / 1e6 for one, keys in (
            (stop, ("ActiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic")),
            (start, ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"))) for key in keys]
        if 0 in times:
            raise HostError(f"{self.host.name}: systemd doesn't know when the units were stopped and started")
        return times[1] - times[0], times[3] - times[2]
