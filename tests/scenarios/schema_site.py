"""A site whose service keeps its rows in PostgreSQL, for scenarios about the schema: v2.4.0 is good on schema v2.4.0; each v3.0.N is a
release of its own that takes the schema to v3.0.0 when it starts (before its service does, as a migration would), with a way back of
the test's choice. All share one unit and one host: the next test begins where the last one ended, with the schema as it was."""

import json
import sys

from hosts import PROJECT, wait_until
from testsite import FAST_WINDOW, SERVICE_UNIT, UNITS, Site, merge

sys.path.insert(0, str(PROJECT / "tests/adapters"))
from postgres_cluster import PROGRAMS, Cluster, needs_postgres  # noqa: E402, F401

# orders is rewritten by nothing: the catalogue proves its rows. events is written to by some of the scripts.
V2_SCHEMA = """
drop schema public cascade; create schema public;
create table schema_version (version text not null);
insert into schema_version values ('v2.4.0');
create table orders (id int primary key, item text not null);
create table events (id int primary key, word text);
create table hurdle ();
insert into orders select n, 'item ' || n from generate_series(1, 1000) n;
insert into events select n, 'word ' || n from generate_series(1, 50) n;
"""
UP = """
begin;
alter table orders add column note text;
insert into orders select n, 'of v3', 'noted' from generate_series(1001, 1100) n on conflict do nothing;
update schema_version set version = 'v3.0.0';
commit;
"""
DOWN = """
alter table orders drop column note;
update schema_version set version = 'v2.4.0';
"""
# It would leave out what v3 has written.
DOWN_LOSES = """
delete from events where id > 40;
""" + DOWN
# It waits in its middle as long as the test reads `hurdle` (SchemaSite.hold_up).
DOWN_HELD_UP = DOWN + "lock table hurdle in access exclusive mode;\n"

# The migration of the release that is current, if its schema isn't there yet. Then a mark that it was the service that wrote.
MIGRATE = """\
#!/bin/sh
script=/opt/novacron/current/migrations/up.sql
[ -e "$script" ] || exit 0
psql() {{ {psql} -h {directory} -p {port} -U novacron -d novacron -XqAt -v ON_ERROR_STOP=1 "$@"; }}
[ "$(psql -c 'select version from schema_version')" = v3.0.0 ] || psql -f "$script"
"""


class SchemaSite(Site):
    def __init__(self, host):
        self.cluster = Cluster.on(host, synchronous_commit="off")
        self.cluster.start()
        self.cluster.primary.psql("create database novacron_rehearsal owner novacron", database="postgres", user="postgres")
        self.next = 1
        data = {"driver": "postgres", "restore_limit": "10s", "postgres": {"host": str(self.cluster.directory), "port": self.cluster.primary.port, "lock_timeout": "9s"}}
        super().__init__(host, **merge(FAST_WINDOW, {"data": data, "budgets": {"restore_version": "12s"}, "decision": {"rollbacks_per_day": 50}}))
        self.write("/usr/local/bin/migrate",
                   MIGRATE.format(psql=PROGRAMS / "psql", directory=self.cluster.directory, port=self.cluster.primary.port), 0o755)
        self.write(f"/etc/systemd/system/{UNITS['v3.0.0']}", SERVICE_UNIT.format(extra="ExecStartPre=/usr/local/bin/migrate"))
        self.sql(V2_SCHEMA)
        super().release("v2.4.0")
        self.declare("v2.4.0", {"version": "v2.4.0"})
        self.start()
        self.deploy_good("v2.4.0")

    # ---- releases ----

    def declare(self, version, schema):
        self.write(f"/opt/novacron/versions/{version}/release.yaml", json.dumps({"schema": schema}))

    def new_release(self, down=DOWN, works_with=("v2.4.0",), up=UP, declares=None, **faults):
        """Another v3.0.N; `down` None: it has no way back."""
        version = f"v3.0.{self.next}"
        self.next += 1
        super().release(version, **faults)
        home = f"/opt/novacron/versions/{version}"
        if up:
            self.write(f"{home}/migrations/up.sql", up)
        schema = {"version": "v3.0.0", "works_with": list(works_with)}
        if down:
            self.write(f"{home}/migrations/down-v2.4.0.sql", down)
            schema["down"] = {"v2.4.0": "migrations/down-v2.4.0.sql"}
        self.declare(version, declares or schema)
        return version

    def begin_again(self):
        """v2.4.0 serves on its schema, whatever the test before has left."""
        self.wait_status(lambda status: not status["run"], what="no run is under way")
        if self.cluster.primary.psql("select 1", check=False) != "1":
            self.cluster.primary.start()
        self.sql(V2_SCHEMA)
        if self.current() != "v2.4.0" or not self.active("v2.4.0"):
            self.cli("resume")
            self.cli("deploy", "--yes", "v2.4.0", check=0)
        self.wait_status(lambda status: status["deployment"]["state"] == "good" and not status["run"], what="v2.4.0 is good")
        self.write("/var/log/alerts", "")

    # ---- the database ----

    def sql(self, *statements, check=True):
        return self.cluster.primary.psql(*statements, check=check)

    def schema(self):
        return self.sql("select version from schema_version")

    def rows(self, table):
        """How many, and a digest of what both schemas share."""
        columns = {"orders": "id, item", "events": "id, word"}[table]
        return self.sql(f"select count(*), md5(string_agg(r::text, '' order by r)) from (select {columns} from {table}) r")

    def has_note(self):
        return self.sql("select count(*) from pg_attribute where attrelid = 'orders'::regclass and attname = 'note' and not attisdropped") == "1"

    def check_wholly(self, version):
        """The schema is wholly one or the other."""
        assert self.schema() == version
        assert self.has_note() == (version == "v3.0.0")

    def kill_server(self):
        """kill -9 of every process of it."""
        pid = str(self.cluster.primary.pid())
        self.host.run(["sh", "-c", 'kill -9 "$0" $(cat "/proc/$0/task/$0/children") 2>/dev/null', pid], check=False)
        wait_until(lambda: self.host.run(["kill", "-0", pid], check=False).returncode != 0, what="the server is dead")

    def hold_up(self):
        """From now on DOWN_HELD_UP waits in its middle."""
        words = [PROGRAMS / "psql", "-h", self.cluster.directory, "-p", self.cluster.primary.port, "-U", "novacron", "-d", "novacron", "-Xq",
                 "-c", "begin", "-c", "select from hurdle", "-c", "select pg_sleep(600)"]
        self.holder = self.host.popen([str(word) for word in words])
        wait_until(lambda: self.sql("select count(*) from pg_locks where relation = 'hurdle'::regclass and mode = 'AccessShareLock' and granted") == "1",
                   what="the hurdle is there")

    def let_go(self):
        self.sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where query = 'select pg_sleep(600)'")
        self.holder.wait(10)

    def wait_held_up(self):
        held = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'lock table hurdle%'"
        self.wait(lambda: self.sql(held) == "1", 20, "the script is in its middle")
