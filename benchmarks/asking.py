"""What the API costs: its health answer beside nginx's static one, a thousand watchers, and a rollback under a flood of requests."""

import re
import time

from idling import SETTLE, _cpu_us
from stage import CONTROLLER, Stage
from switching import ours

PORT, NGINX_PORT = 8080, 8090
CONNECTIONS = 32
STREAMS = 1000
FLOOD = 64

# One worker, everything off that costs: the body is as long as ours.
NGINX = """\
daemon off; worker_processes 1; pid /run/nginx.pid; error_log /dev/null; user root;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path /run/nginx-body; proxy_temp_path /run/nginx-proxy;
  fastcgi_temp_path /run/nginx-fastcgi; uwsgi_temp_path /run/nginx-uwsgi; scgi_temp_path /run/nginx-scgi;
  server {{ listen 127.0.0.1:{port}; root /srv/static; default_type application/json; }} }}
"""
# Opens the streams, says so, and holds them until it is told to end.
WATCHERS = """\
import socket, sys
held = []
for _ in range({count}):
    one = socket.create_connection(("127.0.0.1", {port}), 10)
    one.sendall(b"GET /api/v3/events HTTP/1.1\\r\\nHost: localhost:{port}\\r\\nAccept: text/event-stream\\r\\n\\r\\n")
    assert one.recv(4096).startswith(b"HTTP/1.1 200"), "a stream was refused"
    held.append(one)
print("open", flush=True)
sys.stdin.read()
"""


def _requests_per_second(on, url, length):
    """wrk on the second core alone; the server has the first."""
    said = on.host.output(["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{length}s", url], timeout=length + 30)
    if re.search(r"Non-2xx|Socket errors", said):
        raise RuntimeError(f"wrk {url}: {said}")
    return float(re.search(r"Requests/sec: +([\d.]+)", said).group(1))


def health_vs_nginx(rounds, length):
    """Ours over nginx's, round by round, both on one core."""
    ratios = []
    with Stage("health") as on:
        body = on.host.output(["curl", "-sf", f"http://127.0.0.1:{PORT}/api/v3/health"])
        on.site.write("/srv/static/health", body + "\n")
        on.site.write("/etc/nginx-static.conf", NGINX.format(port=NGINX_PORT))
        nginx = on.host.popen(["taskset", "-c", "0", "nginx", "-c", "/etc/nginx-static.conf"])
        on.host.run(["taskset", "-pc", "0", str(on.site.controller_pid())])
        try:
            on.site.wait(lambda: on.host.run(["curl", "-sf", f"http://127.0.0.1:{NGINX_PORT}/health"], check=False).returncode == 0, 10, "nginx serves")
            for _ in range(rounds):
                us = _requests_per_second(on, f"http://127.0.0.1:{PORT}/api/v3/health", length)
                them = _requests_per_second(on, f"http://127.0.0.1:{NGINX_PORT}/health", length)
                ratios.append((us, them))
        finally:
            nginx.terminate()
            nginx.wait(10)
    return ratios


def idle_streams(number, _, length):
    """What that many watchers add to the controller's use of a core, in percent, while nothing changes."""
    with Stage(f"streams-{number}", decision={"interval": "1h"}, thresholds={"degradation_window": "2h"}) as on:
        time.sleep(SETTLE)

        def used():
            cpu, began = _cpu_us(on), time.monotonic()
            time.sleep(length)
            return (_cpu_us(on) - cpu) / 1e4 / (time.monotonic() - began)

        without = used()
        watchers = on.host.popen(["python3", "-c", WATCHERS.format(count=STREAMS, port=PORT)], stdin=-1, stdout=-1)
        if watchers.stdout.readline().strip() != "open":
            raise RuntimeError(f"{CONTROLLER} did not take {STREAMS} streams")
        time.sleep(SETTLE)
        with_them = used()
        watchers.communicate(timeout=30)
        return with_them - without


def flooded():
    """A rollback like any other, while a client asks for the status as fast as it can."""

    def flood(on):
        client = on.host.popen(["wrk", "-t1", f"-c{FLOOD}", "-d120s", f"http://127.0.0.1:{PORT}/api/v3/status"], stdout=-1)
        time.sleep(1)
        return client

    return ours(meanwhile=flood)
