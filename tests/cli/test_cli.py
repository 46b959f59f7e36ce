"""The operator's program against a controller that says what it is told. What is printed is compared with golden/*.txt as a
whole (GOLDEN_WRITE=1 writes them anew); look at the difference before you keep it."""

import fcntl
import hashlib
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BUILD_DIR = Path(os.environ.get("BUILD_DIR", HERE.parents[1] / "build")).resolve()
PROGRAM = BUILD_DIR / "src/cli/auto-rollback"
FAKE = BUILD_DIR / "tests/cli/fake-controller"
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm"}
TITLES = ["Prove the target", "Pause deployments", "Drain traffic", "Stop current version", "Restore previous version", "Start previous version",
          "Verify health", "Restore traffic", "Resume deployments"]
KEYS = ["preflight", "pause_deployments", "drain_traffic", "stop_version", "restore_version", "start_version", "verify_health", "restore_traffic",
        "resume_deployments"]
BUDGETS = [10, 5, 30, 10, 30, 10, 60, 5, 5]
TAKEN = [1.2, 0.4, 26, 10, 0.5, 12, 31, 0.3, 0.2]
DETAILS = ["412 files as recorded", "", "3 in flight finished", "novacron-dwcp-v3.service stopped", "current -> v2.4.0", "novacron-dwcp-v2.service is ready",
           "3 healthy answers in a row", "5 parked requests released", ""]


# ---- what the controller says ----

def step(index, state="done", recovery=False, **changes):
    begun = state not in ("pending", "skipped")
    ended = begun and state != "acting"
    value = {"step": index, "key": KEYS[index], "title": TITLES[index], "budget_ms": BUDGETS[index] * 1000, "critical": index in (0, 2, 4, 5, 6),
             "state": state, "attempt": 1 if begun else 0, "started": ("2026-11-22T16:43:45.000Z" if ended else "2099-01-01T00:00:00.000Z") if begun else None,  # no time has passed yet
             "ended": "2026-11-22T16:43:46.000Z" if ended else None, "duration_ms": TAKEN[index] if ended else None,
             "detail": DETAILS[index] if ended else ""}
    return {**value, **changes}


def run(done=9, **changes):
    """A rollback of which the first `done` steps are."""
    value = {"id": 17, "kind": "rollback", "mode": "manual", "from": "v3.0.0", "to": "v2.4.0", "reason": "Performance degradation observed after deployment",
             "initiator": "root (uid 0)", "decision": None, "phase": "forward", "outcome": "open", "created": "2026-11-22T16:43:45.000Z", "ended": None,
             "duration_ms": None, "failure": "", "serving": None, "in_flight_cut": 0, "requests_failed": None, "validation": None,
             "steps": [step(index, "done" if index < done else "acting" if index == done else "pending") for index in range(9)], "recovery": []}
    if done == 9:
        value.update(phase="succeeded", outcome="succeeded", ended="2026-11-22T16:43:46.000Z", duration_ms=41.2, serving="v2.4.0", requests_failed=0,
                     validation="passed")
    return {**value, **changes}


def sample(**changes):
    value = {"start": "2026-11-22T16:43:15.000Z", "end": "2026-11-22T16:43:45.000Z", "measured": True, "state": "healthy", "requests": 6000, "errors": 3,
             "error_rate_percent": 0.05, "success_rate_percent": 99.95, "latency_p50_ms": 2.1, "latency_p99_ms": 45.0, "dropped": 0, "note": "", "age_s": 4.2}
    return {**value, **changes}


def status(**changes):
    value = {
        "controller": {"version": "0.1.0", "pid": 4711, "since": "2026-11-22T08:00:00.000Z", "state": "watching"},
        "version": "v2.4.0", "version_problem": None,
        "target": {"version": "v2.3.1", "state": "good", "ready": True, "detail": ""},
        "deployment": {"id": 3, "version": "v2.4.0", "previous": "v3.0.0", "at": "2026-11-22T16:43:45.000Z", "observed": False, "armed": True,
                       "armed_until": "2026-11-23T16:43:45.000Z", "automatic": {"possible": True, "why": ""}, "state": "good"},
        "deployments": {"paused": False, "by": None, "since": None, "why": None},
        "traffic": {"configured": True, "state": "flowing", "in_flight": 2, "parked": 0, "gate": True, "by": None, "detail": ""},
        "units": {"names": ["novacron-dwcp-v2.service"], "state": "active", "detail": "novacron-dwcp-v2.service: active (running)"},
        "health": {"state": "healthy", "since": "2026-11-22T16:43:46.000Z", "url": "http://127.0.0.1:9000/health", "detail": ""},
        "metrics": {"source": "edge", "connected": True, "detail": "", "sample": sample()},
        "score": {"status": "healthy", "score": 100, "reason": ""}, "review": None,
        "window": {"expected": 5, "needed": 4, "degraded": 0, "unknown": 0, "samples": [], "verdict": "0 of 5 samples degraded, 4 needed"},
        "thresholds": {"error_rate_percent": 1.0, "latency_p99_ms": 100.0, "success_rate_percent": 99.0, "degradation_window_s": 120.0},
        "run": None, "last_run": run(), "rollbacks_today": 0, "rollbacks_per_day": 3, "alerts": []}
    return {**value, **changes}


PLAN = {"kind": "rollback", "mode": "manual", "from": "v3.0.0", "to": "v2.4.0", "target_state": "good", "target_warning": None, "ceiling_ms": 155000, "gate": True,
        "steps": [step(index, "pending") for index in range(9)], "refused": None}
BOTH = ["criteria", "checklist"]
CHECKS = [("version", "Previous version running", BOTH, "v2.4.0", "v2.4.0"), ("error_rate", "Error rate", BOTH, "0.05 %", "< 0.1 %"),
          ("latency_p99", "P99 latency", ["checklist"], "45 ms", "< 100 ms"),
          ("latency_baseline", "Latency within baseline", ["criteria"], "45 ms, before the deployment 44 ms (1490 requests, 2026-11-22T16:40:00.000Z)", "<= 66 ms")]
ABSENT = {"key": "consensus", "title": "Consensus healthy", "lists": ["checklist"], "verdict": "not_applicable",
          "measured": "no cluster is watched: consensus.driver is none", "limit": "in quorum, with a leader"}
PASSED = {"verdict": "passed", "checks": [*({"key": key, "title": title, "lists": lists, "verdict": "passed", "measured": measured, "limit": limit}
                                            for key, title, lists, measured, limit in CHECKS), ABSENT],
          "passed": 4, "failed": 0, "not_verified": 0, "not_applicable": 1, "error_rate_percent": 0.05, "latency_p99_ms": 45.0, "success_rate_percent": 99.8, "note": ""}
ALL_EVENTS = [{"type": "run", "event": run(done)} for done in range(1, 10)]


# ---- the stage ----

class Stage:
    def __init__(self, directory):
        self.directory = directory
        self.socket = directory / "socket"
        self.config = directory / "rollback.yaml"
        self.config.write_text(f"health:\n  url: http://127.0.0.1:1/health\npaths:\n  socket: {self.socket}\n  state: {directory}/state\n"
                               f"  versions: {directory}/versions\n  current: {directory}/current\n  log: {directory}/log\n"
                               "thresholds: {degradation_window: 1s}\ndecision: {interval: 1s}\n")
        self.fake = None

    def controller(self, events=(), **answers):
        for name, answer in answers.items():
            (self.directory / f"{name}.json").write_text(json.dumps(answer))
        (self.directory / "events").write_text("".join((event if isinstance(event, str) else json.dumps(event)) + "\n" for event in events))
        self.fake = subprocess.Popen([FAKE, self.socket, self.directory], stdout=subprocess.PIPE)
        assert self.fake.stdout.readline() == b"ready\n"
        return self

    def end(self):
        if self.fake:
            self.fake.terminate()
            code = self.fake.wait(10)
            self.fake.stdout.close()
            self.fake = None
            return code
        return 0

    def asked(self):
        path = self.directory / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def command(self, *words, config=True):
        return [str(PROGRAM), *(["--config", str(self.config)] if config else []), *words]

    def cli(self, *words, stdin="", timeout=60, config=True, **environment):
        return subprocess.run(self.command(*words, config=config), input=stdin, capture_output=True, text=True, timeout=timeout, env={**ENVIRONMENT, **environment})

    def on_terminal(self, *words, typed=b"", columns=80, timeout=30, **environment):
        """Everything the program wrote on its terminal, and its exit code."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        process = subprocess.Popen(self.command(*words), stdin=slave, stdout=slave, stderr=slave, env={**ENVIRONMENT, **environment}, start_new_session=True)
        os.close(slave)
        os.write(master, typed)
        seen, end = b"", time.monotonic() + timeout
        while time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    seen += os.read(master, 65536)
                except OSError:
                    break
        os.close(master)
        return seen.decode(), process.wait(5)


@pytest.fixture
def stage():
    directory = Path(tempfile.mkdtemp(prefix="test-cli."))
    value = Stage(directory)
    yield value
    code = value.end()
    shutil.rmtree(directory)
    assert code in (0, 9)


def golden(name, text, stage=None):
    if stage:
        text = text.replace(str(stage.directory), "DIRECTORY").replace(str(PROGRAM), "auto-rollback")
    path = HERE / "golden" / f"{name}.txt"
    if os.environ.get("GOLDEN_WRITE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
    return text


def fits(text, columns=80):
    for line in text.splitlines():
        assert len(line) <= columns, line


# ---- the words ----

def test_help_and_usage(stage):
    done = stage.cli("--help")
    assert done.returncode == 0 and done.stderr == ""
    fits(golden("help", done.stdout))
    done = stage.cli("manual", "--help")
    fits(golden("help-manual", done.stdout))
    for verb in re.findall(r"^  ([a-z-]+) ", stage.cli("--help").stdout.split("Verbs:")[1].split("Options:")[0], re.M):
        fits(stage.cli(verb, "--help").stdout)
    assert stage.cli("validate", "--help").stdout.startswith("Did the last rollback help?\n")
    assert stage.cli("--version").stdout.startswith("auto-rollback ")
    for words, says in [
            ([], "Usage:"),
            (["stauts"], "there is no verb 'stauts'; did you mean 'status'?"),
            (["frobnicate"], "there is no verb 'frobnicate'; auto-rollback --help lists them"),
            (["manual"], "REASON is missing; usage: auto-rollback manual REASON"),
            (["manual", "too", "slow"], "'slow' is one word too many: put the text in quotes"),
            (["deploy", "v1.2.3", "v1.2.4"], "'v1.2.4' is one word too many; usage: auto-rollback deploy VERSION\n"),
            (["cancel", "1", "2"], "'2' is one word too many; usage: auto-rollback cancel [ID]\n"),
            (["cancel", "-1"], "a run's id is a positive number"),
            (["cancel", "--", "-1"], "'-1' is no run's number: that is positive"),
            (["--frob"], "auto-rollback: unrecognized option '--frob'\n"),
            (["status", "--dry-run"], "'status' has no option --dry-run"),
            (["deploy", "--to", "v1.2.3", "v1.2.3"], "'deploy' has no option --to"),
            (["status", "--frob"], "Try: auto-rollback --help"),
            (["history", "--limit", "x"], "--limit is 'x'; allowed is a whole number from 1 to 1000"),
            (["cancel", "x"], "'x' is no run's number")]:
        done = stage.cli(*words)
        assert done.returncode == 64, words
        assert says in done.stderr
        assert done.stdout == "" and str(PROGRAM) not in done.stderr
    for words in [["deploy", "latest"], ["manual", "--to", "../x", "why"], ["manual", " "], ["manual", "x" * 501], ["manual", "two\nlines"], ["manual", b"\xff"],
                  ["pause", "x" * 501], ["pause", "two\nlines"], ["pause", b"\xff"]]:
        assert stage.cli(*words).returncode == 65, words
    assert stage.asked() == []


def test_works_under_its_other_name(stage):
    stage.controller(validate=PASSED)
    other = stage.directory / "auto-rollback.sh"
    other.symlink_to(PROGRAM)
    done = subprocess.run([other, "--config", stage.config, "validate"], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0 and "Rollback validation: PASSED" in done.stdout


# ---- looking ----

def test_status_when_all_is_well(stage):
    stage.controller(status=status())
    done = stage.cli("status")
    assert done.returncode == 0 and done.stderr == ""
    fits(golden("status-well", done.stdout))
    assert stage.cli("status", TZ="America/New_York").stdout == done.stdout  # times are the log's: UTC
    assert json.loads(stage.cli("status", "--json").stdout)["version"] == "v2.4.0"


def test_status_names_incidents_and_receivers_that_fail(stage):
    incidents = [{"id": 4, "severity": "P2", "state": "open"}, {"id": 3, "severity": "P1", "state": "acknowledged"}, {"id": 2, "severity": "P0", "state": "resolved"}]
    stage.controller(status=status(), incidents={"incidents": incidents, "unresolved": 2},
                     receivers={"receivers": [{"name": "oncall", "state": "failing"}, {"name": "team", "state": "delivering"}]})
    text = stage.cli("status").stdout
    fits(text)
    assert "  Incidents    open      2 (worst P1): auto-rollback incidents\n" in text
    assert "  Receivers    failing   oncall: auto-rollback receivers\n" in text
    assert "incidents" not in json.loads(stage.cli("status", "--json").stdout)
    stage.end()
    stage.controller(incidents={"incidents": incidents[1:], "unresolved": 1}, receivers={"receivers": []})
    text = stage.cli("status").stdout
    assert "Incidents    unresolved  1 (P1): auto-rollback incidents\n" in text and "Receivers" not in text


def test_status_when_much_is_off(stage):
    held = run(5, phase="holding", outcome="held", mode="automatic", initiator="controller", ended="2026-11-22T16:44:46.000Z", duration_ms=61000.0,
               failure="novacron-dwcp-v2.service did not start, and neither did novacron-dwcp-v3.service",
               reason="error rate 5.02 % > 1.00 % in 4 of 5 samples over 120 s")
    stage.controller(status=status(
        last_run=held, target=None, version=None, version_problem="/opt/novacron/current is no symlink",
        units={"names": [], "state": "failed", "detail": "novacron-dwcp-v3.service: failed\x1b[2J (exit code 3)"},
        health={"state": "unhealthy", "since": "2026-11-22T16:43:46.000Z", "url": "http://127.0.0.1:9000/health", "detail": "connection refused"},
        traffic={"configured": False, "state": "unknown", "in_flight": None, "parked": None, "gate": None, "by": None, "detail": "no balancer is configured (traffic.driver)"},
        metrics={"source": "edge", "connected": False, "detail": "nobody has connected to 127.0.0.1:9095", "sample": None},
        window={"expected": 5, "needed": 4, "degraded": 4, "unknown": 1, "samples": [], "verdict": ""},
        deployment=None, deployments={"paused": True, "by": "ann (uid 1000)", "since": "2026-11-22T16:00:00.000Z", "why": "schema migration"},
        alerts=[{"since": "2026-11-22T16:44:46.000Z", "source": "metrics", "message": "the source is not heard"}]))
    done = stage.cli("status")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout  # what a service says can't steer the terminal
    fits(golden("status-off", done.stdout))
    seen, _ = stage.on_terminal("status", columns=120, NO_COLOR="1")
    assert "  Last run     held      17: automatic rollback v3.0.0 -> v2.4.0\n" in seen
    fits(seen, 120)


def test_status_during_a_run(stage):
    stage.controller(status=status(run=run(3), last_run=run(3), controller={"version": "0.1.0", "pid": 4711, "since": None, "state": "running"}, target=None,
                                   traffic={"state": "unknown", "in_flight": None, "parked": None, "gate": None, "by": "run 17", "detail": ""}))
    golden("status-running", stage.cli("status").stdout)


def hints(stage, **changes):
    stage.controller(status=status(**changes))
    text = stage.cli("status").stdout
    stage.end()
    fits(text)
    return text.partition("What to do\n")[2]


def test_a_hint_names_what_works(stage):
    held = run(5, phase="holding", outcome="held", failure="it did not start")
    ill = {"state": "unhealthy", "since": None, "url": "", "detail": "connection refused"}
    assert hints(stage) == ""
    for target in [None, status()["target"]]:
        assert "release it: auto-rollback resume\n" in hints(stage, last_run=held, target=target)
    said = hints(stage, target=None, health=ill)
    assert "auto-rollback emergency --to VERSION" in said and 'emergency "' not in said
    assert 'auto-rollback emergency "REASON"\n' in hints(stage, health=ill)
    unknown = hints(stage, health=ill, version=None, target=None)
    assert "emergency" not in unknown  # it would be refused
    assert "deploy" in unknown and "auto-rollback adopt\n" in unknown
    nothing_lower = hints(stage, target=None)
    assert "--to VERSION, or deploy" in nothing_lower and "auto-rollback adopt\n" in nothing_lower


REVIEW = {"version": "v2.4.0", "guard_text": "the day's automatic rollbacks are spent",
          "reason": "error rate 10.00 % > 1.0 % in 6 of 6 samples over 60 s (newest: 100 of 1000 requests failed); success rate 90.00 % < 99.0 % in 6 of 6 samples"}
WINDOW = {"expected": 6, "needed": 5, "degraded": 6, "unknown": 0, "samples": [], "verdict": ""}


@pytest.mark.parametrize("headline, line, changes", [
    ("v2.4.0 is live, but DEGRADED: error rate 10.00 % > 1.0 % in 6 of 6 samples; not rolled back automatically: the day's automatic rollbacks are spent.",
     'auto-rollback manual "REASON"', {"review": REVIEW, "window": WINDOW}),
    ("v2.4.0 is live, but DEGRADED: error rate 10.00 % > 1.0 % in 6 of 6 samples; not rolled back automatically: the day's automatic rollbacks are spent.",
     'auto-rollback manual --to VERSION "REASON"', {"review": REVIEW, "window": WINDOW, "target": None}),
    ("v2.4.0 is live, but DEGRADED: 3 of 6 samples are; 5 trigger a rollback.", "", {"window": {**WINDOW, "degraded": 3}}),
    ("v2.4.0 is live, but UNHEALTHY: database: connection refused.", "health-checker",
     {"score": {"status": "unhealthy", "score": 83, "reason": "database: connection refused"}}),
    ("v2.4.0 is live and answers, but DEGRADED: cpu: 90 % > 80 %.", "health-checker", {"score": {"status": "degraded", "score": 83, "reason": "cpu: 90 % > 80 %"}}),
    ("v2.4.0 is live, but whether traffic reaches it is NOT KNOWN: no such socket.", "systemctl status haproxy",
     {"traffic": {"configured": True, "state": "unknown", "detail": "no such socket"}}),
    ("v2.4.0 is live and healthy.", "", {"traffic": {"configured": False, "state": "unknown", "detail": "no balancer is configured (traffic.driver)"}}),
    ("v2.4.0 is live and answers, but NOBODY WATCHES: no controller runs.", "systemctl start novacron-auto-rollback",
     {"controller": {"state": "breakglass"}, "window": None, "score": None}),
    ("v2.4.0 has FAILED: exit code 3.", 'auto-rollback emergency "REASON"', {"units": {"names": [], "state": "failed", "detail": "exit code 3"}, "review": REVIEW}),
])
def test_the_headline_says_what_is_true(stage, headline, line, changes):
    stage.controller(status=status(**changes))
    text = stage.cli("status").stdout
    fits(text)
    assert " ".join(text.partition("\n\n")[0].split()) == headline
    assert line in text.partition("What to do\n")[2]


def test_armed_only_when_it_would_act(stage):
    deployment = status()["deployment"]
    for why, says in [("there is no earlier release to roll back to", "Automatic not possible: there is no earlier release to roll back to; 0 of 3"),
                      ("no controller runs", "Automatic not possible: no controller runs; 0 of 3")]:
        stage.controller(status=status(deployment={**deployment, "automatic": {"possible": False, "why": why}}))
        text = stage.cli("status").stdout
        assert says in " ".join(text.split()) and "not possible:  " not in text
        stage.end()
    off = "switched off (decision.rollbacks_per_day is 0)"
    stage.controller(status=status(rollbacks_per_day=0, deployment={**deployment, "automatic": {"possible": False, "why": off}}))
    assert f"  Automatic    off       {off}\n" in stage.cli("status").stdout


def test_status_of_a_newer_or_broken_controller_never_crashes(stage):
    for answer in [{}, {"version": 5, "window": [], "health": "x", "alerts": {}, "last_run": {"steps": 3}}]:
        stage.controller(status=answer, history=answer, plan=answer)
        for verb in ["status", "history", "plan"]:
            assert stage.cli(verb).returncode == 0
        stage.end()


def test_validate_says_the_specifications_words(stage):
    stage.controller(validate=PASSED)
    done = stage.cli("validate")
    assert done.returncode == 0
    assert done.stdout.startswith("Post-rollback metrics:\n  Error Rate: 0.05%\n  Latency P99: 45ms\n  Success Rate: 99.8%\nRollback validation: PASSED\n")
    assert all(len(line) <= 80 for line in done.stdout.splitlines()), "it is read at 80 columns"
    golden("validate-passed", done.stdout)


def test_validate_failed_and_not_verified(stage):
    failed = {**PASSED, "verdict": "failed", "error_rate_percent": 5.0166, "latency_p99_ms": 250.4, "success_rate_percent": 94.9833,
              "checks": [{**PASSED["checks"][1], "verdict": "failed", "measured": "5.02 %"}, PASSED["checks"][0]], "passed": 1, "failed": 1, "not_applicable": 0}
    stage.controller(validate=failed)
    done = stage.cli("validate")
    assert done.returncode == 3
    golden("validate-failed", done.stdout)
    stage.end()
    unknown = {**PASSED, "verdict": "not_verified", "error_rate_percent": None, "latency_p99_ms": None, "success_rate_percent": None,
               "checks": [{**PASSED["checks"][1], "verdict": "not_verified", "measured": "no sample since the rollback"}, ABSENT], "passed": 0, "not_verified": 1}
    stage.controller(validate=unknown)
    done = stage.cli("validate")
    assert done.returncode == 8
    golden("validate-unknown", done.stdout)
    done = stage.cli("validate", "--json")
    assert done.returncode == 8 and json.loads(done.stdout)["verdict"] == "not_verified"


def test_validate_without_a_rollback(stage):
    deployment = run(kind="deployment", validation=None)
    rollback = run()
    refused = run(0, kind="deployment", outcome="refused", phase="failed", validation=None)
    for runs, says in [([], "there has been no rollback yet: nothing to validate"),
                       ([{**refused, "kind": "rollback"}], "there has been no rollback yet: nothing to validate"),
                       ([deployment, rollback], "there has been no rollback since the last deployment: nothing to validate"),
                       ([refused, rollback], None), ([refused, deployment], "there has been no rollback since the last deployment: nothing to validate"), ([rollback], None)]:
        stage.controller(validate={**PASSED, "verdict": "failed"}, history={"runs": runs, "deployments": []}, status=status(last_run=runs[0] if runs else None))
        done, document = stage.cli("validate"), stage.cli("validate", "--json")
        assert json.loads(document.stdout)["verdict"] == "failed"
        assert done.returncode == document.returncode == (66 if says else 3)
        assert ("ollback" in done.stdout) == (says is None)
        assert "  Error Rate: 0.05%\n  Latency P99: 45ms\n  Success Rate: 99.8%\n" in done.stdout
        assert done.stderr == document.stderr == (f"auto-rollback: {says}\n" if says else "")
        stage.end()


def test_small_and_large_shares_keep_their_meaning(stage):
    stage.controller(validate={**PASSED, "error_rate_percent": 0.0012, "success_rate_percent": 99.9988, "latency_p99_ms": 0.84})
    assert "Error Rate: 0.0012%\n  Latency P99: 0.8ms\n  Success Rate: 99.9988%\n" in stage.cli("validate").stdout


def test_plan_and_dry_run(stage):
    stage.controller(plan=PLAN)
    done = stage.cli("plan")
    assert done.returncode == 0
    fits(golden("plan", done.stdout))
    for words in [["manual", "-n", "why"], ["emergency", "--dry-run", "why"]]:
        assert stage.cli(*words).stdout == done.stdout
    assert [line.split()[0] for line in stage.asked()] == ["plan"] * 3
    stage.end()
    stage.controller(plan={**PLAN, "target_state": "unproven", "target_warning": "it is unproven", "gate": False, "refused": "the configuration is missing"})
    done = stage.cli("emergency", "-n", "why")
    assert done.returncode == 4
    golden("plan-refused", done.stdout)


def test_history(stage):
    failed = run(5, id=16, mode="automatic", initiator="controller", phase="failed", outcome="put_back", ended="2026-11-22T16:00:00.000Z", duration_ms=12000.0,
                 reason="total outage: no request succeeded for 10 s", failure="v2.4.0 did not become healthy", serving="v3.0.0")
    deployment = run(9, id=15, kind="deployment", **{"from": ""}, to="v3.0.0", validation=None, reason="deployment")
    observed = {"id": 1, "version": "v2.4.0", "previous": None, "at": "2026-11-20T10:00:00.000Z", "observed": True, "run": None}
    stage.controller(history={"runs": [run(), failed, deployment], "deployments": [observed]})
    done = stage.cli("history", "--limit", "3")
    assert done.returncode == 0
    golden("history", done.stdout)
    assert stage.asked() == ['history {"limit":3}']


def test_check_config(stage):
    done = stage.cli("check-config")
    assert done.stderr.splitlines() == ["good, but: nobody is told: neither receivers nor alerts.command are set",
                                        "good, but: nothing is decided on samples, only on a failed service: metrics.source is none",
                                        "good, but: traffic isn't drained before a switch, requests fail: traffic.driver is none"]
    assert len(json.loads(stage.cli("check-config", "--json").stdout)["warnings"]) == 3
    assert (done.returncode, done.stdout) == (0, f"{stage.config}: good\n")
    stage.config.write_text("health:\n  url: http://h/\nthresholds:\n  error_rat: 1%\n")
    for verb in [["check-config"], ["auto"], ["status"]]:
        done = stage.cli(*verb)
        assert done.returncode == 78
        assert f"{stage.config}:4:3: 'thresholds' has no key 'error_rat'; did you mean 'error_rate'?" in done.stderr
    stage.config.unlink()
    assert stage.cli("check-config").returncode == 78
    reference = stage.cli("check-config", "--reference")
    assert reference.returncode == 0 and "  error_rate: 1.0%\n" in reference.stdout


def test_diagram(stage):
    assert "stateDiagram" in stage.cli("diagram").stdout


# ---- acting ----

def test_manual_asks_in_the_specifications_words(stage):
    stage.controller(events=ALL_EVENTS, plan=PLAN, rollback=run(0), validate=PASSED)
    for typed in [b"no\n", b"y\n", b"YES\n", b"\n", b"\x04"]:
        seen, code = stage.on_terminal("manual", "Performance degradation observed after deployment", typed=typed)
        assert code == 7
        assert "Not confirmed: nothing was touched." in seen
    assert all(line.startswith("plan") for line in stage.asked())
    seen, code = stage.on_terminal("manual", "Performance degradation observed after deployment", typed=b"yes\n")
    assert code == 0
    assert seen.startswith("Current version: v3.0.0\nTarget version: v2.4.0\nReason: Performance degradation observed after deployment\n\nConfirm rollback? (yes/no): ")
    assert stage.asked()[-2:] == [
        'rollback {"expect_from":"v3.0.0","mode":"manual","reason":"Performance degradation observed after deployment","to":"v2.4.0"}', "validate {}"]


DATABASE = {"verdict": "reversible", "current": "v3.0.0", "wanted": "v2.4.0", "script": "/opt/down.sql", "estimate_ms": 40.5,
            "detail": "schema v3.0.0 -> v2.4.0 by migrations/down-v2.4.0.sql (rehearsed), orders.note goes"}


def plain(seen):
    return re.sub(r"\x1b\[[0-9]*m", "", seen)


def test_the_database_is_shown_before_it_is_touched(stage):
    stage.controller(events=ALL_EVENTS, plan={**PLAN, "database": DATABASE}, rollback=run(0), validate=PASSED)
    assert f"\nDatabase: {DATABASE['detail']}\n" in stage.cli("plan").stdout
    seen, code = stage.on_terminal("manual", "why", typed=b"no\n")
    assert code == 7
    assert plain(seen).startswith(f"Current version: v3.0.0\nTarget version: v2.4.0\nDatabase: {DATABASE['detail']}\nReason: why\n\nConfirm rollback? (yes/no): ")


def test_rows_may_go_only_when_that_was_typed(stage):
    stage.controller(events=ALL_EVENTS, plan={**PLAN, "database": DATABASE}, rollback=run(0), validate=PASSED)
    seen, code = stage.on_terminal("manual", "--allow-row-loss", "why", typed=b"yes\n")
    assert code == 0
    assert "\nReason: why\nRows that the way back can't keep may go (--allow-row-loss)\n\nConfirm rollback? (yes/no): " in plain(seen)
    assert 'rollback {"allow_row_loss":true,"expect_from":"v3.0.0","mode":"manual","reason":"why","to":"v2.4.0"}' in stage.asked()
    assert stage.cli("emergency", "--allow-row-loss", "why").returncode == 0
    assert 'rollback {"allow_row_loss":true,"mode":"emergency","reason":"why"}' in stage.asked()
    done = stage.cli("manual", "--allow-row-loss", "why", stdin="yes\n")
    assert f"  auto-rollback --config {stage.config} manual --yes --allow-row-loss 'why'\n" in done.stderr
    done = stage.cli("deploy", "--allow-row-loss", "v3.0.0")
    assert done.returncode == 64 and "'deploy' has no option --allow-row-loss" in done.stderr


def test_how_far_a_long_step_is_gets_a_line_each(stage):
    def at(detail):
        value = run(4)
        value["steps"][4].update(detail=detail, started="2020-01-01T00:00:00.000Z")
        return {"type": "run", "event": value}

    told = ["safety dump of novacron begins", "digest of public.orders begins"]
    events = [*ALL_EVENTS[:3], at(""), at(told[0]), at(told[0]), at(told[1]), *ALL_EVENTS[4:]]
    stage.controller(events=events, plan=PLAN, rollback=run(0), validate=PASSED)
    done = stage.cli("manual", "--yes", "why")
    lines = [line for line in done.stderr.splitlines() if line.startswith("step 4/8")]
    assert [line.rpartition("under way, up to 30 s")[2] for line in lines[:-1]] == ["", *(f": {line}" for line in told)], lines
    assert " done in " in lines[-1]


def test_manual_without_a_terminal_says_what_to_type(stage):
    stage.controller(plan=PLAN)
    for words, typed in [(["manual", "it's slow"], "yes\n"), (["manual", "--no-input", "it's slow"], "")]:
        done = stage.cli(*words, stdin=typed)
        assert done.returncode == 64
        assert f"  auto-rollback --config {stage.config} manual --yes 'it'\\''s slow'\n" in done.stderr
    assert stage.asked() == []


def test_a_rollback_in_plain_lines(stage):
    stage.controller(events=ALL_EVENTS, plan=PLAN, rollback=run(0), validate=PASSED)
    done = stage.cli("manual", "--yes", "why")
    assert done.returncode == 0
    golden("rollback-out", done.stdout)
    golden("rollback-err", done.stderr)
    assert "step 2/8 drain traffic: done in 0.026 s of 30 s: 3 in flight finished\n" in done.stderr


def test_a_rollback_on_a_terminal(stage):
    stage.controller(events=ALL_EVENTS, plan=PLAN, rollback=run(0), validate=PASSED)
    seen, code = stage.on_terminal("emergency", "Critical: Total service outage", NO_COLOR="1")
    assert code == 0
    golden("rollback-terminal", last_screen(seen))
    fits(last_screen(seen))
    coloured, code = stage.on_terminal("emergency", "why")
    assert "\x1b[32m" in coloured and "\x1b[32m" not in seen


def last_screen(seen, rows=40):
    """What is on the terminal in the end: understands what the live view uses."""
    lines, row, column, index = [""], 0, 0, 0
    while index < len(seen):
        character = seen[index]
        if character == "\x1b":
            end = index + 2
            while not seen[end].isalpha():
                end += 1
            count, letter = seen[index + 2:end], seen[end]
            if letter == "A":
                row = max(0, row - int(count or 1))
            elif letter == "K":
                lines[row] = lines[row][:column]
            elif letter == "J":
                lines[row:] = [lines[row][:column]]
            else:
                assert letter == "m", letter
            index = end + 1
            continue
        if character == "\n":
            row, column = row + 1, 0
            if row == len(lines):
                lines.append("")
        else:
            lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1:]
            column += 1
        index += 1
    return "\n".join(line.rstrip() for line in lines)


def test_a_narrow_terminal_is_drawn_without_wrapping(stage):
    stage.controller(events=ALL_EVENTS, plan=PLAN, rollback=run(0), validate=PASSED)
    seen, _ = stage.on_terminal("emergency", "Critical: Total service outage", columns=66, NO_COLOR="1")
    frames = re.sub("\x1b\\[[0-9]*[A-Za-z]", "", seen.split("Rolled back from")[0])
    assert "▸ 3 Stop current version" in frames and "─" in frames  # while it was under way
    fits(frames, 65)  # the last column is left free: some terminals wrap there


@pytest.mark.parametrize("name, code, end", [
    ("refused", 4, dict(phase="failed", outcome="refused", failure="v2.4.0 is incomplete: bin/service is missing", serving="v3.0.0")),
    ("cancelled", 7, dict(phase="failed", outcome="cancelled", serving="v3.0.0", requests_failed=0)),
    ("undone", 5, dict(phase="failed", outcome="undone", failure="HAProxy refused the drain", serving="v3.0.0", requests_failed=0)),
    ("put-back", 5, dict(phase="failed", outcome="put_back", failure="v2.4.0 did not become healthy", serving="v3.0.0", requests_failed=12, in_flight_cut=2,
                         recovery=[step(4, title="Restore original version", detail="current -> v3.0.0")])),
    ("held", 6, dict(phase="holding", outcome="held", failure="neither release starts", serving=None)),
])
def test_how_a_run_can_end(stage, name, code, end):
    ended = run(6, ended="2026-11-22T16:43:46.000Z", duration_ms=1500.0, **end)
    ended["steps"][6] = step(6, "failed", detail="connection refused")
    stage.controller(events=[{"type": "run", "event": ended}], rollback=run(0))
    done = stage.cli("emergency", "why")
    assert done.returncode == code
    golden(f"end-{name}", done.stdout + "--- stderr\n" + done.stderr)


def test_a_refusal_is_short(stage):
    reason = "v2.4.0 is incomplete: bin/service is missing"
    steps = [step(0, "failed", detail=reason), *(step(index, "skipped", detail="refused before anything was touched") for index in range(1, 9))]
    ended = run(0, phase="failed", outcome="refused", failure=reason, serving="v3.0.0", steps=steps)
    stage.controller(events=[{"type": "run", "event": ended}], rollback=run(0), deploy=run(0))
    done = stage.cli("emergency", "why")
    assert done.returncode == 4
    assert done.stderr == "rollback 17: v3.0.0 -> v2.4.0 (manual, by root (uid 0))\nstep 0/8 prove the target: failed after 0.001 s of 10 s\n"
    assert done.stdout.count(reason) == 1 and "--to" in done.stdout
    seen, _ = stage.on_terminal("emergency", "why", NO_COLOR="1")
    assert last_screen(seen).count(reason) == 1 and "Drain traffic" not in last_screen(seen)
    stage.end()
    stage.controller(events=[{"type": "run", "event": {**ended, "kind": "deployment"}}], deploy=run(0, kind="deployment"))
    done = stage.cli("deploy", "v2.4.0")
    assert done.returncode == 4 and "--to" not in done.stdout and "deploy it again" in done.stdout


def test_why_nothing_was_counted(stage):
    ended = run(requests_failed=None)
    for source, says in [("none", "nothing measures them"), ("edge", "measuring was interrupted")]:
        text = stage.config.read_text().partition("metrics:")[0]
        stage.config.write_text(text + f"metrics: {{source: {source}, edge: {{backend: app}}}}\n")
        stage.controller(events=[{"type": "run", "event": ended}], rollback=run(0), validate=PASSED)
        assert f"Whether requests failed meanwhile is not known: {says}" in stage.cli("emergency", "why").stdout
        stage.end()


def test_an_emergency_is_never_refused_over_its_words(stage):
    stage.controller(events=ALL_EVENTS, rollback=run(0), validate=PASSED)
    for typed, kept in [("two\nlines\x1b", "two lines "), (b"caf\xc3\xa9 \xff", "café ?"), ("x" * 600, "x" * 500), ("x" * 499 + "é", "x" * 499), ("", "no reason given"),
                        ("\n", "no reason given")]:
        (stage.directory / "asked").unlink(missing_ok=True)
        done = stage.cli("emergency", typed)
        assert done.returncode == 0
        assert "reason" in done.stderr.splitlines()[0] and kept in done.stderr
        assert json.loads(stage.asked()[0].partition(" ")[2])["reason"] == kept


def test_an_emergency_needs_no_reason(stage):
    stage.controller(events=ALL_EVENTS, rollback=run(0), validate=PASSED)
    assert stage.cli("emergency").returncode == 0
    assert json.loads(stage.asked()[0].partition(" ")[2])["reason"] == "no reason given"
    done = stage.cli("manual")
    assert done.returncode == 64 and "REASON is missing" in done.stderr


def test_the_validation_is_awaited(stage):
    events = [*ALL_EVENTS[:-1], {"type": "run", "event": run(validation="pending")}, {"type": "sample", "event": {}}, {"type": "run", "event": run(validation="failed")}]
    stage.controller(events=events, rollback=run(0), validate={**PASSED, "verdict": "failed"})
    done = stage.cli("emergency", "why")
    assert done.returncode == 3
    assert done.stdout.startswith("Rolled back from v3.0.0 to v2.4.0 in 0.041 s.\nv2.4.0 is serving.\nNo request failed because of the rollback.\nPost-rollback metrics:\n")
    assert "Rollback validation: FAILED" in done.stdout
    done = json.loads(stage.cli("emergency", "why", "--json").stdout)
    assert done["validation"] == "failed"


def test_a_deployment(stage):
    ended = run(kind="deployment", **{"from": "v2.4.0"}, to="v3.0.0", serving="v3.0.0", validation=None)
    stage.controller(events=[{"type": "run", "event": ended}], deploy=run(0, kind="deployment"))
    done = stage.cli("deploy", "v3.0.0")
    assert done.returncode == 0
    assert done.stdout == "Deployed v3.0.0 in 0.041 s.\nv3.0.0 is serving.\nNo request failed because of the deployment.\n"
    assert stage.asked()[:2] == ['plan {"kind":"deployment","mode":"manual","to":"v3.0.0"}', 'deploy {"version":"v3.0.0"}']


def test_problems_give_their_exit_code(stage):
    stage.controller(rollback={"title": "Another run is under way", "status": 409, "detail": "held by process 42 since 16:43: rollback 16", "exit_code": 75, "holder": {"pid": 42}},
                     plan=PLAN)
    done = stage.cli("emergency", "why")
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr == ("auto-rollback: Another run is under way: held by process 42 since 16:43: rollback 16\n"
                           "To follow it:  auto-rollback status\nTo undo it, while that is possible:  auto-rollback cancel\n")
    done = stage.cli("manual", "-y", "why", "--json")
    assert done.returncode == 75
    assert json.loads(done.stdout)["holder"] == {"pid": 42}


def test_pause_resume_cancel_adopt(stage):
    stage.controller(pause={"paused": True, "by": "root (uid 0)", "since": None, "why": "migration"}, resume={"paused": False}, run_show=run(2),
                     run_cancel={"cancelled": True, "detail": "undone before v3.0.0 was stopped", "run": run(2)},
                     adopt={"releases": [{"version": "v2.4.0", "state": "unproven", "files": 412, "detail": ""}]})
    assert stage.cli("pause", "migration").stdout == "Deployments are paused by root (uid 0): migration.\n"
    assert stage.cli("resume").stdout == "Deployments are allowed.\n"
    assert stage.cli("cancel").stdout == "Cancelled: undone before v3.0.0 was stopped\n"
    assert stage.cli("adopt").stdout == "  v2.4.0              unproven   412 files\n"
    assert stage.asked() == ['pause {"why":"migration"}', "resume {}", "run_show {}", 'run_cancel {"id":17}', "adopt {}"]


def test_drain_and_restore(stage):
    held = {"state": "drained", "timed_out": False, "detail": "nothing in flight after 4 ms"}
    stage.controller(traffic_drain=held, traffic_restore={"state": "flowing", "timed_out": False, "detail": "flowing"})
    assert stage.cli("drain").stdout == "Traffic is drained: nothing in flight after 4 ms.\n"
    assert stage.cli("drain", "60").returncode == 0
    assert stage.cli("restore").stdout == "Traffic flows.\n"
    assert stage.asked() == ['traffic_drain {"timeout_seconds":30}', 'traffic_drain {"timeout_seconds":60}', "traffic_restore {}"]
    for typed in ("0", "3601", "5s", "soon", ""):
        done = stage.cli("drain", typed)
        assert done.returncode == 64 and "seconds from 1 to 3600" in done.stderr, typed


def test_a_drain_that_times_out_says_so(stage):
    stage.controller(traffic_drain={"state": "draining", "timed_out": True, "detail": "1 still in flight after 1000 ms"})
    done = stage.cli("drain", "1")
    assert done.returncode == 75 and done.stdout == "Traffic is held back, but the time is over: 1 still in flight after 1000 ms.\n"


# ---- when the controller dies ----

def test_the_controller_dies_in_the_middle_and_comes_back(stage):
    stage.controller(events=[*ALL_EVENTS[:3], "die"], rollback=run(0), validate=PASSED)
    process = subprocess.Popen(stage.command("emergency", "why"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert stage.fake.wait(10) == 9
    stage.fake.stdout.close()
    line = process.stderr.readline()
    while "does not answer" not in line:
        assert line
        line = process.stderr.readline()
    stage.controller(run_show=run(), rollback=run(0), validate=PASSED)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "step 8/8 resume deployments: done" in err
    assert out.startswith("Rolled back from v3.0.0 to v2.4.0")


def test_ctrl_c_stops_watching_only(stage):
    stage.controller(events=ALL_EVENTS[:3], rollback=run(0))
    process = subprocess.Popen(stage.command("emergency", "why"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    line = process.stderr.readline()
    while "step 2/8" not in line:
        assert line
        line = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "You stopped watching; run 17 goes on." in err


def test_without_a_controller(stage):
    for words in [["pause"], ["resume"], ["cancel"], ["adopt"], ["deploy", "v3.0.0"]]:
        done = stage.cli(*words)
        assert done.returncode == 69, words
        assert f"No controller answers on {stage.socket}: nobody listens there. Start it: systemctl start novacron-auto-rollback" in done.stderr


def test_a_controller_that_hangs_is_as_good_as_none(stage):
    import socket as sockets
    listener = sockets.socket(sockets.AF_UNIX)
    listener.bind(str(stage.socket))
    listener.listen(5)
    began = time.monotonic()
    done = stage.cli("pause")
    assert done.returncode == 69
    assert "it took the request, but said nothing for 2 s" in done.stderr
    assert time.monotonic() - began < 8
    listener.close()


def test_a_token_is_made_without_a_controller(stage):
    done = stage.cli("token", "deploy-bot", "--act")
    token, line = done.stdout.strip(), done.stderr.splitlines()[-1]
    assert done.returncode == 0 and re.fullmatch(r"nvr_[-_0-9A-Za-z]{43}", token), done
    assert line == f"deploy-bot act {hashlib.sha256(token.encode()).hexdigest()}"
    answer = json.loads(stage.cli("token", "viewer", "--json").stdout)
    assert (answer["name"], answer["right"]) == ("viewer", "read")
    assert answer["line"] == f"viewer read {hashlib.sha256(answer['token'].encode()).hexdigest()}" and answer["token"] != token
    assert stage.cli("token", "Two words").returncode == 65
    assert stage.cli("token").returncode == 64
    assert stage.cli("status", "--act").returncode == 64
