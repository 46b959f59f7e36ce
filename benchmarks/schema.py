"""What it costs to take a schema back with all rows proven, beside psql running the same script: a table that the script rewrites by
altering a column, and one that it makes anew, whose rows are compared whole; on a PostgreSQL of its own with its defaults. And what is
not proven by reading: a column that goes."""

import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from stage import HERE

sys.path.insert(0, str(HERE.parent / "tests/adapters"))

from postgres_cluster import Cluster  # noqa: E402
from schema_tool import NEW, OLD, Migrator, psql_children  # noqa: E402

ROWS = 10_000_000
ROOM_MS = 900_000
VERSION = "update schema_version set version = '{}';\n"
ALTERED = "alter table orders alter column qty type int;\n" + VERSION.format(OLD), "alter table orders alter column qty type bigint;\n" + VERSION.format(NEW)
MADE_ANEW = ("create table anew (like orders);\ninsert into anew select * from orders;\nalter table anew add primary key (id);\ndrop table orders;\n"
             "alter table anew rename to orders;\n" + VERSION.format(OLD), VERSION.format(NEW))
PROVEN = "alter table orders drop column note;\n" + VERSION.format(OLD)
MADE = f"""create table schema_version (version text);
insert into schema_version values ('{NEW}');
create table orders (id bigint, customer int not null, qty bigint not null, price numeric(10, 2), note text, at timestamptz not null);
insert into orders select i, i % 1000, i, i / 7.0, 'note of the order ' || i, '2024-01-01'::timestamptz + i * interval '1 s'
  from generate_series(1, {{rows}}) i;
alter table orders add primary key (id);"""
SCANS = "select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) from pg_stat_user_tables where relname = 'orders'"


@dataclass
class Schema:
    overhead: list  # with the check over without, each round
    overhead_anew: list  # where the table is made anew
    rss_kib: list  # at the peak: ours, psql's and its backends' own memory
    proven_rows_read: int  # by a way back that the catalogue proves


class Memory(threading.Thread):
    """The peak of the processes' own memory while the check is at work (not the script), without what they share with the server."""

    def __init__(self, tool, cluster):
        super().__init__(daemon=True)
        self.tool, self.cluster, self.peak_kib, self.going, self.checking = tool, cluster, 0, True, False
        self.start()

    def backends(self):
        text = self.cluster.psql("select pid from pg_stat_activity where application_name like 'auto-rollback restore%'", user="postgres", database="postgres")
        return [int(word) for word in text.split()]

    def run(self):
        while self.going:
            pids = [self.tool, *psql_children(self.tool), *self.backends()]
            seen = sum(map(own_kib, pids))
            if self.checking:
                self.peak_kib = max(self.peak_kib, seen)
            time.sleep(0.1)

    def stop(self):
        self.going = False
        self.join()
        return self.peak_kib


def own_kib(pid):
    """Anonymous memory; pages that a server's process shares with the one it was forked from count by their share."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def settle(cluster):
    cluster.psql("vacuum analyze orders")
    cluster.psql("checkpoint", user="postgres")


def without(cluster, way):
    go, back = way
    settle(cluster)
    began = time.monotonic()
    cluster.psql(f"begin;\n{go}commit;")
    took = time.monotonic() - began
    cluster.psql(f"begin;\n{back}commit;")
    return took


def restore(migrator, script, memory=None):
    """Without the safety dump: from its end to the commit."""
    migrator.send("restore", script, budget_ms=ROOM_MS, limit_ms=ROOM_MS)
    dumped = None
    while "progress" in (line := migrator.line()):
        if line["progress"].startswith("safety dump:"):
            dumped = time.monotonic()
        elif memory and line["progress"].startswith("digest of"):
            memory.checking = line["progress"].endswith("begins")
    if line["status"] != "done":
        raise RuntimeError(f"the way back failed: {line['error']}")
    return time.monotonic() - dumped


def checked(cluster, migrator, way):
    go, back = way
    script = migrator.script(go)
    said = migrator.gate(script)
    if said["verdict"] != "reversible":
        raise RuntimeError(f"the gate refuses: {said['detail']}")
    settle(cluster)
    memory = Memory(migrator.process.pid, cluster)
    try:
        took = restore(migrator, script, memory)
    finally:
        peak = memory.stop()
    cluster.psql(f"begin;\n{back}commit;")
    return took, peak


def rows_read(cluster):
    """Of the statistics, which the sessions that have ended have left."""
    return int(cluster.psql("select pg_stat_force_next_flush()", SCANS).split()[-1])


def proven(cluster, migrator, rows):
    """Rows that the transaction has read; the dump's own are those of the whole table, once."""
    before, script = rows_read(cluster), migrator.script(PROVEN, "proven.sql")
    restore(migrator, script)
    return rows_read(cluster) - before - rows


def measure(rounds, rows=ROWS):
    with Cluster(first_port=5801, fsync="on", shared_buffers="'128MB'", max_wal_size="'4GB'") as cluster:
        cluster.psql("alter role novacron createdb", user="postgres", database="postgres")
        cluster.psql(MADE.format(rows=rows))
        migrator = Migrator(cluster, dump_compression=0, dump_rate=1000, rewrite_rate=1000)
        try:
            overhead, anew, peaks = [], [], []
            for way, into, count in ((ALTERED, overhead, rounds), (MADE_ANEW, anew, 1)):
                for _ in range(count):
                    plain = without(cluster, way)
                    took, peak = checked(cluster, migrator, way)
                    into.append(took / plain)
                    peaks.append(peak)
            return Schema(overhead, anew, peaks, proven(cluster, migrator, rows))
        finally:
            migrator.close()


if __name__ == "__main__":
    print(measure(int(sys.argv[1]), int(sys.argv[2])))
