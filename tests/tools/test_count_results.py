"""The last line of ./test is only as good as this count: what failed, died or is missing must show."""
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]

JUNIT = """<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure message="x"/></testcase>
<testcase name="c"><error/></testcase><testcase name="d"><skipped/></testcase><testcase name="e"/></testsuite></testsuites>"""
MESON = "".join(f'{{"name": "t", "result": "{result}"}}\n' for result in
                ("OK", "OK", "OK", "FAIL", "TIMEOUT", "ERROR", "SKIP", "EXPECTEDFAIL", "UNEXPECTEDPASS", "INTERRUPT"))


def count(*paths):
    done = subprocess.run([TOP / "tools/count-results", *paths], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("name, text, expected", [
    ("junit.xml", JUNIT, "2 2 1"),
    ("testlog.json", MESON, "4 5 1"),
    ("cut.json", MESON[:-5], "0 1 0"),
    ("cut.xml", JUNIT[:-20], "0 1 0"),
    ("empty.json", "", "0 1 0"),
    ("none.xml", "<testsuites/>", "0 1 0"),
])
def test_count(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    assert count(tmp_path / name) == expected


def test_together_and_missing(tmp_path):
    (tmp_path / "a.xml").write_text(JUNIT)
    (tmp_path / "b.json").write_text(MESON)
    assert count(tmp_path / "a.xml", tmp_path / "b.json", tmp_path / "none.xml") == "6 8 2"
