"""SIGHUP: a good configuration comes into force, a bad one is refused and the old one stays, and a run is never cut in two by it."""

import pytest

from test_one_run_at_a_time import slow_target
from testsite import CONTROLLER, NOT_VERIFIED

LOG = "/var/log/novacron/rollback.log"


def reload(site):
    site.host.systemctl("reload", CONTROLLER)


def limit(site):
    """None for the moment in which the socket is made anew."""
    status = site.status()
    return status and status["thresholds"]["error_rate_percent"]


def only_one(site):
    site.release("v2.4.0")
    site.start()
    site.deploy_good("v2.4.0")


def test_a_good_one(site):
    only_one(site)
    pid, before = site.controller_pid(), limit(site)
    load = site.load()
    site.configure(thresholds={"error_rate": "2.5%"})
    reload(site)
    site.wait(lambda: limit(site) == 2.5, 10, "the new threshold")
    assert before == 1.0 and site.controller_pid() == pid
    site.wait_status(lambda status: status["metrics"]["connected"], what="the balancer's log is heard again")
    assert load.end()["failed"] == 0
    assert site.status()["deployment"]["state"] == "good", "what was known is still known"


BAD = {
    "not YAML": (None, "rollback.yaml:1"),
    "an unknown key": ({"thresholds": {"error_rat": "1.0%"}}, "error_rate"),
    "a socket that can't be made": ({"paths": {"socket": "/proc/nowhere/rollback.sock"}}, "/proc/nowhere"),
    "another state directory": ({"paths": {"state": "/var/lib/elsewhere"}}, "paths.state"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_one(site, name):
    change, says = BAD[name]
    only_one(site)
    pid = site.controller_pid()
    if change is None:
        site.write("/etc/novacron-rollback/rollback.yaml", "{ this: is, [not")
    else:
        site.configure(**change, decision={"rollbacks_per_day": 9})
    reload(site)
    site.wait(lambda: says in site.read(LOG), 10, f"a line with {says} in the log")
    status = site.wait_status(lambda status: status["rollbacks_per_day"] != 9, what="the old configuration")
    assert status["version"] == "v2.4.0" and site.controller_pid() == pid
    told = lambda status: [alert["message"] for alert in status["alerts"] if alert["source"] == "configuration"]
    status = site.wait_status(lambda status: told(status), what="an alert that stands")
    assert "running on the old one" in told(status)[0] and says in told(status)[0], told(status)
    if change is None:
        site.configure()
        reload(site)
        site.wait_status(lambda status: not told(status), what="a good one ends it")


def test_in_the_middle_of_a_run(site):
    load = site.begin_with()
    slow_target(site)
    running = site.begin("manual", "--yes", "while it is reloaded")
    site.wait_acting("start_version")
    site.configure(thresholds={"error_rate": "2.5%"})
    reload(site)
    assert limit(site) == 1.0, "the run goes on under what it began with"
    out, err = running.communicate(timeout=40)
    assert running.returncode in (0, NOT_VERIFIED), out + err
    site.wait(lambda: limit(site) == 2.5, 10, "the new threshold, when the run has ended")
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), site.runs()[0])
