"""An emergency must not depend on a daemon: no controller, a controller that hangs, a journal that can't be used.
Nobody measures then, so it ends with the exit code for "rolled back, not verified"."""

import json

import pytest
from testsite import ALERTS, CONTROLLER, HELD, JOURNAL, NOT_VERIFIED, PERMISSION, SERVICE_UNIT, TRY_LATER, UNITS


def check_what_can_be_validated(site):
    """What needs no controller is measured; what does is not verified, nor failed."""
    verdicts = {check["key"]: check["verdict"] for check in site.cli_json("validate", check=NOT_VERIFIED)["checks"]}
    assert {key for key, verdict in verdicts.items() if verdict == "passed"} == {"version", "health_score", "services", "logs", "alerts"}, verdicts
    assert "failed" not in verdicts.values(), verdicts


@pytest.mark.parametrize("mode", ["emergency", "manual"])
def test_controller_dead(site, mode):
    load = site.begin_with()
    site.host.systemctl("stop", CONTROLLER)
    status = json.loads(site.cli("status", "--json", check=0).stdout)
    assert status["version"] == "v3.0.0" and status["controller"]["state"] == "breakglass"
    assert status["health"]["state"] == "healthy" and status["traffic"]["state"] == "flowing"
    site.cli(mode, *(["--yes"] if mode == "manual" else []), "no controller", check=NOT_VERIFIED)
    assert site.current() == "v2.4.0" and site.serving() == "v2.4.0"
    assert site.active("v2.4.0") and not site.active("v3.0.0")
    check_what_can_be_validated(site)
    site.host.systemctl("start", CONTROLLER)
    run = site.wait_for_run(kind="rollback", mode=mode)
    assert (run["outcome"], run["serving"], run["reason"]) == ("succeeded", "v2.4.0", "no controller")
    assert "root" in run["initiator"]
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)


def test_controller_hung_in_a_run(site):
    """SIGSTOP while it holds the run lock: an emergency waits for the step's budget and 5 s, then kills it and goes on."""
    site.configure(budgets={"start_version": "3s"}, traffic={"haproxy": {"park_max": "30s"}})
    load = site.begin_with()
    site.write(f"/etc/systemd/system/{UNITS['v2.4.0']}", SERVICE_UNIT.format(extra="ExecStartPre=/bin/sleep 1"))
    site.host.systemctl("daemon-reload")
    site.host.run(["mkdir", "-p", f"/run/systemd/system/{CONTROLLER}.d"])
    site.write(f"/run/systemd/system/{CONTROLLER}.d/no-watchdog.conf", "[Service]\nWatchdogSec=0\n")
    site.host.systemctl("daemon-reload")
    site.host.systemctl("restart", CONTROLLER)
    site.wait_status(lambda status: status["target"] and status["target"]["ready"], what="the controller is back")
    process = site.begin("manual", "--yes", "the first one")
    begun = site.wait_acting("start_version")
    pid = site.controller_pid()
    site.kills_controller = True
    site.host.run(["kill", "-STOP", str(pid)])
    process.kill()
    process.communicate()
    site.cli("emergency", "the controller hangs", check=NOT_VERIFIED, timeout=40)
    assert site.serving() == "v2.4.0"
    run = site.wait_for_run(kind="rollback")
    assert (run["id"], run["outcome"], run["serving"]) == (begun["id"], "succeeded", "v2.4.0"), "its run was taken over"
    assert site.controller_pid() != pid, "systemd has started another"
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)


@pytest.mark.parametrize("how", ["garbage", "empty pages"])
def test_journal_corrupt(site, how):
    load = site.begin_with()
    site.host.systemctl("stop", CONTROLLER)
    site.host.run(f"rm -f {JOURNAL}-wal {JOURNAL}-shm")
    if how == "garbage":
        site.host.run(f"head -c 200000 /dev/urandom >{JOURNAL}")
    else:
        site.host.run(f"dd if=/dev/zero of={JOURNAL} bs=4096 seek=1 count=30 conv=notrunc status=none")
    refused = site.cli("manual", "--yes", "the journal is broken")
    assert refused.returncode not in (0, TRY_LATER), "only an emergency goes on without a journal"
    assert "journal" in refused.stdout + refused.stderr and "emergency" in refused.stdout + refused.stderr
    assert site.current() == "v3.0.0"
    done = site.cli("emergency", "the journal is broken", check=NOT_VERIFIED)
    assert "side file" in done.stdout + done.stderr, done.stderr
    assert site.current() == "v2.4.0" and site.serving() == "v2.4.0"
    # what the message says: the broken one is moved away by a person, never deleted by the program
    assert site.host.run(["test", "-s", JOURNAL], check=False).returncode == 0
    site.host.run(["mv", JOURNAL, f"{JOURNAL}.broken"])
    site.host.systemctl("start", CONTROLLER)
    run = site.wait_for_run(kind="rollback", mode="emergency")
    assert (run["outcome"], run["serving"], run["reason"]) == ("succeeded", "v2.4.0", "the journal is broken"), "it was taken in later"
    assert run["id"] > 0
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)


def test_nobody_else_may(site):
    """Break glass needs root or the service's user; it says what to type."""
    site.begin_with(load=False)
    site.host.add_user("visitor")
    site.host.systemctl("stop", CONTROLLER)
    done = site.host.run(["auto-rollback", "emergency", "let me"], user="visitor", check=False)
    assert done.returncode == PERMISSION, done.stdout + done.stderr
    assert "sudo" in done.stderr
    for line in [["emergency"], ["status"], ["history"], ["plan"]]:  # a broken journal isn't what is wrong
        done = site.host.run(["auto-rollback", *line], user="visitor", check=False)
        assert (done.returncode, done.stdout) == (PERMISSION, ""), done.stdout + done.stderr
        assert "ot allowed" in done.stderr and "sudo" in done.stderr
        assert "unusable" not in done.stderr and "side file" not in done.stderr and "Going on" not in done.stderr, done.stderr
    site.host.systemctl("start", CONTROLLER)
    site.wait_status(lambda status: status["version"] == "v3.0.0", what="the controller is back")
    done = site.host.run(["auto-rollback", "manual", "--yes", "let me"], user="visitor", check=False)
    assert done.returncode == PERMISSION, done.stdout + done.stderr
    looked = site.host.run(["auto-rollback", "status", "--json"], user="visitor", check=False)
    assert looked.returncode == 0 and json.loads(looked.stdout)["version"] == "v3.0.0", "everybody may look"
    site.check_steady("v3.0.0")


def test_controller_hung_without_a_run(site):
    """Its socket takes the call and never answers: the command has its deadline, and an emergency does the work itself."""
    load = site.begin_with()
    pid = site.controller_pid()
    site.host.run(["kill", "-STOP", str(pid)])
    site.cli("emergency", "the controller does not answer", check=NOT_VERIFIED, timeout=30)
    assert site.serving() == "v2.4.0"
    site.host.run(["kill", "-CONT", str(pid)], check=False)
    run = site.wait_for_run(kind="rollback", mode="emergency")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    site.wait_status(lambda status: status["version"] == "v2.4.0", what="the controller has seen it")
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)


def test_a_page_goes_out(site):
    """Nothing can serve, and no controller is there to page: what does the work does that, too, however long the pager takes."""
    site.configure(budgets={"verify_health": "2s", "start_version": "2s"})
    site.begin_with(load=False)
    site.write("/usr/local/bin/record-alert", f"#!/bin/sh\nsleep 1\nprintf '%s\\n' \"$*\" >>{ALERTS}\n", 0o755)
    for unit in UNITS.values():
        site.write(f"/etc/systemd/system/{unit}", SERVICE_UNIT.format(extra="ExecStart=\nExecStart=/bin/false"))
    site.host.systemctl("daemon-reload")
    site.host.systemctl("stop", CONTROLLER)
    site.cli("emergency", "all is bad", check=HELD)
    assert any("HOLDING" in alert for alert in site.alerts())


def test_state_that_became_read_only(site):
    """Nothing can be kept, not even the lock's text; the service is put back all the same."""
    load = site.begin_with(error_every=20)
    site.host.systemctl("stop", CONTROLLER)
    site.host.run("mount --bind /var/lib/novacron /var/lib/novacron && mount -o remount,bind,ro /var/lib/novacron")
    done = site.cli("emergency", "the disk has become read-only")
    assert done.returncode in (0, NOT_VERIFIED), done.stdout + done.stderr
    assert "Read-only file system" in done.stderr, "it must be said that nothing is kept"
    assert site.current() == "v2.4.0" and site.serving() == "v2.4.0"
    site.host.run("umount /var/lib/novacron")
    site.host.systemctl("start", CONTROLLER)
    site.check_steady("v2.4.0")
    site.check_ledger(load.end())
