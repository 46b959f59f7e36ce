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


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; only with --long")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "long" in item.keywords and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: --long"))
