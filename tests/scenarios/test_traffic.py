"""An operator's hands: the metrics as they really are, traffic drained and given back, caches cleared. Over the control socket."""

import json
import subprocess
import threading

import pytest
from hosts import wait_until
from testsite import CONTROLLER, HAPROXY_SOCKET, UNITS, step

# Nothing here is to be rolled back by itself.
LENIENT = {"thresholds": {"error_rate": "50%", "success_rate": "10%", "latency_p99": "30s"}}
SHORT_GATE = {"traffic": {"haproxy": {"gate_horizon": "1s"}}}


def ask(site, method, path, body=None, status=200, timeout=30):
    answer = site.ask(method, path, body, timeout=timeout)
    assert answer and answer[0] == status, answer
    return answer[1]


def drain(site, seconds=5, status=200):
    return ask(site, "POST", "/traffic/drain", {"timeout_seconds": seconds}, status)


def restore(site, status=200):
    return ask(site, "POST", "/traffic/restore", {}, status)


def metrics(site, part):
    return ask(site, "GET", f"/metrics/{part}")


def traffic(site, what, timeout=15, **members):
    """Its status, as soon as it has these members."""

    def condition():
        state = ask(site, "GET", "/traffic/status")
        return state if all(state[key] == value for key, value in members.items()) else None

    return site.wait(condition, timeout, what)


def say(site, command):
    """To HAProxy itself."""
    return site.host.output(["sh", "-c", f"echo '{command}' | socat - {HAPROXY_SOCKET}"])


def in_flight(site):
    return int(say(site, "show stat app 4 -1").split("app,s1,", 1)[1].split(",")[2])


def one_request(site):
    return site.host.popen(["curl", "-s", "-m", "14", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8000/"], stdout=subprocess.PIPE)


def begin(site, **faults):
    site.release("v2.4.0", **faults)
    site.start()
    site.deploy_good("v2.4.0")


def counted(site, total):
    """The last minute, when all of it has come in."""

    def condition():
        requests = metrics(site, "requests")
        return requests if (requests["count_1m"] or 0) >= total else None

    return site.wait(condition, 5, f"{total} requests are counted")


def test_metrics_are_what_the_load_client_did(site):
    site.configure(**LENIENT)
    begin(site, error_every=25)
    before = metrics(site, "requests")
    assert before["count_1m"] == 0 and before["success_rate_1m"] is None, "no request: a count, but no rate of success"
    load = site.load()
    sampled = site.wait_status(lambda status: (status["metrics"]["sample"] or {}).get("requests", 0) >= 300, what="a full sample")
    latency = metrics(site, "latency")
    assert 0 <= latency["p50_ms"] <= latency["p99_ms"] < 1000 and latency["sample_age_s"] < 5, latency
    assert latency["sample_s"] == pytest.approx(2, abs=0.3) and latency["requests"] > 300 and latency["note"] == "", (latency, sampled["metrics"])
    assert latency["error_rate_percent"] == pytest.approx(4, abs=0.5)
    connections = metrics(site, "connections")
    assert connections["active"] >= 0 and connections["max"] > 100 and connections["sample_age_s"] < 6, connections
    summary = load.end()
    total = sum(summary["by_status"].values())
    errors = sum(count for status, count in summary["by_status"].items() if status >= "500")
    assert errors > 10
    requests, failed = counted(site, total), metrics(site, "errors")
    assert requests["count_1m"] == total and failed["count_1m"] == errors, (requests, failed, summary["by_status"])
    assert requests["success_rate_1m"] == pytest.approx(100 * (total - errors) / total, abs=0.001)
    assert failed["rate_1m"] == pytest.approx(100 * errors / total, abs=0.001)
    known = float(requests["note"].split()[-4])  # of the last minute only N s are known
    assert requests["rate_1m"] == pytest.approx(total / known, rel=0.05) and requests["sample_age_s"] < 2.5, requests
    summary = metrics(site, "summary")
    assert summary["requests"]["count_1m"] == total and set(summary) == {"requests", "latency", "errors", "connections", "system"}
    assert (summary["system"]["sample_age_s"] is None) == (summary["system"]["cpu_percent"] is None)
    site.host.systemctl("stop", "haproxy.service")
    gone = site.wait(lambda: (lambda now: now if not now["connected"] else None)(metrics(site, "requests")), 10, "the source isn't heard")
    assert gone["rate_1m"] is None and gone["count_1m"] is None and gone["note"], gone


def test_drained_and_given_back(site):
    site.configure(**LENIENT)
    begin(site)
    load = site.load()
    drained = drain(site)
    assert (drained["state"], drained["in_flight"], drained["timed_out"], drained["gate"]) == ("drained", 0, False, True), drained
    assert "requests wait at the gate for at most 15 s, then get 503" in drained["detail"], drained
    assert drained["by"].startswith("root") and drained["since"] and drained["sample_age_s"] < 1, drained
    assert metrics(site, "connections")["active"] == 0
    again = drain(site, 10)
    assert (again["state"], again["since"]) == ("drained", drained["since"]), "the first owner stays"
    waiting = one_request(site)
    for status in site.watch(1.2):
        assert (status["traffic"]["state"], status["traffic"]["in_flight"]) == ("drained", 0), status["traffic"]
        assert status["traffic"]["sample_age_s"] < 2.5, "while drained it is looked at every second"
    assert waiting.poll() is None, "a request waits"
    given = restore(site)
    assert (given["state"], given["by"]) == ("flowing", None), given
    assert waiting.communicate(timeout=10)[0] in (b"200", "200")
    assert restore(site)["state"] == "flowing", "twice is fine"
    site.check_ledger(load.end())


def test_somebody_else_drained(site):
    begin(site)
    say(site, "set server app/s1 state maint")
    assert site.serving() != "v2.4.0"
    assert restore(site)["state"] == "flowing"
    assert site.serving() == "v2.4.0"


def test_balancer_is_away(site):
    """What could not be drained isn't, and stays so when the balancer is back."""
    begin(site)
    site.host.systemctl("stop", "haproxy.service")
    refused = drain(site, status=503)
    assert refused["title"] == "Not drained" and "HAProxy" in refused["detail"], refused
    assert drain(site, status=409)["title"] == "Traffic is being restored"
    site.host.systemctl("start", "haproxy.service")
    given = traffic(site, "it flows", state="flowing")
    assert (given["by"], given["since"]) == (None, None), given
    assert drain(site)["state"] == "drained" and restore(site)["state"] == "flowing"
    assert site.serving() == "v2.4.0"


def test_controller_killed_while_it_gives_back(site):
    """The wish is written before it is done: whoever comes next gives traffic back, instead of draining it again."""
    site.kills_controller = True
    site.configure(traffic={"haproxy": {"gate_map": None}})
    begin(site)
    assert drain(site)["state"] == "drained"
    site.host.systemctl("kill", "--signal=STOP", "haproxy.service")
    asked = threading.Thread(target=lambda: site.ask("POST", "/traffic/restore", {}, timeout=20))
    asked.start()
    traffic(site, "it is under way", state="restoring")
    pid = site.controller_pid()
    site.host.run(["kill", "-KILL", str(pid)])
    asked.join()
    site.host.systemctl("kill", "--signal=CONT", "haproxy.service")
    site.wait_status(lambda status: status["controller"]["pid"] != pid and status["traffic"]["state"] == "flowing", what="it flows")
    assert site.serving() == "v2.4.0"
    assert "drained again" not in site.host.journal(CONTROLLER)


def test_drain_that_times_out_cuts_nothing(site):
    site.configure(**LENIENT)
    begin(site, latency_every=2, latency_us=2500000)
    slow = [one_request(site) for _ in range(2)]  # one of two is slow
    site.wait(lambda: in_flight(site) == 1, 5, "one is in flight")
    others = []
    asked = threading.Thread(target=lambda: others.append(drain(site, 10)))
    asked.start()
    traffic(site, "one waits for the drain", state="draining")
    answer = drain(site, 1)
    assert (answer["timed_out"], answer["in_flight"]) == (True, 1), answer
    assert "1 still in flight" in answer["detail"] and answer["state"] == "draining", answer
    asked.join()
    assert (others[0]["timed_out"], others[0]["state"], others[0]["in_flight"]) == (False, "drained", 0), others
    assert {process.communicate(timeout=10)[0] for process in slow} <= {b"200", "200"}, "what was in flight has ended well"
    restore(site)


def test_controller_stopped_while_somebody_waits(site):
    site.write("/usr/local/bin/clear-hanging", HOOKS["hanging"], 0o755)
    site.configure(**LENIENT, cache={"timeout": "30s", "clear": {"hanging": ["/usr/local/bin/clear-hanging"]}})
    begin(site, latency_every=1, latency_us=3000000)
    slow = one_request(site)
    site.wait(lambda: in_flight(site) == 1, 5, "one is in flight")
    answers = {}
    askers = [threading.Thread(target=lambda path=path, body=body: answers.update({path: site.ask("POST", path, body, timeout=20)}))
              for path, body in (("/traffic/drain", {"timeout_seconds": 15}), ("/cache/clear", {}))]
    for asker in askers:
        asker.start()
    traffic(site, "one waits for the drain", state="draining")
    wait_until(lambda: site.inside("/run/hanging").exists(), what="the caches are being cleared")
    site.host.systemctl("restart", CONTROLLER)
    for asker in askers:
        asker.join()
    assert {path: answer and answer[0] for path, answer in answers.items()} == {"/traffic/drain": 503, "/cache/clear": 503}, answers
    traffic(site, "what was asked for stays", state="drained", in_flight=0)
    assert slow.communicate(timeout=10)[0] in (b"200", "200"), "what was in flight has ended well"
    restore(site)


def test_controller_killed_while_drained(site):
    site.kills_controller = True
    site.configure(**LENIENT, **SHORT_GATE)
    begin(site)
    drained = drain(site)
    waiting = one_request(site)
    pid = site.controller_pid()
    site.host.run(["kill", "-KILL", str(pid)])
    taken = site.wait_status(lambda status: status["controller"]["pid"] != pid and "kept so" in status["traffic"]["detail"], what="it is drained again")
    assert (taken["traffic"]["state"], taken["traffic"]["by"], taken["traffic"]["since"]) == ("drained", drained["by"], drained["since"]), taken["traffic"]
    for status in site.watch(1.5):
        assert status["traffic"]["state"] == "drained"
    assert waiting.poll() is None, "nothing got through"
    assert "traffic is drained again: root" in site.host.journal(CONTROLLER)
    assert site.cli("drain", "5", check=0).stdout.startswith("Traffic is drained: nothing in flight")
    # a controller that stays away keeps nobody waiting; the next one does as the operator said
    site.host.systemctl("stop", CONTROLLER)
    assert waiting.communicate(timeout=10)[0] in (b"200", "200")
    assert site.serving() == "v2.4.0"
    site.host.systemctl("start", CONTROLLER)
    traffic(site, "it is drained again", state="drained", by=drained["by"])
    assert restore(site)["state"] == "flowing" and site.serving() == "v2.4.0"


def test_drained_without_a_gate(site):
    """Requests are refused then, which is said; a controller that is started again goes on, and knows to give it back."""
    site.kills_controller = True
    site.configure(traffic={"haproxy": {"gate_map": None}})
    begin(site)
    drained = drain(site)
    assert (drained["state"], drained["gate"]) == ("drained", False) and "there is no gate: requests are refused" in drained["detail"], drained
    pid = site.controller_pid()
    site.host.run(["kill", "-KILL", str(pid)])
    site.wait(lambda: "traffic is drained again: root" in site.host.journal(CONTROLLER), 10, "it goes on")
    held = traffic(site, "it is known", state="drained")
    assert (held["by"], held["since"]) == (drained["by"], drained["since"])
    assert restore(site)["state"] == "flowing" and site.serving() == "v2.4.0"


def test_rolled_back_while_an_operator_has_drained(site):
    site.configure(**LENIENT)
    load = site.begin_with(good_faults={"slow_start_ms": 1500})
    drained = drain(site)
    site.begin("manual", "--yes", "while it is drained")
    site.wait_acting("start_version")
    for path in ("/traffic/drain", "/traffic/restore", "/consensus/force-election"):
        refused = ask(site, "POST", path, {}, status=409)
        assert "rollback to v2.4.0" in refused["detail"], refused
    seen = ask(site, "GET", "/traffic/status")
    assert seen["state"] == "drained" and seen["sample_age_s"] < 2.5, seen
    run = site.wait_for_run(kind="rollback")
    assert (run["outcome"], run["in_flight_cut"]) == ("succeeded", 0), run
    assert "which stays" in step(run, "drain_traffic")["detail"] and "left drained: by root" in step(run, "restore_traffic")["detail"], run
    after = traffic(site, "it is still drained", state="drained")
    assert (after["by"], after["since"]) == (drained["by"], drained["since"]), after
    assert restore(site)["state"] == "flowing"
    assert site.serving() == "v2.4.0"
    site.check_ledger(load.end(), run)


def test_nothing_is_decided_while_an_operator_has_drained(site):
    site.begin_with(unit_extra="Restart=no", load=False)
    drain(site)
    site.host.systemctl("kill", "--signal=KILL", UNITS["v3.0.0"])
    decision = site.wait(lambda: next(iter(ask(site, "GET", "/decisions")["decisions"]), None), 10, "it is looked at")
    assert (decision["kind"], decision["guard"]) == ("review", "drained_by_operator"), decision
    assert [run["kind"] for run in site.runs()] == ["deployment"] * 2, "nothing is done about it"
    restore(site)
    assert site.wait_for_run(kind="rollback", mode="automatic")["outcome"] == "succeeded", "it is not the operator's any more"


def test_emergency_without_controller_leaves_it_the_operators(site):
    """The gate has opened by itself meanwhile: the emergency closes it for its own time, and the next controller for good."""
    site.configure(**LENIENT, **SHORT_GATE)
    load = site.begin_with()
    drained = drain(site)
    site.host.systemctl("stop", CONTROLLER)
    assert site.serving() == "v3.0.0", "nobody keeps it closed any more"
    site.cli("emergency", "the controller is gone")
    assert site.serving() == "v2.4.0"
    site.host.systemctl("start", CONTROLLER)
    held = traffic(site, "it is drained again", state="drained")
    assert (held["by"], held["since"]) == (drained["by"], drained["since"]), held
    run = site.wait_for_run(kind="rollback")
    assert run["outcome"] == "succeeded" and "which stays" in step(run, "drain_traffic")["detail"], run
    assert "left drained: by root" in step(run, "restore_traffic")["detail"], run
    site.cli("restore", check=0)
    site.check_ledger(load.end(), run)


def test_without_a_balancer(site):
    site.configure(traffic={"driver": "none", "haproxy": None, "drain_park_max": None}, metrics={"source": "none", "edge": None})
    site.release("v2.4.0")
    site.start()
    assert "traffic.driver" in drain(site, status=501)["detail"]
    assert "traffic.driver" in restore(site, status=501)["detail"]
    assert ask(site, "GET", "/traffic/status")["state"] == "unknown"
    for part in ("requests", "latency", "errors", "connections"):
        numbers = metrics(site, part)
        assert {value for key, value in numbers.items() if key not in ("note", "source", "connected")} == {None} and numbers["note"], numbers
    assert "cache" in ask(site, "POST", "/cache/clear", {}, status=501)["detail"]
    for method, path in (("GET", "/database/replication"), ("POST", "/admin/consistency-check")):
        refused = ask(site, method, path, {} if method == "POST" else None, status=501)
        assert "no data adapter is configured" in refused["detail"] and refused["type"], refused


def test_paused_deployments_say_who_and_why(site):
    begin(site)
    site.release("v3.0.0")
    paused = ask(site, "POST", "/deployment/pause", {"why": "the database moves"})
    assert paused["paused"] and paused["by"].startswith("root") and paused["why"] == "the database moves", paused
    assert ask(site, "GET", "/deployment/status") == paused
    refused = ask(site, "POST", "/deploy", {"version": "v3.0.0"}, status=409)
    for word in (paused["by"], "the database moves", paused["since"]):
        assert word in refused["detail"], refused
    assert not ask(site, "POST", "/deployment/resume", {})["paused"]
    assert ask(site, "POST", "/deploy", {"version": "v3.0.0"})["to"] == "v3.0.0"


HOOKS = {
    "good": "#!/bin/sh\necho first\necho 'cleared 12 keys'\n",
    "failing": "#!/bin/sh\necho 'connection refused' >&2\nexit 3\n",
    "hanging": "#!/bin/sh\n: >/run/hanging\necho waiting\nexec sleep 60\n",
}


def test_caches_are_cleared_all_at_once(site):
    for name, script in HOOKS.items():
        site.write(f"/usr/local/bin/clear-{name}", script, 0o755)
    site.configure(cache={"timeout": "1s", "clear": {name: [f"/usr/local/bin/clear-{name}"] for name in HOOKS}})
    site.release("v2.4.0")
    site.start()
    answers = []
    asked = threading.Thread(target=lambda: answers.append(ask(site, "POST", "/cache/clear", {})))
    asked.start()
    wait_until(lambda: site.inside("/run/hanging").exists(), what="it has begun")
    begun = site.cli_json("audit", "--limit", "1")["entries"][0]
    assert (begun["path"], begun["status"]) == ("/api/v3/cache/clear", 202), "written before it ends"
    assert "root" in ask(site, "POST", "/cache/clear", {}, status=409)["detail"]
    asked.join()
    hooks = {hook["name"]: hook for hook in answers[0]["hooks"]}
    assert [hook["name"] for hook in answers[0]["hooks"]] == list(HOOKS) and not answers[0]["cleared"]
    assert hooks["good"]["ok"] and hooks["good"]["detail"] == "cleared 12 keys" and hooks["good"]["duration_ms"] < 900
    assert not hooks["failing"]["ok"] and "status 3" in hooks["failing"]["detail"] and "connection refused" in hooks["failing"]["detail"]
    assert not hooks["hanging"]["ok"] and 800 <= hooks["hanging"]["duration_ms"] < 1500, json.dumps(hooks)
