"""For all tests in Python.

BUILD_DIR=... pytest-3 tests        tests what was built there (default: build)
... --long                          also what takes minutes (or TEST_LONG=1, as ./test --long says)
... -n 4                            in parallel, with python3-pytest-xdist: each test has a machine of its own"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "hosts"))


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", default=bool(os.environ.get("TEST_LONG")), help="also the tests that take minutes")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Each failure in a few lines, for ./test to end with: the whole log may be out of reach where it has run."""
    outcome = yield
    report = outcome.get_result()
    path = os.environ.get("TEST_FAILURES")
    if not report.failed or not path:
        return
    said = " ".join(str(call.excinfo.value if call.excinfo else report.longrepr).split())
    lines = [f"{report.nodeid} ({report.when})", f"    {said[:300]}"]
    digest = getattr(getattr(item, "funcargs", {}).get("site"), "digest", None)
    if digest:
        lines += [f"    {line[:240]}" for line in digest()]
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; only with --long")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "long" in item.keywords and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: --long"))
