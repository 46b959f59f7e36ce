"""One site for each scenario, on a machine of its own."""

import pytest
from fixtures import host  # noqa: F401
from testsite import Site


@pytest.fixture
def site(host):  # noqa: F811
    """Installed, not started; configure it and add releases first."""
    made = Site(host)
    yield made
    if host.pid:
        trouble = made.crashes()
        assert not trouble, f"the controller crashed, or a sanitizer complains: {trouble}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A scenario that failed says how its site looked."""
    outcome = yield
    report = outcome.get_result()
    made = item.funcargs.get("site") if hasattr(item, "funcargs") else None
    if report.when == "call" and report.failed and made is not None:
        report.sections.append(("site", made.report()))
