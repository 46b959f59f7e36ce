"""The own history: recorded, kept over a restart, damaged and begun anew; and the rules over it find what was really done."""

import json

from testsite import CONTROLLER, FAST_WINDOW, seconds

HISTORY = "/var/lib/novacron/history.db"


def recorded(site, span="1h", points=2000):
    answer = site.ask("GET", f"/metrics/history?from={span}&points={points}")
    assert answer and answer[0] == 200, answer
    return answer[1]["samples"]


def wait_recorded(site, count, what):
    return site.wait(lambda: len(samples) >= count and samples if (samples := recorded(site)) else None, 20, what)


def test_finds_what_was_done(site):
    site.configure(**FAST_WINDOW)
    load = site.begin_with(error_every=20, measured=True)
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert run["outcome"] == "succeeded", run
    site.host.systemctl("restart", CONTROLLER)
    site.wait_status(lambda status: status["metrics"]["sample"], what="it measures again")
    # the marks of what was decided are written with the next sample
    samples = site.wait(lambda: found if (found := recorded(site)) and seconds(found[-1]["start"]) > seconds(run["ended"]) else None, 20, "a sample after it")
    assert {sample["version"] for sample in samples} >= {"v2.4.0", "v3.0.0"}
    assert {sample["state"] for sample in samples} >= {"healthy", "degraded"}
    assert [sample["end"] for sample in samples] == sorted(sample["end"] for sample in samples)
    load.end()
    newest = site.ask("GET", "/metrics/history?from=1h&points=1")[1]
    assert newest["thinned"] and len(newest["samples"]) == 1 and newest["samples"][0]["end"] >= samples[-1]["end"]
    assert site.ask("GET", "/metrics/history?from=yesterday")[0] == 400

    report = site.cli_json("backtest", "--from", "1h")
    assert report["source"] == "own history" and report["deployments_known"]
    (found,) = [one for one in report["found"] if one["kind"] == "rollback"]
    assert (found["version"], found["target"]) == ("v3.0.0", "v2.4.0")
    assert found["really"]["id"] == run["decision"] and found["reason"] == run["reason"]
    assert report["reality"] == {"rollbacks": 1, "not_found": [], "not_by_samples": []}
    assert found["after_s"] > 0 and found["triggers"] == ["error_rate", "success_rate"]

    loose = site.cli_json("backtest", "--from", "1h", "--set", "thresholds.error_rate=20%", "--set", "thresholds.success_rate=80%",
                          "--set", "thresholds.latency_p99=10s")
    assert (loose["rollbacks"], loose["reviews"]) == (0, 0), loose["found"]
    assert [one["id"] for one in loose["reality"]["not_found"]] == [run["decision"]]

    said = site.cli("backtest", "--from", "1h", check=0).stdout
    assert "rollback of v3.0.0 to v2.4.0" in said and f"really: rolled back by decision {run['decision']}" in said, said
    site.host.systemctl("stop", CONTROLLER)  # it needs none
    assert site.cli_json("backtest", "--from", "1h")["rollbacks"] == 1


def test_a_damaged_history_harms_nothing(site):
    """Spoilt while it is written: moved aside with an alert, and begun anew. Then its place is taken: an alert, and nothing else."""
    site.configure(**FAST_WINDOW)
    site.release("v2.4.0")
    site.start()
    site.deploy_good("v2.4.0")
    load = site.load()
    wait_recorded(site, 2, "samples are recorded")
    site.host.systemctl("stop", CONTROLLER)
    with open(site.inside(HISTORY), "r+b") as file:
        file.write(b"spoilt" * 1000)
    site.host.systemctl("start", CONTROLLER)
    site.wait(lambda: any("history of samples was damaged" in alert for alert in site.alerts()), 20, "the alert")
    assert site.inside(HISTORY + ".damaged").exists()
    wait_recorded(site, 2, "a new one is recorded")

    site.host.systemctl("stop", CONTROLLER)
    for suffix in ("", "-wal", "-shm"):
        site.inside(HISTORY + suffix).unlink(missing_ok=True)
    site.inside(HISTORY).mkdir()
    site.host.systemctl("start", CONTROLLER)
    site.wait_status(lambda status: any(alert["source"] == "history" for alert in status["alerts"]), what="it can't be recorded")
    site.wait_status(lambda status: status["metrics"]["sample"] and status["metrics"]["sample"]["state"] == "healthy", what="it measures all the same")
    done = site.deploy("v2.4.0", check=None)  # the journal takes and refuses as ever
    assert "already current" in done.stdout + done.stderr, json.dumps([done.stdout, done.stderr])
    load.end()
