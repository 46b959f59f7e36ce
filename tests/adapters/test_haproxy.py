"""The HAProxy driver before a real HAProxy with the shipped configuration: no request lost, and what it does when HAProxy hangs,
is missing, restarts or talks rubbish."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from balancer import TOOLS, Balancer, needs_haproxy, wait_for

pytestmark = needs_haproxy


@pytest.fixture
def balancer(tmp_path):
    balancer = Balancer(tmp_path)
    balancer.start_service()
    balancer.start()
    balancer.wait_up()
    yield balancer
    balancer.close()


class Clients:
    """Requests in threads: each one's status and seconds, in the order they ended."""

    def __init__(self, balancer):
        self.balancer, self.results, self.threads = balancer, [], []

    def begin(self, path, timeout=30):
        def run():
            start = time.monotonic()
            try:
                status = self.balancer.get(path, timeout)
            except OSError as problem:
                status = str(problem)
            self.results.append((status, time.monotonic() - start))

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def end(self):
        for thread in self.threads:
            thread.join()
        return [status for status, _ in self.results]


def in_flight(balancer):
    return int(balancer.server()["scur"])


# ---- the main thing: nothing is lost ----


@pytest.mark.parametrize("keep_alive", [True, False], ids=["keep-alive", "close"])
@pytest.mark.parametrize("start_ms", [0, 2000], ids=["fast-start", "slow-start"])
def test_switch_in_place_loses_no_request_and_no_write(balancer, keep_alive, start_ms):
    traffic = balancer.traffic()
    client, acknowledged = balancer.load(rate=300, seconds=2, keep_alive=keep_alive, name="w")
    wait_for(lambda: len(balancer.ledger.read_text().split()) > 50, what="load") if balancer.ledger.exists() else time.sleep(0.5)
    drained = traffic.ask("drain 5000 30000")
    assert drained["status"] == "done" and drained["number"] == 0, drained
    assert "parked" in drained["detail"] and drained["ms"] < 1000
    began = time.monotonic()
    balancer.stop_service()
    balancer.start_service(start_ms)
    away_ms = (time.monotonic() - began) * 1000
    assert traffic.ask("restore 5000")["status"] == "done"
    result = json.loads(client.communicate(timeout=60)[0])
    assert result["failed"] == 0 and result["ok"] == result["sent"] >= 590, result
    assert result["longest_ms"] < away_ms + drained["ms"] + 1000, result
    received = balancer.ledger.read_text().split()
    assert len(received) == len(set(received)), "a write was sent twice"
    assert set(acknowledged.read_text().split()) == set(received)


def test_a_server_marked_down_meanwhile_serves_at_once(balancer):
    traffic = balancer.traffic()
    traffic.ask("drain 5000 30000")
    balancer.stop_service()
    wait_for(lambda: balancer.server()["status"] == "DOWN", 15, "s1 DOWN")
    balancer.start_service()
    assert traffic.ask("restore 5000")["status"] == "done"
    assert balancer.server()["status"].startswith("UP")
    assert balancer.get() == 200


# ---- the gate ----


def test_query_drain_restore_are_idempotent(balancer):
    traffic = balancer.traffic()
    state = traffic.ask("query 1000")
    assert (state["drained"], state["gated"], state["in_flight"]) == (False, True, 0)
    for _ in range(2):
        assert traffic.ask("drain 5000 5000")["status"] == "done"
        state = traffic.ask("query 1000")
        assert (state["drained"], state["gated"]) == (True, True) and "kept" in state["detail"]
    for _ in range(2):
        assert traffic.ask("restore 5000")["status"] == "done"
        assert balancer.gate() == 0 and not traffic.ask("query 1000")["drained"]
    assert balancer.get() == 200


def test_parked_requests_wait_and_are_served(balancer):
    traffic = balancer.traffic()
    traffic.ask("drain 5000 5000")
    clients = Clients(balancer)
    for _ in range(20):
        clients.begin("/")
    time.sleep(0.3)
    assert clients.results == [] and in_flight(balancer) == 0
    traffic.ask("restore 5000")
    assert clients.end() == [200] * 20


def test_drain_waits_for_what_is_in_flight(balancer):
    traffic, clients = balancer.traffic(), Clients(balancer)
    clients.begin("/sleep/400")
    wait_for(lambda: in_flight(balancer) == 1)
    drained = traffic.ask("drain 5000 30000")
    assert drained["number"] == 0 and 200 < drained["ms"] < 2000, drained
    assert clients.end() == [200]
    traffic.ask("restore 5000")


def test_without_a_cut_what_is_in_flight_too_long_is_counted_and_ends_well(balancer):
    traffic, clients = balancer.traffic(), Clients(balancer)
    clients.begin("/sleep/1200")
    wait_for(lambda: in_flight(balancer) == 1)
    drained = traffic.ask("drain -1 400")
    assert drained["status"] == "done" and drained["number"] == 1 and "still in flight" in drained["detail"], drained
    assert 200 < drained["ms"] < 600
    state = traffic.ask("query 1000")
    assert (state["drained"], state["in_flight"]) == (True, 1)
    assert clients.end() == [200]
    assert traffic.ask("drain -1 5000")["number"] == 0
    traffic.ask("restore 5000")


def test_what_is_in_flight_too_long_is_cut_and_counted(balancer):
    traffic, clients = balancer.traffic(), Clients(balancer)
    for _ in range(3):
        clients.begin("/sleep/20000")
    wait_for(lambda: in_flight(balancer) == 3)
    drained = traffic.ask("drain 300 30000")
    assert drained["status"] == "done" and drained["number"] == 3, drained
    assert 300 <= drained["ms"] < 2000, "never earlier than asked for"
    assert in_flight(balancer) == 0
    assert clients.end() == [502] * 3
    traffic.ask("restore 5000")


def test_the_budget_cuts_when_park_cut_comes_later(balancer):
    traffic, clients = balancer.traffic(), Clients(balancer)
    clients.begin("/sleep/20000")
    wait_for(lambda: in_flight(balancer) == 1)
    drained = traffic.ask("drain 60000 1000")
    assert drained["status"] == "done" and drained["number"] == 1 and drained["ms"] < 1000, drained
    clients.end()


def test_park_max_answers_503_with_retry_after(balancer):
    traffic = balancer.traffic(park_max="400ms")
    traffic.ask("drain 5000 5000")
    assert balancer.gate("app:park_max") == 400
    with socket.create_connection(("127.0.0.1", balancer.port)) as client:
        start = time.monotonic()
        client.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        answer = client.recv(4096).decode().lower()
    assert answer.startswith("http/1.1 503") and "retry-after: 5" in answer
    assert 0.35 < time.monotonic() - start < 2
    traffic.ask("restore 1000")


def test_a_write_whose_client_left_while_parked_is_never_sent(balancer):
    traffic = balancer.traffic()
    traffic.ask("drain 5000 5000")
    with socket.create_connection(("127.0.0.1", balancer.port)) as client:
        client.sendall(b"POST /write/gone HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello")
        time.sleep(0.2)
    time.sleep(0.2)
    traffic.ask("restore 1000")
    time.sleep(0.3)  # many times what the gate takes to let a request go
    assert balancer.get("/write/later") == 200
    assert balancer.ledger.read_text().split() == ["later"]


def test_gate_is_kept_closed_beyond_its_horizon_and_opens_when_its_keeper_dies(balancer):
    traffic, clients = balancer.traffic(gate_horizon="1s"), Clients(balancer)
    traffic.ask("drain 5000 5000")
    clients.begin("/")
    time.sleep(2)
    assert clients.results == [], "kept closed for twice its horizon"
    balancer.tools.remove(traffic)
    traffic.kill()
    died = time.monotonic()
    assert clients.end() == [200]
    assert time.monotonic() - died < 1.5, "the gate opens by itself"
    assert balancer.traffic().ask("query 1000")["drained"] is False


def test_a_successor_restores_what_a_dead_process_drained(balancer):
    first = balancer.traffic(gate_horizon="30s")
    first.ask("drain 5000 5000")
    balancer.tools.remove(first)
    first.kill()
    second = balancer.traffic()
    state = second.ask("query 1000")
    assert state["drained"] and "nobody here keeps it closed" in state["detail"]
    assert second.ask("restore 1000")["status"] == "done"
    assert balancer.get() == 200


# ---- HAProxy restarts ----


def test_haproxy_restarted_while_drained_is_told_again(balancer):
    traffic = balancer.traffic(gate_horizon="2s")
    traffic.ask("drain 5000 5000")
    balancer.map.write_text("# no entry at all\n")
    balancer.stop()
    time.sleep(1)  # longer than the interval of its extensions
    balancer.start()
    wait_for(lambda: (balancer.gate() or 0) > time.time() * 1000, what="the gate closed again")
    restored = traffic.ask("restore 5000")
    assert restored["status"] == "done"
    assert [w["message"] for w in restored["warnings"] if "trying again" in w["message"]], "warned"
    assert len(restored["warnings"]) == 1, "once"
    balancer.wait_up()
    assert balancer.get() == 200


def test_haproxy_restarting_during_the_drain(balancer):
    traffic, clients = balancer.traffic(), Clients(balancer)
    clients.begin("/sleep/20000")
    wait_for(lambda: in_flight(balancer) == 1)
    traffic.send("drain 10000 20000")
    wait_for(lambda: (balancer.gate() or 0) > 0)
    balancer.process.kill()
    balancer.process.wait()
    balancer.start()
    drained = traffic.answer()
    assert drained["status"] == "done" and drained["number"] == 0, drained
    assert balancer.gate() > time.time() * 1000
    clients.end()


# ---- without a gate ----


def test_plain_drain_refuses_and_says_so(balancer):
    traffic, clients = balancer.traffic(gate_map=""), Clients(balancer)
    clients.begin("/sleep/400")
    wait_for(lambda: in_flight(balancer) == 1)
    drained = traffic.ask("drain 100 5000")
    assert drained["number"] == 0 and drained["ms"] > 200, "park_cut is for when others are parked"
    assert "no gate is configured" in drained["detail"] and "503" in drained["detail"]
    assert clients.end() == [200] and balancer.get() == 503
    state = traffic.ask("query 1000")
    assert (state["drained"], state["gated"]) == (True, False)
    assert traffic.ask("restore 1000")["status"] == "done"
    assert balancer.get() == 200


def test_gate_map_that_haproxy_has_not_loaded(balancer):
    traffic = balancer.traffic(gate_map="/nowhere/gate.map")
    state = traffic.ask("query 1000")
    assert state["gated"] is False and "/nowhere/gate.map" in state["detail"]
    drained = traffic.ask("drain 5000 5000")
    assert drained["status"] == "done" and "not loaded" in drained["detail"]
    assert len(drained["warnings"]) == 1 and "/nowhere/gate.map" in drained["warnings"][0]["message"]
    assert balancer.get() == 503
    traffic.ask("restore 1000")
    assert balancer.get() == 200


def test_a_server_somebody_else_took_out_stays_out(balancer):
    for traffic in (balancer.traffic(), balancer.traffic(gate_map="")):
        balancer.say("set server app/s1 state maint")
        assert traffic.ask("query 1000")["drained"]
        assert traffic.ask("drain 1000 1000")["status"] == "done"
        restored = traffic.ask("restore 1000")
        assert restored["status"] == "failed" and "set server app/s1 state ready" in restored["error"]
        assert balancer.server()["status"] == "MAINT" and balancer.gate() == 0
        balancer.say("set server app/s1 state ready")
        assert balancer.get() == 200


def test_a_server_drained_by_hand_while_it_was_down_stays_out(balancer):
    balancer.stop_service()
    wait_for(lambda: balancer.server()["status"] == "DOWN", 15, "s1 DOWN")
    for traffic in (balancer.traffic(gate_map=""), balancer.traffic()):
        balancer.say("set server app/s1 state drain")
        assert traffic.ask("query 1000")["drained"]
        traffic.ask("drain 1000 1000")
        restored = traffic.ask("restore 1000")
        assert restored["status"] == "failed" and "set server app/s1 state ready" in restored["error"], restored
        assert traffic.ask("query 1000")["drained"]
        assert traffic.ask("restore 1000 1")["status"] == "done", "everything is wanted"
        assert not traffic.ask("query 1000")["drained"]
        balancer.say("set server app/s1 health down")


def test_a_gate_that_lets_requests_through_is_found_out(balancer):
    config = balancer.config.read_text()
    balancer.config.write_text("\n".join(line for line in config.splitlines() if "lua.novacron_gate" not in line) + "\n")
    balancer.stop()
    balancer.start()
    balancer.wait_up()
    traffic = balancer.traffic()
    assert traffic.ask("drain 1000 5000")["status"] == "done"
    assert balancer.get() == 200
    assert "1 requests got to backend app past the closed gate" in traffic.ask("restore 1000")["detail"]


# ---- errors ----


def test_missing_socket(balancer):
    traffic = balancer.traffic(socket="/nowhere/haproxy.sock")
    for command in ("query 500", "drain 5000 500", "restore 500"):
        answer = traffic.ask(command)
        assert answer["status"] == "failed" and "/nowhere/haproxy.sock: No such file or directory" in answer["error"], answer
        assert answer["ms"] < 600
    balancer.stop()
    traffic = balancer.traffic()
    answer = traffic.ask("drain 5000 500")
    assert answer["status"] == "failed" and str(balancer.socket) in answer["error"]


def test_drain_gives_up_an_absent_haproxy_before_its_budget(balancer):
    traffic = balancer.traffic(socket="/nowhere/haproxy.sock")
    answer = traffic.ask("drain 5000 30000")
    assert answer["status"] == "failed" and answer["ms"] < 5000


def test_wrong_backend_and_wrong_server(balancer):
    for command in ("query 500", "drain 500 5000", "restore 5000"):
        answer = balancer.traffic(backend="nope").ask(command)
        assert answer["status"] == "failed" and answer["ms"] < 1000
        assert str(balancer.socket) in answer["error"] and '"nope"' in answer["error"] and "no such backend" in answer["error"]
        answer = balancer.traffic(servers="s1,s9").ask(command)
        assert answer["status"] == "failed" and '"s9"' in answer["error"]


def test_hung_haproxy_costs_the_budget_and_no_more(balancer):
    traffic = balancer.traffic()
    balancer.process.send_signal(signal.SIGSTOP)
    for command in ("query 300", "drain 5000 300", "restore 300"):
        answer = traffic.ask(command)
        assert answer["status"] == "timed_out" and str(balancer.socket) in answer["error"], answer
        assert answer["ms"] < 600
    balancer.process.send_signal(signal.SIGCONT)
    assert traffic.ask("restore 5000")["status"] == "done"
    assert balancer.get() == 200


def test_haproxy_that_hung_for_a_moment_is_drained_after_all(balancer):
    traffic = balancer.traffic()
    balancer.process.send_signal(signal.SIGSTOP)
    traffic.send("drain 5000 10000")
    time.sleep(0.3)
    balancer.process.send_signal(signal.SIGCONT)
    assert traffic.answer()["status"] == "done"
    assert balancer.gate() > 0


def test_socket_without_rights_to_change(balancer):
    """HAProxy 2.6 lets anybody set a map, but only `level admin` change a server or shut a session."""
    config = balancer.config.read_text()
    balancer.config.write_text(config.replace("level admin", "level operator"))
    balancer.stop()
    balancer.start()
    balancer.wait_up()
    answer = balancer.traffic(gate_map="").ask("drain 1000 1000")
    assert answer["status"] == "failed" and "Permission denied" in answer["error"] and "level admin" in answer["error"], answer
    traffic, clients = balancer.traffic(), Clients(balancer)
    clients.begin("/sleep/1500")
    wait_for(lambda: in_flight(balancer) == 1)
    answer = traffic.ask("drain 200 5000")
    assert answer["status"] == "done" and answer["number"] == 1 and "refused to cut" in answer["detail"], answer
    assert clients.end() == [200]
    assert traffic.ask("restore 1000")["status"] == "done"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be refused as somebody else")
def test_socket_of_somebody_else():
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as listener:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        listener.bind(f"{name}/haproxy.sock")
        listener.listen(8)
        (directory / "haproxy.sock").chmod(0o600)
        shutil.copy(TOOLS / "adapter-tool", directory)
        words = [directory / "adapter-tool", "traffic", "haproxy", f"socket={name}/haproxy.sock", "backend=app"]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=65534, group=65534, extra_groups=[])
        assert json.loads(process.stdout.readline())["status"] == "open"
        process.stdin.write("query 500\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        process.communicate()
    assert answer["status"] == "failed" and f"{name}/haproxy.sock: Permission denied" in answer["error"], answer


@pytest.mark.parametrize("rubbish", [b"", b"\x00\xff\x01", b"HTTP/1.0 400 Bad request\r\n\r\n", b"x" * 8_000_000, b"# pxname,svname,\napp,s1\n\n"],
                         ids=["nothing", "binary", "http", "flood", "short-row"])
def test_rubbish(balancer, tmp_path, rubbish):
    path = tmp_path / "rubbish.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)
        stop = threading.Event()

        def serve():
            listener.settimeout(0.05)
            while not stop.is_set():
                try:
                    client = listener.accept()[0]
                except TimeoutError:
                    continue
                with client:
                    try:
                        client.recv(4096)
                        client.sendall(rubbish)
                    except OSError:
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        traffic = balancer.traffic(socket=path)
        for command in ("query 500", "drain 500 500", "restore 500"):
            answer = traffic.ask(command)
            assert answer["status"] == "failed" and str(path) in answer["error"], answer
        stop.set()
        thread.join()


def test_settings_that_could_smuggle_commands(balancer):
    for settings in ({"backend": "app;shutdown"}, {"backend": "a b"}, {"gate_map": "/x;y"}, {"servers": "s1 state maint"}):
        tool = balancer.tool("traffic", "haproxy", **({"socket": balancer.socket, "backend": "app"} | settings))
        assert tool.opened["status"] == "refused" and "traffic.haproxy." in tool.opened["error"]


# ---- what it says of itself ----


def test_limit_is_what_applies(balancer):
    assert balancer.traffic().ask("query 1000")["limit"] == int(next(row.split(": ")[1] for row in balancer.say("show info").splitlines() if row.startswith("Maxconn:")))
    balancer.say("set maxconn global 20")
    assert balancer.traffic().ask("query 1000")["limit"] == 20, "the whole HAProxy's, when the servers have none"
    for maxconn, limit in (7, 7), (50, 20):
        balancer.say(f"set maxconn server app/s1 {maxconn}")
        assert balancer.traffic().ask("query 1000")["limit"] == limit


@pytest.mark.parametrize("state", ["drain", "maint"])
def test_everything_is_given_back_when_it_is_wanted(balancer, state):
    traffic = balancer.traffic()
    balancer.say(f"set server app/s1 state {state}")
    assert traffic.ask("query 1000")["drained"]
    refused = traffic.ask("restore 5000")
    assert refused["status"] == "failed" and "somebody has taken all servers" in refused["error"], refused
    assert traffic.ask("restore 5000 1")["status"] == "done"
    assert not traffic.ask("query 1000")["drained"] and balancer.get() == 200
