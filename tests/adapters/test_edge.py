"""The edge metrics: what a real HAProxy's log tells, and what strangers may do to the port."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from balancer import Balancer, Tool, free_port, needs_haproxy, wait_for

LINE = "novacron1 end={end} backend=app status={status} state={state} TR=0 Tr={ms} Ta={ms} gate=- key=- parked=-"


def line(status=200, ms=5, state="--", end=None):
    return LINE.format(end=end or int(time.time() * 1000), status=status, ms=ms, state=state).encode()


def framed(*lines):
    return b"".join(b"%d %s" % (len(text), text) for text in lines)


class Edge:
    def __init__(self, **settings):
        self.port = free_port()
        self.tool = Tool("metrics", "edge", listen=f"127.0.0.1:{self.port}", backend="app", **settings)
        self.sockets, self.warnings = [], []

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port))
        client.settimeout(5)
        self.sockets.append(client)
        return client

    def collect(self):
        return self.tool.ask("collect 1000")

    def pulse(self):
        pulse = self.tool.ask("pulse")
        self.warnings += [warning["message"] for warning in pulse["warnings"]]
        return pulse

    def wait_for_requests(self, count):
        wait_for(lambda: self.pulse()["requests"] >= count, what=f"{count} requests")


@pytest.fixture
def edge():
    edge = Edge()
    assert edge.tool.opened["status"] == "open"
    yield edge
    for client in edge.sockets:
        client.close()
    edge.tool.close()


# ---- a stream of lines ----


def test_sample(edge):
    haproxy = edge.connect()
    haproxy.sendall(framed(*[line(ms=i) for i in range(1, 101)], line(500, 7), line(504, 30000, "sH"), line(404)))
    edge.wait_for_requests(103)
    sample = edge.collect()
    assert sample["measured"] and sample["note"] == ""
    assert (sample["requests"], sample["errors"], sample["successes"]) == (103, 2, 101)
    assert sample["p50_us"] == 50_000 and sample["p99_us"] == 100_000
    assert edge.collect()["requests"] == 0


def test_newlines_are_understood(edge):
    edge.connect().sendall(b"".join(line() + b"\n" for _ in range(10)) + b"<134>" + line() + b"\r\n")
    edge.wait_for_requests(11)
    assert edge.collect()["measured"]


def test_collect_takes_what_has_arrived(edge):
    haproxy = edge.connect()
    haproxy.sendall(framed(line()))
    edge.wait_for_requests(1)
    for _ in range(50):
        haproxy.sendall(framed(line()))
        assert edge.collect()["requests"] >= 1


def test_nobody_connected(edge):
    sample = edge.collect()
    assert not sample["measured"] and "isn't connected" in sample["note"] and str(edge.port) in sample["note"]
    assert not edge.pulse()["connected"]
    haproxy = edge.connect()
    haproxy.sendall(framed(line()))
    edge.wait_for_requests(1)
    assert edge.pulse()["connected"] and edge.collect()["measured"]
    haproxy.close()
    wait_for(lambda: not edge.pulse()["connected"])
    assert not edge.collect()["measured"]


def test_the_past_is_skipped_once(edge):
    haproxy = edge.connect()
    hour_ago = int(time.time() * 1000) - 3_600_000
    haproxy.sendall(framed(*[line(500, end=hour_ago)] * 20, line(), line(end=hour_ago)))
    edge.wait_for_requests(2)
    sample = edge.collect()
    assert (sample["measured"], sample["requests"], sample["errors"]) == (True, 2, 0)


# ---- strangers and nonsense ----


@pytest.mark.parametrize("garbage", [b"\x00\xff\x80" * 50_000, b"x" * 10_000_000, b"99999 " + b"y" * 200_000, b"12" * 100_000, framed(b"z" * 8000) * 20,
                                     framed(line().replace(b"Tr=5", b"Tr=-5")) * 20, framed(line().replace(b"Tr=5", b"Tr=NaN")) * 20, framed(line()[:60]) * 20,
                                     (line()[:60] + b"\n") * 20, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
                         ids=["binary", "10-MB", "huge-frame", "digits", "long-frames", "negative", "NaN", "truncated", "truncated-lines", "http"])
def test_nonsense_is_not_measured(edge, garbage):
    haproxy = edge.connect()
    haproxy.sendall(framed(line()))
    edge.wait_for_requests(1)
    edge.collect()
    stranger = edge.connect()
    try:
        stranger.sendall(garbage)
    except OSError:
        pass  # it hung up on us: that is fine
    notes = []

    def noticed():
        sample = edge.collect()
        notes.append(sample["note"])
        return not sample["measured"] and "made no sense" in sample["note"]

    wait_for(noticed, what="nonsense noticed")
    haproxy.sendall(framed(*[line()] * 5))
    edge.wait_for_requests(6)
    assert edge.pulse()["failures"] == 0


def test_sense_outweighs_a_little_nonsense(edge):
    edge.connect().sendall(framed(*[line()] * 50, b"what?", *[line()] * 50))
    edge.wait_for_requests(100)
    sample = edge.collect()
    assert sample["measured"] and sample["requests"] == 100 and "1 of 101" in sample["note"]


def test_strangers_cannot_keep_haproxy_out(edge):
    haproxy = edge.connect()
    haproxy.sendall(framed(line()))
    edge.wait_for_requests(1)
    for _ in range(60):
        edge.connect()
    late = edge.connect()
    late.sendall(framed(line()))
    edge.wait_for_requests(2)
    haproxy.sendall(framed(line()))
    edge.wait_for_requests(3)


# ---- whose connection it is ----

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
SENDER = """import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
try:
    client.sendall(sys.stdin.buffer.read())
    client.settimeout(5)
    client.recv(1)  # until the other end closes it, or the test ends us
except ConnectionError:
    pass
"""


def forge(edge, user):
    """Lines of failed requests, sent by another user; the process, which ends when its connection is closed."""
    sender = subprocess.Popen([sys.executable, "-c", SENDER, str(edge.port)], stdin=subprocess.PIPE, user=user, group=user, extra_groups=[])
    sender.stdin.write(framed(*[line(500)] * 20))
    sender.stdin.close()
    return sender


@ROOT
def test_another_user_is_not_believed(edge):
    haproxy = edge.connect()
    haproxy.sendall(framed(line()))
    edge.wait_for_requests(1)
    for _ in range(20):
        assert forge(edge, 65534).wait(10) == 0
    pulse = edge.pulse()
    assert (pulse["requests"], pulse["failures"], pulse["connected"]) == (1, 0, True)
    (message,) = edge.warnings  # said once
    assert "nobody (uid 65534)" in message and "metrics.edge.from (haproxy)" in message
    sample = edge.collect()
    assert (sample["measured"], sample["requests"], sample["errors"], sample["note"]) == (True, 1, 0, "")


@ROOT
def test_silence_names_who_was_refused(edge):
    assert forge(edge, 4242).wait(10) == 0
    assert "a connection of uid 4242 was refused" in edge.pulse()["detail"]
    assert "a connection of uid 4242 was refused" in edge.collect()["note"]
    edge.connect().sendall(framed(line()))
    edge.wait_for_requests(1)
    assert edge.collect()["note"] == ""


@ROOT
def test_users_of_from_are_believed():
    edge = Edge(**{"from": "games,nobody"})
    sender = forge(edge, 65534)
    edge.wait_for_requests(20)
    assert edge.warnings == []
    sender.terminate()
    sender.wait()
    edge.tool.close()


@ROOT
def test_our_own_user_is_believed():
    """As ./demo is begun by anybody: controller and HAProxy are the same user's."""
    edge = Edge(program_user=65534)
    sender = forge(edge, 65534)
    edge.wait_for_requests(20)
    sender.terminate()
    sender.wait()
    assert forge(edge, 4242).wait(10) == 0
    edge.pulse()
    assert "uid 4242" in edge.warnings[0]
    edge.tool.close()


def test_who_closed_at_once_is_not_believed(edge):
    edge.tool.process.send_signal(signal.SIGSTOP)
    client = socket.create_connection(("127.0.0.1", edge.port))
    client.sendall(framed(*[line(500)] * 20))
    client.close()
    edge.tool.process.send_signal(signal.SIGCONT)
    late = edge.connect()
    late.sendall(framed(line()))
    edge.wait_for_requests(1)
    assert edge.pulse()["failures"] == 0 and "nobody can tell whose it is" in edge.warnings[0]


def test_unknown_names_are_refused():
    edge = Edge(**{"from": "haproxy,novacron-no-such-user"})
    assert edge.tool.opened["status"] == "refused" and "novacron-no-such-user" in edge.tool.opened["error"]
    edge.tool.close()


def test_anyone_is_believed_only_from_addresses_of_peers():
    edge = Edge(**{"from": "anyone"})
    if os.geteuid() == 0:
        assert forge(edge, 65534).wait(10) == 0
        assert edge.pulse()["requests"] == 0
    edge.tool.close()
    edge = Edge(**{"from": "anyone", "peers": "127.0.0.1"})
    client = socket.create_connection(("127.0.0.1", edge.port))
    client.sendall(framed(line()))
    client.close()
    edge.wait_for_requests(1)
    edge.tool.close()


def test_port_taken(edge):
    other = Tool("metrics", "edge", listen=f"127.0.0.1:{edge.port}", backend="app")
    assert other.opened["status"] == "refused" and f"127.0.0.1:{edge.port}" in other.opened["error"] and "in use" in other.opened["error"]
    other.close()


STRANGER = "192.0.2.7"
HERE, THERE = "192.0.2.9", "192.0.2.10"


def test_only_declared_peers():
    """In a network of its own, where loopback has one more address, which isn't loopback to us, and another network is at hand."""
    script = (f'ip link set lo up && ip addr add {STRANGER}/32 dev lo && {{ unshare -n sleep 60 & }} && there=$! &&'
              ' until [ "$(readlink /proc/$there/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done &&'
              f' ip link add here type veth peer name there netns $there && ip addr add {HERE}/30 dev here && ip link set here up &&'
              f' nsenter -t $there -n sh -c "ip addr add {THERE}/30 dev there && ip link set there up" && export THERE=$there && "$@"; code=$?; kill $there; exit $code')
    inside = ["unshare", "-rn", "sh", "-c", script, "sh"]
    if not shutil.which("ip") or subprocess.run([*inside, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no network namespaces here")
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "in_a_network_of_its_own"]
    done = subprocess.run([*inside, *test], stdout=subprocess.PIPE, text=True, env=dict(os.environ, EDGE_IN_NAMESPACE="1"), timeout=60)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout


IN_NAMESPACE = pytest.mark.skipif("EDGE_IN_NAMESPACE" not in os.environ, reason="run by test_only_declared_peers")


def refused(client, tool):
    try:
        assert client.recv(1) == b""
    except ConnectionResetError:
        pass
    answer = tool.ask("pulse")
    assert answer["requests"] == 0 and not answer["connected"]
    return answer["warnings"][0]["message"]


@IN_NAMESPACE
def test_peers_in_a_network_of_its_own():
    for peers, admitted in (("192.0.2.99", False), (STRANGER, True)):
        port = free_port()
        tool = Tool("metrics", "edge", listen=f"0.0.0.0:{port}", backend="app", peers=peers)
        with socket.create_connection((STRANGER, port)) as client:
            client.sendall(framed(line()))
            if admitted:  # it is of this machine, so that its user can be told
                wait_for(lambda: tool.ask("pulse")["requests"] == 1)
            else:
                assert STRANGER in refused(client, tool)
        tool.close()


@IN_NAMESPACE
def test_another_machine_in_a_network_of_its_own():
    """Nobody can tell whose a connection from another network is: it needs a word."""
    for users, admitted in (("haproxy", False), ("haproxy,anyone", True)):
        port = free_port()
        tool = Tool("metrics", "edge", listen=f"{HERE}:{port}", backend="app", peers=THERE, **{"from": users})
        sender = subprocess.Popen(["nsenter", "-t", os.environ["THERE"], "-n", sys.executable, "-c", SENDER.replace("127.0.0.1", HERE), str(port)],
                                  stdin=subprocess.PIPE)
        sender.stdin.write(framed(line()))
        sender.stdin.close()
        if admitted:
            wait_for(lambda: tool.ask("pulse")["requests"] == 1)
            sender.terminate()
            sender.wait()
        else:
            assert sender.wait(10) == 0
            answer = tool.ask("pulse")
            message = answer["warnings"][0]["message"]
            assert answer["requests"] == 0 and THERE in message and "`anyone`" in message and "metrics.edge.from" in message
        tool.close()


# ---- a real HAProxy ----


@pytest.fixture
def balancer(tmp_path):
    balancer = Balancer(tmp_path)
    balancer.start_service()
    balancer.start()
    balancer.wait_up()
    yield balancer
    balancer.close()


def listen(balancer, **settings):
    tool = balancer.tool("metrics", "edge", listen=f"127.0.0.1:{balancer.edge_port}", backend="app", **settings)
    wait_for(lambda: tool.ask("pulse")["connected"], what="HAProxy's ring")
    return tool


def wait_requests(tool, count):
    wait_for(lambda: tool.ask("pulse")["requests"] >= count, what=f"{count} requests")


@needs_haproxy
def test_haproxy_tells_what_requests_got(balancer):
    for _ in range(5):
        balancer.get("/status/500")  # before anybody listened: the past
    time.sleep(1.2)
    edge = listen(balancer, haproxy_socket=balancer.socket)
    for path in ["/"] * 20 + ["/status/404", "/status/500", "/sleep/150"]:
        balancer.get(path)
    wait_requests(edge, 23)
    sample = edge.ask("collect 1000")
    assert (sample["measured"], sample["requests"], sample["errors"], sample["dropped"], sample["note"]) == (True, 23, 1, 0, ""), sample
    assert 150_000 <= sample["p99_us"] < 400_000 and sample["p50_us"] < 100_000

    balancer.stop_service()
    balancer.get("/")
    wait_requests(edge, 24)
    pulse = edge.ask("pulse")
    assert pulse["failures"] == 2 and pulse["failing"]


@needs_haproxy
@ROOT
def test_haproxy_of_its_own_user_is_believed(tmp_path):
    """As a package sets it up: begun by root, then the user haproxy."""
    balancer = Balancer(tmp_path)
    balancer.config.write_text(balancer.config.read_text().replace("\nglobal\n", "\nglobal\n  user haproxy\n", 1))
    balancer.start_service()
    balancer.start()
    balancer.wait_up()
    assert os.stat(f"/proc/{balancer.process.pid}").st_uid == pwd.getpwnam("haproxy").pw_uid
    edge = listen(balancer)
    balancer.get()
    wait_requests(edge, 1)
    assert edge.ask("pulse")["warnings"] == []
    balancer.close()


@needs_haproxy
def test_parked_time_is_told_apart(balancer):
    edge, traffic = listen(balancer), balancer.traffic(park_max="600ms")
    traffic.ask("drain 5000 5000")
    assert balancer.get() == 503
    wait_requests(edge, 1)
    pulse = edge.ask("pulse")
    assert (pulse["requests"], pulse["failures"], pulse["parked"]) == (1, 1, 1) and pulse["parked_longest_us"] >= 600_000
    traffic.ask("restore 1000")

    traffic.ask("drain 5000 5000")
    client = socket.create_connection(("127.0.0.1", balancer.port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    time.sleep(0.3)
    traffic.ask("restore 1000")
    assert b" 200 " in client.recv(4096)
    client.close()
    wait_requests(edge, 2)
    sample = edge.ask("collect 1000")
    assert (sample["requests"], sample["errors"]) == (1, 0) and sample["p99_us"] < 200_000, sample
    assert edge.ask("pulse")["parked"] == 2


@needs_haproxy
def test_requests_cut_by_a_drain_are_failures(balancer):
    edge, traffic = listen(balancer), balancer.traffic()
    client = socket.create_connection(("127.0.0.1", balancer.port))
    client.sendall(b"GET /sleep/20000 HTTP/1.1\r\nHost: t\r\n\r\n")
    wait_for(lambda: balancer.server()["scur"] == "1")
    assert traffic.ask("drain 200 5000")["number"] == 1
    wait_requests(edge, 1)
    assert edge.ask("pulse")["failures"] == 1
    client.close()


@needs_haproxy
def test_a_hung_or_missing_runtime_socket_is_a_note(balancer):
    edge = listen(balancer, haproxy_socket="/nowhere/haproxy.sock")
    balancer.get()
    wait_requests(edge, 1)
    sample = edge.ask("collect 500")
    assert sample["measured"] and sample["requests"] == 1 and "/nowhere/haproxy.sock" in sample["note"]

    edge.close()
    balancer.tools.remove(edge)
    edge = listen(balancer, haproxy_socket=balancer.socket)
    balancer.process.send_signal(signal.SIGSTOP)
    sample = edge.ask("collect 400")
    assert sample["status"] == "done" and "no answer within" in sample["note"] and sample["ms"] < 600


@needs_haproxy
def test_restarted_haproxy_is_heard_again(balancer):
    edge = listen(balancer)
    balancer.stop()
    wait_for(lambda: not edge.ask("pulse")["connected"])
    balancer.start()
    wait_for(lambda: edge.ask("pulse")["connected"], what="HAProxy's ring")
    balancer.wait_up()
    balancer.get()
    wait_requests(edge, 1)
    assert edge.ask("collect 500")["measured"]
