"""A rollback that crosses a schema change loses no row, or refuses before it touches anything. With a real PostgreSQL; what is killed in
the middle of the way back leaves the schema wholly old or wholly new, and the run ends correctly."""

import os
import re
import signal
from itertools import count

import pytest
from fixtures import module_host, pytest_runtest_makereport  # noqa: F401
from schema_site import DOWN, DOWN_LOSES, DOWN_HELD_UP, UP, SchemaSite, needs_postgres
from test_kill_9 import Killer, settled
from testsite import CONTROLLER, HELD, NOT_VERIFIED, PUT_BACK, REFUSED, SERVICE_UNIT, UNITS, VALIDATION_FAILED, step

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def shared_site(module_host):  # noqa: F811
    made = SchemaSite(module_host)
    yield made
    made.cluster.close()


@pytest.fixture
def site(shared_site):
    shared_site.begin_again()
    yield shared_site
    trouble = shared_site.crashes()
    assert not trouble, f"the controller crashed, or a sanitizer complains: {trouble}"


def restored(run, recovery=False):
    """What step 4 says."""
    return step(run, "restore_version", recovery=recovery)["detail"]


def test_a_bad_release_is_rolled_back_with_its_schema(site):
    version = site.new_release(error_every=20)
    load = site.load(rate=100)
    site.deploy(version)
    site.check_wholly("v3.0.0")
    rows = site.rows("orders"), site.rows("events")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert run["outcome"] == "succeeded", run
    summary = load.end()
    site.check_wholly("v2.4.0")
    assert (site.rows("orders"), site.rows("events")) == rows, "no row is lost, v3's own neither"
    assert rows[0].startswith("1100|")
    site.check_ledger(summary, run)
    site.check_steady("v2.4.0")
    dump = re.search(r"/var/lib/novacron/\S*dump\S*", restored(run))
    assert dump and site.inside(dump[0].rstrip(";,.")).exists(), restored(run)


def test_a_deployment_that_fails_after_its_migration_is_put_back_with_the_schema(site):
    site.configure(budgets={"verify_health": "2s"})
    site.host.systemctl("reload", CONTROLLER)
    version = site.new_release(unhealthy=True)
    load = site.load(rate=40)
    site.deploy(version, check=PUT_BACK)
    run = site.runs()[0]
    assert (run["kind"], run["outcome"], run["serving"]) == ("deployment", "put_back", "v2.4.0")
    assert "schema v3.0.0 -> v2.4.0" in restored(run, recovery=True), run
    site.check_wholly("v2.4.0")
    assert site.rows("orders").startswith("1100|"), "what v3 has written stays"
    site.check_steady("v2.4.0")
    site.check_ledger(load.end())


def test_a_release_for_another_schema_is_not_deployed(site):
    version = site.new_release(works_with=("v3.0.0",))
    done = site.cli("deploy", "--yes", version, check=REFUSED)
    assert "can't work with schema v2.4.0" in done.stdout + done.stderr
    broken = site.new_release(declares={"version": "v3.0.0", "down": {"v2.4.0": "../../escape.sql"}})
    done = site.cli("deploy", "--yes", broken, check=REFUSED)
    assert re.search(rf"/{broken}/release.yaml:1:\d+: the script '../../escape.sql' can't be used", done.stdout + done.stderr), done.stdout + done.stderr
    site.check_wholly("v2.4.0")
    site.check_steady("v2.4.0")


def test_without_a_way_back_nothing_is_touched(site):
    version = site.new_release(down=None)
    load = site.load(rate=100)
    site.deploy(version)
    status = site.wait_status(lambda status: any(alert["source"] == "readiness" for alert in status["alerts"]), what="it is told beforehand")
    assert status["target"]["ready"] is False
    plan = site.cli_json("plan", "--to", "v2.4.0")
    assert plan["database"]["verdict"] == "refused" and plan["refused"].endswith(plan["database"]["detail"])
    assert f"Database: {plan['database']['detail']}\n" in site.cli("plan", "--to", "v2.4.0").stdout
    for verb in ("manual", "emergency"):
        done = site.cli(verb, "--yes", "--to", "v2.4.0", "it must go", check=REFUSED)
        assert "there is no way back to v2.4.0" in done.stdout + done.stderr
        run = site.runs()[0]
        assert (run["outcome"], run["serving"]) == ("refused", version)
        assert all(step["state"] in ("failed", "skipped") for step in run["steps"]), "nothing was touched"
    site.check_wholly("v3.0.0")
    assert site.serving() == version
    site.check_ledger(load.end())


def test_a_script_that_is_not_what_was_taken_in_is_not_run(site):
    version = site.new_release()
    script = f"/opt/novacron/versions/{version}/migrations/down-v2.4.0.sql"
    site.deploy(version)
    known, rows = site.read(script), site.rows("orders")
    site.write(script, "-- mended by hand\n" + known)
    plan = site.cli_json("plan", "--to", "v2.4.0")
    assert plan["database"]["verdict"] == "refused" and script in plan["refused"] and "auto-rollback adopt" in plan["refused"], plan
    for verb in ("manual", "emergency"):
        done = site.cli(verb, "--yes", "--to", "v2.4.0", "it must go", check=REFUSED)
        assert "auto-rollback adopt" in done.stdout + done.stderr
    site.check_wholly("v3.0.0")
    assert site.rows("orders") == rows and site.serving() == version
    site.cli("adopt", check=0)
    site.cli("manual", "--yes", "--to", "v2.4.0", "it may go")
    site.check_wholly("v2.4.0")


def test_rows_that_would_go_stop_it_unless_an_operator_says_so(site):
    version = site.new_release(down=DOWN_LOSES)
    dumps = site.inside("/var/lib/novacron/dumps")
    for path in dumps.glob("run-*"):
        path.unlink()
    load = site.load(rate=100)
    site.deploy(version)
    rows = site.rows("orders"), site.rows("events")
    plan = site.cli_json("plan", "--to", "v2.4.0")
    assert plan["database"]["verdict"] == "reversible" and plan["refused"] is None, plan
    site.cli("manual", "--yes", "--to", "v2.4.0", "it must go", check=PUT_BACK)
    run = site.runs()[0]
    assert (run["outcome"], run["serving"], run["allow_row_loss"]) == ("put_back", version, False)
    assert "events" in run["failure"], run["failure"]
    assert step(run, "restore_version")["attempt"] == 1, "the same rows would go again: it isn't tried twice"
    assert [path.name for path in dumps.iterdir()] == [f"run-{run['id']}-novacron.dump"]
    site.check_wholly("v3.0.0")
    assert (site.rows("orders"), site.rows("events")) == rows
    assert site.serving() == version
    done = site.cli("manual", "--yes", "--to", "v2.4.0", "--allow-row-loss", "they may go")
    assert done.returncode == VALIDATION_FAILED, "rows went: " + done.stdout + done.stderr
    run = site.runs()[0]
    assert (run["outcome"], run["allow_row_loss"]) == ("succeeded", True)
    assert restored(run).startswith("rows were lost, as allowed: public.events: "), restored(run)
    assert re.search(r"\[[^x]\] Zero data loss confirmed.*rows were lost, as allowed: public.events: ", done.stdout), done.stdout
    site.check_wholly("v2.4.0")
    assert site.rows("orders") == rows[0] and site.rows("events").startswith("40|")
    entry = site.cli_json("audit", "--limit", "10")["entries"][0]
    assert entry["arguments"]["allow_row_loss"] is True, entry
    site.check_ledger(load.end())


def wait_database_item(site, verdict, words):
    """What the target's readiness says of the database."""
    def said(status):
        return any(check["key"] == "database" and check["verdict"] == verdict and words in check["measured"] for check in status["target"]["checks"])

    site.wait_status(said, what=f"{verdict}: {words}")


def test_a_safety_dump_that_has_no_room_stops_it(site):
    """What may not fit is said beforehand, and found out by the run; what surely doesn't is refused before anything is touched."""
    dumps = "/var/lib/novacron/dumps"
    version = site.new_release()
    load = site.load(rate=40)
    site.sql("create table noise as select md5(i::text) a, md5((-i)::text) b from generate_series(1, 4000) i")  # 512 KiB that hardly compress
    site.host.mount_small_disk(dumps, "64k")
    site.host.run(["chown", "--reference=/var/lib/novacron", dumps])
    try:
        site.deploy(version)
        rows = site.rows("orders"), site.rows("events")
        wait_database_item(site, "unknown", f"the safety dump may not fit into {dumps}: 64.0 KiB left there")
        assert site.status()["target"]["ready"] is None
        assert "may not fit" in site.cli_json("plan", "--to", "v2.4.0")["database"]["detail"]
        site.cli("manual", "--yes", "--to", "v2.4.0", "it must go", check=PUT_BACK)
        assert not list(site.inside(dumps).glob("run-*")), "no half of a dump is left"
        run = site.runs()[0]

        site.host.fill_disk(dumps)
        done = site.cli("manual", "--yes", "--to", "v2.4.0", "it must go", check=REFUSED)
        assert f"the safety dump doesn't fit into {dumps}: 0 B left there" in done.stdout + done.stderr
        assert all(step["state"] in ("failed", "skipped") for step in site.runs()[0]["steps"]), "nothing was touched"
        wait_database_item(site, "failed", "the safety dump doesn't fit")
    finally:
        site.host.run(["umount", dumps])
    assert (run["outcome"], run["serving"]) == ("put_back", version)
    for words in (f"{dumps}/run-{run['id']}-novacron.dump", "nothing was changed", "No space left on device", "make room there"):
        assert words in run["failure"], run["failure"]
    site.check_wholly("v3.0.0")
    assert (site.rows("orders"), site.rows("events")) == rows
    assert site.serving() == version
    site.check_ledger(load.end())


def begin_held_up(site):
    """A rollback in the middle of its script."""
    version = site.new_release(down=DOWN_HELD_UP)
    load = site.load(rate=40)  # what waits meanwhile comes all at once
    site.deploy(version)
    rows, newest = site.rows("orders"), site.runs()[0]["id"]
    site.hold_up()
    assert site.ask("POST", "/rollback", {"mode": "manual", "to": "v2.4.0", "reason": "something is killed in the middle"})[0] == 200
    site.wait_held_up()
    return load, rows, newest


def check_finished(site, load, rows, newest):
    run = site.wait_for_run(kind="rollback", after=newest)
    assert run["outcome"] == "succeeded", run
    site.check_wholly("v2.4.0")
    assert site.rows("orders") == rows
    site.check_steady("v2.4.0")
    site.check_ledger(load.end())
    return run


def test_the_controller_is_killed_in_the_middle(site):
    begun = begin_held_up(site)
    site.kills_controller = True
    os.kill(site.outside_pid(site.controller_pid()), signal.SIGKILL)
    site.let_go()
    check_finished(site, *begun)
    assert "taken over from a process that died" in site.host.journal(CONTROLLER)


@pytest.mark.long
@pytest.mark.parametrize("syscall", ["rename", "fdatasync"])
def test_the_controller_is_killed_at_every(site, syscall):
    """Before and after each intent, result, dump, plan and switch."""
    version = site.new_release()
    site.kills_controller = True
    for k in count(1):
        site.begin_again()
        site.deploy(version)
        rows, newest = site.rows("orders"), site.runs()[0]["id"]
        killer = Killer(site, syscall, k)
        site.ask("POST", "/rollback", {"mode": "manual", "to": "v2.4.0", "reason": "killed again and again"})
        run = settled(site, newest)
        killed = killer.end()
        assert run is None or run["outcome"] == "succeeded", run
        site.check_wholly("v3.0.0" if run is None else "v2.4.0")
        assert site.rows("orders") == rows
        assert site.serving() == (version if run is None else "v2.4.0")
        if not killed:
            break
    assert k > {"rename": 3, "fdatasync": 15}[syscall], f"only {k - 1} kills: is it still this system call?"


def test_psql_is_killed_in_the_middle(site):
    begun = begin_held_up(site)
    run = site.wait_acting("restore_version")
    assert "schema v3.0.0 -> v2.4.0" in restored(run), "how far it is, is shown meanwhile"
    assert "step 4/8 Restore previous version: safety dump" in site.host.journal(CONTROLLER)
    pid = site.host.output(["pgrep", "-f", "psql.* -f -$"]).split()[0]
    site.host.run(["kill", "-9", pid])
    site.let_go()
    run = check_finished(site, *begun)
    assert step(run, "restore_version")["attempt"] == 2


def test_the_server_is_killed_in_the_middle_and_comes_back(site):
    begun = begin_held_up(site)
    site.kill_server()
    site.holder.wait(10)
    site.cluster.primary.start()
    run = check_finished(site, *begun)
    assert step(run, "restore_version")["attempt"] == 2


def test_break_glass_does_the_same(site):
    version = site.new_release()
    load = site.load(rate=100)
    site.deploy(version)
    rows = site.rows("orders")
    site.host.systemctl("stop", CONTROLLER)
    assert "Database: " in site.cli("plan", "--to", "v2.4.0", check=0).stdout
    done = site.cli("emergency", "--to", "v2.4.0", "there is no controller")
    assert done.returncode in (0, NOT_VERIFIED), done.stdout + done.stderr
    site.check_wholly("v2.4.0")
    assert site.rows("orders") == rows
    site.host.systemctl("start", CONTROLLER)
    site.check_steady("v2.4.0")
    site.check_ledger(load.end())


def test_an_original_that_its_schema_has_left_is_not_started_silently(site):
    """The way back was taken, but the target doesn't start, and the original doesn't work with the old schema."""
    site.sql(UP.replace("begin;", "").replace("commit;", ""))
    version = site.new_release(up=None, works_with=("v3.0.0",))
    site.cli("deploy", "--yes", version, check=0)  # it may be seen before that v2.4.0 doesn't work with what is there
    site.write(f"/etc/systemd/system/{UNITS['v2.4.0']}", SERVICE_UNIT.format(extra="ExecStart=\nExecStart=/bin/false"))
    site.host.systemctl("daemon-reload")
    try:
        site.cli("manual", "--yes", "--to", "v2.4.0", "it must go", check=HELD)
    finally:
        site.write(f"/etc/systemd/system/{UNITS['v2.4.0']}", SERVICE_UNIT.format(extra=""))
        site.host.systemctl("daemon-reload")
    run = site.runs()[0]
    assert (run["outcome"], run["serving"]) == ("held", None)
    site.check_wholly("v2.4.0")
    assert site.current() == "v2.4.0", "it is not switched to what can't work"
    told = [alert for alert in site.alerts() if "HOLDING" in alert]
    assert told and "can't work with schema v2.4.0" in told[0] and ".dump" in told[0] and "pg_restore" in told[0], told
    site.cli("restore")
    site.cli("resume")
