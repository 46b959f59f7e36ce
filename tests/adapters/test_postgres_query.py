"""A question to a real PostgreSQL, and to what hangs, refuses, goes away or isn't one."""

import signal
import socket

import pytest

from postgres_cluster import USER, Cluster, needs_postgres
from postgres_tool import Asker, closing  # noqa: F401

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def cluster():
    """For tests that leave it as they found it."""
    with Cluster(tcp=True, listen_addresses="'127.0.0.1'") as made:
        made.psql("create table t (id int primary key, v text)")
        yield made


def running(cluster, what):
    """How many others run a statement like that."""
    return int(cluster.psql(f"select count(*) from pg_stat_activity where state = 'active' and query like '%{what}%' and pid <> pg_backend_pid()",
                            user=USER))


def test_rows(cluster, closing):
    """Results of several statements, in order; values of all kinds; names and texts quoted by the server come back as they were."""
    asker = closing(Asker.of(cluster))
    answer = asker.query("select 1, null, ''; create temp table x (a int); insert into x values (1), (2); select a from x order by a; select 1 where false")
    assert (answer["error"], answer["sqlstate"]) == ("", "")
    assert answer["results"] == [[["1", None, ""]], [["1"], ["2"]], []]
    assert asker.query("")["results"] == []
    wide = asker.query("select repeat('é', 100000) from generate_series(1, 3)")
    assert [[len(field) for field in row] for row in wide["results"][0]] == [[100_000]] * 3


def test_over_tcp(cluster, closing):
    asker = closing(Asker(host="127.0.0.1", port=cluster.primary.port))
    assert asker.query("select inet_server_addr() is not null")["results"] == [[["t"]]]


def test_one_transaction(cluster, closing):
    """What was done before an error is undone, and what had been read before it is told."""
    asker = closing(Asker.of(cluster))
    answer = asker.query("select 7; insert into t values (1); select 1/0; select 8")
    assert answer["sqlstate"] == "22012" and "division by zero" in answer["error"], answer
    assert f"PostgreSQL at {cluster.directory} port {cluster.primary.port}, database novacron: " in answer["error"]
    assert "asked: select 7; insert into t" in answer["error"]
    assert answer["results"] == [[["7"]]]
    assert cluster.psql("select count(*) from t") == "0"


def test_notices(cluster, closing):
    asker = closing(Asker.of(cluster))
    asker.send("query 20000 do $$ begin raise notice 'one'; raise warning 'two'; end $$; select 1")
    assert [asker.answer() for _ in range(3)] == [{"notice": "NOTICE: one"}, {"notice": "WARNING: two"},
                                                  {"results": [[["1"]]], "error": "", "code": 0, "sqlstate": ""}]


def test_what_is_too_big(cluster, closing):
    asker = closing(Asker.of(cluster))
    assert "longer than 16 MiB" in asker.query("select repeat('x', 1000) from generate_series(1, 100000)")["error"]
    assert "more than 16 results" in asker.query("select 1;" * 17)["error"]
    assert len(asker.query("select 1;" * 16)["results"]) == 16
    assert "COPY" in asker.query("copy t to stdout")["error"]
    assert "COPY" in asker.query("copy t from stdin")["error"]
    assert asker.query("select 1")["results"] == [[["1"]]], "nothing of it sticks"


def test_out_of_time(cluster, closing):
    """The loop lives meanwhile; and the server doesn't go on with what nobody waits for."""
    asker = closing(Asker.of(cluster))
    assert asker.ask("query 300 select pg_sleep(77)\nping") == {"status": "pong"}
    answer = asker.answer()
    assert "no answer within 300 ms to: select pg_sleep(77)" in answer["error"]
    cluster.until(lambda: running(cluster, "pg_sleep(77)") == 0, "the server has stopped it")


def test_cancelled(cluster, closing):
    """No answer comes; what it held is given back, though nobody asks the server to."""
    asker = closing(Asker.of(cluster))
    asker.send("query 60000 select pg_advisory_lock(4711); select pg_sleep(78)")
    cluster.until(lambda: running(cluster, "pg_sleep(78)") == 1, "it runs")
    assert asker.ask("cancel") == {"status": "cancelled"}
    assert asker.query("select 1")["results"] == [[["1"]]]
    cluster.until(lambda: cluster.psql("select pg_try_advisory_lock(4711)") == "t", "the lock is free")
    assert asker.ask("query 60000 select 1\ncancel") == {"status": "cancelled"}, "before it has begun to connect"


def test_ended_by_the_server(cluster, closing):
    """A backend that is terminated says why before it goes."""
    asker = closing(Asker.of(cluster))
    asker.send("query 60000 select pg_sleep(79)")
    cluster.until(lambda: running(cluster, "pg_sleep(79)") == 1, "it runs")
    cluster.psql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%sleep(79)%' and pid <> pg_backend_pid()", user=USER)
    answer = asker.answer()
    assert answer["sqlstate"] == "57P01" and "terminating connection due to administrator command" in answer["error"], answer


def test_server_killed(closing):
    """While it works; then it isn't there; then it is again."""
    with Cluster() as cluster:
        asker = closing(Asker.of(cluster))
        asker.send("query 60000 select pg_sleep(80)")
        cluster.until(lambda: running(cluster, "pg_sleep(80)") == 1, "it runs")
        cluster.primary.kill()
        answer = asker.answer()
        assert "the connection was lost during 'select pg_sleep(80)'" in answer["error"], answer
        answer = asker.query("select 1")
        assert answer["results"] == [] and "is it running? systemctl status postgresql" in answer["error"], answer
        cluster.primary.start()
        assert asker.query("select 1")["results"] == [[["1"]]]


def test_frozen_server(cluster, closing):
    """SIGSTOP: the kernel still lets us connect, and nobody says anything."""
    asker = closing(Asker.of(cluster))
    cluster.primary.signal(signal.SIGSTOP)
    try:
        answer = asker.query("select 1", ms=300)
        asker.send("query 60000 select 1")
        assert asker.ask("cancel") == {"status": "cancelled"}, "which doesn't wait for it"
    finally:
        cluster.primary.signal(signal.SIGCONT)
    assert "it doesn't let us in within 300 ms" in answer["error"], answer
    assert asker.query("select 1")["results"] == [[["1"]]]


def test_not_postgresql(tmp_path, closing):
    """Who accepts and says nothing, who talks nonsense, and who hangs up."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / ".s.PGSQL.5432"))
        listener.listen(5)
        asker = closing(Asker(host=tmp_path))
        assert "it doesn't let us in within 200 ms" in asker.query("select 1", ms=200)["error"]
        for said, named in ((b"HTTP/1.1 400 Bad Request\r\n\r\n", "is it running?"), (b"", "closed the connection unexpectedly")):
            listener.accept()[0].close()  # the one before
            asker.send("query 20000 select 1")
            with listener.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(said)
                connection.shutdown(socket.SHUT_RDWR)
            assert named in asker.answer()["error"]
            asker.send("query 60000 select 1")
            asker.ask("cancel")


@pytest.mark.parametrize("change, named", [
    ({"database": "nowhere"}, "database \"nowhere\" does not exist"),
    ({"user": "nobody"}, "role \"nobody\" does not exist"),
    ({"database": "postgres://10.0.0.1/x"}, "does not exist"),
    ({"port": 1}, "No such file or directory; is it running?"),
    ({"host": "127.0.0.1", "port": 1}, "Connection refused; is it running?"),
])
def test_refused(cluster, closing, change, named):
    asker = closing(Asker.of(cluster, **change))
    answer = asker.query("select 1")
    assert named in answer["error"] and answer["results"] == [] and answer["code"] < 0, answer
    assert ("is it running?" in answer["error"]) == ("FATAL" not in answer["error"])


def test_names_are_not_looked_up(cluster, closing):
    for name in ("localhost", "db.example", "", "10.0.0.1,10.0.0.2"):
        opened = closing(Asker(host=name)).opened
        assert opened["status"] == "refused" and "neither an address nor the directory of a socket" in opened["error"]


def test_password(cluster, tmp_path, closing):
    """Missing, wrong, readable by others, and right."""
    cluster.psql("create role locked login password 'right'", user=USER)
    rules = cluster.primary.data / "pg_hba.conf"
    cluster.run(["sed", "-i", "1i host novacron locked 127.0.0.1/32 scram-sha-256", rules])
    cluster.primary.reload()
    where = {"host": "127.0.0.1", "port": cluster.primary.port, "user": "locked"}
    file = tmp_path / "password"

    def answer(text, mode=0o600):
        file.write_text(f"127.0.0.1:*:novacron:locked:{text}\n")
        file.chmod(mode)
        asker = closing(Asker(**where, password_file=file))
        return asker.opened if asker.opened["status"] == "refused" else asker.query("select current_user")

    assert "it asks for a password: put HOST:PORT" in closing(Asker(**where, password_file="")).query("select 1")["error"]
    assert answer("right")["results"] == [[["locked"]]]
    assert "correct the password in data.postgres.password_file" in answer("wrong")["error"]
    assert f"others may read {file}: chmod 0600" in answer("right", 0o644)["error"]
    file.unlink()
    assert "No such file" in closing(Asker(**where, password_file=file)).opened["error"]
