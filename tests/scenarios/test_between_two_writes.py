"""What belongs together is more than one write in the journal, and a controller, or who does its work, may die between two of them:
the next one makes up for what is missing. The journal is put into the state that such a death leaves."""

from testsite import CONTROLLER, JOURNAL, NOT_VERIFIED, SERVICE_UNIT, UNITS


def slow_target(site, seconds_long=3):
    site.write(f"/etc/systemd/system/{UNITS['v2.4.0']}", SERVICE_UNIT.format(extra=f"ExecStartPre=/bin/sleep {seconds_long}"))
    site.host.systemctl("daemon-reload")


SQL = """\
import sqlite3, sys
journal = sqlite3.connect(sys.argv[1])
for statement in sys.argv[2].split("; "):
    rows = journal.execute(statement).fetchall()
journal.commit()
print(rows[0][0] if rows else "")
"""


def on_host(site, statements):
    """There, because that is where the journal's shared memory is."""
    return site.host.output(["/usr/bin/python3", "-c", SQL, JOURNAL, statements]).strip()


def change_journal(site, *statements):
    """While no controller runs."""
    on_host(site, "; ".join(statements))


def state_of(site, version):
    return on_host(site, f"SELECT state FROM releases WHERE version = '{version}'")


def deployments(site):
    """Newest first."""
    return site.ask("GET", "/history?limit=50")[1]["deployments"]


def test_died_before_what_follows_from_a_run(site):
    """The run's end is durable; that the release failed, what was deployed, and the validation are not."""
    site.begin_with(load=False)
    site.roll_back(check=NOT_VERIFIED)
    run = site.wait_for_run(kind="rollback")
    site.host.systemctl("stop", CONTROLLER)
    change_journal(site, "UPDATE releases SET state = 'baking' WHERE version = 'v3.0.0'",
                   "DELETE FROM deployments WHERE id = (SELECT max(id) FROM deployments)", "DELETE FROM validations",
                   "UPDATE \"values\" SET value = value - 1 WHERE key = 'aftermath.run'")
    site.host.systemctl("start", CONTROLLER)
    site.wait_status(lambda status: status["version"] == "v2.4.0" and status["deployment"]["version"] == "v2.4.0", what="it has looked")
    assert deployments(site)[0]["run"] == run["id"], "nobody else made v2.4.0 live"
    assert state_of(site, "v3.0.0") == "failed"
    before = len(deployments(site))
    site.host.systemctl("restart", CONTROLLER)
    site.wait_status(lambda status: status["version"] == "v2.4.0", what="it has looked again")
    assert len(deployments(site)) == before, "once is enough"


def test_emergency_without_journal_is_caught_up(site):
    """All that the side file has is the run."""
    site.begin_with(load=False)
    site.host.systemctl("stop", CONTROLLER)
    site.host.run(["mv", JOURNAL, f"{JOURNAL}.away"])
    site.host.run(["mkdir", JOURNAL])
    site.cli("emergency", "the journal is away", check=NOT_VERIFIED)
    site.host.run(["rmdir", JOURNAL])
    site.host.run(["mv", f"{JOURNAL}.away", JOURNAL])
    site.host.systemctl("start", CONTROLLER)
    run = site.wait_for_run(kind="rollback", mode="emergency")
    site.wait_status(lambda status: status["deployment"]["version"] == "v2.4.0", what="it knows what was deployed")
    assert deployments(site)[0]["run"] == run["id"]
    assert state_of(site, "v3.0.0") == "failed", "it is quarantined, whoever rolled it back"


def test_validation_is_picked_up(site):
    """The controller ends between a rollback and its validation: its successor validates."""
    site.begin_with()
    site.roll_back()
    run = site.wait_for_run(kind="rollback")
    site.host.systemctl("stop", CONTROLLER)
    change_journal(site, "UPDATE validations SET verdict = 'pending'")
    site.host.systemctl("start", CONTROLLER)
    assert site.wait_validation(run["id"])["validation"] == "passed"


def test_validation_ends_with_the_next_run(site):
    """Nobody will ever know: then it isn't pending for ever."""
    site.configure(thresholds={"degradation_window": "40s"}, decision={"interval": "10s"})
    site.begin_with(load=False)
    begun = site.ask("POST", "/rollback", {"mode": "manual", "reason": "the release is bad"})
    site.wait_for_run(kind="rollback")
    site.deploy("v3.0.0")
    assert site.wait_validation(begun[1]["id"])["validation"] == "not_verified"


def test_killed_after_the_switch_is_no_observed_deployment(site):
    """`current` is the target's and the run isn't over: that is our own doing."""
    site.begin_with(load=False)
    slow_target(site, 1)
    process = site.begin("manual", "--yes", "the release is bad")
    site.wait_acting("start_version")
    site.kills_controller = True
    site.host.run(["kill", "-9", str(site.controller_pid())])
    site.wait_for_run(kind="rollback", outcome="succeeded")
    process.communicate(timeout=30)
    assert not [one for one in deployments(site) if one["observed"] and one["version"] == "v2.4.0"], deployments(site)


def test_break_glass_dies_beside_a_controller(site):
    """It hung, an emergency began without it, and was killed in the middle: the controller, back again, finishes its run."""
    site.begin_with(load=False)
    slow_target(site)
    pid = site.controller_pid()
    site.host.run(["kill", "-STOP", str(pid)])
    glass = site.begin("emergency", "the controller does not answer")
    site.wait(lambda: site.current() == "v2.4.0", 30, "break glass has switched")
    glass.kill()
    glass.communicate()
    site.host.run(["kill", "-CONT", str(pid)])
    run = site.wait_for_run(kind="rollback", mode="emergency")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    site.check_steady("v2.4.0")


def test_reason_that_takes_room(site):
    """Who holds deployments and traffic is recorded with the reason: whatever it is made of, the run goes on."""
    site.begin_with(load=False)
    begun = site.ask("POST", "/rollback", {"mode": "manual", "reason": '"' * 500})
    assert begun[0] < 300, begun
    run = site.wait_for_run(kind="rollback")
    assert run["outcome"] == "succeeded", run["failure"]
    assert all(step["state"] == "done" for step in run["steps"]), run["steps"]
    site.check_steady("v2.4.0")


def test_hold_alert_ends_when_it_is_mended(site):
    """A page stands while nothing is known to serve, and no longer."""
    site.configure(budgets={"verify_health": "2s", "start_version": "2s"})
    site.begin_with(load=False)
    for unit in UNITS.values():
        site.write(f"/etc/systemd/system/{unit}", SERVICE_UNIT.format(extra="ExecStart=\nExecStart=/bin/false"))
    site.host.systemctl("daemon-reload")
    site.cli("manual", "--yes", "nothing can serve")
    site.wait_status(lambda status: any(alert["source"] == "holding" for alert in status["alerts"]), what="the page")
    for unit in UNITS.values():
        site.write(f"/etc/systemd/system/{unit}", SERVICE_UNIT.format(extra=""))
    site.host.systemctl("daemon-reload")
    site.cli("resume", check=0)
    version = "v3.0.0" if site.current() == "v2.4.0" else "v2.4.0"
    site.deploy(version)
    site.wait_status(lambda status: not [alert for alert in status["alerts"] if alert["source"] in ("holding", "run")],
                     what="the alerts are over")


def test_drain_of_a_dead_run_is_forgotten(site):
    """Traffic was given back, and who had drained it is still recorded: an operator's drain would be taken for that run's."""
    site.begin_with(load=False)
    site.host.systemctl("stop", CONTROLLER)
    change_journal(site, """INSERT INTO "values" VALUES ('hold.traffic', '{"run":2,"since_wall_us":1,"by":"run 2","why":"it died"}')""")
    site.host.systemctl("start", CONTROLLER)
    site.wait_status(lambda status: status["traffic"]["state"] == "flowing", what="the balancer is known")
    site.wait(lambda: on_host(site, "SELECT count(*) FROM \"values\" WHERE key = 'hold.traffic'") == "0", 10, "it is forgotten")
