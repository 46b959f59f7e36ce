"""A release that is live but down, with no earlier one to go back to: an emergency, or a deployment that names it, starts it again."""

import pytest

from testsite import NOT_VERIFIED, REFUSED, UNITS


def only_one(site):
    site.release("v2.4.0")
    site.start()
    site.deploy_good("v2.4.0")


def let_it_die(site):
    site.host.systemctl("kill", "-s", "KILL", UNITS["v2.4.0"])
    site.wait_status(lambda status: status["units"]["state"] != "active", what="the unit's death")
    assert site.status()["version"] == "v2.4.0"


@pytest.mark.parametrize("words", [["emergency", "it is down"], ["emergency", "--to", "v2.4.0", "it is down"]])
def test_an_emergency_starts_it_again(site, words):
    only_one(site)
    let_it_die(site)
    done = site.cli(*words, check=NOT_VERIFIED, timeout=60)  # without traffic nothing can be measured
    assert "Started v2.4.0 again" in done.stdout + done.stderr
    run = site.runs()[0]
    assert (run["outcome"], run["from"], run["to"], run["serving"]) == ("succeeded", "", "v2.4.0", "v2.4.0")
    assert site.active("v2.4.0") and site.current() == "v2.4.0"


def test_a_deployment_starts_it_again(site):
    only_one(site)
    let_it_die(site)
    site.cli("deploy", "--yes", "v2.4.0", check=0)
    assert site.active("v2.4.0") and site.current() == "v2.4.0"


def test_what_serves_is_left_alone(site):
    only_one(site)
    load = site.load()
    before = site.host.show(UNITS["v2.4.0"], "MainPID")
    for words in (["emergency", "no reason at all"], ["emergency", "--to", "v2.4.0", "none"], ["deploy", "--yes", "v2.4.0"]):
        site.cli(*words, check=REFUSED)
    assert site.host.show(UNITS["v2.4.0"], "MainPID") == before
    assert load.end()["failed"] == 0
