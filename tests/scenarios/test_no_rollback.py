"""What must not cause a rollback: short spikes, small error rates, thin or no traffic, a metrics source that fails. Unknown is
shown as unknown; what should work and doesn't is alerted, thin traffic is only shown."""

import json

import pytest
from testsite import FAST_WINDOW

LONG_ENOUGH = 12.0  # the window, two more samples


def no_rollback(site, seen):
    assert seen, "no controller answered"
    assert not [run for run in site.runs() if run["kind"] == "rollback"]
    assert not [status for status in seen if status["run"]]
    assert site.current() == "v3.0.0"


@pytest.mark.parametrize("spike_ms", [2000, 3900])
def test_spike_of_50_percent_errors(site, spike_ms):
    """Shorter than half the window: 3 samples of 5 at most are degraded, 4 are needed."""
    load = site.begin_with(error_every=2, faults_until_ms=spike_ms)
    seen = site.watch(spike_ms / 1000 + LONG_ENOUGH)
    no_rollback(site, seen)
    assert max(status["window"]["degraded"] for status in seen) >= 1, "the spike was not even seen"
    assert seen[-1]["window"]["degraded"] == 0
    site.check_ledger(load.end())


@pytest.mark.long
@pytest.mark.parametrize("spike_s", [20, 60])
def test_spike_on_the_default_rules(site, spike_s):
    site.configure(thresholds={"degradation_window": None}, decision={"interval": None, "min_requests": None, "outage_window": None})
    site.begin_with(error_every=2, faults_from_ms=20000, faults_until_ms=20000 + spike_s * 1000)
    seen = site.watch(20 + spike_s + 130, step=5)
    no_rollback(site, seen)
    assert max(status["window"]["degraded"] for status in seen) >= 1


def test_small_error_rate(site):
    """0.9 % with a limit of 1.0 %. Faults are counted, so a sample of 1000 holds 9 or 10 of them, never more."""
    site.release("v2.4.0")
    site.release("v3.0.0", error_every=111)
    site.start()
    site.deploy_good()
    load = site.load(rate=800)
    site.deploy()
    seen = site.watch(LONG_ENOUGH)
    no_rollback(site, seen)
    samples = [status["window"]["samples"][-1] for status in seen if status["window"]["samples"]]
    assert {sample["state"] for sample in samples} == {"healthy"}
    assert max(sample["error_rate_percent"] for sample in samples) > 0.5, "there were no errors at all"
    site.check_ledger(load.end())


def test_thin_traffic(site):
    """5 requests a second and 10 % errors: fewer than min_requests say nothing. Shown, not alerted."""
    site.release("v2.4.0")
    site.release("v3.0.0", error_every=10)
    site.start()
    site.deploy_good()
    load = site.load(rate=5)
    site.deploy()
    seen = site.watch(LONG_ENOUGH)
    no_rollback(site, seen)
    newest = seen[-1]["metrics"]["sample"]
    assert newest["state"] == "unknown" and newest["measured"] and 0 < newest["requests"] < 50
    assert seen[-1]["window"]["unknown"] == 5
    assert not [alert for alert in seen[-1]["alerts"] if alert["source"] == "metrics"]
    assert load.end()["failed_by_release"] > 0


@pytest.mark.long
def test_one_request_a_second(site):
    """A true 0.5 % error rate at one request a second, on the default rules."""
    site.configure(thresholds={"degradation_window": None}, decision={"interval": None, "min_requests": None, "outage_window": None})
    site.release("v2.4.0")
    site.release("v3.0.0", error_every=200)
    site.start()
    site.deploy_good()
    load = site.load(rate=1)
    site.deploy()
    no_rollback(site, site.watch(420, step=5))
    assert load.end()["failed_by_release"] >= 2


def test_no_traffic(site):
    site.begin_with(load=False)
    seen = site.watch(LONG_ENOUGH)
    no_rollback(site, seen)
    newest = seen[-1]["metrics"]["sample"]
    assert newest["state"] == "unknown"
    assert (newest["error_rate_percent"], newest["success_rate_percent"], newest["latency_p99_ms"]) == (None, None, None)
    assert not [alert for alert in seen[-1]["alerts"] if alert["source"] == "metrics"]


# ---- the metrics source ----

# What a broken exporter answers instead of the service's own metrics. %N counts up, so that a counter seems to move.
GOOD = """# TYPE http_requests counter
http_requests_total{code="200"} {n}
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.1"} {n}
http_request_duration_seconds_bucket{le="+Inf"} {n}
http_request_duration_seconds_sum 1
http_request_duration_seconds_count {n}
# EOF
"""
NONSENSE = {
    "text": "the service is feeling fine, thank you\n",
    "NaN": GOOD.replace("{n}", "NaN"),
    "negative": GOOD.replace("{n}", "-{n}"),
    "missing fields": GOOD.replace("http_requests_total", "something_else_total"),
    "no end": GOOD.replace("# EOF\n", "http_requests_total{code="),
    "10 MB": "# " + "x" * 10_000_000 + "\n",
}
EXPORTER = """\
import http.server, json, sys, time
mode, text, good = json.load(open("/run/exporter.json"))
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        number = str(Handler.asked * 1000)
        # some good answers first: the source has been trusted before it breaks
        broken = Handler.asked > 3
        if broken and mode == "hanging":
            time.sleep(3600)
        if broken and mode == "500":
            return self.send_error(500)
        body = (text if broken else good).replace("{n}", number).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 9200), Handler).serve_forever()
"""


@pytest.mark.parametrize("mode", ["down", "hanging", "500", *NONSENSE])
def test_metrics_source(site, mode):
    site.configure(**FAST_WINDOW, metrics={"source": "openmetrics", "openmetrics": {"url": "http://127.0.0.1:9200/metrics", "timeout": "500ms"}})
    site.write("/run/exporter.json", json.dumps([mode, NONSENSE.get(mode, ""), GOOD]))
    site.write("/run/exporter.py", EXPORTER)
    site.write("/etc/systemd/system/exporter.service", "[Service]\nExecStart=/usr/bin/python3 /run/exporter.py\n")
    site.release("v2.4.0")
    site.release("v3.0.0")
    site.start()
    site.host.systemctl("start", "exporter.service")
    site.deploy_good()
    site.deploy()
    if mode == "down":
        site.host.systemctl("stop", "exporter.service")
    alerted = site.wait_status(lambda status: any(alert["source"] == "metrics" for alert in status["alerts"]), what="an alert about the metrics")
    seen = site.watch(5.5)
    no_rollback(site, seen)
    for status in [alerted, *seen]:
        sample = status["metrics"]["sample"]
        assert sample is None or sample["state"] != "degraded"
    newest = seen[-1]["metrics"]["sample"]
    assert newest["state"] == "unknown" and not newest["measured"] and newest["note"]
    assert (newest["requests"], newest["error_rate_percent"], newest["latency_p99_ms"]) == (None, None, None), "unknown is null, never 0"
    assert seen[-1]["window"]["unknown"] == seen[-1]["window"]["expected"]
    assert any("metrics" in alert or "9200" in alert for alert in site.alerts())


def test_the_metrics_source_comes_back(site):
    """HAProxy's log is its source here: gone with HAProxy, back with it, and the alert goes."""
    site.configure(**FAST_WINDOW)
    site.begin_with(load=False)
    site.host.systemctl("stop", "haproxy.service")
    site.wait_status(lambda status: any(alert["source"] == "metrics" for alert in status["alerts"]), what="an alert about the metrics")
    site.host.systemctl("start", "haproxy.service")
    seen = site.wait_status(lambda status: status["metrics"]["connected"] and not any(a["source"] == "metrics" for a in status["alerts"]), what="no alert")
    no_rollback(site, [seen])
