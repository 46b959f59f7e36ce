"""A real HAProxy with the configuration that is shipped (data/haproxy), a toy service behind it, and the adapters' tool before it.
Everything listens on loopback ports of its own and lives in a temporary directory; only processes started here are ended."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", TOP / "build"))
TOOLS = BUILD / "tests" / "adapters"
EXAMPLE = TOP / "data" / "haproxy"

needs_haproxy = pytest.mark.skipif(not shutil.which("haproxy") and not os.path.exists("/usr/sbin/haproxy"), reason="haproxy isn't installed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=10, what="condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError(f"{what}: not within {seconds} s")


class Tool:
    """adapter-tool: one command, one answer."""

    def __init__(self, kind, driver, program_user=None, **settings):
        arguments = [f"{key}={value}" for key, value in settings.items()]
        self.process = subprocess.Popen([TOOLS / "adapter-tool", kind, driver, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        user=program_user)
        self.opened = json.loads(self.process.stdout.readline())

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, command):
        self.send(command)
        return self.answer()

    def close(self):
        """Ends it as a program should end: what a sanitizer found is an error."""
        self.process.stdin.close()
        code = self.process.wait(20)
        self.process.stdout.close()
        assert code == (1 if self.opened["status"] == "refused" else 0)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Balancer:
    def __init__(self, directory):
        self.directory = directory
        self.socket = directory / "haproxy.sock"
        self.map = directory / "gate.map"
        self.config = directory / "haproxy.cfg"
        self.ledger = directory / "ledger"
        self.port, self.service_port, self.edge_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        shutil.copy(EXAMPLE / "novacron-gate.map", self.map)
        self.config.write_text((EXAMPLE / "haproxy.cfg.example").read_text())
        self.process = self.service = None
        self.tools = []

    # ---- HAProxy ----

    def start(self):
        environment = dict(
            os.environ,
            NOVACRON_HAPROXY_SOCKET=str(self.socket),
            NOVACRON_GATE_LUA=str(EXAMPLE / "novacron-gate.lua"),
            NOVACRON_GATE_MAP=str(self.map),
            NOVACRON_EDGE=f"127.0.0.1:{self.edge_port}",
            NOVACRON_BIND=f"127.0.0.1:{self.port}",
            NOVACRON_SERVICE=f"127.0.0.1:{self.service_port}",
        )
        program = shutil.which("haproxy") or "/usr/sbin/haproxy"
        self.log = open(self.directory / "haproxy.log", "a")
        self.process = subprocess.Popen([program, "-db", "-f", self.config], env=environment, stdout=self.log, stderr=self.log)
        wait_for(self.answers, what="HAProxy's socket")

    def answers(self):
        assert self.process.poll() is None, (self.directory / "haproxy.log").read_text()
        try:
            return "Uptime" in self.say("show info")
        except OSError:
            return False

    def say(self, command):
        with socket.socket(socket.AF_UNIX) as runtime:
            runtime.settimeout(5)
            runtime.connect(str(self.socket))
            runtime.sendall(command.encode() + b"\n")
            answer = b""
            while chunk := runtime.recv(65536):
                answer += chunk
        return answer.decode()

    def server(self, name="s1", backend="app"):
        rows = self.say(f"show stat {backend} 4 -1").splitlines()
        columns = rows[0].lstrip("# ").split(",")
        return next(dict(zip(columns, row.split(","))) for row in rows[1:] if row.split(",")[1:2] == [name])

    def gate(self, key="app"):
        """The entry's value; None when there is none."""
        rows = [row.split() for row in self.say(f"show map {self.map}").splitlines()]
        values = [int(row[2]) for row in rows if len(row) == 3 and row[1] == key]
        assert len(values) <= 1, f"{len(values)} entries of one key"
        return values[0] if values else None

    def stop(self):
        end(self.process)
        self.process = None

    # ---- the service ----

    def start_service(self, delay_ms=0, wait=True):
        self.service = subprocess.Popen([TOOLS / "toy-server", str(self.service_port), self.ledger, str(delay_ms)], stdout=subprocess.PIPE)
        if wait:
            assert self.service.stdout.readline() == b"ready\n"

    def stop_service(self):
        end(self.service)
        self.service = None

    def wait_up(self):
        wait_for(lambda: self.server()["status"] == "UP", what="server s1 UP")

    # ---- clients ----

    def get(self, path="/", timeout=30):
        try:
            with urllib.request.urlopen(self.url + path, timeout=timeout) as answer:
                return answer.status
        except urllib.error.HTTPError as problem:
            problem.close()
            return problem.code

    def load(self, rate, seconds, keep_alive, name):
        acknowledged = self.directory / f"acknowledged-{name}"
        process = subprocess.Popen([TOOLS / "toy-load", str(self.port), str(rate), str(seconds), str(int(keep_alive)), acknowledged, name], stdout=subprocess.PIPE,
                                   text=True)
        return process, acknowledged

    def tool(self, kind, driver, **settings):
        tool = Tool(kind, driver, **settings)
        self.tools.append(tool)
        return tool

    def traffic(self, **settings):
        settings = {"socket": self.socket, "backend": "app", "gate_map": self.map} | settings
        tool = self.tool("traffic", "haproxy", **settings)
        assert tool.opened["status"] == "open", tool.opened
        return tool

    def close(self):
        for process in (self.process, self.service):
            if process:
                process.send_signal(signal.SIGCONT)
                end(process)
        if self.process:
            self.log.close()
        for tool in self.tools:
            tool.close()


def end(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
