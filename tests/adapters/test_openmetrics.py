"""The openmetrics source before a service that tells the truth, nonsense, or nothing."""
import http.server
import threading

import pytest

from balancer import Tool, free_port


def text(requests, errors, slow=0, extra=""):
    fast = requests - slow
    return (f'http_requests_total{{code="200"}} {requests - errors}\nhttp_requests_total{{code="500"}} {errors}\n'
            f'http_request_duration_seconds_bucket{{le="0.1"}} {fast}\nhttp_request_duration_seconds_bucket{{le="0.5"}} {requests}\n'
            f'http_request_duration_seconds_bucket{{le="+Inf"}} {requests}\n{extra}').encode()


class Service:
    def __init__(self):
        self.status, self.body, self.hang, self.type = 200, text(0, 0), threading.Event(), "text/plain; version=0.0.4"
        self.hang.set()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                service.hang.wait(5)
                try:
                    self.send_response(service.status)
                    self.send_header("Content-Type", service.type)
                    self.send_header("Content-Length", str(len(service.body)))
                    self.end_headers()
                    self.wfile.write(service.body)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/metrics"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service():
    service = Service()
    yield service
    service.close()


@pytest.fixture
def tool(service):
    tool = Tool("metrics", "openmetrics", url=service.url, timeout="300ms")
    assert tool.opened["status"] == "open"
    yield tool
    tool.close()


def collect(tool):
    sample = tool.ask("collect 1000")
    assert sample["status"] == "done" and sample["ms"] < 1000
    return sample


def test_two_scrapes(service, tool):
    first = collect(tool)
    assert not first["measured"] and "first scrape" in first["note"]
    assert tool.ask("pulse")["scraped_us"] == 0, "nothing is counted yet"
    service.body = text(1000, 50, slow=20)
    sample = collect(tool)
    assert sample["measured"] and (sample["requests"], sample["errors"], sample["successes"]) == (1000, 50, 950)
    assert sample["p50_us"] == 51020 and sample["p99_us"] == 300_000
    pulse = tool.ask("pulse")
    assert pulse["connected"] and (pulse["requests"], pulse["failures"], pulse["errors"], pulse["succeeded"]) == (1000, 50, 50, True)
    assert pulse["scraped_us"] == sample["span_us"], "what was added lies between the two scrapes"
    assert collect(tool)["requests"] == 0 and collect(tool)["p99_us"] == -1


@pytest.mark.parametrize("body, says", [
    (b"it works!", "line 1 isn't a metric"),
    (b"\x00\xff" * 100, "binary"),
    (b"", "no http_requests_total"),
    (text(10, 1).replace(b"} 1\n", b"} NaN\n", 1), "isn't a possible count"),
    (text(10, 1).replace(b"} 1\n", b"} -1\n", 1), "isn't a possible count"),
    (b'http_requests_total{code="200"} 1\n', "no http_request_duration_seconds_bucket"),
    (b"# x\n" * 2_600_000, "longer than"),
], ids=["text", "binary", "empty", "NaN", "negative", "missing", "10-MB"])
def test_nonsense(service, tool, body, says):
    collect(tool)
    service.body = body
    sample = collect(tool)
    assert not sample["measured"] and says in sample["note"] and service.url in sample["note"], sample
    pulse = tool.ask("pulse")
    assert not pulse["connected"] and says in pulse["detail"] and pulse["failures"] == 0
    service.body = text(20, 0)
    assert collect(tool)["measured"]


def test_hang_refusal_and_status(service, tool):
    collect(tool)
    service.hang.clear()
    assert "no answer within 300 ms" in collect(tool)["note"]
    service.hang.set()
    service.status = 503
    assert "status 503" in collect(tool)["note"]
    service.status = 200
    service.type = "application/openmetrics-text; version=1.0.0"
    assert "cut off" in collect(tool)["note"]
    service.body = text(5, 5, extra="# EOF\n")
    sample = collect(tool)
    assert sample["measured"] and sample["errors"] == 5 and sample["span_us"] > 300_000, "since the last good scrape"
    assert tool.ask("pulse")["failing"]
    service.close()
    assert "connection refused" in collect(tool)["note"]


def test_restarted_service(service, tool):
    service.body = text(1000, 0)
    collect(tool)
    service.body = text(7, 0)
    sample = collect(tool)
    assert not sample["measured"] and "restarted" in sample["note"]
    assert tool.ask("pulse")["scraped_us"] == 0, "how many there were meanwhile isn't known"
    service.body = text(9, 1)
    assert (collect(tool)["requests"], tool.ask("pulse")["requests"]) == (2, 2)


def test_bad_settings():
    url = f"http://127.0.0.1:{free_port()}/"
    for settings in ({"requests": "{}"}, {"error_match": "5.."}, {"latency": "a b"}):
        tool = Tool("metrics", "openmetrics", url=url, **settings)
        assert tool.opened["status"] == "refused" and next(iter(settings)) in tool.opened["error"]
        tool.close()
