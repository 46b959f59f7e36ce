"""Two rollbacks at once: one runs, the other is told who holds the lock, since when and why, and exits with 75. And a release that
fails again and again isn't rolled back again and again."""

import re

from testsite import CANCELLED, FAST_WINDOW, NOT_VERIFIED, SERVICE_UNIT, TRY_LATER, UNITS, step


def slow_target(site):
    """v2.4.0 takes its time from now on: a run stays at step 5 for that long."""
    site.write(f"/etc/systemd/system/{UNITS['v2.4.0']}", SERVICE_UNIT.format(extra="ExecStartPre=/bin/sleep 2"))
    site.host.systemctl("daemon-reload")


def test_two_rollbacks(site):
    load = site.begin_with()
    slow_target(site)
    first = site.begin("manual", "--yes", "the first one")
    site.wait_acting("start_version")
    for words in (["manual", "--yes", "the second one"], ["emergency", "the third one"], ["deploy", "v3.0.0"]):
        done = site.cli(*words, check=TRY_LATER)
        said = done.stdout + done.stderr
        assert "the first one" in said and "root" in said, said
        assert re.search(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", said), f"since when? {said}"
    out, err = first.communicate(timeout=30)
    assert first.returncode in (0, NOT_VERIFIED), out + err
    runs = [run for run in site.runs() if run["kind"] == "rollback"]
    assert len(runs) == 1 and runs[0]["outcome"] == "succeeded"
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), runs[0])


def test_without_a_controller(site):
    """Break glass against break glass: the lock is the same."""
    site.begin_with(load=False)
    site.host.systemctl("stop", "novacron-auto-rollback.service")
    slow_target(site)
    first = site.begin("manual", "--yes", "the first one")
    site.wait(lambda: site.host.show(UNITS["v2.4.0"], "ActiveState")["ActiveState"] == "activating", 10, "the run starts v2.4.0")
    done = site.cli("manual", "--yes", "the second one", check=TRY_LATER)
    assert "the first one" in done.stdout + done.stderr and re.search(r"process \d+|pid \d+", done.stdout + done.stderr), done.stderr
    out, err = first.communicate(timeout=30)
    assert first.returncode in (0, NOT_VERIFIED), out + err
    assert site.current() == "v2.4.0" and site.active("v2.4.0") and not site.active("v3.0.0")


def test_a_cancel_before_the_stop_undoes(site):
    """A request in flight keeps the drain waiting; nothing was stopped yet."""
    site.configure(traffic={"drain_park_max": "5s"})
    site.begin_with(load=False, latency_every=1, latency_us=3000000)
    client = site.host.popen(["curl", "-s", "-m", "20", "http://127.0.0.1:8000/"])
    site.wait_status(lambda status: status["traffic"]["in_flight"], what="a request in flight")
    process = site.begin("manual", "--yes", "a mistake")
    site.wait_acting("drain_traffic")
    site.cli("cancel", check=0)
    out, err = process.communicate(timeout=20)
    assert process.returncode == CANCELLED, out + err
    run = site.wait_for_run(kind="rollback")
    assert (run["outcome"], run["serving"]) == ("cancelled", "v3.0.0")
    assert client.wait(20) == 0, "the request in flight was lost to a rollback that never was"
    site.check_steady("v3.0.0")


def test_a_cancel_after_the_stop_finishes(site):
    load = site.begin_with()
    slow_target(site)
    process = site.begin("manual", "--yes", "not a mistake")
    site.wait_acting("start_version")
    done = site.cli("cancel")
    assert "too late" in done.stdout + done.stderr
    process.communicate(timeout=30)
    run = site.wait_for_run(kind="rollback")
    assert run["outcome"] == "succeeded"
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)


def test_no_loop(site):
    """The bad release is deployed again, unchanged: warned each time, rolled back while the day's budget lasts, then a review."""
    site.configure(**FAST_WINDOW)
    site.configure(decision={"rollbacks_per_day": 2})
    load = site.begin_with(error_every=10)
    first = site.wait_for_run(kind="rollback", mode="automatic")
    warned = site.cli("deploy", "v3.0.0", check=0)
    assert "rolled back before" in warned.stdout + warned.stderr
    second = site.wait_for_run(kind="rollback", mode="automatic", after=first["id"])
    assert second["outcome"] == "succeeded"
    warned = site.cli("deploy", "v3.0.0", check=0)
    assert "rolled back before" in warned.stdout + warned.stderr
    status = site.wait_status(lambda status: any(alert["source"] == "decision" for alert in status["alerts"]), what="a manual review")
    seen = site.watch(5)
    assert site.current() == "v3.0.0" and not [s for s in seen if s["run"]]
    assert status["rollbacks_today"] == status["rollbacks_per_day"] == 2
    spent = "the day's automatic rollbacks are spent"
    assert status["deployment"]["armed"] and status["deployment"]["automatic"] == {"possible": False, "why": spent}
    assert status["review"]["guard_text"] == spent and "error rate" in status["review"]["reason"]
    said = " ".join(site.host.output("auto-rollback status").split())
    assert "v3.0.0 is live, but DEGRADED: " in said and f"not rolled back automatically: {spent}." in said, said
    assert 'auto-rollback manual "REASON"' in said and "armed" not in said, said
    decisions = site.ask("GET", "/decisions?limit=5")[1]["decisions"]
    assert (decisions[0]["kind"], decisions[0]["guard"]) == ("review", "budget_spent"), decisions[0]
    assert len([d for d in decisions if d["kind"] == "review"]) == 1, "the same review second after second"
    done = site.roll_back("a person decides", check=0)
    assert done.returncode == 0
    site.check_steady("v2.4.0")
    summary = load.end()
    assert (summary["lost"], summary["duplicated"]) == (0, 0)


def test_never_back_to_a_release_that_failed(site):
    """Both releases are bad: after the rollback the target's errors cause no second one, and never one back to v3.0.0."""
    site.configure(**FAST_WINDOW)
    site.release("v2.4.0", error_every=10, faults_from_ms=6000)
    site.release("v3.0.0", error_every=10)
    site.start()
    site.deploy_good()
    load = site.load()
    site.deploy()
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert run["to"] == "v2.4.0"
    site.wait_status(lambda status: any(alert["source"] == "decision" for alert in status["alerts"]), what="a manual review")
    assert len([run for run in site.runs() if run["kind"] == "rollback"]) == 1
    assert site.current() == "v2.4.0"
    summary = load.end()
    assert (summary["lost"], summary["duplicated"]) == (0, 0)
    assert step(run, "restore_traffic")["state"] == "done"
