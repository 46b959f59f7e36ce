"""A bad release is rolled back by itself, the reason names the trigger with its numbers, and no request or write is lost to it."""

import re

import pytest

# What the bad release does, how the balancer and the client look on, and what the reason must say.
BAD = {
    "5 % errors": ({"error_every": 20}, {}, r"error rate [45]\.\d\d % > 1\.0 % in [45] of 5 samples over 8 s \(newest: \d+ of \d+ requests failed\)"),
    "p99 of 250.4 ms": ({"latency_every": 40, "latency_us": 250400}, {}, r"p99 latency 25\d(\.\d+)? ms > 100 ms in [45] of 5 samples over 8 s"),
    "success 95 % by time-outs": ({"hang_every": 20}, {"timeout": 1200}, r"success rate 9[456]\.\d\d % < 99\.0 % in [45] of 5 samples over 8 s \(newest: \d+ of \d+ requests succeeded\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_degraded(site, name):
    faults, load_options, reason = BAD[name]
    site.release("v2.4.0")
    site.release("v3.0.0", **faults)
    site.start()
    site.deploy_good("v2.4.0")
    load = site.load(**load_options)
    site.deploy("v3.0.0")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert (run["outcome"], run["from"], run["to"], run["serving"]) == ("succeeded", "v3.0.0", "v2.4.0", "v2.4.0")
    assert re.search(reason, run["reason"]), run["reason"]
    assert run["decision"] and run["initiator"] == "controller"
    assert run["requests_failed"] == 0
    run = site.wait_validation(run["id"])
    assert run["validation"] == "passed"
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)
    assert any("v2.4.0" in alert and "rollback" in alert for alert in site.alerts())


CRASHES = {
    "fails and stays down": ({"crash_on_request": 100}, "Restart=no", r"novacron-dwcp-v3\.service.*failed"),
    "restarts again and again": ({"crash_on_request": 30}, "Restart=on-failure\nRestartSec=100ms", r"restart"),
    "restarts too slowly to be called failed": ({"crash_on_request": 100}, "Restart=on-failure\nRestartSec=60s", r"outage|failed|no request"),
}


@pytest.mark.parametrize("name", CRASHES)
def test_unit_crashes(site, name):
    faults, unit_extra, reason = CRASHES[name]
    site.release("v2.4.0")
    site.release("v3.0.0", unit_extra, **faults)
    site.start()
    site.deploy_good("v2.4.0")
    load = site.load()
    site.deploy("v3.0.0")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    assert re.search(reason, run["reason"]), run["reason"]
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)
