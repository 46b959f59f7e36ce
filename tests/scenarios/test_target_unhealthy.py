"""The target that is rolled back to never gets healthy: the original is put back if it can serve, else the run holds and pages.
Never dark in silence."""

import pytest
from testsite import HELD, PUT_BACK, SERVICE_UNIT, UNITS, step

# What systemd starts for v2.4.0 from now on. The release itself is whole: it could not have been known beforehand.
TARGETS = {
    "refuses": "Type=exec\nExecStart=\nExecStart=/bin/sleep infinity",
    "hangs": "Type=exec\nExecStart=\nExecStart=/usr/bin/socat TCP-LISTEN:9001,fork,reuseaddr EXEC:'/bin/sleep 600'",
    "talks nonsense": "Type=exec\nExecStart=\nExecStart=/usr/bin/socat TCP-LISTEN:9001,fork,reuseaddr EXEC:'/bin/echo certainly'",
    "never says it is ready": "Type=notify\nExecStart=\nExecStart=/bin/sleep infinity",
    "can't be started": "ExecStart=\nExecStart=/bin/false",
}


def spoil(site, version, how):
    """Its running process, if any, is not touched."""
    site.write(f"/etc/systemd/system/{UNITS[version]}", SERVICE_UNIT.format(extra=TARGETS[how]))
    site.host.systemctl("daemon-reload")


@pytest.mark.parametrize("how", TARGETS)
def test_the_original_is_put_back(site, how):
    site.configure(budgets={"verify_health": "3s", "start_version": "3s"})
    load = site.begin_with()
    spoil(site, "v2.4.0", how)
    done = site.roll_back(check=PUT_BACK)
    run = site.wait_for_run(kind="rollback")
    assert (run["outcome"], run["phase"], run["serving"]) == ("put_back", "failed", "v3.0.0")
    guilty = "start_version" if how in ("never says it is ready", "can't be started") else "verify_health"
    assert step(run, guilty)["state"] in ("failed", "timed_out")
    assert step(run, "verify_health", recovery=True)["state"] == "done"
    assert run["failure"] and run["failure"] in done.stdout + done.stderr
    site.wait(lambda: any("put_back" in alert for alert in site.alerts()), 5, "an operator is told of a rollback that failed")
    site.check_steady("v3.0.0")
    site.check_ledger(load.end(), run)


def test_nothing_can_serve(site):
    site.configure(budgets={"verify_health": "2s", "start_version": "2s"})
    load = site.begin_with()
    for version in UNITS:
        spoil(site, version, "can't be started")
    site.cli("manual", "--yes", "it gets worse", check=HELD)
    run = site.wait_for_run(kind="rollback")
    assert (run["outcome"], run["phase"], run["serving"]) == ("held", "holding", None)
    status = site.status()
    assert any(alert["source"] == "holding" and "HOLDING" in alert["message"] for alert in status["alerts"]), status["alerts"]
    assert any("HOLDING" in alert for alert in site.alerts()), "nobody was paged"
    assert status["traffic"]["state"] != "drained", "requests must not be parked for nobody"
    assert status["deployments"]["paused"], "nobody deploys into this without having looked"
    assert site.current() in UNITS
    load.process.kill()  # it fails for good reason; what counts is that somebody knows
    load.process.communicate()


def test_after_holding_a_person_mends_it(site):
    site.configure(budgets={"verify_health": "2s", "start_version": "2s"})
    site.begin_with(load=False)
    for version in UNITS:
        spoil(site, version, "can't be started")
    site.cli("manual", "--yes", "it gets worse", check=HELD)
    site.write(f"/etc/systemd/system/{UNITS['v2.4.0']}", SERVICE_UNIT.format(extra=""))
    site.host.systemctl("daemon-reload")
    site.cli("resume", check=0)
    site.cli("deploy", "v2.4.0") if site.current() != "v2.4.0" else site.host.systemctl("restart", UNITS["v2.4.0"])
    site.wait(lambda: site.serving() == "v2.4.0", 10, "v2.4.0 serves again")
    site.wait_status(lambda status: not status["deployments"]["paused"] and status["health"]["state"] == "healthy", what="all is well again")


def test_a_hold_outlasts_the_controller(site):
    """Alerts live in the controller's memory; a run that holds is said again by the next one."""
    site.configure(budgets={"verify_health": "2s", "start_version": "2s"})
    site.begin_with(load=False)
    for version in UNITS:
        spoil(site, version, "can't be started")
    site.cli("manual", "--yes", "it gets worse", check=HELD)
    site.host.systemctl("restart", "novacron-auto-rollback.service")
    status = site.wait_status(lambda status: any(alert["source"] == "holding" for alert in status["alerts"]), what="the hold")
    assert status["last_run"]["outcome"] == "held"
