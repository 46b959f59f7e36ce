"""Fixtures on throw-away hosts. A folder's conftest.py imports the ones its tests use."""

import os

import pytest

import hosts


@pytest.fixture(scope="session")
def build_dir():
    return hosts.BUILD_DIR


def need_hosts():
    reason = hosts.why_not()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)  # a test that silently doesn't run proves nothing
    if reason:
        pytest.skip(reason)


@pytest.fixture
def host():
    """A throw-away host of the test's own, booted."""
    need_hosts()
    with hosts.Host() as made:
        yield made


@pytest.fixture(scope="module")
def module_host():
    """One host for all tests of a file: faster, but they share what they leave on it."""
    need_hosts()
    with hosts.Host() as made:
        yield made


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """For a conftest.py to import: a test that failed says how its `site` looked."""
    outcome = yield
    report = outcome.get_result()
    made = item.funcargs.get("site") if hasattr(item, "funcargs") else None
    if report.when == "call" and report.failed and made is not None:
        report.sections.append(("site", made.report()))
