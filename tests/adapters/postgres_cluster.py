"""A real PostgreSQL 15: a primary with streaming replicas, on Unix sockets of its own, in a temporary directory. For the adapter's tests
on this machine, and with `Cluster.on(host)` inside a throw-away host.

    with Cluster() as cluster:
        cluster.psql("create table t (id int primary key)")
        replica = cluster.replica()
        cluster.primary.stop(immediate=True)

Servers that were started are ended by their pid when the cluster is closed. Without fsync: a killed server keeps what it wrote, for the
machine under it lives."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

PROGRAMS = pathlib.Path("/usr/lib/postgresql/15/bin")
needs_postgres = pytest.mark.skipif(not (PROGRAMS / "postgres").exists(), reason="postgresql-15 isn't installed")
USER = "postgres"
FIRST_PORT = 5501  # names the socket's file too; TCP only where it is asked for
SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "max_connections": "30",
    "wal_keep_size": "256MB",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "100ms",
    "log_min_messages": "warning",
}


def run_here(command, stdin=None):
    """As the user postgres when we are root: the server refuses to run as root."""
    words = ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "--", *map(str, command)] if os.geteuid() == 0 else list(map(str, command))
    return subprocess.run(words, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, text=True, cwd="/",
                          env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}, timeout=60)


class Server:
    """One of a cluster's servers; made by it."""

    def __init__(self, cluster, name, port):
        self.cluster, self.name, self.port = cluster, name, port
        self.data, self.log = cluster.directory / name, cluster.directory / f"{name}.log"

    def configure(self, **settings):
        """Takes effect with the next start or reload()."""
        self.cluster.append(self.data / "postgresql.conf", "".join(f"{key} = {value}\n" for key, value in settings.items()))

    def control(self, *words):
        return self.cluster.run([PROGRAMS / "pg_ctl", "-D", self.data, "-s", *words])

    def start(self):
        """Again and again for a while: what is left of a server that was killed may still hold its shared memory."""
        command = [PROGRAMS / "pg_ctl", "-D", self.data, "-s", "-l", self.log, "-w", "-t", "30", "start"]
        self.cluster.until(lambda: self.cluster.run_raw([str(word) for word in command], None).returncode == 0, f"{self.name} starts")

    def stop(self, immediate=False):
        self.control("-m", "immediate" if immediate else "fast", "-w", "-t", "30", "stop")

    def reload(self):
        self.control("reload")

    def promote(self):
        self.control("-w", "promote")

    def pid(self):
        """As the cluster's machine sees it; 0 when it isn't running."""
        text = self.cluster.run(["sh", "-c", 'head -1 "$0" 2>/dev/null || true', self.data / "postmaster.pid"]).strip()
        return int(text or 0)

    def signal(self, number, everything=False):
        """To the postmaster alone: SIGSTOP lets it accept nothing more; or to every process of the server."""
        pid = str(self.pid())
        children = self.cluster.run(["sh", "-c", 'cat "/proc/$0/task/$0/children"', pid]).split() if everything else []
        self.cluster.run(["kill", f"-{int(number)}", pid])
        if children:  # after it, or it would tell the others that one has crashed; some end by themselves meanwhile
            self.cluster.run(["kill", f"-{int(number)}", *children], check=False)

    def kill(self):
        """kill -9 of the whole server; returns when its postmaster is gone."""
        pid = self.pid()
        self.signal(signal.SIGKILL, everything=True)
        self.cluster.until(lambda: not self.cluster.run(["sh", "-c", 'kill -0 "$0" 2>/dev/null && echo alive || true', str(pid)]),
                           f"{self.name} is dead")

    def psql(self, *statements, database="novacron", user="novacron", check=True):
        """Each statement on its own, in one session; what they print, unaligned."""
        words = [PROGRAMS / "psql", "-h", self.cluster.directory, "-p", self.port, "-U", user, "-d", database, "-XqAt", "-v", "ON_ERROR_STOP=1"]
        return self.cluster.run(words + [word for statement in statements for word in ("-c", statement)], check=check).strip()

    def relation_file(self, relation, database="novacron"):
        """Where the first segment of a table or index lies."""
        return self.data / self.psql(f"select pg_relation_filepath('{relation}')", database=database)


class Cluster:
    def __init__(self, directory=None, run=run_here, tcp=False, first_port=FIRST_PORT, **settings):
        """Initialised, not started (as a context it is). `run(command, stdin)` gives a CompletedProcess; `directory` must not be there yet."""
        self.run_raw = run
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="postgres-test-"))
        self.made_here = directory is None
        self.servers = []
        self.first_port = first_port
        if self.made_here and os.geteuid() == 0:
            shutil.chown(self.directory, USER, USER)
        self.primary = self._add("primary", tcp)
        self.run([PROGRAMS / "initdb", "-D", self.primary.data, "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
                  "--no-instructions"])
        self._settle(self.primary, {**SETTINGS, **settings})

    @classmethod
    def on(cls, host, directory="/var/lib/postgres-test", **settings):
        """Inside a throw-away host (tests/hosts)."""
        host.run(["install", "-d", "-o", USER, "-g", USER, directory])
        return cls(directory, run=lambda command, stdin=None: host.run([str(word) for word in command], check=False, user=USER, stdin=stdin), **settings)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        """Starts the primary, and makes what the tests work with: role and database `novacron`."""
        self.primary.start()
        self.primary.psql("create role novacron login", "grant pg_monitor to novacron", "create database novacron owner novacron", database=USER, user=USER)

    def allow_amcheck(self, database="novacron"):
        """The extension, and for the role `novacron` what a consistency check needs of it."""
        self.psql("create extension amcheck", "grant execute on function bt_index_check(regclass, boolean), "
                  "verify_heapam(regclass, boolean, boolean, text, bigint, bigint) to novacron", database=database, user=USER)

    def close(self):
        """Leaves nothing behind. May be called twice."""
        for server in reversed(self.servers):
            with contextlib.suppress(Exception):
                if server.pid():
                    server.signal(signal.SIGCONT)
                    server.stop(immediate=True)
        if self.made_here:
            shutil.rmtree(self.directory, ignore_errors=True)

    def replica(self, name="replica", wait=True):
        """A new standby that streams from the primary; `name` is what the primary knows it by."""
        server = self._add(name)
        self.run([PROGRAMS / "pg_basebackup", "-h", self.directory, "-p", self.primary.port, "-U", USER, "-D", server.data, "-R", "-X", "stream", "-c",
                  "fast", "--no-sync"])
        self._settle(server, {"primary_conninfo": f"'host={self.directory} port={self.primary.port} user={USER} application_name={name}'",
                              "cluster_name": f"'{name}'"})
        server.start()
        if wait:
            self.wait_streaming(name)
        return server

    def wait_streaming(self, name="replica"):
        self._wait_standby("state = 'streaming'", name, f"{name} streams")

    def wait_replayed(self, name="replica"):
        """The standby has replayed what the primary has written until now."""
        target = self.psql("select pg_current_wal_lsn()")
        self._wait_standby(f"replay_lsn >= '{target}'", name, f"{name} has replayed {target}")

    def _wait_standby(self, condition, name, what):
        question = f"select count(*) from pg_stat_replication where application_name = '{name}' and {condition}"
        self.until(lambda: self.psql(question, user=USER) == "1", what)

    def psql(self, *statements, **options):
        return self.primary.psql(*statements, **options)

    # ---- how it is done ----

    def run(self, command, stdin=None, check=True):
        done = self.run_raw([str(word) for word in command], stdin)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}{self.logs()}")
        return done.stdout

    def append(self, path, text):
        self.run(["sh", "-c", 'cat >>"$0"', path], stdin=text)

    def logs(self):
        return self.run_raw(["sh", "-c", f'for log in "{self.directory}"/*.log; do echo "$log"; tail -n 20 "$log"; done'], None).stdout

    def until(self, condition, what, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds} s: {what}\n{self.logs()}"
            time.sleep(0.02)

    def _add(self, name, tcp=False):
        port = _free_tcp_port() if tcp else self.first_port + len(self.servers)
        self.servers.append(Server(self, name, port))
        return self.servers[-1]

    def _settle(self, server, settings):
        server.configure(port=server.port, unix_socket_directories=f"'{self.directory}'", **settings)


def _free_tcp_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
