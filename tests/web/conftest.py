"""A site on a machine of its own, with a browser on it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))

from browser import Browser  # noqa: E402
from fixtures import host, pytest_runtest_makereport  # noqa: E402, F401
from testsite import Site  # noqa: E402


@pytest.fixture
def site(host):  # noqa: F811
    made = Site(host)
    yield made
    if host.pid:
        trouble = made.crashes()
        assert not trouble, f"the controller crashed, or a sanitizer complains: {trouble}"


@pytest.fixture
def browsers(site):
    """browsers(user=None): another browser on the site's machine."""
    made = []

    def another(user=None):
        made.append(Browser(site, user))
        return made[-1]

    yield another
    for browser in made:
        browser.close()
