"""postgres-tool as the tests of the PostgreSQL driver use it."""

import contextlib
import json
import subprocess
import threading

import pytest

from balancer import TOOLS


class Asker:
    """One command at a time, unless the test sends them itself."""

    def __init__(self, **settings):
        """A map's entries: checks={"name": "SQL"}."""
        arguments = []
        for key, value in settings.items():
            arguments += [f"{key}.{name}={text}" for name, text in value.items()] if isinstance(value, dict) else [f"{key}={value}"]
        self.process = subprocess.Popen([TOOLS / "postgres-tool", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.opened = self.answer()

    @classmethod
    def of(cls, cluster, server=None, **settings):
        server = server or cluster.primary
        return cls(**{"host": cluster.directory, "port": server.port, **settings})

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self):
        """Bounded: a driver that never answers must fail the test, not hang it."""
        guard = threading.Timer(40, self.process.kill)
        guard.start()
        try:
            line = self.process.stdout.readline()
        finally:
            guard.cancel()
        assert line, "the tool ended, or told nothing within 40 s"
        return json.loads(line)

    def ask(self, command):
        self.send(command)
        return self.answer()

    def query(self, sql, ms=20_000):
        return self.ask(f"query {ms} {sql}")

    def replication(self, ms=20_000):
        answer = self.ask(f"replication {ms}")
        assert answer["status"] == "done", answer
        return answer

    def check(self, ms=60_000):
        """(the answer, what was told before it)"""
        self.send(f"check {ms}")
        told = []
        while "progress" in (answer := self.answer()):
            told.append(answer)
        return answer, told

    def until(self, condition, what, seconds=20):
        """Asks for the replication until it is as `condition` wants it."""
        import time
        end = time.monotonic() + seconds
        while True:
            answer = self.replication()
            if condition(answer):
                return answer
            assert time.monotonic() < end, f"not within {seconds} s: {what}: {answer}"
            time.sleep(0.02)

    def close(self):
        """Ends it as a program should end: what a sanitizer found is an error."""
        self.process.stdin.close()
        code = self.process.wait(20)
        self.process.stdout.close()
        assert code == (1 if self.opened["status"] == "refused" else 0)


@pytest.fixture
def closing():
    """closing(x): x, which is closed when the test is over."""
    with contextlib.ExitStack() as stack:
        yield lambda thing: stack.enter_context(contextlib.closing(thing))
