"""The prometheus source before one that tells the truth, refuses, lies, or hangs. A real one is in scenarios/test_prometheus.py."""
import http.server
import json
import threading
import urllib.parse

import pytest
from balancer import Tool

KEYS = {"http_requests_total{code": "errors", "http_requests_total[": "requests", "quantile(0.99": "p99", "quantile(0.5": "p50"}


class Prometheus:
    """Answers each query with what it was given for it: a number, or the whole answer."""

    def __init__(self):
        self.values = {"requests": 1000, "errors": 20, "p99": 0.0451, "p50": 0.005}
        self.hang, self.asked, self.tokens, self.off = threading.Event(), [], [], 0
        self.hang.set()
        prometheus = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                prometheus.asked.append((self.path, form))
                prometheus.tokens.append(self.headers.get("Authorization"))
                prometheus.hang.wait(5)
                key = next(name for mark, name in KEYS.items() if mark in form["query"])
                status, body = prometheus.answer(prometheus.values[key], float(form["time"]))
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, value, at):
        if isinstance(value, tuple):
            return value
        result = [] if value is None else [{"metric": {}, "value": [at + self.off, str(value)]}]
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()

    def close(self):
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def prometheus():
    made = Prometheus()
    yield made
    made.close()


@pytest.fixture
def tool(prometheus):
    made = Tool("metrics", "prometheus", url=prometheus.url + "/", timeout="300ms")
    assert made.opened["status"] == "open", made.opened
    yield made
    made.close()


def collect(tool):
    sample = tool.ask("collect 1000")
    assert sample["status"] == "done" and sample["ms"] < 1000
    return sample


def test_a_sample(prometheus, tool):
    sample = collect(tool)
    assert sample["measured"], sample
    assert (sample["requests"], sample["errors"], sample["successes"]) == (1000, 20, 980)
    assert (sample["p99_us"], sample["p50_us"]) == (45100, 5000)
    pulse = tool.ask("pulse")
    assert pulse["connected"] and (pulse["requests"], pulse["failures"]) == (1000, 20), pulse
    assert {path for path, _ in prometheus.asked} == {"/api/v1/query"} and len(prometheus.asked) == 4
    assert len({form["time"] for _, form in prometheus.asked}) == 1, "all of one moment"
    assert all("ms]" in form["query"] and "{window}" not in form["query"] for _, form in prometheus.asked)
    collect(tool)
    assert tool.ask("pulse")["requests"] == 2000


FAILURES = {
    "no data": ({"requests": None}, "'requests': no data"),
    "no error was ever told": ({"errors": None}, "'errors': no data"),
    "not a number": ({"requests": "NaN"}, "'requests': not a number"),
    "infinite": ({"errors": "+Inf"}, "'errors' at http"),
    "negative": ({"requests": -3}, "'requests': -3 is no count"),
    "more errors than requests": ({"errors": 1200}, "'errors': 1200 of 1000 requests"),
    "not JSON": ({"p99": (200, b"<html>")}, "not a JSON answer"),
    "a query that is wrong": ({"errors": (400, b'{"status":"error","errorType":"bad_data","error":"parse error at char 5"}')},
                              "'errors' at http://127.0.0.1"),
    "a proxy's own words": ({"requests": (502, b"Bad Gateway")}, "answered with status 502"),
    "several series": ({"requests": (200, b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}')},
                       "gives 2 series, not one"),
    "a warning": ({"requests": (200, b'{"status":"success","warnings":["half of it"],"data":{"resultType":"vector","result":[]}}')}, "it warns: half of it"),
    "redirected": ({"requests": (302, b"")}, "answered with status 302"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_unmeasured(prometheus, tool, name):
    values, note = FAILURES[name]
    collect(tool)
    before = tool.ask("pulse")
    prometheus.values.update(values)
    sample = collect(tool)
    assert not sample["measured"] and note in sample["note"], sample
    pulse = tool.ask("pulse")
    assert pulse["requests"] == before["requests"] and pulse["connected"] == ("no data" in note or "not a number" in note), pulse
    prometheus.values = {"requests": 10, "errors": 0, "p99": 0.1, "p50": 0.1}
    assert collect(tool)["measured"], "it is well again"


def test_latency_that_is_not_known(prometheus, tool):
    """A quantile of no observation says nothing; the counts still do."""
    prometheus.values["p99"] = "NaN"
    prometheus.values["p50"] = None
    sample = collect(tool)
    assert sample["measured"] and (sample["p99_us"], sample["p50_us"]) == (-1, -1) and "latency_p99" in sample["note"]


def test_stale(prometheus, tool):
    prometheus.off = -120
    sample = collect(tool)
    assert not sample["measured"] and "stale" in sample["note"], sample


def test_one_that_hangs(prometheus, tool):
    prometheus.hang.clear()
    sample = collect(tool)
    assert not sample["measured"] and prometheus.url in sample["note"], sample
    assert not tool.ask("pulse")["connected"]
    prometheus.hang.set()
    assert collect(tool)["measured"]


def test_one_that_is_not_there(prometheus, tool):
    prometheus.close()
    sample = collect(tool)
    assert not sample["measured"] and prometheus.url in sample["note"], sample


def test_a_token(prometheus, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret-1\n")
    tool = Tool("metrics", "prometheus", url=prometheus.url, bearer=str(token))
    assert collect(tool)["measured"] and set(prometheus.tokens) == {"Bearer secret-1"}
    token.write_text("secret-2")  # it is read each time
    prometheus.tokens.clear()
    assert collect(tool)["measured"] and set(prometheus.tokens) == {"Bearer secret-2"}
    token.unlink()
    done = tool.ask("collect 1000")
    assert str(token) in json.dumps(done) and not done.get("measured"), done
    assert "secret" not in json.dumps(done)
    tool.close()


def test_only_counts(prometheus):
    tool = Tool("metrics", "prometheus", url=prometheus.url, latency_p99="", latency_p50="")
    sample = collect(tool)
    assert sample["measured"] and sample["p99_us"] == -1 and sample["note"] == "" and len(prometheus.asked) == 2
    tool.close()


@pytest.mark.parametrize("settings, says", [({"requests": ""}, "must not be empty|requests"), ({"key": "/etc/x"}, "belong together")])
def test_settings_that_make_no_sense(prometheus, settings, says):
    tool = Tool("metrics", "prometheus", url=prometheus.url, **settings)
    assert tool.opened["status"] == "refused" and any(part in tool.opened["error"] for part in says.split("|")), tool.opened
    tool.close()
