"""A bad release is rolled back by itself, the reason names the trigger with its numbers, and no request or write is lost to it."""

import re

import pytest
from testsite import SERVICE_UNIT, UNITS, VALIDATION_FAILED

# What the bad release does, how the balancer and the client look on, and what the reason must say.
BAD = {
    "5 % errors": ({"error_every": 20}, {}, r"error rate [45]\.\d\d % > 1\.0 % in [45] of 5 samples over 8 s \(newest: \d+ of \d+ requests failed\)"),
    "p99 of 250.4 ms": ({"latency_every": 40, "latency_us": 250400}, {}, r"p99 latency 25\d(\.\d+)? ms > 100 ms in [45] of 5 samples over 8 s"),
    "success 95 % by time-outs": ({"hang_every": 20}, {"timeout": 1200}, r"success rate 9[456]\.\d\d % < 99\.0 % in [45] of 5 samples over 8 s \(newest: \d+ of \d+ requests succeeded\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_degraded(site, name):
    faults, load_options, reason = BAD[name]
    if "error_every" not in faults:  # it is about latency, and about who has waited ten times that
        site.configure(thresholds={"latency_p99": "100ms"})
    site.release("v2.4.0")
    site.release("v3.0.0", **faults)
    site.start()
    site.deploy_good("v2.4.0")
    load = site.load(**load_options)
    site.measured()
    site.deploy("v3.0.0")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert (run["outcome"], run["from"], run["to"], run["serving"]) == ("succeeded", "v3.0.0", "v2.4.0", "v2.4.0")
    assert re.search(reason, run["reason"]), run["reason"]
    assert run["decision"] and run["initiator"] == "controller"
    assert run["requests_failed"] == 0
    run = site.wait_validation(run["id"])
    # what a request that was cut in the bad release's hands has done isn't known: then nothing is confirmed
    assert run["validation"] == ("not_verified" if run["in_flight_cut"] else "passed"), site.ask("GET", "/validate")
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)
    assert any("v2.4.0" in alert and "rollback" in alert for alert in site.alerts())


MEASURED = {
    "version": r"v2\.4\.0",
    "health_score": r"100/100 \(.*\)",
    "error_rate": r"0\.0\d %",
    "latency_p99": r"\d+(\.\d+)? ms",
    "latency_baseline": r"\d+(\.\d+)? ms, before the deployment \d+(\.\d+)? ms \(\d+ requests, 20[-0-9T:.]+Z\)",
    "success_rate": r"(99\.\d\d|100\.00) %",
    "services": r"novacron-dwcp-v2\.service.*; http://127\.0\.0\.1:9001/health .*",
    "data_loss": "0 cut; 0 failed or refused, none of them acknowledged",
    "traffic": r"flowing, (1[5-9]|2[0-4])\d requests/s",
    "incidents": r"0 alerts, 0 unresolved incidents of v2\.4\.0",
    "monitoring": r"edge is heard; newest sample .* ago; newest health answer .* ago",
    "logs": r"run 3's end is in it; newest line .* ago",
    "alerts": r"/usr/local/bin/record-alert: worked the last time",
}
ABSENT = {"consensus": "consensus.driver", "byzantine": "consensus.driver", "database": "data.driver"}


def check_validation(site):
    """Each item is answered by what was measured, or says what would have to be configured."""
    answer = site.cli_json("validate")
    checks = {check["key"]: check for check in answer["checks"]}
    assert set(checks) == set(MEASURED) | set(ABSENT)
    for key, pattern in MEASURED.items():
        assert checks[key]["verdict"] == "passed" and re.fullmatch(pattern, checks[key]["measured"]) and checks[key]["limit"], checks[key]
    for key, setting in ABSENT.items():
        assert checks[key]["verdict"] == "not_applicable" and setting in checks[key]["measured"], checks[key]
    assert (answer["passed"], answer["failed"], answer["not_verified"], answer["not_applicable"]) == (13, 0, 0, 3)
    told = site.cli("validate", check=0).stdout
    assert "\nRollback validation: PASSED\n" in told and told.count("\n  [x] ") == 6 + 11 and told.count("\n  [-] ") == 3, told


def test_validated_item_by_item(site):
    """First all is well; then the release that comes back is slower than it was, though still below the limit."""
    site.configure(validation={"baseline_floor": "200ms"})
    load = site.begin_with(measured=True, error_every=20)
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert site.wait_validation(run["id"])["validation"] == "passed", site.ask("GET", "/validate")
    check_validation(site)
    kept = site.ask("GET", f"/rollback/{run['id']}")[1]["validated"]
    assert (kept["verdict"], kept["passed"], kept["failed"]) == ("passed", 13, 0), kept
    site.measured()
    site.deploy("v3.0.0")
    slow = site.read("/etc/novacron/config.v2.4.0.yaml") + "latency_every: 1\nlatency_us: 300000\n"
    site.write("/etc/novacron/slow.yaml", slow)
    site.write(f"/etc/systemd/system/{UNITS['v2.4.0']}", SERVICE_UNIT.format(
        extra="ExecStart=\nExecStart=/opt/novacron/current/bin/demo-service --config /etc/novacron/slow.yaml"))
    site.host.systemctl("daemon-reload")
    told = site.roll_back("it shall be compared", check=VALIDATION_FAILED).stdout
    assert re.search(r"\[!\] Latency within baseline +\d+(\.\d+)? ms, before the deployment", told), told
    assert re.search(r"\[x\] P99 latency", told), told
    assert [alert for alert in site.status()["alerts"] if alert["source"] == "validation" and "Latency within baseline" in alert["message"]]
    load.end()


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
