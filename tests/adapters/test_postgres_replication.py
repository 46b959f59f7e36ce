"""How far real standbys are behind: near, paused, stale, gone; and what can't be told."""

import signal

import pytest

from postgres_cluster import USER, Cluster, needs_postgres
from postgres_tool import Asker, closing  # noqa: F401

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def cluster():
    """A primary with two standbys, one of which may be asked itself. Tests leave it as they found it."""
    with Cluster() as made:
        made.psql("create table t (v text)")
        made.near, made.far = made.replica("near"), made.replica("far")
        yield made


def ask(cluster, closing, **settings):
    return closing(Asker.of(cluster, **{"replicas": f"near={cluster.directory}:{cluster.near.port}", **settings}))


def replica(answer, name):
    return next(one for one in answer["replicas"] if one["name"] == name)


def all_replayed(answer):
    return all(one["lag_bytes"] == 0 for one in answer["replicas"])


def write(cluster):
    cluster.psql("insert into t select repeat('x', 1000) from generate_series(1, 100)")


def test_near(cluster, closing):
    """Nothing is missing: 0, however long nothing has been written. What the standby says itself grows meanwhile, and has its own label."""
    asker = ask(cluster, closing)
    write(cluster)
    answer = asker.until(all_replayed, "all is replayed")
    assert answer["primary"] and answer["detail"] == "" and answer["expected"] == 1
    assert [one["name"] for one in answer["replicas"]] == ["near", "far"]
    for one in answer["replicas"]:
        assert (one["state"], one["sync"], one["lag_us"], one["paused"], one["stale"], one["missing"]) == ("streaming", "async", 0, False, False, False)
    idle = replica(answer, "near")["idle_us"]
    assert idle > 0 and replica(answer, "far")["idle_us"] == -1, "only who is asked can tell"
    later = asker.until(lambda answer: replica(answer, "near")["idle_us"] > idle + 100_000, "it grows")
    assert replica(later, "near")["lag_us"] == 0


def test_paused(cluster, closing):
    """The primary's replay_lag stands still, whatever is written. Who can be asked says that it is paused, of the other the silence is told."""
    asker = ask(cluster, closing)
    asker.until(all_replayed, "all is replayed")
    for server in (cluster.near, cluster.far):
        server.psql("select pg_wal_replay_pause()", user=USER)
    try:
        asker.until(lambda answer: replica(answer, "near")["paused"], "it says so")
        assert replica(asker.replication(), "near")["lag_us"] == 0, "paused, but nothing is missing yet"
        write(cluster)
        answer = asker.until(lambda answer: replica(answer, "far")["stale"] and replica(answer, "far")["lag_us"] > 1_300_000, "the other's silence")
        near, far = replica(answer, "near"), replica(answer, "far")
        assert near["stale"] and near["lag_bytes"] > 100_000 and near["lag_us"] > 1_000_000
        assert near["detail"] == "replay is paused; there: SELECT pg_wal_replay_resume()"
        assert not far["paused"] and far["lag_bytes"] > 100_000 and "seen to replay nothing for " in far["detail"]
        assert "is it paused?" in far["detail"]
    finally:
        for server in (cluster.near, cluster.far):
            server.psql("select pg_wal_replay_resume()", user=USER)
    answer = asker.until(all_replayed, "it catches up")
    assert not any(one["paused"] or one["stale"] or one["detail"] for one in answer["replicas"])


def test_hung(cluster, closing):
    """Its walreceiver and its postmaster are frozen: it is connected and silent, and can't be asked."""
    asker = ask(cluster, closing)
    asker.until(all_replayed, "all is replayed")
    cluster.near.signal(signal.SIGSTOP, everything=True)
    try:
        write(cluster)
        first = asker.replication(800)
        assert "it can't be asked itself: " in replica(first, "near")["detail"] and replica(first, "near")["lag_bytes"] > 0
        assert replica(first, "far")["state"] == "streaming"
    finally:
        cluster.near.signal(signal.SIGCONT, everything=True)
    asker.until(all_replayed, "it catches up")


def test_missing(cluster, closing):
    """Expected, but not connected: named first, whether it can be asked or not."""
    asker = ask(cluster, closing, replicas=f"near={cluster.directory}:1")
    answer = asker.replication()
    assert "it can't be asked itself: " in replica(answer, "near")["detail"], "that alone is no loss"
    assert replica(answer, "near")["lag_us"] >= 0 or replica(answer, "near")["lag_bytes"] > 0
    asker = ask(cluster, closing, replicas=f"ghost={cluster.directory}:1")
    ghost = asker.replication()["replicas"][0]
    assert ghost["name"] == "ghost" and ghost["missing"] and ghost["lag_us"] == ghost["lag_bytes"] == -1
    assert ghost["detail"].startswith("it isn't connected to the primary; it can't be asked itself: ")
    cluster.far.stop()
    try:
        answer = ask(cluster, closing).until(lambda answer: len(answer["replicas"]) == 1, "who isn't expected is simply gone")
        asker = ask(cluster, closing, replicas="far")
        answer = asker.replication()
        assert replica(answer, "far")["missing"] and answer["expected"] == 1
    finally:
        cluster.far.start()
        cluster.wait_streaming("far")


def test_the_server_is_a_standby(cluster, closing):
    answer = closing(Asker.of(cluster, cluster.near)).replication()
    assert not answer["primary"] and answer["replicas"] == []
    assert f"port {cluster.near.port} is a standby itself: set data.postgres.host" in answer["detail"]


def test_no_right_to_see(cluster, closing):
    """Who may not know says so, and what to grant."""
    cluster.psql("create role blind login", user=USER)
    answer = ask(cluster, closing, user="blind").replication()
    assert answer["detail"] == "role blind may not see how far they are: GRANT pg_monitor TO blind"
    assert {(one["name"], one["state"], one["lag_us"], one["lag_bytes"]) for one in answer["replicas"]} == {("near", "", -1, -1), ("far", "", -1, -1)}


def test_no_replicas_and_no_server(closing):
    with Cluster() as cluster:
        asker = closing(Asker.of(cluster))
        assert asker.replication() | {"status": ""} == {"status": "", "error": "", "detail": "", "replicas": [], "primary": True, "expected": 0}
        cluster.primary.stop()
        answer = asker.ask("replication 5000")
        assert answer["status"] == "failed" and "is it running?" in answer["error"], answer


@pytest.mark.parametrize("address", ["db.example:5432", "10.0.0.1:0", "10.0.0.1:5432x", "[::1", "[::1]5432", "/run:x"])
def test_address_refused(address, closing):
    opened = closing(Asker(replicas=f"one={address}")).opened
    assert opened["status"] == "refused" and f"data.postgres.replicas: 'one={address}'" in opened["error"]


@pytest.mark.parametrize("address", ["10.0.0.1", "10.0.0.1:5432", "::1", "[::1]:5433", "/run/postgresql", "/run/postgresql:5433"])
def test_address_taken(address, closing):
    assert closing(Asker(replicas=f"one={address}")).opened["status"] == "open"
