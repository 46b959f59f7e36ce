"""explain, replay, verify and shadow-report, on a journal that make-journal made: no controller runs. What is printed is compared
with golden/*.txt as a whole (GOLDEN_WRITE=1 writes them anew)."""

import json
import sqlite3
import subprocess

import pytest
from test_cli import BUILD_DIR, Stage, fits, golden, stage  # noqa: F401

MAKE = BUILD_DIR / "tests/cli/make-journal"


@pytest.fixture
def journal(stage):  # noqa: F811
    path = stage.directory / "state/journal.db"
    path.parent.mkdir()
    subprocess.run([MAKE, path], check=True)
    stage.journal = path
    return stage


def tamper(stage, sql):
    with sqlite3.connect(stage.journal) as database:
        database.execute(sql)
    database.close()


def test_explain(journal):
    for name, words in (("rollback", ("1",)), ("shadow", ("2",)), ("outage", ())):
        done = journal.cli("explain", *words)
        assert (done.returncode, done.stderr) == (0, "")
        fits(golden(f"explain-{name}", done.stdout))
    assert journal.cli("explain", "run", "1").stdout == journal.cli("explain", "1").stdout


def test_explain_is_readable_without_utf8_and_without_colours(journal):
    done = journal.cli("explain", "1", LC_ALL="C")
    assert done.stdout.isascii()
    golden("explain-ascii", done.stdout)
    seen, code = journal.on_terminal("explain", "1")
    assert code == 0 and "\x1b[" in seen
    seen, code = journal.on_terminal("explain", "1", NO_COLOR="1")
    assert code == 0 and "\x1b[" not in seen


def test_explain_as_json(journal):
    answer = json.loads(journal.cli("explain", "2", "--json").stdout)
    assert [guard["guard"] for guard in answer["guards"] if guard["forbids"]] == ["shadow"]
    assert answer["replay"] == {"id": 2, "verdict": "identical", "detail": "", "rule_version": 1}
    assert len(answer["samples"]) == len(answer["decision"]["samples"]) == 5


@pytest.mark.parametrize("words, code, said", [
    (("explain", "9"), 66, "there is no decision 9"),
    (("explain", "run", "2"), 66, "run 2 was begun by an operator"),
    (("explain", "run", "9"), 66, "there is no run 9"),
    (("explain", "x"), 64, "is not the id of a decision"),
    (("explain", "1", "2"), 64, "is not the id of a decision"),
    (("replay", "run"), 64, "is not the id of a decision"),
    (("replay", "1", "--all"), 64, "either an id or --all"),
    (("verify", "xyz"), 64, "is not a link"),
    (("shadow-report", "--from", "yesterday"), 64, "--from: "),
    (("explain", "--from", "2026-11-22"), 64, "has no option --from"),
])
def test_what_is_not_there_is_said(journal, words, code, said):
    done = journal.cli(*words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_without_a_journal(stage):  # noqa: F811
    for verb in ("explain", "replay", "verify", "shadow-report"):
        assert stage.cli(verb).returncode == 66


def test_replay(journal):
    done = journal.cli("replay", "1")
    assert (done.returncode, done.stdout) == (0, "decision 1: identical (rules of version 1)\n")
    done = journal.cli("replay", "--all")
    assert done.returncode == 0
    assert [line[:line.index(":")] for line in done.stdout.splitlines()[:3]] == ["decision 1", "decision 2", "decision 3"]
    assert "9 records, whole since " in done.stdout


@pytest.mark.parametrize("sql, words, code, said", [
    ("UPDATE decisions SET degraded = 3 WHERE id = 1", ("replay", "1"), 9, "decision 1: differs: degraded 4, kept 3"),
    ("UPDATE samples SET errors = 0, successes = requests WHERE decision_id = 1", ("replay", "1"), 9, "differs: degraded 0, kept 4"),
    ("UPDATE decisions SET evidence = json_set(evidence, '$.rollbacks_today', 3) WHERE id = 1", ("replay", "1"), 9, "differs: kind 'review', kept 'rollback'"),
    ("UPDATE decisions SET evidence = 'x' WHERE id = 1", ("replay", "1"), 9, "the evidence can't be read"),
    ("UPDATE decisions SET evidence = '' WHERE id = 1", ("replay", "1"), 8, "can't be recomputed: it was decided by a program that kept samples and rules alone"),
    ("UPDATE decisions SET rule_version = 7 WHERE id = 1", ("replay", "1"), 8, "rules of version 7"),
    ("UPDATE decisions SET degraded = 3 WHERE id = 2", ("replay", "--all"), 9, "NOT AS RECORDED: decision 2 was changed"),
    ("UPDATE decisions SET reason = 'x' WHERE id = 3", ("verify",), 9, "NOT AS RECORDED: decision 3 was changed"),
    ("DELETE FROM records WHERE seq = 1", ("verify",), 9, "record 1 was removed"),
])
def test_what_was_changed_shows(journal, sql, words, code, said):
    tamper(journal, sql)
    done = journal.cli(*words)
    assert (done.returncode, said in done.stdout) == (code, True), done.stdout + done.stderr


def test_verify(journal):
    done = journal.cli("verify", "--json")
    assert done.returncode == 0
    chain = json.loads(done.stdout)["chain"]
    assert (chain["whole"], chain["records"], chain["since"]) == (True, 9, "2026-11-22T15:43:06.000Z")
    assert journal.cli("verify", chain["newest"][:12]).returncode == 0
    tamper(journal, "DELETE FROM chain WHERE seq = (SELECT max(seq) FROM chain)")  # its record, too, as far as anybody can tell
    tamper(journal, "DELETE FROM samples WHERE decision_id = 3")
    tamper(journal, "DELETE FROM rules WHERE decision_id = 3")
    tamper(journal, "DELETE FROM decisions WHERE id = 3")
    assert journal.cli("verify").returncode == 0
    done = journal.cli("verify", chain["newest"][:12])
    assert (done.returncode, "isn't in the chain" in done.stdout) == (9, True)


def test_shadow_report(journal):
    done = journal.cli("shadow-report", "--to", "2026-11-23")
    assert (done.returncode, done.stderr) == (0, "")
    fits(golden("shadow-report", done.stdout))
    report = json.loads(journal.cli("shadow-report", "--from", "2026-11-22T15:00:00Z", "--to", "2026-11-23", "--json").stdout)
    assert (report["right"], report["wrong"], report["precision_percent"], report["sooner_median_s"]) == (1, 0, 100.0, 240.0)
