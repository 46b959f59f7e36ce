"""Somebody else makes a release live: it is observed, and judged as ours are."""

from testsite import UNITS


def switch_by_hand(site, old, new):
    site.host.systemctl("stop", UNITS[old])
    site.host.run(["ln", "-sfn", f"/opt/novacron/versions/{new}", "/opt/novacron/current"])
    site.host.systemctl("start", UNITS[new])


def test_same_symptoms_before(site):
    """What was wrong before an observed deployment as well, going back would not mend: a person has to look."""
    site.release("v2.4.0", error_every=20)
    site.release("v3.0.0", error_every=20)
    site.start()
    site.deploy_good("v2.4.0")
    load = site.load()
    site.wait_status(lambda status: any(alert["source"] == "decision" for alert in status["alerts"]), timeout=30, what="v2.4.0 is bad")
    switch_by_hand(site, "v2.4.0", "v3.0.0")
    status = site.wait_status(lambda status: status["version"] == "v3.0.0" and any(alert["source"] == "decision" for alert in status["alerts"]),
                              timeout=30, what="v3.0.0 is bad, too")
    assert status["deployment"]["observed"] and status["deployment"]["armed"]
    alert = next(alert for alert in status["alerts"] if alert["source"] == "decision")
    assert "v3.0.0" in alert["message"] and "same" in alert["message"], alert
    assert not [run for run in site.runs() if run["kind"] == "rollback"]
    load.end()
