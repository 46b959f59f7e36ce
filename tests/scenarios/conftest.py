"""One site for each scenario, on a machine of its own."""

import pytest
from fixtures import host, pytest_runtest_makereport  # noqa: F401
from testsite import Site


@pytest.fixture
def site(host):  # noqa: F811
    """Installed, not started; configure it and add releases first."""
    made = Site(host)
    yield made
    if host.pid:
        trouble = made.crashes()
        assert not trouble, f"the controller crashed, or a sanitizer complains: {trouble}"
