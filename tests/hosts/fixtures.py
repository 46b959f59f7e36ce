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
