"""The controller is told to stop, is killed, or the machine reboots: a run that is under way is finished or handed over, and
traffic is never left drained."""

import pytest
from testsite import CONTROLLER, NOT_VERIFIED, REFUSED, SERVICE_UNIT, UNITS, step

SLOW = {"start_version": SERVICE_UNIT.format(extra="ExecStartPre=/bin/sleep 2")}


def slow_target(site):
    site.write(f"/etc/systemd/system/{UNITS['v2.4.0']}", SLOW["start_version"])
    site.host.systemctl("daemon-reload")


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_sigterm_in_the_middle_of_a_run(site, verb):
    load = site.begin_with()
    slow_target(site)
    process = site.begin("manual", "--yes", "the release is bad")
    run = site.wait_acting("start_version")
    site.host.systemctl(verb, CONTROLLER)
    process.communicate(timeout=30)
    if verb == "stop":
        assert site.status() is None
        assert site.current() == "v2.4.0" and site.serving() == "v2.4.0"
        site.host.systemctl("start", CONTROLLER)
    ended = site.wait_for_run(kind="rollback")
    assert (ended["id"], ended["outcome"], ended["serving"]) == (run["id"], "succeeded", "v2.4.0")
    assert step(ended, "start_version")["attempt"] == 1, "it was finished, not begun again"
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), ended)


def test_kill_9_in_the_middle_of_a_run(site):
    load = site.begin_with()
    slow_target(site)
    process = site.begin("manual", "--yes", "the release is bad")
    run = site.wait_acting("start_version")
    site.kills_controller = True
    site.host.run(["kill", "-9", str(site.controller_pid())])
    ended = site.wait_for_run(kind="rollback")
    assert (ended["id"], ended["outcome"], ended["serving"]) == (run["id"], "succeeded", "v2.4.0")
    out, err = process.communicate(timeout=30)
    assert process.returncode in (0, NOT_VERIFIED), f"who typed it follows the run over the controller's death\n{out}{err}"
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), ended)


def test_a_dead_controller_keeps_nobody_waiting(site):
    """It dies while traffic is held and nobody takes over: the gate opens by itself, and what runs serves."""
    site.configure(traffic={"haproxy": {"gate_horizon": "1s"}, "drain_park_max": "5s"})
    site.begin_with(load=False, latency_every=1, latency_us=4000000)
    client = site.host.popen(["curl", "-s", "-m", "20", "http://127.0.0.1:8000/"])
    site.wait_status(lambda status: status["traffic"]["in_flight"], what="a request in flight")
    process = site.begin("manual", "--yes", "the release is bad")
    site.wait_acting("drain_traffic")
    site.host.run("systemctl kill -s KILL --kill-who=main {0}; systemctl stop {0}".format(CONTROLLER))
    assert site.host.output(["curl", "-s", "-m", "15", "http://127.0.0.1:8000/"]).startswith("v3.0.0")
    assert client.wait(20) == 0
    process.kill()
    process.communicate()
    assert site.current() == "v3.0.0" and site.active("v3.0.0")


@pytest.mark.parametrize("orderly", [True, False], ids=["reboot", "power cut"])
def test_reboot_after_a_rollback(site, orderly):
    """The right version starts, without the controller's help; and the controller knows what it knew."""
    load = site.begin_with()
    site.roll_back(check=0)
    run = site.wait_for_run(kind="rollback")
    site.check_ledger(load.end(), run)
    site.host.systemctl("disable", CONTROLLER)
    site.host.reboot(orderly=orderly)
    assert site.active("v2.4.0") and not site.active("v3.0.0")
    assert site.serving() == "v2.4.0"
    site.host.systemctl("start", CONTROLLER)
    site.check_steady("v2.4.0")
    status = site.status()
    assert status["last_run"]["id"] == run["id"]
    assert not site.status()["run"]
    site.roll_back(check=REFUSED)  # nothing but a release that failed is left


def test_power_cut_in_the_middle_of_a_run(site):
    """The machine comes back, the controller with it, and the run ends by itself."""
    load = site.begin_with()
    slow_target(site)
    site.begin("manual", "--yes", "the release is bad")
    run = site.wait_acting("start_version")
    load.process.kill()
    site.host.reboot(orderly=False)
    ended = site.wait_for_run(kind="rollback")
    assert (ended["id"], ended["outcome"], ended["serving"]) == (run["id"], "succeeded", "v2.4.0")
    site.check_steady("v2.4.0")
