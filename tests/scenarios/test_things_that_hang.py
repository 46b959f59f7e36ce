"""Every call has its deadline. What hangs is killed, given up or waited for as its step's criticality says; the run never hangs."""

import signal
import time

import pytest
from testsite import HELD, NOT_VERIFIED, PUT_BACK, seconds, step


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
    """Draining is critical then: the run is undone before anything was stopped; traffic is given back as soon as that can be said."""
    go, come = AWAY[how]
    site.configure(budgets={"drain_traffic": "2s", "restore_traffic": "1s"})
    site.begin_with(load=False)
    go(site)
    began = time.monotonic()
    process = site.begin("manual", "--yes", "while the balancer is away")
    site.wait_for_run(kind="rollback", ended=False, phase="settle", timeout=15)
    come(site)
    out, err = process.communicate(timeout=40)
    assert process.returncode == PUT_BACK, out + err
    run = site.wait_for_run(kind="rollback")
    assert (run["outcome"], run["serving"]) == ("undone", "v3.0.0")
    assert step(run, "stop_version")["state"] == "skipped" and step(run, "stop_version")["attempt"] == 0
    assert time.monotonic() - began < 30
    site.check_steady("v3.0.0")


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
    assert any("HOLDING" in alert and "DRAINED" in alert for alert in site.alerts())


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
