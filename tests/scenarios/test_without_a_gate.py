"""HAProxy without the parking gate: requests are refused while a release is switched. That is said and counted, and traffic flows
again afterwards, whatever HAProxy thought of its server meanwhile."""

import pytest
from testsite import drained_at, seconds, step


@pytest.mark.parametrize("crashed", [False, True], ids=["server was up", "server was down"])
def test_plain_drain(site, crashed):
    site.configure(traffic={"haproxy": {"gate_map": None}}, decision={"rollbacks_per_day": 0})
    load = site.begin_with(unit_extra="Restart=no", good_faults={"slow_start_ms": 500})  # long enough that requests come meanwhile
    if crashed:
        site.host.systemctl("kill", "--signal=KILL", "novacron-dwcp-v3.service")
        site.wait_status(lambda status: status["traffic"]["detail"] == "no server of app is up", what="HAProxy sees its server down")
    told = site.roll_back(check=0).stdout
    assert "[x] Zero data loss confirmed" in told, "what is refused is not acknowledged"
    run = site.wait_for_run(kind="rollback")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    assert "refused" in step(run, "drain_traffic")["detail"], "it must be said that nothing is parked"
    site.check_steady("v2.4.0")
    summary = load.end()
    assert (summary["lost"], summary["duplicated"]) == (0, 0)
    restored = seconds(step(run, "restore_traffic")["ended"]) + 0.1
    late = [row for row in summary["all_failures"] if row["due_us"] > restored * 1e6]
    assert not late, f"{len(late)} requests failed after traffic was restored: {late[0]}"
    meanwhile = [row for row in summary["all_failures"] if drained_at(run) <= row["due_us"] / 1e6 <= restored]
    assert meanwhile and 0 < run["requests_failed"] <= len(meanwhile) + 2, (run["requests_failed"], len(meanwhile))
