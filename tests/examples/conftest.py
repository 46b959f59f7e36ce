"""Fixtures for the demo service and its load client as whole programs, over loopback."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", TOP / "build"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """One release directory per version, one data directory for all, one process at a time."""

    def __init__(self, directory):
        self.directory = directory
        self.data = directory / "data"
        self.data.mkdir()
        self.config = directory / "config.yaml"
        self.config.write_text("")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def release(self, version):
        home = self.directory / version
        if not home.exists():
            (home / "bin").mkdir(parents=True)
            shutil.copy2(BUILD / "examples/demo-service", home / "bin")
            (home / "VERSION").write_text(version + "\n")
        return home / "bin/demo-service"

    def configure(self, **keys):
        words = {True: "true", False: "false"}
        lines = [f"{key}: {words.get(value, value) if isinstance(value, bool) else value}\n" for key, value in keys.items()]
        self.config.write_text("".join(lines))

    def spawn(self, version="v2.4.0", **options):
        arguments = [self.release(version), "--config", self.config, "--listen", f"127.0.0.1:{self.port}", "--data", self.data]
        return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, **options)

    def start(self, version="v2.4.0"):
        """Starts it and waits until it says it is ready, as a supervisor does."""
        address = self.directory / "notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(address))
            notify.settimeout(20)
            self.process = self.spawn(version, env={**os.environ, "NOTIFY_SOCKET": str(address)})
            assert notify.recv(64) == b"READY=1"
        return self.process

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.communicate(timeout=20)
        return self.process.returncode

    def reload(self, **keys):
        self.configure(**keys)
        self.process.send_signal(signal.SIGHUP)
        # the first may still be answered in the turn of the loop in which the signal came; the second comes after it
        self.get("/health")
        self.get("/health")

    def connect(self, timeout=10):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def get(self, path, connection=None):
        return self.ask("GET", path, None, connection)

    def write(self, identity, connection=None):
        return self.ask("POST", "/write", identity, connection)

    def ask(self, method, path, body, connection=None):
        connection = connection or self.connect()
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def writes(self):
        return [line.split() for line in self.get("/writes")[1].splitlines()]


class Load:
    def __init__(self, service, directory, *options):
        self.summary_path = directory / "summary.json"
        self.events_path = directory / "events"
        arguments = [BUILD / "examples/demo-load", "--summary", self.summary_path, "--events", self.events_path, *options, service.url]
        self.process = subprocess.Popen([str(word) for word in arguments])

    def wait_for(self, predicate, seconds=20):
        """Reads the event file until an event matches."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.events():
                if predicate(event):
                    return event
            time.sleep(0.02)
        raise AssertionError("the load saw no such event")

    def events(self):
        if not self.events_path.exists():
            return []
        return [json.loads(line) for line in self.events_path.read_text().splitlines() if line.endswith("}")]

    def mark(self):
        self.process.send_signal(signal.SIGUSR1)

    def end(self, number=signal.SIGTERM):
        if number is not None:
            self.process.send_signal(number)
        self.process.wait(timeout=60)
        return json.loads(self.summary_path.read_text())


@pytest.fixture
def service(tmp_path):
    instance = Service(tmp_path)
    yield instance
    if instance.process and instance.process.poll() is None:
        instance.process.kill()
        instance.process.communicate()


@pytest.fixture
def load(service, tmp_path):
    started = []

    def begin(*options):
        directory = tmp_path / f"load-{len(started)}"
        directory.mkdir()
        started.append(Load(service, directory, *options))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
