"""The verb backtest: what it prints of a file, and how it refuses. It needs neither a controller nor a configuration."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from hosts import BUILD_DIR

HERE = Path(__file__).resolve().parent
PROGRAM = BUILD_DIR / "src/cli/auto-rollback"
CONFIG = "health: {url: 'http://127.0.0.1:9001/health'}\nmetrics: {source: none}\n"
# Each letter is 30 s from noon on: "." healthy, "E" 5 % errors, "L" slow, "?" not measured.
STORY = "....EEEE......LLLLL......?E.....EEEEEE"


def rows(story):
    for number, letter in enumerate(story):
        second = 12 * 3600 + 30 * (number + 1)
        at = f"2026-11-22T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
        yield f"{at},,,\n" if letter == "?" else f"{at},6000,{300 if letter == 'E' else 6},{'250.4ms' if letter == 'L' else '45ms'}\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "rollback.yaml").write_text(CONFIG)
    (tmp_path / "samples.csv").write_text("end,requests,errors,p99\n" + "".join(rows(STORY)))
    (tmp_path / "labels.csv").write_text("from,to,kind\n2026-11-22T12:01:50Z,2026-11-22T12:04:00Z,bad deploy\n"
                                         "2026-11-22T12:13:00Z,2026-11-22T12:13:30Z,a blip\n")
    return tmp_path


def backtest(files, *words, code=0, stdin=None):
    done = subprocess.run([PROGRAM, "--config", "rollback.yaml", "backtest", *words], cwd=files, capture_output=True, text=True, input=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def golden(name, text):
    path = HERE / "golden" / f"{name}.txt"
    if os.environ.get("GOLDEN_WRITE"):
        path.write_text(text)
    assert text == path.read_text()


def test_what_is_printed(files):
    golden("backtest", backtest(files, "--csv", "samples.csv").stdout)
    golden("backtest-labels", backtest(files, "--csv", "samples.csv", "--labels", "labels.csv", "--set", "thresholds.latency_p99=300ms").stdout)


def test_as_json(files):
    report = json.loads(backtest(files, "--csv", "samples.csv", "--labels", "labels.csv", "--json").stdout)
    assert report["samples"] == {"judged": 38, "healthy": 21, "degraded": 16, "unknown": 1, "left_out": 0}
    assert [found["triggers"] for found in report["found"]] == [["error_rate", "success_rate"], ["latency_p99"], ["error_rate", "success_rate"]]
    assert [found["after_s"] for found in report["found"]] == [130.0, 120.0, 120.0]
    assert report["labels"] == {"incidents": 2, "found": 1, "true_positives": 1, "false_positives": 2, "missed": [
        {"from": "2026-11-22T12:13:00.000Z", "to": "2026-11-22T12:13:30.000Z", "kind": "a blip"}]}
    assert report["reality"] is None and not report["deployments_known"]


def test_a_part_of_it_and_the_standard_input(files):
    part = json.loads(backtest(files, "--csv", "samples.csv", "--from", "2026-11-22T12:05:00Z", "--to", "2026-11-22T12:12:00Z", "--json").stdout)
    assert [found["triggers"] for found in part["found"]] == [["latency_p99"]]
    assert part["from"] == "2026-11-22T12:04:30.000Z" and part["to"] == "2026-11-22T12:12:00.000Z"
    piped = backtest(files, "--csv", "-", "--json", stdin=(files / "samples.csv").read_text())
    assert len(json.loads(piped.stdout)["found"]) == 3


def test_a_budget_for_each_day(files):
    report = json.loads(backtest(files, "--csv", "samples.csv", "--json", "--set", "decision.rollbacks_per_day=1").stdout)
    assert [found["kind"] for found in report["found"]] == ["rollback", "review", "review"]
    assert report["found"][1]["guard"] == "budget_spent"


@pytest.mark.parametrize("words, code, says", [
    (["--csv", "none.csv"], 66, "none.csv: No such file or directory"),
    (["--csv", "."], 66, "Is a directory"),
    (["--csv", "/dev/null"], 65, "its first line must name the columns"),
    (["--csv", "samples.csv", "--to", "2020-01-01"], 66, "has no sample of that time"),
    (["--csv", "samples.csv", "--prometheus"], 64, "take one of them"),
    (["--csv", "samples.csv", "--from", "tomorrow"], 65, "--from: 'tomorrow' is no time"),
    (["--csv", "samples.csv", "--from", "1h", "--to", "2h"], 65, "--from is later than --to"),
    (["--csv", "samples.csv", "--labels", "none.csv"], 66, "none.csv"),
    (["--csv", "samples.csv", "--labels", "samples.csv"], 65, r"samples.csv:1: not FROM,TO"),
    (["--csv", "samples.csv", "--set", "decision.interval=1s", "--set", "thresholds.degradation_window=128s"], 65, "makes 129 samples; allowed are 128"),
    (["--csv", "samples.csv", "--set", "decision.interval=5m"], 65, "longer than thresholds.degradation_window"),
    (["--csv", "samples.csv", "--set", "paths.state=/tmp"], 65, "there is no rule 'paths.state'"),
    (["--prometheus"], 65, "metrics.source is none"),
    (["extra"], 64, "one word too many"),
])
def test_refusals(files, words, code, says):
    said = backtest(files, *words, code=code).stderr
    assert re.search(says, said), said


def test_without_a_configuration(files):
    """A file is judged by the defaults then; what else there is needs one."""
    if Path("/etc/novacron-rollback/rollback.yaml").exists():
        pytest.skip("this machine has one")
    for words, code in ((["--csv", "samples.csv", "--json"], 0), ([], 78)):
        done = subprocess.run([PROGRAM, "backtest", *words], cwd=files, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
