"""How quickly the rules are run over recorded samples: a file, from its first byte to the report."""

import json
import os
import subprocess
import tempfile
from datetime import date, timedelta
from pathlib import Path

from stage import HostError
from testsite import find_program

SAMPLES = 4_000_000
A_DAY = 2880  # at 30 s each
EVERY, FROM = 997, 900  # a stretch of bad samples comes and goes, so that something is found


def _row(day, number):
    second = number % A_DAY * 30
    errors = 300 if number % EVERY > FROM else 7
    return f"{day}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z,6000,{errors},{40 + number % 17}.5\n"


def _write(path):
    """With RFC 3339 times: slower to read than seconds, and what most exports have."""
    with open(path, "w", encoding="ascii") as file:
        file.write("end,requests,errors,p99_ms\n")
        for begin in range(0, SAMPLES, A_DAY):
            day = date(2020, 1, 1) + timedelta(days=begin // A_DAY)
            file.write("".join(_row(day, number) for number in range(begin, min(begin + A_DAY, SAMPLES))))


def _cpu_s():
    times = os.times()
    return times.children_user + times.children_system


def samples_per_second(rounds):
    """Of CPU time, which one core gives: the file lies in memory."""
    found = []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as home:
        path, config = Path(home) / "samples.csv", Path(home) / "rollback.yaml"
        config.write_text("health:\n  url: http://127.0.0.1:9001/health\n", encoding="ascii")
        _write(path)
        for _ in range(rounds):
            before = _cpu_s()
            done = subprocess.run([find_program("auto-rollback"), "--config", config, "backtest", "--csv", path, "--json"],
                                  capture_output=True, text=True)
            took = _cpu_s() - before
            if done.returncode != 0 or json.loads(done.stdout)["samples"]["judged"] != SAMPLES:
                raise HostError(f"the backtest did not judge all samples: {done.stderr}")
            found.append(SAMPLES / took)
    return found
