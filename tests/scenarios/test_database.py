"""The service's database is a real PostgreSQL with a replica: how far that is behind, what is wrong with it, and what is wrong with the data."""

import json
import os
import sys
from pathlib import Path

import pytest
from fixtures import need_hosts
from hosts import Host
from test_openapi import Description, get, wrong_answers
from testsite import CANCELLED, FAST_WINDOW, NOT_VERIFIED, VALIDATION_FAILED, Site, find_program

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "adapters"))
from postgres_cluster import USER, Cluster, needs_postgres  # noqa: E402

pytestmark = needs_postgres
ANSWERS = [("GET", "/api/v3/database/replication"), ("GET", "/api/v3/admin/consistency-check"), ("GET", "/api/v3/health/{name}"),
           ("GET", "/api/v3/validate")]


@pytest.fixture(scope="module")
def database():
    """One host for the file: a site whose controller watches a primary and its replica. Each test leaves it well."""
    need_hosts()
    with Host() as host, Cluster.on(host) as cluster:
        cluster.psql("create table orders (id int primary key, total int not null)", "create table lines (order_id int)",
                     "insert into orders select i, i from generate_series(1, 2000) i")
        cluster.allow_amcheck()
        cluster.standby = cluster.replica("standby")
        made = Site(host)
        made.cluster = cluster
        orphans = "select * from lines where order_id not in (select id from orders)"
        made.configure(data={"driver": "postgres", "lag": "500ms",
                             "postgres": {"host": str(cluster.directory), "port": cluster.primary.port,
                                          "replicas": [f"standby={cluster.directory}:{cluster.standby.port}"], "checks": {"orphans": [orphans]}}},
                       components={"database": {"interval": "200ms", "timeout": "1s", "failures": 2}}, **FAST_WINDOW)
        made.release("v2.4.0")
        made.release("v3.0.0")
        made.copy_in(find_program("health-checker"), "/usr/local/bin/health-checker", 0o755)
        made.start()
        made.deploy_good("v2.4.0")
        yield made
        trouble = made.crashes()
        assert not trouble, trouble


@pytest.fixture
def site(database):
    """For pytest's report, too."""
    wait(database, lambda answer: answer["state"] == "healthy", "it is well before")
    return database


def replication(site):
    answer = site.ask("GET", "/database/replication")
    return answer[1] if answer and answer[0] == 200 else None


def wait(site, predicate, what, timeout=30):
    def condition():
        answer = replication(site)
        return answer if answer and predicate(answer) else None

    return site.wait(condition, timeout, what)


def component(site, state, words, timeout=30):
    def condition():
        answer = site.ask("GET", "/health/database")
        return answer[1] if answer and answer[1].get("status") == state and words in answer[1]["reason"] else None

    return site.wait(condition, timeout, f"the component is {state}: {words}")


def verdict(site, key):
    checks = site.ask("GET", "/validate")[1]["checks"]
    return next((check["verdict"], check["measured"]) for check in checks if check["key"] == key)


def described(site):
    description = Description(json.loads(get(site, "/openapi.json")[3]))
    wrong = [line for method, path in ANSWERS for line in wrong_answers(description, site, method, path, path.replace("{name}", "database"))]
    assert not wrong, "\n".join(wrong)


def asked_for(site):
    return sum(entry["path"].endswith("/consistency-check") for entry in site.ask("GET", "/audit?limit=200")[1]["entries"])


def write(site):
    site.cluster.psql("insert into lines select 1 from generate_series(1, 5000)", "delete from lines")


def test_near(site):
    """The numbers are real: nothing is missing once all is replayed; the specification's question has its answer."""
    write(site)
    answer = wait(site, lambda answer: answer["lag_bytes"] == 0 and answer["replicas"][0]["idle_ms"], "all is replayed")
    assert answer["lag_ms"] == 0 and answer["primary"] and answer["expected"] == 1 and answer["sample_age_s"] is not None
    one = answer["replicas"][0]
    assert (one["name"], one["state"], one["sync"], one["lag_is"]) == ("standby", "streaming", "async", "it has replayed everything")
    assert one["idle_ms"] > 0 and not (one["paused"] or one["stale"] or one["missing"])
    typed = site.host.run("curl -s --unix-socket /run/novacron/rollback.sock http://localhost/api/v3/database/replication | jq .lag_ms")
    assert float(typed.stdout) < 100
    assert "1 of 1 replica sound" in component(site, "healthy", "it answers")["reason"]
    assert "1 of 1 replica sound, lag " in site.host.run(["health-checker", "status"], check=False).stdout
    assert verdict(site, "database")[0] == "passed"
    described(site)


def test_paused(site):
    site.cluster.standby.psql("select pg_wal_replay_pause()", user=USER)
    try:
        wait(site, lambda answer: answer["replicas"][0]["paused"], "it says so")
        write(site)
        answer = wait(site, lambda answer: answer["replicas"][0]["stale"] and answer["lag_ms"] > 1000, "it is behind")
        assert answer["state"] == "degraded" and answer["lag_bytes"] > 100_000 and "standby: paused, lag at least" in answer["detail"]
        assert answer["replicas"][0]["lag_is"].startswith("at least: ")
        found = component(site, "degraded", "standby: paused")
        assert "0 of 1 replica sound" in found["reason"]
        state, measured = verdict(site, "database")
        assert state == "failed" and "standby: paused" in measured
        described(site)
    finally:
        site.cluster.standby.psql("select pg_wal_replay_resume()", user=USER)


def test_replica_killed(site):
    site.cluster.standby.kill()
    try:
        answer = wait(site, lambda answer: answer["replicas"][0]["missing"], "it is named")
        assert (answer["state"], answer["lag_ms"], answer["lag_bytes"]) == ("degraded", None, None) and "standby: missing" in answer["detail"]
        assert "it isn't connected to the primary; it can't be asked itself" in answer["replicas"][0]["detail"]
        component(site, "degraded", "standby: missing")
    finally:
        site.cluster.standby.start()


def test_server_down(site):
    """Not known is told as such; the component fails, and with it what the rollback is validated by."""
    site.cluster.primary.stop(immediate=True)
    try:
        found = component(site, "unhealthy", "is it running? systemctl status postgresql")
        assert f"PostgreSQL at {site.cluster.directory}" in found["reason"]
        answer = replication(site)
        assert (answer["state"], answer["lag_ms"], answer["primary"], answer["replicas"]) == ("unknown", None, None, [])
        assert site.ask("GET", "/health")[0] == 503, "it is critical"
        assert verdict(site, "database")[0] == "failed"
        done = site.cli("consistency-check", check=NOT_VERIFIED)
        assert "It could not be told: PostgreSQL at " in done.stdout
        described(site)
    finally:
        site.cluster.primary.start()


def test_sound_data(site):
    """Begun at once, followed to its end; and its result outlives the controller."""
    code, begun = site.ask("POST", "/admin/consistency-check", {})
    assert code == 202 and begun["state"] in ("running", "passed") and begun["by"].startswith("root"), begun
    done = site.cli("consistency-check", check=0)
    assert done.stdout == "No damage found: 4 checks passed: 2 tables, 1 indexes, 1 declared.\n", done.stdout
    before = site.ask("GET", "/admin/consistency-check")[1]
    assert (before["state"], before["done"], before["total"], before["problems"], before["findings"]) == ("passed", 4, 4, 0, [])
    site.host.systemctl("restart", "novacron-auto-rollback.service")
    site.wait(lambda: site.ask("GET", "/admin/consistency-check"), 20, "it is back")
    after = site.ask("GET", "/admin/consistency-check")[1]
    assert after == before
    described(site)


def test_damage(site):
    """Rows that the service calls wrong, and an index that was overwritten: named, told, held against the rollback, until a check passes."""
    cluster = site.cluster
    index = site.inside(str(cluster.primary.relation_file("orders_pkey")))
    cluster.psql("insert into lines values (9999)")
    cluster.psql("checkpoint", user=USER)
    cluster.primary.stop()
    sound = index.read_bytes()
    fd = os.open(index, os.O_WRONLY)
    os.pwrite(fd, b"\x17\x03" * 500, 8192 + 4096)
    os.close(fd)
    cluster.primary.start()
    try:
        wait(site, lambda answer: answer["state"] == "healthy", "it is up again")
        done = site.cli("consistency-check", check=VALIDATION_FAILED)
        assert "DAMAGE FOUND, 2 problems: " in done.stdout and "index orders_pkey: " in done.stderr, done
        assert "declared check orphans: 1 wrong row, such as (9999)" in done.stderr
        found = component(site, "degraded", "found damage: 2 problems, index orders_pkey")
        assert found["score"] == 50
        assert any(alert["source"] == "consistency" for alert in site.status()["alerts"])
        assert [line for line in site.alerts() if "found damage" in line]
        state, measured = verdict(site, "data_loss")
        assert state == "failed" and "consistency check: index orders_pkey" in measured, measured
        site.host.systemctl("restart", "novacron-auto-rollback.service")
        component(site, "degraded", "found damage: 2 problems")
        described(site)
    finally:
        cluster.psql("delete from lines")
        cluster.primary.stop()
        index.write_bytes(sound)
        cluster.primary.start()
    wait(site, lambda answer: answer["state"] == "healthy", "it is up again")
    site.cli("consistency-check", check=0)
    component(site, "healthy", "it answers")
    assert not any(alert["source"] == "consistency" for alert in site.status()["alerts"])


def test_never_beside_a_run(site):
    """A run stops it; while one is under way it isn't begun."""
    before = site.config["data"]
    slow = {**before, "postgres": {**before["postgres"], "checks": {"slow": ["select pg_sleep(60)"]}}}
    site.configure(data=slow)
    site.host.systemctl("reload", "novacron-auto-rollback.service")
    try:
        site.wait(lambda: (site.ask("POST", "/admin/consistency-check", {}) or [0])[0] == 202 and
                  "slow" in (site.ask("GET", "/admin/consistency-check")[1]["now"] or ""), 20, "it is at the slow one")
        asked = asked_for(site)
        following = site.begin("consistency-check")
        site.wait(lambda: asked_for(site) > asked, 20, "it has joined that one")
        deploying = site.begin("deploy", "v3.0.0")
        out, err = following.communicate(timeout=30)
        assert following.returncode == CANCELLED and "Stopped: a run has begun" in out, out + err
        answer = site.ask("POST", "/admin/consistency-check", {})
        assert answer[0] in (409, 202)
        deploying.communicate(timeout=60)
        assert site.wait_for_run(kind="deployment", to="v3.0.0")["outcome"] == "succeeded"
    finally:
        site.configure(data=before)
        site.host.systemctl("reload", "novacron-auto-rollback.service")
