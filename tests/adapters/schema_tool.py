"""schema-tool, and what a way back is made of, as the tests of the PostgreSQL driver's schema side use them."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading

from balancer import BUILD
from postgres_cluster import PROGRAMS, USER

OLD, NEW = "v2.4.0", "v2.5.0"


class Migrator:
    """One database's gate and way back; a state directory of its own."""

    def __init__(self, cluster, database="novacron", **settings):
        self.cluster = cluster
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="schema-test-"))
        self.scripts = self.directory / "scripts"
        self.state = self.directory / "state"
        self.scripts.mkdir(mode=0o755)
        self.state.mkdir(mode=0o700)
        self.settings = {"host": cluster.directory, "port": cluster.primary.port, "database": database, "programs": PROGRAMS, "run_as": USER,
                         "backup": self.scripts / "schema.{version}.sql", **settings}
        self.process = None
        self.told = []
        self.open()

    def open(self):
        arguments = [f"{key}={value}" for key, value in self.settings.items()]
        self.process = subprocess.Popen([BUILD / "benchmarks" / "schema-tool", "postgres", self.state, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.opened = self.line()

    def script(self, text, name="down.sql"):
        path = self.scripts / name
        path.write_text(text)
        return path

    def line(self):
        """Bounded: a driver that never answers must fail the test, not hang it."""
        guard = threading.Timer(60, self.process.kill)
        guard.start()
        try:
            line = self.process.stdout.readline()
        finally:
            guard.cancel()
        assert line, "the tool ended, or told nothing within 60 s"
        return json.loads(line)

    def send(self, verb, script=None, budget_ms=40_000, limit_ms=600_000, to=OLD, target=OLD, works_with=(), declared=True, digest="", **more):
        command = {"verb": verb, "budget_ms": budget_ms, "limit_ms": limit_ms, "release": target, "run_id": 7,
                   "target": {"version": target, "works_with": [target, *works_with]} if declared else None,
                   "leaving": {"version": NEW, "works_with": [NEW], "down": [{"to": to, "script": str(script), "digest": digest}] if script else []}, **more}
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def result(self):
        self.told = []
        while "progress" in (answer := self.line()):
            self.told.append(answer["progress"])
        return answer

    def gate(self, script=None, **more):
        self.send("gate", script, **more)
        return self.result()

    def restore(self, script=None, **more):
        self.send("restore", script, **more)
        return self.result()

    def kill(self):
        """As if the controller had died."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            code = self.process.wait(20)
            self.process.stdout.close()
            assert code == (1 if self.opened["status"] == "refused" else 0)
        shutil.rmtree(self.directory, ignore_errors=True)


def psql_children(pid):
    """The psql of a tool, by its parent."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
            if name == "psql" and int(rest[1]) == pid:
                found.append(int(entry))
    return found
