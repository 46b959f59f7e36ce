"""The way back of a schema before a real PostgreSQL: what the gate says, what of the rows is proven and how, and what is there after
anybody was killed in the middle."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess

import pytest

from postgres_cluster import PROGRAMS, Cluster, needs_postgres
from schema_tool import NEW, OLD, Migrator, psql_children

pytestmark = needs_postgres

MADE = f"""
create table schema_version (version text not null, at timestamptz default now());
insert into schema_version values ('{NEW}');
create table customers (id int primary key, name text not null, tags text[], score double precision);
create table orders (id int primary key, customer int references customers, qty bigint not null, price numeric(10, 2), note text, detail json);
create index on orders (customer);
create view order_names as select o.id, c.name from orders o join customers c on c.id = o.customer;
insert into customers select i, 'name ' || i, array['a', i::text], i / 4.0 from generate_series(1, 200) i;
insert into orders select i, 1 + i % 200, i * 10, i / 7.0, 'note ' || i, '{{"a": 1}}' from generate_series(1, 2000) i;
"""
BACK = f"update schema_version set version = '{OLD}';\n"
DROP_NOTE = "alter table orders drop column note;\n" + BACK
NARROW = "alter table orders alter column qty type int;\n" + BACK


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        cluster.primary.psql("alter role novacron createdb", user="postgres", database="postgres")
        yield cluster


@pytest.fixture
def make(cluster):
    """make(settings): a fresh database `novacron`, and its migrator."""
    made = []

    def fresh(sql=MADE, **settings):
        cluster.psql("drop database if exists novacron with (force)", "create database novacron owner novacron", database="postgres", user="postgres")
        cluster.psql(sql)
        made.append(Migrator(cluster, **settings))
        return made[-1]

    yield fresh
    for migrator in made:
        migrator.close()


@pytest.fixture
def migrator(make):
    return make()


def state(cluster):
    """Everything that matters: the schema, and the rows."""
    columns = cluster.psql("select string_agg(table_name || '.' || column_name || ' ' || data_type, ',' order by table_name, ordinal_position) "
                           "from information_schema.columns where table_schema = 'public'")
    tables = cluster.psql("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1").split()
    return columns, {table: cluster.psql(f"select count(*), md5(string_agg(t::text, ';' order by t::text)) from {table} t") for table in tables}


def version(cluster):
    return cluster.psql("select version from schema_version")


def reversible(migrator, script, **more):
    answer = migrator.gate(script, **more)
    assert answer["verdict"] == "reversible", answer
    return answer


def planned(migrator):
    """What the rehearsal has found, by the tables' names."""
    [plan] = (migrator.state / "schema").glob("plan-*.json")
    return {table["name"]: table for table in json.loads(plan.read_text())["tables"]}


@contextlib.contextmanager
def holding(cluster, sql, user="novacron"):
    """A session that has done this, and stays."""
    words = [PROGRAMS / "psql", "-h", cluster.directory, "-p", str(cluster.primary.port), "-U", user, "-d", "novacron", "-XqAt"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        session.stdin.write(sql + ";\n\\echo held\n")
        session.stdin.flush()
        while session.stdout.readline().strip() != "held":
            assert session.poll() is None
        yield
        session.stdin.close()


# ---- the gate ----

def test_compatible(migrator):
    answer = migrator.gate(target=NEW)
    assert (answer["verdict"], answer["current"]) == ("compatible", NEW)
    assert migrator.gate(target=OLD, works_with=[NEW])["verdict"] == "compatible"
    assert migrator.gate(target="2.5.0")["verdict"] == "compatible", "the v doesn't count"
    undeclared = migrator.gate(declared=False)
    assert undeclared["verdict"] == "compatible" and "declares no schema" in undeclared["detail"]
    assert migrator.restore(target=NEW)["status"] == "done", "it is done at once"


def test_no_way_back(migrator):
    answer = migrator.gate()
    assert answer["verdict"] == "refused" and "there is no way back" in answer["detail"] and "schema.v2.4.0.sql" in answer["detail"]


def test_the_specifications_backup(migrator, cluster):
    migrator.script(DROP_NOTE, f"schema.{OLD}.sql")
    reversible(migrator, None)
    assert migrator.restore()["status"] == "done" and version(cluster) == OLD


def test_database_that_cannot_be_asked(make):
    migrator = make(port=5999)
    answer = migrator.gate(migrator.script(DROP_NOTE))
    assert answer["verdict"] == "unknown" and "5999" in answer["detail"]


def test_database_without_a_version(make):
    assert "schema_version" in make("create table t (a int)").gate()["detail"]
    answer = make("create table schema_version (version text); insert into schema_version values ('a'), ('b')").gate()
    assert answer["verdict"] == "refused" and "must have one" in answer["detail"]


@pytest.mark.parametrize("script, why", [
    ("select 1;\ncommit;\n" + DROP_NOTE, "line 2: COMMIT"),
    ("\\! touch /tmp/x\n" + BACK, "line 1: a backslash"),
    ("copy orders to program 'id';\n" + BACK, "line 1: COPY"),
    ("alter table orders drop column nothing;\n" + BACK, 'line 1: ERROR:  column "nothing"'),
    ("alter table orders drop column note;\n", "leaves schema_version at 'v2.5.0'"),
    ("alter table orders drop column note cascade\n", "line 2: the last statement"),
    ("drop table orders cascade;\n" + BACK, "would vanish"),
    ("drop view order_names; drop table orders; create table orders (id int primary key, qty bigint);\n" + BACK, "empties public.orders"),
    ("alter table orders drop column note;\ntruncate orders;\n" + BACK, "empties public.orders"),
    ("set constraints nc_guard immediate;\n" + BACK, "tried to end the transaction before"),
], ids=["commit", "command", "program", "fails", "version", "unfinished", "drops", "empties", "truncates", "guard"])
def test_refused_before_anything_is_touched(migrator, cluster, script, why):
    before = state(cluster)
    answer = migrator.gate(migrator.script(script))
    assert answer["verdict"] == "refused" and why in answer["detail"], answer
    refused = migrator.restore(migrator.script(script))
    assert refused["status"] == "failed" and why in refused["error"]
    assert state(cluster) == before


def test_dump_of_the_old_schema_would_empty_it(migrator, cluster):
    """What the specification's runbook would pipe into psql."""
    dump = cluster.run(["/usr/lib/postgresql/15/bin/pg_dump", "-h", cluster.directory, "-p", cluster.primary.port, "-U", "novacron", "-d", "novacron",
                        "--schema-only", "--clean", "--if-exists"])
    answer = migrator.gate(migrator.script(dump + f"insert into public.schema_version values ('{OLD}');\n"))
    assert answer["verdict"] == "refused" and "would vanish" in answer["detail"], answer


def test_script_that_others_may_write(migrator):
    script = migrator.script(DROP_NOTE)
    script.chmod(0o666)
    answer = migrator.gate(script)
    assert answer["verdict"] == "refused" and "chmod" in answer["detail"]


def test_script_that_is_not_what_was_taken_in(migrator, cluster):
    before, script = state(cluster), migrator.script("\ufeff" + DROP_NOTE)
    known = hashlib.sha256(script.read_bytes()).hexdigest()
    reversible(migrator, script, digest=known)
    script.write_text("\ufeff-- mended\n" + DROP_NOTE)
    answer, refused = migrator.gate(script, digest=known), migrator.restore(script, digest=known)
    assert answer["verdict"] == "refused" and str(script) in answer["detail"] and "auto-rollback adopt" in answer["detail"], answer
    assert refused["status"] == "failed" and "auto-rollback adopt" in refused["error"], refused
    assert state(cluster) == before


def test_settings_that_are_refused(make):
    assert "isn't a table's name" in make(version_table="a; drop table b").opened["error"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be told not to be root")
def test_programs_are_not_run_as_root(make):
    migrator = make(run_as="root")
    answer = migrator.gate(migrator.script(DROP_NOTE))
    assert answer["verdict"] == "unknown" and "not run as root" in answer["detail"]


def test_no_place_to_rehearse(make, cluster):
    cluster.psql("drop database if exists elsewhere", "alter role novacron nocreatedb", database="postgres", user="postgres")
    try:
        migrator = make(rehearsal="elsewhere")
        script = migrator.script(DROP_NOTE)
        answer = migrator.gate(script)
        assert answer["verdict"] == "refused" and "createdb -O novacron elsewhere" in answer["detail"]
        cluster.psql("create database elsewhere owner novacron", database="postgres", user="postgres")
        reversible(migrator, script)
        assert cluster.psql("select count(*) from pg_class where relnamespace = 'public'::regnamespace", database="elsewhere") == "0", "it stays empty"
    finally:
        cluster.psql("alter role novacron createdb", "drop database if exists elsewhere", database="postgres", user="postgres")


def test_asked_again_it_is_not_rehearsed_again(migrator, cluster):
    script = migrator.script(DROP_NOTE)
    reversible(migrator, script)
    plan = next((migrator.state / "schema").glob("plan-*.json"))
    first = os.stat(plan).st_ino
    reversible(migrator, script)
    cluster.psql("insert into orders values (9999, 1, 1)", "analyze orders")
    reversible(migrator, script)
    assert os.stat(plan).st_ino == first, "rows don't matter"
    cluster.psql("create table more (a int)")
    reversible(migrator, script)
    assert os.stat(plan).st_ino != first, "a change of the schema does"


def test_estimate_beyond_the_limit(make):
    migrator = make(rewrite_rate=1, dump_rate=1)
    answer = migrator.gate(migrator.script(NARROW), limit_ms=1)
    assert answer["verdict"] == "refused" and "restore_limit" in answer["detail"]


# ---- done ----

def rows_read(cluster):
    """Of orders, when all sessions of ours have told what they did: each does before it ends."""
    cluster.until(lambda: cluster.psql("select count(*) from pg_stat_activity where datname = 'novacron' and pid <> pg_backend_pid()", user="postgres") == "0",
                  "nobody is left")
    return int(cluster.psql("select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables where relname = 'orders'"))


def test_catalogue_proves_it_without_a_look(migrator, cluster):
    answer = reversible(migrator, migrator.script(DROP_NOTE))
    assert "orders.note" in answer["detail"] and "no table is rewritten" in answer["detail"]
    rows, read = cluster.psql("select count(*), sum(qty) from orders"), rows_read(cluster)
    result = migrator.restore(migrator.script(DROP_NOTE))
    assert result["status"] == "done" and version(cluster) == OLD, result
    assert rows_read(cluster) - read == 2000, "the safety dump reads the table, and nothing else does"
    assert cluster.psql("select count(*), sum(qty) from orders") == rows
    assert not any("digest" in line for line in migrator.told)
    dumped = next((migrator.state / "dumps").iterdir())
    assert str(dumped) in result["detail"] and dumped.stat().st_mode & 0o777 == 0o600
    assert "note" not in state(cluster)[0]
    again = migrator.restore(migrator.script(DROP_NOTE))
    assert again["status"] == "done" and "works with" in again["detail"]


def test_rewritten_table_is_compared(migrator, cluster):
    script = migrator.script("alter table orders alter column qty type int, alter column price type numeric, drop column detail;\n"
                             "alter table customers alter column score type numeric using score::numeric;\n" + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "done", result
    assert sum("digest of public.orders" in line and "2000 rows" in line for line in migrator.told) == 2, migrator.told
    assert cluster.psql("select count(*), sum(qty) from orders") == "2000|20010000"


def test_database_that_does_not_count(make, cluster):
    migrator = make()
    script = migrator.script(DROP_NOTE)
    cluster.psql("alter database novacron set track_counts = off", user="postgres")
    answer = migrator.gate(script)
    assert answer["verdict"] == "refused" and "track_counts is off in the database 'novacron'" in answer["detail"], answer


def test_table_that_is_made_anew_with_its_rows(migrator, cluster):
    script = migrator.script("alter table orders rename to old_orders;\ncreate table orders as select id, customer, qty, price, detail from old_orders;\n"
                             "drop view order_names; drop table old_orders;\n" + BACK)
    before = cluster.psql("select count(*), sum(qty), sum(price) from orders")
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "done", result
    assert cluster.psql("select count(*), sum(qty), sum(price) from orders") == before


LOSSES = {
    "delete": ("delete from orders where id = 5;\n", "public.orders: 2000 rows before, 1999 after"),
    "truncate": ("truncate orders; insert into orders (id, qty) values (1, 1);\n", "public.orders: 2000 rows before, 1 after"),
    "unforeseen": ("do $$ begin if exists (select from orders) then update customers set name = 'x'; end if; end $$;\n", "which the rehearsal did not show"),
    "update": ("update orders set qty = 0 where id = 5;\n", "public.orders: values were changed"),
    "swap": ("update orders set qty = case id when 5 then 60 when 6 then 50 end where id in (5, 6);\n", "values were changed"),
    "rounding": ("alter table orders alter column price type int;\n", "public.orders: values were changed"),
    "made anew": ("alter table orders drop column qty; alter table orders add column qty bigint;\n", "public.orders: values were changed"),
    "in a function": ("do $$ begin delete from orders where id = 5; end $$;\n", "1999 after"),
    "using": ("alter table customers alter column score type double precision using score + 1;\n", "public.customers: values were changed"),
    "a narrower number": ("alter table customers alter column score type real using score / 3;\n", "public.customers: values were changed"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_aborts(migrator, cluster, loss):
    sql, why = LOSSES[loss]
    before, script = state(cluster), migrator.script(sql + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "failed" and why in result["error"] and "as it was" in result["error"], result
    assert "(--allow-row-loss)" in result["error"]
    assert state(cluster) == before
    allowed = migrator.restore(script, allow_row_loss=True)
    assert allowed["status"] == "done" and version(cluster) == OLD, allowed
    assert allowed["detail"].startswith("rows were lost, as allowed: ") and why in allowed["detail"].partition("; schema ")[0], allowed
    assert any("allowed for this run" in line for line in migrator.told)


EVERY_TYPE = """
create schema "App"; create type mood as enum ('glad', 'sad'); create domain small as int check (value < 100); create type pair as (a int, b text);
create table "App"."it's ""odd"" :x \\ one" (id int primary key, "a:b" int, "it's" text, j json, jb jsonb, x xml, p point, r int4range, m mood, d small, c pair,
  u uuid, b bytea, bits bit(3), v interval, i inet, money money, ts tsvector, a int[], pairs pair[], ch char(5), f real, n name, t time, g int generated always
  as (id * 2) stored, narrow bigint);
insert into "App"."it's ""odd"" :x \\ one" values (1, 2, 'x', '{}', '{}', '<a/>', '(1,2)', '[1,3)', 'sad', 3, '(1,b)', '7f3f9f2e-0b1a-4d58-a5b2-111111111111', '\\x00',
  '101', '1 day', '10.0.0.1', 5, 'a b', '{1,2}', '{"(1,b)"}', 'ab', 1.5, 'n', '10:00', default, 7);
insert into "App"."it's ""odd"" :x \\ one" (id) values (2);
create table parts (id int, at date, v bigint) partition by range (at);
create table parts_1 partition of parts for values from ('2024-01-01') to ('2025-01-01'); create table parts_2 partition of parts default;
insert into parts select i, date '2024-06-01' + i, i from generate_series(1, 500) i;
create table base (id int, v bigint); create table derived (w int) inherits (base); insert into base values (1, 1); insert into derived values (2, 2, 2);
"""


def test_any_type_and_any_name(make, cluster):
    migrator = make(MADE + EVERY_TYPE)
    odd = '"App"."it\'s ""odd"" :x \\ one"'
    script = migrator.script(f"alter table {odd} alter column narrow type int, drop column t;\nalter table parts alter column v type int;\n"
                             "alter table base alter column v type int;\nalter table parts rename to pieces; drop type mood cascade;\n" + BACK)
    reversible(migrator, script)
    assert {table for table, found in planned(migrator).items() if "view" in found} == {"it's \"odd\" :x \\ one"}, "the others have no key"
    result = migrator.restore(script)
    assert result["status"] == "done", result
    assert {line.split(" after")[0] for line in migrator.told if " after the change" in line} == {
        f"digest of {name}" for name in ("App.it's \"odd\" :x \\ one", "public.parts_1", "public.parts_2", "public.base", "public.derived")}, migrator.told


def test_the_databases_own_search_path(make, cluster):
    migrator = make("create schema app; alter database novacron set search_path = app, public; set search_path = app;\n" + MADE)
    result = migrator.restore(migrator.script(DROP_NOTE))
    assert result["status"] == "done" and cluster.psql("select version from app.schema_version") == OLD, result


def test_dropped_table_when_it_is_allowed(migrator, cluster):
    script = migrator.script("drop view order_names; drop table orders;\n" + BACK)
    result = migrator.restore(script, allow_row_loss=True)
    assert result["status"] == "done", result
    assert any("2000 rows" in line for line in migrator.told)
    assert result["detail"].startswith(f"rows were lost, as allowed: public.orders: 2000 rows vanish; schema {NEW} -> {OLD}, "), result
    assert cluster.psql("select to_regclass('orders') is null") == "t"


def test_losses_that_are_too_many_to_name_are_counted(make, cluster):
    names = [f"a_table_with_a_long_name_{number}" for number in range(9)]
    migrator = make(MADE + "".join(f"create table {name} (id int); insert into {name} values (1);" for name in names))
    result = migrator.restore(migrator.script("".join(f"drop table {name};\n" for name in names) + BACK), allow_row_loss=True)
    lost, _, rest = result["detail"].partition("; schema ")
    assert result["status"] == "done" and names[0] in lost and lost.endswith(" more, named in the log") and rest, result
    assert all(any(name in line for line in migrator.told) for name in names)


def test_empty_table_may_be_dropped(make, cluster):
    migrator = make(MADE + "create table events (id int);")
    script = migrator.script("drop table events;\n" + BACK)
    reversible(migrator, script)
    assert migrator.restore(script)["status"] == "done"


def test_script_that_fails_on_the_rows(migrator, cluster):
    """The rehearsal has no rows, so this shows only then."""
    before, script = state(cluster), migrator.script("alter table orders drop column detail;\nalter table orders add check (qty < 100);\n" + BACK)
    reversible(migrator, script)
    result = migrator.restore(script)
    assert result["status"] == "failed" and "line 2: ERROR" in result["error"] and state(cluster) == before


def test_script_cannot_get_out_by_a_procedure(migrator, cluster):
    before = state(cluster)
    script = migrator.script("create procedure p() language plpgsql as $$ begin commit; end $$;\ncall p();\n" + BACK)
    answer = migrator.gate(script)
    assert answer["verdict"] == "refused" and "invalid transaction termination" in answer["detail"] and state(cluster) == before


def test_dumps_are_kept_and_pruned(make, cluster):
    migrator = make(keep_dumps=2)
    for run in (8, 9, 10):
        assert migrator.restore(migrator.script("delete from orders;\n" + BACK), run_id=run)["status"] == "failed"
    assert sorted(path.name for path in (migrator.state / "dumps").iterdir()) == ["run-10-novacron.dump", "run-9-novacron.dump"]


def test_dump_puts_it_back(migrator, cluster):
    """By the command that was printed, which root or the operator types."""
    before = state(cluster)
    assert migrator.restore(migrator.script(DROP_NOTE))["status"] == "done"
    dump = next((migrator.state / "dumps").iterdir())
    command = migrator.told[1].partition("to put it back: ")[2]
    assert command.startswith("pg_restore ") and str(dump) in command
    subprocess.run(command, shell=True, env={"PATH": f"{PROGRAMS}:/usr/bin:/bin"}, check=True)
    assert state(cluster) == before


def put_back(migrator):
    """By the command that was printed."""
    command = migrator.told[1].partition("to put it back: ")[2]
    assert command.startswith("pg_restore "), migrator.told
    subprocess.run(command, shell=True, env={"PATH": f"{PROGRAMS}:/usr/bin:/bin"}, check=True)


def test_extensions_of_the_administrator(make, cluster):
    """A role without superuser can neither make nor drop them."""
    migrator = make()
    cluster.allow_amcheck()
    cluster.psql("create extension hstore", "comment on extension hstore is 'ours'", user="postgres")
    cluster.psql("alter table orders add column more hstore default 'a=>1'")
    before, script = state(cluster), migrator.script(DROP_NOTE)
    reversible(migrator, script)
    assert migrator.restore(script)["status"] == "done" and version(cluster) == OLD
    put_back(migrator)
    assert state(cluster) == before
    assert cluster.psql("select string_agg(extname, ',' order by extname) from pg_extension") == "amcheck,hstore,plpgsql"
    assert cluster.psql("select has_function_privilege('bt_index_check(regclass, boolean)', 'execute')") == "t"
    assert migrator.restore(script)["status"] == "done"


def test_extension_of_the_service_comes_back_with_the_dump(make, cluster):
    migrator = make(MADE + "create extension \"uuid-ossp\"; create table tokens (id uuid default uuid_generate_v4()); insert into tokens values (default);")
    before, script = state(cluster), migrator.script("alter table tokens alter column id drop default;\ndrop extension \"uuid-ossp\";\n" + BACK)
    reversible(migrator, script)
    assert migrator.restore(script)["status"] == "done" and version(cluster) == OLD
    put_back(migrator)
    assert state(cluster) == before and cluster.psql("select length(uuid_generate_v4()::text)") == "36"


def test_extension_that_the_administrator_must_make_where_it_is_rehearsed(make, cluster):
    migrator = make()
    cluster.psql("drop database if exists novacron_rehearsal", database="postgres", user="postgres")
    cluster.psql("create extension pg_prewarm", user="postgres")
    script = migrator.script(DROP_NOTE)
    answer = migrator.gate(script)
    assert answer["verdict"] == "refused" and "needs the extension pg_prewarm" in answer["detail"], answer
    assert "psql -d novacron_rehearsal -c 'CREATE EXTENSION \"pg_prewarm\"'" in answer["detail"], answer
    try:
        cluster.psql('create extension "pg_prewarm"', database="novacron_rehearsal", user="postgres")
        reversible(migrator, script)
    finally:
        cluster.psql("drop database novacron_rehearsal", database="postgres", user="postgres")


def test_two_make_the_place_to_rehearse_at_once(make, cluster):
    """Both have seen that it isn't there."""
    migrator, other = make(), Migrator(cluster)
    waiting = "select count(*) from pg_stat_activity where query like 'CREATE DATABASE%' and wait_event_type = 'Lock'"
    cluster.psql("drop database if exists novacron_rehearsal", database="postgres", user="postgres")
    try:
        with holding(cluster, "begin; lock table pg_database in share mode", user="postgres"):
            migrator.send("gate", migrator.script(DROP_NOTE))
            other.send("gate", other.script(DROP_NOTE))
            cluster.until(lambda: cluster.psql(waiting, user="postgres") == "2", "both are at it")
        for answer in (migrator.result(), other.result()):
            assert answer["verdict"] == "reversible", answer
    finally:
        other.close()


# ---- another one is at work ----

def test_second_migrator(make, cluster):
    migrator = make(lock_timeout="300ms")
    script, before = migrator.script(DROP_NOTE), state(cluster)
    with holding(cluster, "select pg_advisory_lock(6003015042)"):
        result = migrator.restore(script)
    assert result["status"] == "failed" and "another migrator" in result["error"], result
    assert state(cluster) == before
    assert migrator.restore(script)["status"] == "done"


# ---- killed in the middle ----

# The rehearsal has no rows, so it doesn't sleep.
SLOW = "alter table orders alter column qty type int;\nselect case when exists (select from orders) then pg_sleep(600) end;\n" + BACK


def begin_slow(migrator, cluster):
    migrator.send("restore", migrator.script(SLOW))
    cluster.until(lambda: cluster.psql("select count(*) from pg_stat_activity where application_name like 'auto-rollback restore%' and wait_event = 'PgSleep'",
                                       user="postgres") == "1", "the script runs", 60)


def wholly_old_then_new(migrator, cluster, before):
    cluster.until(lambda: cluster.psql("select count(*) from pg_locks where locktype = 'advisory'", user="postgres") == "0", "the lock is free", 60)
    assert state(cluster) == before
    assert migrator.restore(migrator.script(NARROW, "again.sql"))["status"] == "done"
    assert version(cluster) == OLD and "orders.qty integer" in state(cluster)[0]


def test_psql_is_killed(migrator, cluster):
    before = state(cluster)
    begin_slow(migrator, cluster)
    for pid in psql_children(migrator.process.pid):
        os.kill(pid, signal.SIGKILL)
    result = migrator.result()
    assert result["status"] == "failed" and "SIGKILL" in result["error"], result
    wholly_old_then_new(migrator, cluster, before)


def test_controller_is_killed(migrator, cluster):
    before = state(cluster)
    begin_slow(migrator, cluster)
    migrator.kill()
    migrator.open()
    assert migrator.restore(migrator.script(NARROW, "again.sql"))["status"] == "done", "also while the other's backend still lives"
    wholly = state(cluster)
    assert wholly[1]["customers"] == before[1]["customers"] and version(cluster) == OLD


def test_server_is_killed(migrator, cluster):
    before = state(cluster)
    begin_slow(migrator, cluster)
    cluster.primary.stop(immediate=True)
    result = migrator.result()
    cluster.primary.start()
    assert result["status"] == "failed", result
    wholly_old_then_new(migrator, cluster, before)


def test_budget_ends(migrator, cluster):
    before = state(cluster)
    script = migrator.script(SLOW)
    reversible(migrator, script)
    result = migrator.restore(script, budget_ms=3000)
    assert result["status"] in ("timed_out", "failed")
    wholly_old_then_new(migrator, cluster, before)


# ---- what would slip through, or be refused for nothing ----

def test_what_happens_at_the_commit_is_compared_too(make, cluster):
    """A deferred trigger fires behind the script's last statement."""
    migrator = make(MADE + "create function late() returns trigger language plpgsql as $$ begin delete from orders where id <= 5; return null; end $$;\n"
                    "create constraint trigger late after update on customers deferrable initially deferred for each row execute function late();")
    before, script = state(cluster), migrator.script("update customers set name = name;\n" + BACK)
    result = migrator.restore(script)
    assert result["status"] == "failed" and "orders were changed" in result["error"], result
    assert state(cluster) == before


def test_large_objects_are_rows_too(make, cluster):
    migrator = make(MADE + "select lo_from_bytea(77, 'kept');")
    script = migrator.script("do $$ begin if exists (select from orders) then perform lo_unlink(77); end if; end $$;\n" + BACK)
    result = migrator.restore(script)
    assert result["status"] == "failed" and "large objects" in result["error"], result
    assert cluster.psql("select convert_from(lo_get(77), 'UTF8')") == "kept"


def test_command_behind_a_lone_carriage_return(migrator):
    """psql ends a comment there."""
    answer = migrator.gate(migrator.script("-- note\r\\! touch /tmp/never\r\n" + BACK))
    assert answer["verdict"] == "refused" and "a backslash" in answer["detail"], answer


def test_intervals_that_are_only_called_equal(make, cluster):
    migrator = make(MADE + "create table terms (id int, length interval); insert into terms values (1, '1 month');")
    before, script = state(cluster), migrator.script("update terms set length = '30 days';\n" + BACK)
    result = migrator.restore(script)
    assert result["status"] == "failed" and "values were changed" in result["error"], result
    assert state(cluster) == before


@pytest.mark.parametrize("script", [
    "\ufeff" + DROP_NOTE,
    DROP_NOTE.replace("\n", "\r\n"),
    "set constraints all deferred;\n" + DROP_NOTE,
    "alter table codes alter column code type text;\n" + BACK,
    "alter table codes alter column bits type bit varying;\n" + BACK,
    "alter table codes alter column mood type text; drop type mood;\n" + BACK,
    "create table plain (like codes) partition by hash (id); create table plain_0 partition of plain for values with (modulus 1, remainder 0);\n"
    "insert into plain select * from codes; drop table codes; alter table plain rename to codes;\n" + BACK,
], ids=["bom", "crlf", "deferred", "char", "bit", "enum", "partitioned"])
def test_harmless_and_so_allowed(make, cluster, script):
    migrator = make(MADE + "create type mood as enum ('glad', 'sad'); create table codes (id int, code char(5), bits bit(3), mood mood);\n"
                    "insert into codes values (1, 'abc', '101', 'sad'), (2, null, null, null);")
    result = migrator.restore(migrator.script(script))
    assert result["status"] == "done" and version(cluster) == OLD, result
    assert cluster.psql("select count(*), min(code) from codes") == "2|abc"


def test_what_stands_in_the_version_table_is_no_sql(make, cluster):
    odd = "it''s \\ odd"
    migrator = make(MADE + f"update schema_version set version = '{odd}';")
    migrator.script("alter table orders drop column note;\n" + BACK, f"schema.{OLD}.sql")
    result = migrator.restore()
    assert result["status"] == "done" and version(cluster) == OLD, result


@pytest.mark.parametrize("made, why", [
    ("alter table customers enable row level security, force row level security;", "public.customers"),
    ("create sequence secret;", "public.secret"),
], ids=["row security", "sequence"])
def test_database_that_cannot_be_dumped_is_refused_at_the_gate(make, cluster, made, why):
    migrator = make(MADE + made)
    if "secret" in made:
        cluster.psql("alter sequence secret owner to postgres", user="postgres")
    answer = migrator.gate(migrator.script(DROP_NOTE))
    assert answer["verdict"] == "refused" and why in answer["detail"] and "dump" in answer["detail"], answer


def test_isolation_of_the_role(make, cluster):
    """With a snapshot from before the locks, rows that came meanwhile would not be seen, and would vanish."""
    migrator = make(MADE + "create table events (id int); alter role novacron in database novacron set default_transaction_isolation = 'repeatable read';")
    script = migrator.script("drop table events;\n" + BACK)
    reversible(migrator, script)
    with holding(cluster, "select pg_advisory_lock(6003015042)"):
        migrator.send("restore", script)
        cluster.until(lambda: cluster.psql("select count(*) from pg_locks where locktype = 'advisory' and not granted", user="postgres") == "1", "it waits")
        cluster.psql("insert into events values (1)")
    result = migrator.result()
    assert result["status"] == "failed" and "would vanish" in result["error"], result
    assert cluster.psql("select count(*) from events") == "1"


def test_rehearsal_that_had_to_wait_is_no_refusal(make, cluster):
    migrator = make()
    reversible(migrator, migrator.script(DROP_NOTE))
    cluster.psql("alter role novacron in database novacron_rehearsal set statement_timeout = '300ms'", user="postgres")
    words = [PROGRAMS / "psql", "-h", cluster.directory, "-p", str(cluster.primary.port), "-U", "novacron", "-d", "novacron_rehearsal", "-XqAt"]
    try:
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
            session.stdin.write("select pg_advisory_lock(5728931002746);\n\\echo held\n")
            session.stdin.flush()
            while session.stdout.readline().strip() != "held":
                assert session.poll() is None
            answer = migrator.gate(migrator.script(NARROW, "narrow.sql"))
            session.stdin.close()
        assert answer["verdict"] == "unknown", answer
    finally:
        cluster.psql("alter role novacron in database novacron_rehearsal reset statement_timeout", user="postgres")
    reversible(migrator, migrator.script(NARROW, "narrow.sql"))


def test_role_that_does_not_own_what_is_altered(make, cluster):
    migrator = make(MADE)
    cluster.psql("alter table orders owner to postgres", "grant all on orders to novacron", user="postgres")
    answer = migrator.gate(migrator.script("alter table orders add column more int;\n" + BACK))
    assert answer["verdict"] == "refused" and "doesn't own public.orders" in answer["detail"], answer


def test_change_of_ours_that_has_not_ended_is_waited_for(make, cluster):
    """A COMMIT that waits for a standby, its psql gone: the old schema is still seen, and is about to go."""
    migrator = make()
    script = migrator.script(DROP_NOTE)
    reversible(migrator, script)
    cluster.psql("alter system set synchronous_standby_names = 'nobody'", "select pg_reload_conf()", user="postgres")
    try:
        migrator.send("restore", script, budget_ms=40_000)
        cluster.until(lambda: cluster.psql("select count(*) from pg_stat_activity where wait_event = 'SyncRep'", user="postgres") == "1", "it waits", 30)
        migrator.kill()
        migrator.open()
        answer = migrator.gate(target=NEW)
        assert answer["verdict"] == "unknown" and "has not ended yet" in answer["detail"], answer
    finally:
        cluster.psql("alter system reset synchronous_standby_names", "select pg_reload_conf()", user="postgres")
    cluster.until(lambda: version(cluster) == OLD, "it ends")
    cluster.until(lambda: migrator.gate(script)["verdict"] == "compatible", "it is known")
