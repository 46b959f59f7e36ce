"""A consistency check before a real server: sound, with damaged files, with rows that the service itself calls wrong, and stopped."""

import os

import pytest

from postgres_cluster import USER, Cluster, needs_postgres
from postgres_tool import Asker, closing  # noqa: F401

pytestmark = needs_postgres
CHECKS = {"orphans": "select * from lines where order_id not in (select id from orders)", "sums": "select id, total from orders where total < 0 ;"}


def fill(cluster):
    cluster.allow_amcheck()
    cluster.psql("create table orders (id int primary key, total int not null, note text)", "create table lines (order_id int)",
                 "insert into orders select i, i, repeat(md5(i::text), 100) from generate_series(1, 3000) i", "insert into lines select generate_series(1, 100)",
                 "create index on orders (total)", "create index hashed on lines using hash (order_id)", 'create schema "Other one"',
                 'create table "Other one"."Table" (v text)', "create unlogged table scratch (id int primary key)")


@pytest.fixture(scope="module")
def cluster():
    """For tests that leave it as they found it."""
    with Cluster() as made:
        fill(made)
        yield made


def damage(path, at, data):
    """Writes into a file of a stopped server."""
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, data, at)
    os.close(fd)


def test_sound(cluster, closing):
    """Tables, indexes (of their toast, too) and what is declared: each is told of, in order, with how many there are."""
    answer, told = closing(Asker.of(cluster, checks=CHECKS)).check()
    assert (answer["status"], answer["problems"]) == ("done", 0), answer
    assert answer["detail"] == "11 checks passed: 4 tables, 5 indexes, 2 declared; not looked at: 1 indexes that are no B-trees"
    names = [one["progress"] for one in told]
    assert 'table "Other one"."Table"' in names and "table public.orders" in names and "index orders_pkey" in names
    assert sum("pg_toast" in name for name in names) == 2 and names[-2:] == ["declared check orphans", "declared check sums"]
    assert [one["done"] for one in told] == list(range(11)) and {one["total"] for one in told} == {11}
    assert not any(one["finding"] for one in told)


def test_wrong_rows(cluster, closing):
    """What the service declares: counted, with an example; and it can't write, whatever it says."""
    cluster.psql("insert into lines values (5000), (5001)")
    try:
        answer, told = closing(Asker.of(cluster, amcheck="false", checks=CHECKS)).check()
        assert answer["problems"] == 1 and answer["detail"] == "declared check orphans: 2 wrong rows, such as (5000)"
        assert [(one["finding"], one["damage"]) for one in told if one["finding"]] == [(answer["detail"], True)]
        many = {"many": "select * from orders", "writes": "with gone as (delete from lines returning 1) select * from gone"}
        answer, told = closing(Asker.of(cluster, amcheck="false", checks=many)).check()
        assert answer["problems"] == 1 and answer["detail"].startswith("declared check many: at least 1000 wrong rows, such as (1,1,"), answer
        assert answer["detail"].endswith("; 1 could not be made") and len(answer["detail"]) < 256
        assert cluster.psql("select count(*) from lines") == "102"
    finally:
        cluster.psql("delete from lines where order_id >= 5000")


def test_cannot_be_told(cluster, closing):
    """A check that can't be made is neither passed nor a problem; nor is one that finds its table locked. That fails the whole."""
    broken = {"typo": "select * from order"}
    answer, told = closing(Asker.of(cluster, amcheck="false", checks=broken)).check()
    assert answer["status"] == "failed" and "1 of 1 checks could not be made, the first: declared check typo: syntax error" in answer["error"], answer
    assert [one["damage"] for one in told if one["finding"]] == [False]


def test_needs_the_extension(cluster, closing):
    cluster.psql("create database bare owner novacron", user=USER)
    asker = closing(Asker.of(cluster, database="bare"))
    answer, _ = asker.check()
    assert answer["status"] == "failed" and "as a superuser: CREATE EXTENSION amcheck" in answer["error"]
    cluster.psql("create schema tools", "create extension amcheck schema tools", database="bare", user=USER)
    answer, _ = asker.check()
    assert "role novacron may not use amcheck; as a superuser: GRANT EXECUTE ON FUNCTION tools.bt_index_check" in answer["error"]
    cluster.psql("grant usage on schema tools to novacron", answer["error"].partition("as a superuser: ")[2], database="bare", user=USER)
    answer, _ = asker.check()
    assert answer["status"] == "done" and answer["detail"] == "0 checks passed: 0 tables, 0 indexes, 0 declared", answer


def test_cancelled(cluster, closing):
    """The server stops with it."""
    asker = closing(Asker.of(cluster, amcheck="false", checks={"slow": "select pg_sleep(81)"}))
    asker.send("check 60000")
    assert asker.answer()["progress"] == "declared check slow"
    cluster.until(lambda: cluster.psql("select count(*) from pg_stat_activity where query like '%sleep(81)%' and pid <> pg_backend_pid()", user=USER) == "1",
                  "it runs")
    assert asker.ask("cancel") == {"status": "cancelled"}
    cluster.until(lambda: cluster.psql("select count(*) from pg_stat_activity where state = 'active' and query like '%sleep(81)%' and pid <> pg_backend_pid()",
                                       user=USER) == "0", "it has stopped")


def test_out_of_time(cluster, closing):
    asker = closing(Asker.of(cluster, amcheck="false", checks={"slow": "select pg_sleep(82)"}))
    answer, _ = asker.check(500)
    assert answer["status"] in ("timed_out", "failed") and ("within" in answer["error"]), answer


def test_damage(closing):
    """Garbage in an index, in a table, in a toast index' place a missing file; each is named, and none hides the others."""
    with Cluster() as cluster:
        fill(cluster)
        index, table, file = (cluster.primary.relation_file(name) for name in ("orders_total_idx", "orders", "orders_pkey"))
        cluster.psql("checkpoint", user=USER)
        cluster.primary.stop()
        damage(index, 8192 + 8192 // 2, b"\x17\x03" * 500)   # in the middle of a leaf page
        damage(table, 2 * 8192 + 24, b"\xff\x7f\x01\x00" * 4)  # line pointers of the third page
        os.truncate(file, 0)
        cluster.primary.start()
        answer, told = closing(Asker.of(cluster)).check()
        found = {one["progress"]: one["finding"] for one in told if one["finding"]}
        assert set(found) == {"index orders_total_idx", "table public.orders", "index orders_pkey"}, found
        assert all(one["damage"] for one in told if one["finding"]) and answer["problems"] == 3, answer
        assert "block 2" in found["table public.orders"], found
        assert answer["detail"].startswith("table public.orders: block 2")


def test_server_killed_meanwhile(closing):
    with Cluster() as cluster:
        asker = closing(Asker.of(cluster, amcheck="false", checks={"slow": "select pg_sleep(83)"}))
        asker.send("check 60000")
        asker.answer()
        cluster.until(lambda: cluster.psql("select count(*) from pg_stat_activity where query like '%sleep(83)%' and pid <> pg_backend_pid()", user=USER) == "1",
                      "it runs")
        cluster.primary.kill()
        answer = asker.answer()
        assert answer["status"] == "failed" and "declared check slow: PostgreSQL at " in answer["error"] and "lost" in answer["error"], answer
