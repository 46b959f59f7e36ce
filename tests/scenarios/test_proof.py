"""Why was it rolled back, and is that what comes out again? And shadow mode, which decides and does nothing."""

import json

from test_between_two_writes import change_journal
from testsite import CONTROLLER, UNITS

NOT_AS_RECORDED = 9


def newest_decision(site):
    return site.ask("GET", "/decisions?limit=1")[1]["decisions"][0]


def test_an_automatic_rollback_is_explained_and_replayed(site):
    load = site.begin_with(error_every=20)
    run = site.wait_for_run(kind="rollback", mode="automatic")
    load.end()
    told = " ".join(site.cli("explain", "run", str(run["id"]), check=0).stdout.split())
    for words in (f"Decision {run['decision']}", "error rate", "of 5 samples degraded, 4 needed (75.0 % of 5 is 3.75, rounded up)", "[ok] ", "v2.4.0: it was current before v3.0.0",
                  f"run {run['id']}: succeeded", f"decision {run['decision']}: identical"):
        assert words in told, told
    answer = site.ask("GET", f"/decisions/{run['decision']}/explain")[1]
    assert answer["replay"]["verdict"] == "identical" and answer["run"]["id"] == run["id"], answer
    assert not [guard for guard in answer["guards"] if guard["forbids"]]
    assert site.cli("replay", "--all").returncode == 0
    chain = site.cli_json("verify")["chain"]
    assert chain["whole"] and chain["newest"] == site.status()["chain"]["newest"]
    assert f'rollback_chain_records{{newest="{chain["newest"]}"}} {chain["records"]}' in site.host.output(["curl", "-sf", "http://127.0.0.1:8080/metrics"])

    site.host.systemctl("stop", CONTROLLER)  # nothing of it needs a controller
    site.cli("explain", "run", str(run["id"]), check=0)
    site.cli("verify", chain["newest"][:16], check=0)
    change_journal(site, f"UPDATE samples SET errors = 0, successes = requests WHERE decision_id = {run['decision']}")
    done = site.cli("replay", str(run["decision"]), check=NOT_AS_RECORDED)
    assert "differs: degraded 0, kept" in done.stdout
    done = site.cli("verify", check=NOT_AS_RECORDED)
    assert f"decision {run['decision']} was changed" in done.stdout


def test_shadow_mode_decides_and_does_nothing(site):
    site.configure(decision={"mode": "shadow"})
    site.begin_with(load=False, unit_extra="Restart=no")
    assert "Shadow mode: nothing is rolled back automatically" in site.cli("status", check=0).stdout
    site.host.systemctl("kill", "-sKILL", UNITS["v3.0.0"])
    status = site.wait_status(lambda status: any(alert["source"] == "decision" for alert in status["alerts"]), what="the decision")
    decision = newest_decision(site)
    assert (decision["kind"], decision["guard"], decision["target"]) == ("review", "shadow", "v2.4.0")
    assert status["mode"] == "shadow" and status["review"] and not status["deployment"]["automatic"]["possible"]
    assert [alert["source"] for alert in status["alerts"]].count("decision") == 1
    told = " ".join(site.cli("explain", check=0).stdout.split())
    assert "it would roll back from v3.0.0 to v2.4.0" in told and "identical" in told, told
    assert site.current() == "v3.0.0" and not [run for run in site.runs() if run["kind"] == "rollback"]

    assert site.ask("POST", "/rollback", {"mode": "manual", "reason": "an operator agrees"})[0] < 300
    site.wait_for_run(kind="rollback", mode="manual")
    report = site.cli_json("shadow-report")
    assert (report["right"], report["wrong"], report["missed"], report["precision_percent"]) == (1, 0, 0, 100.0), json.dumps(report)
    assert report["cases"][0]["decision"] == decision["id"]
    assert "right: an operator rolled it back, too" in site.cli("shadow-report", check=0).stdout
