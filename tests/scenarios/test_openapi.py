"""What the interface answers on a real host, with a real rollback behind it, is what its description says: every route that reads,
every event of the stream, and the controller's own metrics."""

import http.client
import json
import socket
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from testsite import CONTROLLER, FAST_WINDOW, SOCKET, _UnixConnection

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "api"))
from openapi_rules import Description  # noqa: E402

OPENMETRICS = "application/openmetrics-text"
COUNTED = ("_total", "_count", "_sum")
# What this site has nothing of says so with 501; any other 501 is an operation that nobody has made.
NOT_CONFIGURED = {
    "/api/v3/database/replication": "data adapter",
    "/api/v3/admin/consistency-check": "data adapter",
    "/api/v3/consensus/force-election": "No cluster is configured",
}
# (path in the description, body) of what acts, in an order that leaves all as it was; ids are the newest run's.
ACTS = [
    ("/api/v3/deployment/pause", {"why": "the scenario asks for it"}),
    ("/api/v3/deployment/resume", None),
    ("/api/v3/traffic/drain", {"timeout_seconds": 5}),
    ("/api/v3/traffic/restore", None),
    ("/api/v3/adopt", None),
    ("/api/v3/cache/clear", None),
    ("/api/v3/consensus/force-election", None),
    ("/api/v3/admin/consistency-check", None),
    ("/api/v3/rollback/{id}/cancel", None),
    ("/api/v3/incidents/{id}/acknowledge", None),
    ("/api/v3/incidents/{id}/resolve", {"note": "the scenario asks for it"}),
    ("/api/v3/session", None),
    ("/api/v3/rollback", {"mode": "manual"}),
    ("/api/v3/rollback", {"mode": "manual", "reason": "the scenario asks for it", "to": "v9.9.9"}),
]
# What says more while a release is baking, and there is a target.
WHILE_BAKING = ("status", "version", "plan", "plan?mode=emergency", "traffic/status", "validate", "metrics/latency")


def get(site, path, **headers):
    return ask(site, "GET", path, **headers)


def ask(site, method, path, body=None, **headers):
    """(status, type of content, headers, text)"""
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = _UnixConnection(str(site.inside(SOCKET)), 10)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get_content_type(), answer.headers, answer.read().decode()
    finally:
        connection.close()


def newest_event(site):
    return int(get(site, "/api/v3/status")[2]["Last-Event-ID"])


def events_between(site, after, until):
    """(name, data) of the events behind `after`, up to `until`."""
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(5)
    try:
        stream.connect(str(site.inside(SOCKET)))
        stream.sendall(f"GET /api/v3/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {after}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(stream)
        answer.begin()
        assert (answer.status, answer.headers.get_content_type()) == (200, "text/event-stream")
        event = {}
        while True:
            name, _, value = answer.readline().decode().rstrip("\n").partition(": ")
            if name:
                event[name] = value
            elif "data" in event:
                yield event["event"], json.loads(event["data"])
                if int(event["id"]) >= until:
                    return
                event = {}
    finally:
        stream.close()


def paths_to_ask(description, site):
    """(path in the description, path to ask) of all that read; names and ids are what the site has."""
    history = json.loads(get(site, "/api/v3/history")[3])
    decisions = json.loads(get(site, "/api/v3/decisions")[3])
    components = json.loads(get(site, "/api/v3/health")[3]).get("components") or {"api": "not yet known"}
    assert history["runs"] and decisions["decisions"]
    ids = {"/api/v3/rollback/{id}": [run["id"] for run in history["runs"]],
           "/api/v3/decisions/{id}": [decision["id"] for decision in decisions["decisions"]],
           "/api/v3/incidents/{id}": [1, 999]}
    plots = ("error-rate", "latency-p99", "success-rate", "nothing-of-this-name")
    for method, path, _ in description.operations():
        if method != "GET" or path == "/api/v3/events":
            continue
        if path.endswith("/{id}/plot/{name}"):
            yield from ((path, path.replace("{id}", "1").replace("{name}", name)) for name in plots)
        elif "{name}" in path:
            yield from ((path, path.replace("{name}", name)) for name in components)
        elif "{id}" in path:
            yield from ((path, path.replace("{id}", str(one))) for one in ids[path[:path.index("{id}") + 4]])
        else:
            yield path, path
    yield "/api/v3/history", "/api/v3/history?limit=1"
    yield "/api/v3/plan", "/api/v3/plan?kind=deployment&to=v3.0.0"
    yield "/api/v3/plan", "/api/v3/plan?mode=emergency"
    yield "/api/v3/rollback/{id}", "/api/v3/rollback/999"
    yield "/api/v3/metrics/history", "/api/v3/metrics/history?from=1h&points=1"
    yield "/api/v3/metrics/history", "/api/v3/metrics/history?from=yesterday"
    yield "/api/v3/history", "/api/v3/history?limit=0"
    yield "/api/v3/health/{name}", "/api/v3/health/nothing-of-this-name"


def wrong_answers(description, site, method, path, asked, body=None):
    """What is wrong with one answer, in lines."""
    status, kind, _, text = ask(site, method, asked, body)
    if status == 501 and NOT_CONFIGURED.get(path, "nothing") not in text:
        return [f"{method} {asked}: nobody answers it: {text}"]
    try:
        schema = description.answer_schema(path, status, kind, method)
    except AssertionError as error:
        return [str(error)]
    answer = json.loads(text) if kind.endswith("json") else text
    return [f"{method} {asked} ({status}): {line}" for line in description.trouble(schema, answer)]


def metrics_of(site):
    """{(name, labels): value}, read by the format's own parser, which refuses what isn't OpenMetrics."""
    status, kind, _, text = get(site, "/metrics", Accept=f"{OPENMETRICS}; version=1.0.0")
    assert (status, kind) == (200, OPENMETRICS), text
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.name.startswith("rollback_") and family.documentation, family
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(found, name, **labels):
    return found[name, tuple(sorted(labels.items()))]


def check_metrics(found, status, run):
    assert value(found, "rollback_controller_info", version=status["controller"]["version"]) == 1
    assert value(found, "rollback_runs_total", kind="rollback", mode="automatic", outcome="succeeded") == 1
    assert value(found, "rollback_runs_total", kind="deployment", mode="manual", outcome="succeeded") == 2
    assert value(found, "rollback_runs_total", kind="rollback", mode="manual", outcome="succeeded") == 0
    assert value(found, "rollback_run_duration_seconds_count", kind="rollback") == 1
    assert value(found, "rollback_run_duration_seconds_sum", kind="rollback") == pytest.approx(run["duration_ms"] / 1000, abs=1e-5)
    assert value(found, "rollback_step_duration_seconds_count", step="drain_traffic") == 3
    assert value(found, "rollback_step_duration_seconds_sum", step="start_version") > 0
    assert value(found, "rollback_decisions_total", kind="rollback", guard="none") == 1
    assert value(found, "rollback_decisions_total", kind="review", guard="not_armed") == 0
    assert value(found, "rollback_armed") == status["deployment"]["armed"]
    assert value(found, "rollback_deployments_paused") == 0 and value(found, "rollback_traffic_drained") == 0
    assert value(found, "rollback_journal_writable") == 1 and value(found, "rollback_run_active") == 0
    assert sum(value(found, "rollback_window_samples", state=state) for state in ("healthy", "degraded", "unknown")) == status["window"]["expected"]


def check_live_metrics(site):
    """What changes from second to second: alike while the newest sample is the same one."""

    def both():
        before = site.status()
        found = metrics_of(site)
        return (before, found) if before["metrics"]["sample"] and before["metrics"]["sample"]["end"] == site.status()["metrics"]["sample"]["end"] else None

    status, found = site.wait(both, 10, "one sample, asked for twice")
    sample = status["metrics"]["sample"]
    assert value(found, "rollback_sample_requests") == sample["requests"] > 0
    assert value(found, "rollback_sample_p99_seconds") == pytest.approx(sample["latency_p99_ms"] / 1000)
    assert value(found, "rollback_sample_error_ratio") == pytest.approx(sample["error_rate_percent"] / 100)
    assert value(found, "rollback_alerts") == len(status["alerts"])
    health = json.loads(get(site, "/api/v3/health")[3])
    assert value(found, "rollback_health_score") >= 0 and health["score"] is not None
    for component in health["arithmetic"]["components"]:
        known = {"healthy": 1, "degraded": 0.5, "unhealthy": 0}.get(component["status"])
        assert found.get(("rollback_component_health", (("component", component["name"]),))) == known


def test_answers_are_what_is_described(site):
    site.configure(**FAST_WINDOW, cache={"clear": {"pages": ["/bin/echo", "cleared"]}})
    site.release("v2.4.0")
    site.release("v3.0.0", error_every=20)
    site.start()
    site.wait(lambda: site.status(), 10, "the controller answers")
    began = newest_event(site)
    description = Description(json.loads(get(site, "/openapi.json")[3]))
    description.check()
    site.deploy_good("v2.4.0")
    site.wait(lambda: metrics_of(site).get(("rollback_target_ready", ())) == 0, 10, "no target is a 0, so that an alert on it fires")
    load = site.load()
    site.deploy("v3.0.0")
    site.wait_status(lambda status: status["target"] and status["target"]["ready"], what="v2.4.0 is ready")
    assert value(metrics_of(site), "rollback_target_ready") == 1
    wrong = [line for path in WHILE_BAKING for line in wrong_answers(description, site, "GET", f"/api/v3/{path.partition('?')[0]}", f"/api/v3/{path}")]
    run = site.wait_for_run(kind="rollback", mode="automatic")
    run = site.wait_validation(run["id"])
    site.wait(lambda: json.loads(get(site, "/api/v3/health")[3])["status"] != "unknown", 10, "the health is known")

    wrong += [line for path, body in ACTS for line in wrong_answers(description, site, "POST", path, path.replace("{id}", str(run["id"])), body)]
    wrong += wrong_answers(description, site, "DELETE", "/api/v3/session", "/api/v3/session")
    wrong += [line for path, asked in paths_to_ask(description, site) for line in wrong_answers(description, site, "GET", path, asked)]
    assert not wrong, "\n".join(wrong)
    seen = set()
    for name, data in events_between(site, began, newest_event(site)):
        seen.add(name)
        assert description.trouble(description.event_schema("/api/v3/events", name), data) == [], name
    assert seen >= {"run", "sample", "decision", "alert"}

    before = metrics_of(site)
    check_metrics(before, site.status(), run)
    check_live_metrics(site)
    site.check_ledger(load.end(), run)

    site.host.systemctl("restart", CONTROLLER)
    site.wait(lambda: site.status(), 10, "the controller answers again")
    after = metrics_of(site)
    assert {key: number for key, number in after.items() if key[0].endswith(COUNTED)} == {
        key: number for key, number in before.items() if key[0].endswith(COUNTED)}

    status, _, _, text = ask(site, "POST", "/api/v3/deploy", {"version": "v3.0.0"})
    begun = json.loads(text)
    assert status == 200 and description.trouble("run", begun) == [], text
    assert "rolled back" in begun["warning"]
    assert wrong_answers(description, site, "POST", "/api/v3/rollback/{id}/cancel", f"/api/v3/rollback/{begun['id']}/cancel") == []
