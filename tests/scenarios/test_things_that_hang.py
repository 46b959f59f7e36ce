"""Every call has its deadline. What hangs is killed, given up or waited for as its step's criticality says; the run never hangs."""

import signal
import time

import pytest
from testsite import CONTROLLER, HAPROXY_SOCKET, HELD, NOT_VERIFIED, PUT_BACK, REFUSED, seconds, step


@pytest.mark.parametrize("fault", [{"ignore_sigterm": True}, {"slow_stop_ms": 60000}], ids=["ignores SIGTERM", "takes a minute"])
@pytest.mark.parametrize("mode", ["manual", "emergency"])
def test_stop_hangs(site, fault, mode):
    """Killed at its budget (2 s), the run goes on, the requests wait at the gate meanwhile."""
    load = site.begin_with(**fault)
    site.cli(mode, *(["--yes"] if mode == "manual" else []), "the release is bad", check=0)
    run = site.wait_for_run(kind="rollback")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    stop = step(run, "stop_version")
    took = seconds(stop["ended"]) - seconds(stop["started"])
    assert stop["attempt"] == 2 and "SIGKILL" in stop["detail"] and 1.9 < took < 4, stop
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)


def freeze_haproxy(site):
    """As a machine does that swaps: its sockets accept and nothing comes."""
    site.host.run("kill -STOP $(pgrep -x haproxy)")


def thaw_haproxy(site):
    site.host.run("kill -CONT $(pgrep -x haproxy)", check=False)


def stop_haproxy(site):
    site.host.systemctl("stop", "haproxy.service")


def start_haproxy(site):
    site.host.systemctl("start", "haproxy.service")


AWAY = {"hangs": (freeze_haproxy, thaw_haproxy), "refuses": (stop_haproxy, start_haproxy)}


@pytest.mark.parametrize("how", AWAY)
def test_balancer_at_a_planned_rollback(site, how):
    """A run that could not drain is refused before anything is touched, and says which socket doesn't answer."""
    go, come = AWAY[how]
    site.begin_with(load=False)
    go(site)
    began = time.monotonic()
    done = site.roll_back("while the balancer is away", check=REFUSED)
    said = done.stdout + done.stderr
    assert HAPROXY_SOCKET in said and "try again" in said and "v3.0.0 was not stopped" in said, said
    assert time.monotonic() - began < 10
    come(site)
    run = site.wait_for_run(kind="rollback")
    assert (run["outcome"], run["serving"]) == ("refused", "v3.0.0")
    assert all(step(run, key)["state"] == "skipped" for key in ("pause_deployments", "drain_traffic", "stop_version"))
    site.check_steady("v3.0.0")


@pytest.mark.parametrize("comes_back", [True, False])
def test_balancer_goes_in_the_middle_of_a_drain(site, comes_back):
    """Nothing was stopped, so nothing holds: the run is undone, and traffic is given back as soon as that can be said."""
    site.configure(budgets={"drain_traffic": "2s", "restore_traffic": "500ms"}, traffic={"drain_park_max": "5s"},
                   decision={"min_requests": 100000, "outage_window": "60s"})  # nothing but ours rolls back
    load = site.begin_with(latency_every=1, latency_us=3000000)
    process = site.begin("manual", "--yes", "the balancer goes away meanwhile")
    site.wait_acting("drain_traffic")
    freeze_haproxy(site)
    site.wait_for_run(kind="rollback", ended=False, phase="settle", timeout=15)
    if comes_back:
        thaw_haproxy(site)
    out, err = process.communicate(timeout=60)
    assert process.returncode == PUT_BACK and "v3.0.0 was not stopped" in out + err, out + err
    run = site.wait_for_run(kind="rollback")
    assert (run["phase"], run["outcome"], run["serving"]) == ("failed", "undone", "v3.0.0")
    assert step(run, "stop_version")["attempt"] == 0
    if not comes_back:
        assert any("never stopped" in alert and "auto-rollback restore" in alert for alert in site.alerts())
        thaw_haproxy(site)
    site.wait_status(lambda status: status["traffic"]["state"] == "flowing", what="traffic flows")
    site.wait_status(lambda status: not any(alert["source"] == "drain" for alert in status["alerts"]), what="the alert is over")
    load.process.send_signal(signal.SIGTERM)  # so slow a service can't be asked for all it has written
    load.process.communicate(timeout=60)
    assert site.active("v3.0.0") and site.status()["deployments"]["paused"] is False


@pytest.mark.parametrize("how", AWAY)
def test_balancer_at_an_emergency(site, how):
    """Then it isn't: the release is switched all the same."""
    go, come = AWAY[how]
    site.configure(budgets={"emergency_drain": "1s", "restore_traffic": "1s"})
    site.begin_with(load=False)
    go(site)
    process = site.begin("emergency", "the balancer is away too")
    site.wait_for_run(kind="rollback", ended=False, phase="settle", timeout=15)
    assert site.active("v2.4.0") and not site.active("v3.0.0")
    come(site)
    out, err = process.communicate(timeout=40)
    assert process.returncode in (0, NOT_VERIFIED), out + err  # 8: nothing could be measured meanwhile
    run = site.wait_for_run(kind="rollback")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    assert step(run, "drain_traffic")["state"] in ("failed", "timed_out")
    site.check_steady("v2.4.0")


def test_balancer_that_stays_away(site):
    """Not forever: the run holds and pages. That it could not give traffic back is said."""
    site.configure(budgets={"emergency_drain": "500ms", "restore_traffic": "500ms"})
    site.begin_with(load=False)
    stop_haproxy(site)
    began = time.monotonic()
    site.cli("emergency", "the balancer is gone", check=HELD, timeout=60)
    assert time.monotonic() - began < 45
    assert site.active("v2.4.0")
    assert any("HOLDING" in alert and "DRAINED" in alert and "systemctl start novacron-dwcp-v2.service" in alert
               for alert in site.alerts())
    start_haproxy(site)
    site.cli("restore", check=0)
    site.cli("resume", check=0)
    holding = lambda status: any(alert["source"] == "holding" for alert in status["alerts"])
    status = site.wait_status(lambda status: not holding(status), what="the hold is released")
    assert status["last_run"]["released"] is True and not status["deployments"]["paused"]
    assert "HOLDING" not in site.cli("status", check=0).stdout
    site.host.systemctl("restart", CONTROLLER)
    status = site.wait_status(lambda status: status["traffic"]["state"] == "flowing", what="the controller is back")
    assert not holding(status), "a restart doesn't bring it back"
    site.check_steady("v2.4.0")


def test_service_hangs_while_it_is_watched(site):
    """Its health answers nothing: `status` says so within the probe's time-out, the controller goes on."""
    site.begin_with(load=False)
    pid = int(site.host.show("novacron-dwcp-v3.service", "MainPID")["MainPID"])
    site.host.run(["kill", "-STOP", str(pid)])
    site.wait_status(lambda status: status["health"]["state"] == "unhealthy", timeout=5, what="unhealthy")
    began = time.monotonic()
    site.cli("status", "--json", check=0)
    assert time.monotonic() - began < 2
    assert not [run for run in site.runs() if run["kind"] == "rollback"], "no request failed: that is an alert at most"
    site.host.run(["kill", "-CONT", str(pid)])
    site.wait_status(lambda status: status["health"]["state"] == "healthy", timeout=5, what="healthy")


def test_service_hangs_under_load(site):
    """A total outage: no request succeeds, the health probe agrees. Stopping what hangs ends with SIGKILL."""
    load = site.begin_with()
    load.process.send_signal(signal.SIGTERM)
    load.process.communicate()
    load = site.load(timeout=1000)
    site.host.run("kill -STOP $(systemctl show -P MainPID novacron-dwcp-v3.service)")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    assert "outage" in run["reason"], run["reason"]
    site.check_steady("v2.4.0")
    summary = load.end()
    assert (summary["lost"], summary["duplicated"]) == (0, 0)
