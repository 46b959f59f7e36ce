"""A run that was left open in the journal and can't be gone on with (damage, or a fault of an older program): what is so isn't known,
so nothing acts by itself until an operator has looked."""

from test_between_two_writes import change_journal
from testsite import CONTROLLER, NOT_VERIFIED, UNITS

NOT_SOUND = ("INSERT INTO runs SELECT id + 1, kind, mode, from_version, to_version, step_count, reason, initiator, decision_id, 'forward', 'open',"
             " cursor, token, outstanding, settle_tries, cancel_requested, created_wall, 0, '', '', in_flight_cut, requests_failed, symptoms_before, allow_row_loss"
             " FROM runs WHERE id = (SELECT max(id) FROM runs)")


def alert(status, source):
    return next((alert["message"] for alert in status["alerts"] if alert["source"] == source), None)


def test_nothing_acts_until_an_operator_has_looked(site):
    site.release("v2.4.0")
    site.release("v3.0.0", unit_extra="Restart=no")
    site.start()
    site.deploy_good("v2.4.0")
    site.host.systemctl("stop", CONTROLLER)
    change_journal(site, NOT_SOUND)
    site.host.systemctl("start", CONTROLLER)
    message = alert(site.wait_status(lambda status: alert(status, "recovery"), what="it is said"), "recovery")
    assert "is not sound" in message and "auto-rollback resume" in message, message

    site.deploy("v3.0.0")  # an operator may, and has to
    site.host.systemctl("kill", "-sKILL", UNITS["v3.0.0"])
    message = alert(site.wait_status(lambda status: alert(status, "decision"), what="the decision"), "decision")
    assert "not rolled back automatically" in message and "auto-rollback resume" in message, message
    decision = site.ask("GET", "/decisions")[1]["decisions"][0]
    assert (decision["kind"], decision["guard"], decision["target"]) == ("review", "run_unsound", "v2.4.0")
    assert not [run for run in site.runs() if run["kind"] == "rollback"]

    site.cli("resume", check=0)
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    assert alert(site.status(), "recovery") is None
    aside = next(run for run in site.runs() if run["failure"] and "put aside by root" in run["failure"])
    assert (aside["phase"], aside["outcome"]) == ("failed", "cancelled")

    site.host.systemctl("restart", CONTROLLER)
    status = site.wait_status(lambda status: status["version"] == "v2.4.0", what="it has looked again")
    assert alert(status, "recovery") is None and alert(status, "run") is None


def test_an_emergency_without_controller_goes_all_the_same(site):
    site.begin_with(load=False)
    site.host.systemctl("stop", CONTROLLER)
    change_journal(site, NOT_SOUND)
    refused = site.cli("manual", "--yes", "the scenario asks for it")
    assert refused.returncode not in (0, NOT_VERIFIED) and "is not sound" in refused.stderr, refused.stderr
    site.cli("emergency", "--yes", "the scenario asks for it", check=NOT_VERIFIED)
    assert site.serving() == "v2.4.0"
