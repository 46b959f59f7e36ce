"""A whole site on one throw-away host, for scenarios: the service in two releases as systemd units, HAProxy before it, the
controller beside it, and a load client that keeps the ledger. Paths are the specification's.

    site = Site(host)
    site.release("v2.4.0")
    site.release("v3.0.0", error_every=20)
    site.start()
    site.deploy_good("v2.4.0")
    load = site.load()
    site.deploy("v3.0.0")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    site.check_ledger(load.end(), run)

Nothing here sleeps: what is waited for is told by the controller's event stream, with a deadline."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import time
from datetime import datetime
from pathlib import Path

from hosts import BUILD_DIR, PROJECT, wait_until

SERVICE_PORT = 9001
EDGE_PORT = 8000
SOCKET = "/run/novacron/rollback.sock"
JOURNAL = "/var/lib/novacron/journal.db"
ALERTS = "/var/log/alerts"
HAPROXY_SOCKET = "/run/haproxy/admin.sock"
UNITS = {"v2.4.0": "novacron-dwcp-v2.service", "v3.0.0": "novacron-dwcp-v3.service"}
CONTROLLER = "novacron-auto-rollback.service"

# Exit codes (base/exit-codes.h).
VALIDATION_FAILED, REFUSED, PUT_BACK, HELD, CANCELLED, NOT_VERIFIED, TRY_LATER, PERMISSION = 3, 4, 5, 6, 7, 8, 75, 77

# A window short enough for a test; the proportions are those of the defaults (5 samples, 4 needed).
CONFIG = {
    "thresholds": {"error_rate": "1.0%", "latency_p99": "500ms", "success_rate": "99.0%", "degradation_window": "8s"},
    "decision": {"interval": "2s", "min_requests": 50, "bake_for": "1s", "outage_window": "3s"},
    "budgets": {"verify_health": "6s", "stop_version": "2s", "start_version": "6s", "drain_traffic": "6s", "restore_traffic": "2s"},
    "units": {"driver": "systemd"},
    "traffic": {
        "driver": "haproxy",
        "drain_park_max": "1s",
        "haproxy": {"socket": HAPROXY_SOCKET, "backend": "app", "gate_map": "/etc/haproxy/novacron-gate.map"},
    },
    "metrics": {"source": "edge", "edge": {"listen": "127.0.0.1:5140", "backend": "app", "haproxy_socket": HAPROXY_SOCKET}},
    "health": {"url": f"http://127.0.0.1:{SERVICE_PORT}/health", "interval": "200ms", "timeout": "1s"},
    "alerts": {"command": ["/usr/local/bin/record-alert"]},
    # How busy the machine is that runs the tests is not what they are about. When it stands still for a tenth of a second, that is the
    # p99 of 200 requests a second: hence also the latency's threshold, five times the default.
    "system": {"cpu": "100%", "memory": "100%", "disk": "100%"},
    "validation": {"baseline_floor": "400ms"},
}
# A window of three samples in three seconds, where it doesn't matter how long it is.
FAST_WINDOW = {"thresholds": {"degradation_window": "3s"}, "decision": {"interval": "1s"}}

SERVICE_UNIT = """\
[Unit]
Description=The service under test
[Service]
Type=notify
ExecStart=/opt/novacron/current/bin/demo-service --config /etc/novacron/config.yaml
ExecReload=/bin/kill -HUP $MAINPID
{extra}
[Install]
WantedBy=multi-user.target
"""
HAPROXY_UNIT = """\
[Service]
Type=notify
RuntimeDirectory=haproxy
ExecStart=/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid
KillMode=mixed
Restart=always
[Install]
WantedBy=multi-user.target
"""
# As the packaged one, but root: who may do what is the packaging's own scenario.
CONTROLLER_UNIT = """\
[Unit]
After=haproxy.service
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=/usr/local/bin/auto-rollback auto
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=100ms
RestartPreventExitStatus=78
WatchdogSec=10s
TimeoutStopSec=200s
KillMode=mixed
{extra}
[Install]
WantedBy=multi-user.target
"""
RECORD_ALERT = f"""\
#!/bin/sh
printf '%s\\n' "$*" >>{ALERTS}
"""


def merge(base, change):
    """`change` over `base`, block by block; None removes a key."""
    merged = dict(base)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = merge(base[key], value)
        else:
            merged[key] = value
    return merged


def seconds(time_text):
    return datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Site:
    def __init__(self, host, **config):
        self.host = host
        self.kills_controller = False  # the scenario does that itself: then a restart is nothing to wonder about
        self.config = merge(CONFIG, config)
        self._install()

    # ---- setting up ----

    def _install(self):
        self.copy_in(find_program("auto-rollback"), "/usr/local/bin/auto-rollback", 0o755)
        self.copy_in(find_program("demo-load"), "/usr/local/bin/demo-load", 0o755)
        for name in ("haproxy.cfg.example", "novacron-gate.lua", "novacron-gate.map"):
            self.copy_in(PROJECT / "data/haproxy" / name, f"/etc/haproxy/{name.removesuffix('.example')}")
        self.write("/usr/local/bin/record-alert", RECORD_ALERT, 0o755)
        self.write(ALERTS, "")
        self.write("/etc/systemd/system/haproxy.service", HAPROXY_UNIT)
        self.write(f"/etc/systemd/system/{CONTROLLER}", CONTROLLER_UNIT.format(extra=""))
        for unit in UNITS.values():
            self.write(f"/etc/systemd/system/{unit}", SERVICE_UNIT.format(extra=""))
        self.inside("/var/lib/service").mkdir(parents=True, exist_ok=True)
        self.inside("/opt/novacron/versions").mkdir(parents=True, exist_ok=True)
        self.configure()

    def configure(self, **change):
        """Writes the controller's configuration. JSON is YAML."""
        self.config = merge(self.config, change)
        self.write("/etc/novacron-rollback/rollback.yaml", json.dumps(self.config, indent=2))

    def inside(self, path):
        """A file of the host, from outside. Not through absolute links: they would lead to this machine's own files."""
        return Path(f"/proc/{self.host.pid}/root{path}")

    def write(self, path, text, mode=0o644):
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def read(self, path):
        return self.inside(path).read_text(errors="replace")

    def copy_in(self, source, path, mode=0o644):
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(mode)

    def release(self, version, unit_extra=None, **faults):
        """A release under versions/ with its saved configuration; `faults` are keys of examples/service/settings.h."""
        home = f"/opt/novacron/versions/{version}"
        self.copy_in(find_program("demo-service"), f"{home}/bin/demo-service", 0o755)
        self.write(f"{home}/VERSION", version + "\n")
        self.write(f"{home}/share/notes.txt", f"what belongs to {version}\n")
        self.save_config(version, **faults)
        if unit_extra:
            self.write(f"/etc/systemd/system/{UNITS[version]}", SERVICE_UNIT.format(extra=unit_extra))

    def save_config(self, version, **faults):
        keys = {"listen": f"127.0.0.1:{SERVICE_PORT}", "data": "/var/lib/service", **faults}
        words = {True: "true", False: "false"}
        lines = [f"{key}: {words[value] if isinstance(value, bool) else value}\n" for key, value in keys.items()]
        self.write(f"/etc/novacron/config.{version}.yaml", "".join(lines))

    def start(self):
        self.host.systemctl("daemon-reload")
        self.host.systemctl("enable", "--now", "haproxy.service", CONTROLLER)

    def deploy_good(self, version="v2.4.0"):
        """Deploys it, and waits until it has lived through its bake."""
        done = self.cli("deploy", version)
        assert done.returncode == 0, done.stdout + done.stderr
        self.wait_status(lambda status: status["deployment"] and status["deployment"]["state"] == "good", what=f"{version} is good")

    # ---- acting ----

    def cli(self, *words, check=None, timeout=90, stdin=None):
        """`auto-rollback WORDS...`; `check`: the exit code it must end with."""
        done = self.host.run(["auto-rollback", *words], check=False, timeout=timeout, stdin=stdin)
        if check is not None:
            assert done.returncode == check, f"auto-rollback {' '.join(words)} exited with {done.returncode}, not {check}\n{done.stdout}{done.stderr}"
        return done

    def cli_json(self, *words, check=0, **kwargs):
        return json.loads(self.cli(*words, "--json", check=check, **kwargs).stdout)

    def begin(self, *words):
        """`auto-rollback WORDS...` in the background."""
        return self.host.popen(["auto-rollback", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def begin_with(self, *, unit_extra=None, load=True, measured=False, good_faults=None, **faults):
        """The start of most scenarios: v2.4.0 is good, load is on, v3.0.0 with its faults has just been deployed. `measured`: a
        rollback from it can be validated, for it is known how v2.4.0 did before."""
        self.release("v2.4.0", **(good_faults or {}))
        self.release("v3.0.0", unit_extra, **faults)
        self.start()
        self.deploy_good("v2.4.0")
        started = self.load() if load else None
        if measured:
            self.measured()
        self.deploy("v3.0.0")
        return started

    def measured(self):
        """Waits for a sample of the release that is live, under the load that is on."""
        self.wait_status(lambda status: status["metrics"]["sample"] and status["metrics"]["sample"]["state"] == "healthy", what="a sample of it")

    def deploy(self, version="v3.0.0", check=0):
        return self.cli("deploy", version, check=check)

    def roll_back(self, reason="the scenario asks for it", check=0, **kwargs):
        return self.cli("manual", "--yes", reason, check=check, **kwargs)

    # ---- looking ----

    def ask(self, method, path, body=None, timeout=5):
        """The controller's API; (status, JSON), or None when no controller answers."""
        connection = _UnixConnection(str(self.inside(SOCKET)), timeout)
        try:
            connection.request(method, f"/api/v3{path}", json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"} if body is not None else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def status(self):
        answer = self.ask("GET", "/status")
        return answer[1] if answer and answer[0] == 200 else None

    def runs(self):
        answer = self.ask("GET", "/history?limit=50")
        return answer[1]["runs"] if answer and answer[0] == 200 else []

    def wait(self, condition, timeout, what):
        """Asks again at every event the controller tells, and now and then; a controller that is away comes back."""
        end = time.monotonic() + timeout
        with _Events(self) as events:
            while True:
                answer = condition()
                if answer:
                    return answer
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {timeout} s: {what}")
                events.wait(min(left, 0.5))

    def wait_status(self, predicate, timeout=20, what="the status"):
        def condition():
            status = self.status()
            return status if status and predicate(status) else None

        return self.wait(condition, timeout, what)

    def wait_for_run(self, timeout=40, after=0, ended=True, **members):
        """The newest run with these members (kind, mode, to, phase ...), that began after run `after`; ended unless told."""

        def condition():
            for run in self.runs():
                if run["id"] > after and (run["ended"] or not ended) and all(run[key] == value for key, value in members.items()):
                    return run
            return None

        return self.wait(condition, timeout, f"a run with {members}")

    def wait_acting(self, key, timeout=20):
        """The run under way, as soon as it is at that step."""

        def condition():
            status = self.status()
            run = status and status["run"]
            return run if run and any(s["key"] == key and s["state"] == "acting" for s in run["steps"] + run["recovery"]) else None

        return self.wait(condition, timeout, f"a run at {key}")

    def wait_validation(self, run_id, timeout=20):
        return self.wait(lambda: next((r for r in self.runs() if r["id"] == run_id and r["validation"] not in (None, "pending")), None), timeout,
                         f"run {run_id} is validated")

    def watch(self, seconds_long, step=0.1):
        """Every status of that many seconds: for what must NOT happen there is no event to wait for."""
        end = time.monotonic() + seconds_long
        seen = []
        with _Events(self) as events:
            while time.monotonic() < end:
                status = self.status()
                if status:
                    seen.append(status)
                events.wait(step)
        return seen

    def alerts(self):
        return self.read(ALERTS).splitlines()

    def current(self):
        return str(self.inside("/opt/novacron/current").readlink()).rpartition("/")[2]

    def active(self, version):
        return self.host.show(UNITS[version], "ActiveState")["ActiveState"] == "active"

    def serving(self):
        """Which release answers at the edge; "" for none."""
        ask = ["curl", "-s", "-m", "8", "-w", "\n%{http_code}", f"http://127.0.0.1:{EDGE_PORT}/"]
        body, _, code = self.host.output(ask, check=False).rpartition("\n")
        if code.strip() == "500":  # one of the errors that a bad release makes; never two in a row
            body = self.host.output(ask, check=False).rpartition("\n")[0]
        return body.partition(" ")[0]

    def controller_pid(self):
        return int(self.host.show(CONTROLLER, "MainPID")["MainPID"])

    def outside_pid(self, pid):
        """A pid of the host as this machine sees it."""
        for procs in self.host.cgroup.rglob("cgroup.procs"):
            for line in procs.read_text().split():
                try:
                    status = Path(f"/proc/{line}/status").read_text()
                except OSError:
                    continue
                if f"\t{pid}\n" in next(row for row in status.splitlines(True) if row.startswith("NSpid:")):
                    return int(line)
        raise AssertionError(f"no process {pid} in {self.host.name}")

    def load(self, rate=200, **options):
        return Load(self, rate, **options)

    # ---- judging ----

    def check_steady(self, version):
        """`version` and nothing else serves, and nothing is held back."""
        status = self.wait_status(lambda status: not status["run"] and status["traffic"]["state"] != "unknown", what="the balancer is known")
        assert status["version"] == version and self.current() == version
        assert status["traffic"]["state"] == "flowing", status["traffic"]
        assert not status["deployments"]["paused"], status["deployments"]
        assert {other: self.active(other) for other in UNITS} == {other: other == version for other in UNITS}
        assert self.serving() == version
        self.check_proof()

    def check_proof(self):
        """Every decision comes out the same again when it is made from its evidence."""
        done = self.cli("replay", "--all", "--json")
        decisions = json.loads(done.stdout)["decisions"]
        assert not [one for one in decisions if one["verdict"] != "identical"], done.stdout

    def check_ledger(self, summary, run=None):
        """No acknowledged write is lost, and no request failed but by what the releases did themselves. `run`: of those that
        the bad release never answered only the ones sent after the drain count, when it was out of the way."""
        assert (summary["lost"], summary["duplicated"], summary["misnumbered"]) == (0, 0, 0), summary
        since = 0 if run is None else drained_at(run) * 1e6
        strays = [row for row in summary["all_failures"] if not row["version"] and row["due_us"] >= since]
        assert not strays, f"{len(strays)} requests failed by the rollback, the first: {strays[0]}"
        good = [row for row in summary["all_failures"] if row["version"] == "v2.4.0"]
        assert not good, good[0]
        assert summary["acknowledged_writes"] > 0

    def crashes(self):
        """What a program that dies and is started again could hide: the lines that tell of it."""
        marks = ("Sanitizer", "runtime error:", "Assertion `")
        said = self.host.output(["journalctl", "--no-pager", "-o", "cat"]).splitlines()
        lines = [line for line in said if any(mark in line for mark in marks)]
        restarts = self.host.show(CONTROLLER, "NRestarts")["NRestarts"]
        if not self.kills_controller and restarts != "0":
            lines.append(f"systemd has restarted the controller {restarts} times")
        return lines

    def digest(self):
        """The same in a few lines: what a validation found wrong, and what stands."""
        try:
            validation, status = self.ask("GET", "/validate")[1], self.status()
            return [*[f"{item['verdict']}: {item['title']}: {item['measured']}, wanted {item['limit']}" for item in validation.get("checks", [])
                      if item["verdict"] in ("failed", "not_verified")],
                    *[f"alert {alert['source']}: {alert['message']}" for alert in (status or {}).get("alerts", [])]]
        except Exception as error:
            return [f"(no more can be told: {error})"]

    def report(self):
        """What a person would look at when a scenario failed."""
        lines = [f"==== {self.host.name}"]
        try:
            status = self.status()
            lines += [json.dumps(status, indent=1) if status else "no controller answers"]
            lines += [self.host.journal(CONTROLLER)[-6000:], self.host.console()[-2000:]]
            lines += [self.host.journal(unit)[-1500:] for unit in (*UNITS.values(), "haproxy.service")]
        except Exception as error:
            lines += [f"(no more can be told: {error})"]
        return "\n".join(lines)


class Load:
    """demo-load at a fixed rate through HAProxy."""

    def __init__(self, site, rate, **options):
        self.site = site
        self.home = f"/run/load-{time.monotonic_ns()}"
        site.inside(self.home).mkdir()
        words = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
        self.process = site.host.popen(
            ["demo-load", "--rate", str(rate), "--summary", f"{self.home}/summary", "--events", f"{self.home}/events", *words,
             "--verify", f"http://127.0.0.1:{SERVICE_PORT}", f"http://127.0.0.1:{EDGE_PORT}"], stderr=subprocess.PIPE)
        wait_until(lambda: any(event["event"] == "version" for event in self.events()), what="the load gets answers")

    def events(self):
        try:
            text = self.site.read(f"{self.home}/events")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def end(self):
        """Its summary, with every failure, not only the first ones."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=60)
        summary = json.loads(self.site.read(f"{self.home}/summary"))
        assert summary["lost"] is not None, errors
        summary["all_failures"] = [event for event in self.events() if event["event"] == "failed"]
        return summary


class _Events:
    """The controller's event stream, only to be woken by it."""

    def __init__(self, site):
        self.site = site
        self.socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._close()

    def _close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def _open(self):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(self.site.inside(SOCKET)))
            self.socket.sendall(b"GET /api/v3/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        except OSError:
            self._close()

    def wait(self, timeout):
        if not self.socket:
            self._open()
        if not self.socket:
            time.sleep(min(timeout, 0.05))  # no controller: it doesn't tell when it is back
            return
        self.socket.settimeout(timeout)
        try:
            if not self.socket.recv(65536):
                self._close()
        except TimeoutError:
            pass
        except OSError:
            self._close()


def drained_at(run):
    """When nothing was in the bad release's hands any more (seconds since the epoch)."""
    drain = step(run, "drain_traffic")
    return seconds(drain["ended"] or run["created"])


def step(run, key, recovery=False):
    return next(one for one in run["recovery" if recovery else "steps"] if one["key"] == key)


def find_program(name):
    found = [path for path in BUILD_DIR.rglob(name) if path.is_file()] if BUILD_DIR.is_dir() else []
    if not found:
        raise AssertionError(f"{name} is not in {BUILD_DIR}: meson setup build && ninja -C build, or set BUILD_DIR")
    return found[0]
