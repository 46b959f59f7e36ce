"""`ready`, the question before a deployment that would leave no way back, and the runbooks in several states."""

import json

from test_cli import PLAN, Stage, fits, golden, run, stage, status  # noqa: F401


def check(key, title, verdict="ok", measured="as it should be", following=""):
    return {"key": key, "title": title, "verdict": verdict, "measured": measured, "next": following}


OK = [check("release", "Release as it was taken in", measured="complete, nothing has changed; its switch is prepared"),
      check("libraries", "Shared libraries", measured="3 programs have what they need"),
      check("database", "Database schema", "not_applicable", "no database is configured (data.driver)")]
BROKEN = [OK[0], check("libraries", "Shared libraries", "failed", "server: libssl.so.3: cannot open shared object file", "install what is missing, or roll back to another release: --to VERSION"),
          check("balancer", "Balancer", "unknown", "haproxy has not answered yet", "look whether it answers")]


def ready(value=True, checks=OK, current=True, **changes):
    return {"ready": value, "version": "v2.4.0", "detail": "2 of 10 checks are ok, the others don't apply", "checked": "2026-11-22T16:43:45.000Z", "checks": checks,
            "current": {"version": "v3.0.0", "ready": current, "detail": "", "checked": "2026-11-22T16:43:45.000Z", "checks": OK if current else BROKEN}, **changes}


def test_ready_is_told_item_by_item(stage):
    stage.controller(ready=ready())
    done = stage.cli("ready")
    assert (done.returncode, done.stderr) == (0, "")
    fits(golden("ready", done.stdout))
    assert json.loads(stage.cli("ready", "--json").stdout) == ready()


def test_not_ready_and_unknown_have_exit_codes(stage):
    stage.controller(ready=ready(False, BROKEN, current=False, detail="libraries: server: libssl.so.3: cannot open shared object file"))
    done = stage.cli("ready")
    assert done.returncode == 4
    fits(golden("ready-not", done.stdout))
    stage.end()
    stage.controller(ready=ready(None, [], detail="not yet looked at", checked=None))
    done = stage.cli("ready")
    assert done.returncode == 8 and "ask again in a moment" in done.stdout
    stage.end()
    stage.controller(ready=ready(False, [], version=None, detail="no earlier release is fit"))
    done = stage.cli("ready")
    assert (done.returncode, done.stdout.splitlines()[0]) == (4, "No target: no earlier release is fit")


DEPLOYMENT = {**PLAN, "kind": "deployment", "to": "v3.1.0", "none_left": "v3.0.0 would then be what a rollback goes to, and it is not proven that it could be started: release: bin/server is altered"}


def test_a_deployment_that_leaves_no_target_asks(stage):
    ended = run(kind="deployment", **{"from": "v3.0.0"}, to="v3.1.0", serving="v3.1.0", validation=None)
    stage.controller(events=[{"type": "run", "event": ended}], deploy=run(0, kind="deployment"), plan=DEPLOYMENT)
    done = stage.cli("deploy", "v3.1.0")
    assert done.returncode == 4
    assert "bin/server is altered" in done.stderr and done.stderr.splitlines()[-1] == f"  auto-rollback --config {stage.config} deploy --yes v3.1.0"
    for typed in (b"no\n", b"y\n", b"\x04"):
        seen, code = stage.on_terminal("deploy", "v3.1.0", typed=typed)
        assert code == 7 and "Deploy all the same? (yes/no): " in seen and "nothing was touched" in seen
    assert all(line.startswith("plan") for line in stage.asked())
    seen, code = stage.on_terminal("deploy", "v3.1.0", typed=b"yes\n")
    assert code == 0, seen
    assert stage.asked()[-1] == 'deploy {"accept_no_target":true,"version":"v3.1.0"}'
    assert stage.cli("deploy", "--yes", "v3.1.0").returncode == 0
    assert stage.asked()[-1] == 'deploy {"accept_no_target":true,"version":"v3.1.0"}'
    assert "After it no target that is proven ready would be left" in stage.cli("deploy", "--dry-run", "v3.1.0").stdout


# ---- runbooks ----

TARGET = {"version": "v2.3.1", "state": "good", "ready": True, "detail": "8 of 10 checks are ok, the others don't apply", "checks": []}
AUTOMATIC = run(id=17, mode="automatic", initiator="controller", decision=5, reason="error rate 10.00 % > 1.0 % in 4 of 5 samples over 120 s")
HOLDING = run(5, id=18, phase="holding", outcome="held", serving=None, validation=None, failure="v2.4.0 did not start: exit code 1; v3.0.0 could not be put back", released=False,
              remedy="Mend the cause, then: systemctl start novacron-dwcp-v2.service; auto-rollback restore; auto-rollback resume")


def incident(**changes):
    return {"id": 3, "cause": "automatic", "severity": "P1", "state": "open", "run": 17, **changes}


def tell(stage, incidents=(), runs=(), **changes):
    stage.end()
    stage.controller(status={**status(), "target": TARGET, **changes}, history={"runs": list(runs), "deployments": []},
                     incidents={"incidents": list(incidents), "unresolved": len(incidents)}, ready=ready())
    return stage


def states(stage, key):
    return [step["state"] for step in json.loads(stage.cli("runbook", key, "--json").stdout)["steps"]]


def test_runbook_1_ticks_what_the_journal_shows(stage):
    tell(stage, [incident()], [AUTOMATIC])
    done = stage.cli("runbook", "1")
    assert (done.returncode, done.stderr) == (0, "")
    golden("runbook-1", done.stdout, stage)
    assert states(stage, "1") == ["next", "done", "yours", "yours", "open", "open"]
    tell(stage, [incident(state="acknowledged")], [AUTOMATIC])
    assert states(stage, "1") == ["done", "done", "yours", "yours", "next", "open"]
    tell(stage, [incident(state="resolved")], [run(id=19, kind="deployment", outcome="succeeded"), AUTOMATIC])
    assert states(stage, "1") == ["done", "done", "yours", "yours", "done", "done"]


def test_runbook_2_before_and_after(stage):
    tell(stage)
    golden("runbook-2", stage.cli("runbook", "2").stdout, stage)
    assert states(stage, "2")[2] == "next"
    tell(stage, runs=[run(id=17)])
    assert states(stage, "2") == ["done", "yours", "done", "done", "done", "yours"]


def test_runbook_3_of_a_run_that_holds(stage):
    broken = {"units": {"names": ["novacron-dwcp-v2.service"], "state": "failed", "detail": "novacron-dwcp-v2.service: failed"},
              "health": {"state": "unhealthy", "since": None, "url": "http://127.0.0.1:9000/health", "detail": "refused"},
              "deployments": {"paused": True, "by": "run 18", "since": None, "why": None}}
    tell(stage, [incident(cause="hold", severity="P0", run=18)], [HOLDING], **broken)
    golden("runbook-3", stage.cli("runbook", "3").stdout, stage)
    assert states(stage, "3") == ["done", "next", "open", "open", "done", "open", "open"]
    tell(stage, [incident(cause="hold", severity="P0", run=18, state="resolved")], [{**HOLDING, "released": True}])
    assert states(stage, "3") == ["done"] * 7


REFUSED = run(0, id=20, mode="automatic", initiator="controller", decision=6, outcome="refused", serving="v3.0.0", validation=None,
              failure="the balancer has two configurations", reason="error rate 10.00 % > 1.0 % in 4 of 5 samples over 120 s")


def test_runbook_3_of_an_automatic_rollback_that_was_refused(stage):
    tell(stage, [incident(severity="P0", run=20)], [REFUSED, run(id=17)])
    answer = json.loads(stage.cli("runbook", "3", "--json").stdout)
    assert (answer["concerned"], answer["run"], answer["incident"]) == (True, 20, 3)
    assert "the balancer has two configurations" in answer["steps"][0]["look"]
    assert json.loads(stage.cli("runbook", "1", "--json").stdout)["run"] is None, "none has occurred"
    tell(stage, [incident(severity="P0", run=20, state="resolved")], [REFUSED, run(id=17)])
    assert json.loads(stage.cli("runbook", "3", "--json").stdout)["concerned"] is False


def test_runbook_3_of_the_worst_incident_that_no_failed_run_explains(stage):
    tell(stage, [incident(severity="P0", run=17)], [run(id=17)])
    answer = json.loads(stage.cli("runbook", "3", "--json").stdout)
    assert (answer["concerned"], answer["run"], answer["incident"]) == (True, 17, 3)
    tell(stage, [incident(severity="P0", run=None, title="Manual review", outcome="not rolled back")])
    answer = json.loads(stage.cli("runbook", "3", "--json").stdout)
    assert (answer["concerned"], answer["run"], answer["incident"]) == (True, None, 3)
    assert "Incident 3" in answer["steps"][0]["look"]


def test_runbook_2_without_a_target_says_so(stage):
    tell(stage, runs=[run(id=17)], target=None)
    for key, title in (("2", "Assess Severity"), ("3", "Attempt Recovery")):
        told = {step["title"]: step for step in json.loads(stage.cli("runbook", key, "--json").stdout)["steps"]}
        assert told[title]["look"].endswith("There is no release that a rollback could go to."), told[title]


def test_issue_3_without_a_database_is_not_applicable(stage):
    stage.controller(status=status(), history={"runs": [], "deployments": []}, ready=ready(current=True))
    assert states(stage, "issue-3")[:3] == ["not_applicable"] * 3
    text = stage.cli("runbook", "issue-3").stdout
    assert "[-] 1. Check current schema version" in text and "Not applicable." in text and "[x] 1." not in text


def test_nothing_is_asked_of_who_has_no_such_trouble(stage):
    tell(stage, runs=[run(id=17)])
    for key in ("3", "issue-1", "issue-2", "issue-3", "issue-4"):
        answer = json.loads(stage.cli("runbook", key, "--json").stdout)
        assert answer["concerned"] is False and "next" not in [step["state"] for step in answer["steps"]], key


def test_runbooks_are_listed_and_named(stage):
    listed = stage.cli("runbook")
    assert listed.returncode == 0 and len(listed.stdout.splitlines()) == 8
    tell(stage)
    assert stage.cli("runbook", "issue", "4").stdout == stage.cli("runbook", "issue-4").stdout
    wrong = stage.cli("runbook", "7")
    assert wrong.returncode == 65 and "allowed are 1 to 3 and issue-1 to issue-5" in wrong.stderr
