"""health-checker against a controller that says what it is told. As in test_cli.py what is printed is compared as a whole."""

import json
import os
import signal
import subprocess

import pytest
from test_cli import BUILD_DIR, ENVIRONMENT, fits, golden, stage  # noqa: F401

PROGRAM = BUILD_DIR / "src/cli/health-checker"
SINCE = "2026-11-22T16:43:45.000Z"


def component(name, status="healthy", score=100, reason="", **changes):
    return {"name": name, "status": status, "score": score, "weight": 1, "critical": False, "configured": True, "reason": reason,
            "checked": SINCE, "since": SINCE, **changes}


WELL = [component("consensus", reason="3 of 3 sound = 100; lag 2 ms of 50 ms; 3 of 3 members answer, n2 leads in term 5", critical=True, weight=3),
        component("network", reason="3 of 3 peers reached; 0.02 % of 18600 segments sent again in 60 s (limit 1.0 %)"),
        component("database", "unknown", None, "no data adapter configured", critical=True, configured=False),
        component("api", reason="http://127.0.0.1:9001/health answered 200 in 0.8 ms; novacron-dwcp-v3.service: active (running), main pid 104", critical=True, weight=2)]
SLOW = component("payments-gateway", "degraded", 50, "http://127.0.0.1:7001/health answered 503 in 1.2 ms (failed check 1 of 3)", weight=2)
DOWN = component("api", "unhealthy", 0, "novacron-dwcp-v3.service: failed (exit-code, status 3)", critical=True)
LOST = component("network", "unknown", None, "it didn't answer within 4.0 s")


def health(status, score, components, formula):
    return {"status": status, "score": score, "components": {one["name"]: one["status"] for one in components},
            "reasons": [f"{one['name']} is {one['status']}: {one['reason']}" for one in components if one["status"] != "healthy" and one["configured"]],
            "arithmetic": {"points": 0, "weights": 6, "formula": formula, "components": components}, "checked": SINCE}


HEALTHY = health("healthy", 100, WELL, "(3*100 + 1*100 + 2*100) / 6 = 100")
DEGRADED = health("degraded", 83, [*WELL[:3], SLOW], "(3*100 + 1*100 + 2*50) / 6 = 83")
UNHEALTHY = health("unhealthy", 50, [DOWN, component("system", reason="cpu 12.0 % (limit 85.0 %)")], "(1*0 + 1*100) / 2 = 50")
UNKNOWN = health("unknown", None, [LOST], "nothing that counts is known")
ALL = {"healthy": (HEALTHY, 0), "degraded": (DEGRADED, 1), "unhealthy": (UNHEALTHY, 2), "unknown": (UNKNOWN, 3)}


def command(stage, *words):  # noqa: F811
    return [str(PROGRAM), "--config", str(stage.config), *words]


def run(stage, *words, **environment):  # noqa: F811
    return subprocess.run(command(stage, *words), capture_output=True, text=True, timeout=30, env={**ENVIRONMENT, **environment})


@pytest.mark.parametrize("name", ALL)
def test_status(stage, name):  # noqa: F811
    answer, code = ALL[name]
    stage.controller(health=answer)
    done = run(stage, "status")
    assert (done.returncode, done.stderr) == (code, "")
    fits(golden(f"health-{name}", done.stdout))
    done = run(stage, "status", "--json")
    assert done.returncode == code and json.loads(done.stdout) == answer


def test_colours_only_where_wanted(stage):  # noqa: F811
    stage.controller(health=DEGRADED)
    stage.command = lambda *words: command(stage, *words)
    text, code = stage.on_terminal("status")
    assert code == 1 and "\033[33m" in text
    assert "\033" not in stage.on_terminal("status", NO_COLOR="1")[0]


def test_help_and_usage(stage):  # noqa: F811
    done = run(stage, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    fits(golden("health-help", done.stdout))
    for verb in ("status", "once", "watch"):
        fits(run(stage, verb, "--help").stdout)
    for words, code, says in [([], 64, "Usage: health-checker"), (["stauts"], 64, "health-checker: there is no verb 'stauts'; did you mean 'status'?"),
                              (["status", "--dry-run"], 64, "'status' has no option --dry-run; see: health-checker status --help"),
                              (["status", "more"], 64, "usage: health-checker status"), (["once", "--interval", "1s"], 64, "has no option --interval"),
                              (["watch", "--interval", "soon"], 65, "--interval"), (["watch", "--interval", "1ms"], 65, "at least 100ms")]:
        done = run(stage, *words)
        assert done.returncode == code and says in done.stderr and not done.stdout, done


def test_watch_tells_each_change_in_one_line(stage):  # noqa: F811
    stage.controller(health=HEALTHY)
    with subprocess.Popen(command(stage, "watch", "--interval", "100ms"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as watch:
        assert watch.stdout.readline() == "2026-11-22 16:43:45Z  score        healthy 100: (3*100 + 1*100 + 2*100) / 6 = 100\n"
        replacement = stage.directory / "next"
        replacement.write_text(json.dumps(health("degraded", 83, [*WELL[:2], LOST, WELL[3]], "...")))
        os.replace(replacement, stage.directory / "health.json")
        lines = [watch.stdout.readline() for _ in range(2)]
        assert lines[0] == "2026-11-22 16:43:45Z  network      healthy -> unknown: it didn't answer within 4.0 s\n", lines
        assert lines[1] == "2026-11-22 16:43:45Z  score        healthy -> degraded 83: ...\n"
        watch.send_signal(signal.SIGINT)
        assert watch.wait(10) == 130 and watch.stdout.read() == ""


def test_watch_draws_on_a_terminal(stage):  # noqa: F811
    stage.controller(health=UNHEALTHY)
    stage.command = lambda *words: ["timeout", "--foreground", "--signal=INT", "0.5", *command(stage, *words)]
    text, _ = stage.on_terminal("watch", NO_COLOR="1")
    screen = text.split("\033[H\033[J")[1]
    assert screen == run(stage, "status").stdout


def test_what_goes_wrong(stage):  # noqa: F811
    stage.controller()  # it can't tell
    done = run(stage, "status")
    assert done.returncode == 70 and "there is no health.json" in done.stderr
    stage.config.write_text("health:\n  ulr: x\n")
    assert run(stage, "once").returncode == 78
