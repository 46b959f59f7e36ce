"""The specification's runbooks on a real machine: they show the state as it is, the next line to type with real values, and tick what
the journal shows. And a rollback that failed escalates by itself."""

import json

import pytest
from fixtures import need_hosts
from hosts import Host
from testsite import HELD, SERVICE_UNIT, UNITS, Site

CAN_NOT_START = SERVICE_UNIT.format(extra="").replace("ExecStart=", "ExecStart=/nonexistent")


@pytest.fixture(scope="module")
def held():
    """A rollback whose target doesn't start, and whose original doesn't either: it holds."""
    need_hosts()
    with Host() as host:
        site = Site(host, budgets={"verify_health": "2s", "start_version": "2s"})
        site.begin_with(load=False)
        site.before = runbook(site, "3")
        for unit in UNITS.values():
            site.write(f"/etc/systemd/system/{unit}", CAN_NOT_START)
        host.systemctl("daemon-reload")
        site.cli("manual", "--yes", "it gets worse", check=HELD)
        site.run = site.wait_for_run(kind="rollback")
        yield site
        trouble = site.crashes()
        assert not trouble, trouble


def runbook(site, *key):
    return site.cli_json("runbook", *key)


def steps(answer):
    return {step["title"]: step for step in answer["steps"]}


def next_of(answer):
    return next((step for step in answer["steps"] if step["state"] == "next"), None)


def test_they_are_listed(held):
    keys = [row["key"] for row in runbook(held)["runbooks"]]
    assert keys == ["1", "2", "3", "issue-1", "issue-2", "issue-3", "issue-4", "issue-5"]
    assert held.cli("runbook", "issue", "3", check=0).stdout.startswith("Issue 3: Database Schema Mismatch\n")
    held.cli("runbook", "9", check=65)


def test_nothing_to_do_while_nothing_failed(held):
    assert held.before["concerned"] is False and next_of(held.before) is None


def test_a_failed_rollback_escalates_by_itself(held):
    """Paged, evidence kept, safest state held."""
    status = held.status()
    assert held.run["phase"] == "holding" and held.run["failure"]
    assert any(alert["source"] == "holding" for alert in status["alerts"]), status["alerts"]
    assert any("HOLDING" in alert for alert in held.alerts()), "nobody was paged"
    assert status["deployments"]["paused"] and status["traffic"]["state"] == "flowing"
    assert any(s["state"] in ("failed", "timed_out") for s in held.run["steps"]), "why is kept with the run"


def test_runbook_3_shows_the_real_state_and_the_next_line(held):
    answer = runbook(held, "3")
    assert answer["concerned"] is True and answer["run"] == held.run["id"]
    told = steps(answer)
    assert told["Declare P0 Incident"]["state"] == "done"
    assert held.run["failure"][:60] in told["Declare P0 Incident"]["look"]
    assess = told["Assess Current State"]
    assert assess["state"] == "next" and assess == next_of(answer)
    assert f"systemctl status {UNITS[held.current()]}" in assess["command"] and "Deployments: paused" in assess["look"]
    lines = told["Manual Recovery (if automation fails)"]["command"].splitlines()
    assert lines[0] == f"systemctl start {UNITS[held.current()]}" and "auto-rollback resume" in lines, lines
    text = held.cli("runbook", "3", check=0).stdout
    assert "[>] 2. Assess Current State (next)" in text and "[x] 1. Declare P0 Incident" in text
    assert "[-] " in runbook_text(held, "issue-1") and f"tail -100 {'/var/log/novacron/rollback.log'}" in runbook_text(held, "issue-1")


def runbook_text(site, key):
    return site.cli("runbook", key, check=0).stdout


def test_without_a_controller_it_shows_what_the_journal_knows(held):
    held.host.systemctl("stop", "novacron-auto-rollback.service")
    answer = runbook(held, "3")
    held.host.systemctl("start", "novacron-auto-rollback.service")
    assert answer["run"] == held.run["id"] and str(held.run["id"]) in answer["steps"][0]["look"]
    held.wait_status(lambda status: status["units"]["state"] != "unknown", what="the units are known again")


def test_ticks_follow_what_is_done_and_resume_releases(held):
    for unit in UNITS.values():
        held.write(f"/etc/systemd/system/{unit}", SERVICE_UNIT.format(extra=""))
    held.host.systemctl("daemon-reload")
    held.host.systemctl("start", UNITS[held.current()])
    held.wait_status(lambda status: status["units"]["state"] == "active" and status["health"]["state"] == "healthy", what="it serves")
    told = steps(runbook(held, "3"))
    assert told["Assess Current State"]["state"] == "done" and told["Service Restoration"]["state"] == "done"
    assert told["Release the hold"]["state"] in ("open", "next") and told["Release the hold"]["command"] == "auto-rollback resume"
    held.cli("resume", check=0)
    status = held.wait_status(lambda status: not status["deployments"]["paused"], what="deployments go on")
    assert not [alert for alert in status["alerts"] if alert["source"] == "holding"]
    told = steps(runbook(held, "3"))
    assert told["Release the hold"]["state"] == "done" and told["Attempt Recovery"]["state"] == "done"


def test_issue_4_ticks_traffic(held):
    held.cli("drain", "5", check=0)
    answer = runbook(held, "issue-4")
    assert answer["concerned"] is True
    assert "drained" in answer["steps"][0]["look"] and "root" in steps(answer)["Manually restore traffic"]["look"]
    assert next_of(answer)["title"] == "Check traffic routing"
    held.cli("restore", check=0)
    held.wait_status(lambda status: status["traffic"]["state"] == "flowing", what="traffic flows")
    answer = runbook(held, "issue-4")
    assert answer["concerned"] is False and steps(answer)["Manually restore traffic"]["state"] == "done"
    assert "curl -v http://127.0.0.1:9001/health" in json.dumps(answer)
