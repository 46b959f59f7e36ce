"""The consensus driver before real etcd clusters: sound, losing their leader and their quorum, tampered with, over TLS, and before what
isn't etcd at all."""

import http.server
import json
import math
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

from balancer import free_port
from etcd import NAMES, Certificates, Cluster, Looker, closing, member, needs_etcd

pytestmark = needs_etcd


@pytest.fixture(scope="module")
def cluster():
    """For tests that leave it as they found it."""
    directory = Path(tempfile.mkdtemp(prefix="etcd-test-"))
    cluster = Cluster(directory)
    yield cluster
    cluster.close()
    shutil.rmtree(directory, ignore_errors=True)


def whole(answer):
    return answer["quorum"] == "held" and answer["reachable"] == 3


def test_sound(cluster, closing):
    """One endpoint is enough to find all; the lag is of what was written."""
    looker = closing(Looker(cluster.url("n2")))
    revision = cluster.put("a", "b")
    answer = looker.until(lambda answer: whole(answer) and answer["leader"] == cluster.leader(), what="the cluster is whole")[-1]
    assert answer["byzantine"] == 0 and answer["term"] > 1
    assert [one["name"] for one in answer["members"]] == list(NAMES)
    assert len({one["hash"] for one in answer["members"]}) == 1 and all(one["hashed"] for one in answer["members"])
    assert all(one["revision"] >= revision - 1 and one["applied"] > 0 for one in answer["members"])
    assert member(answer, answer["leader"])["lag_us"] == 0 < answer["lag_us"] < 1_000_000
    again = looker.look()
    assert not any(one["hashed"] for one in again["members"]), "hashing is dear"
    assert whole(again), again["words"]


def test_members_data_is_compared_each_interval(cluster, closing):
    looker = closing(Looker(cluster.url("n1"), hash_interval="1s"))
    begun = time.monotonic()
    looks = looker.until(lambda answer: answer["members"][0]["hashed"] and time.monotonic() - begun > 0.9, what="hashed again")
    assert sum(one["members"][0]["hashed"] for one in looks) == 2, "at first, and a second later"


def test_move_leader(cluster, closing):
    looker = closing(Looker(cluster.url("n1")))
    answer = looker.look()
    leader, successor = answer["leader"], looker.ask("successor")["name"]
    assert successor and successor != leader
    ids = member(answer, leader)["id"], member(answer, successor)["id"]
    assert looker.ask(f"move {ids[0]} {ids[1]} 3000")["status"] == "done"
    assert looker.look()["leader"] == successor == cluster.leader()
    assert looker.ask(f"move {ids[0]} {ids[1]} 3000")["detail"] == "it leads already"
    third = next(one["id"] for one in answer["members"] if one["id"] not in ids)
    refused = looker.ask(f"move {ids[0]} {third} 3000")
    assert refused["status"] == "failed" and "not leader" in refused["error"], "who isn't the leader can't give it away"
    assert "no member" in looker.ask(f"move {ids[0]} 4711 3000")["error"]


def test_leader_killed(cluster, closing):
    looker = closing(Looker(cluster.url("n1"), patience_ms=5000))
    before = looker.until(whole, what="the cluster is whole")[-1]
    old = before["leader"]
    cluster.kill(old)
    looks = looker.until(lambda answer: answer["leader"] not in (None, old), what="a new leader")
    cluster.start(old)  # at once: what follows is about what was seen, and the next test needs it
    now = looks[-1]
    assert now["quorum"] == "held" and now["term"] > before["term"] and now["reachable"] == 2
    assert "lost" not in {one["quorum"] for one in looks}, "an election is no loss"
    dead = member(now, old)
    assert not dead["reachable"] and "refused" in dead["detail"] and dead["lag_us"] == -1, "it stays listed"
    assert now["lag_us"] >= 0 and now["byzantine"] == 0
    looker.until(whole, what="it is back")


def test_minority_cut_off(cluster, closing):
    """The one that is left still answers: what it has is old, and it says itself that it has no leader."""
    looker = closing(Looker(cluster.url("n1"), cluster.url("n3"), patience_ms=1000))
    looker.until(whole, what="the cluster is whole")
    stopped = ("n2", "n3")
    for name in stopped:
        cluster.send(name, signal.SIGSTOP)
    try:
        looks = looker.until(lambda answer: answer["quorum"] == "lost", what="the quorum is lost", member_ms=200)
        last = looks[-1]
        assert "unknown" in {one["quorum"] for one in looks}, "not at the first look"
        assert last["reachable"] == 1 and "the quorum is lost" in last["words"] and last["lag_us"] == -1
        assert all("no answer within 200 ms" in member(last, name)["detail"] for name in stopped)
        assert all(one["ms"] < 900 for one in looks), "one that hangs costs its own time-out"
        assert looker.ask("successor")["name"] is None
    finally:
        for name in stopped:
            cluster.send(name, signal.SIGCONT)
    looker.until(whole, what="it heals")


def test_tampered(cluster, closing):
    """Compaction alone is no crime, at whatever moment it is seen; another's data is, after three looks a second apart."""
    cluster.put("tampered", "ORIGINAL")
    middle = cluster.put("other", "x")
    cluster.put("other", "y")
    looker = closing(Looker(cluster.url("n1"), hash_interval="1s"))
    cluster.compact(middle)
    begun = time.monotonic()
    looks = looker.until(lambda _: time.monotonic() - begun > 2.2, what="two more hashes")
    assert {one["byzantine"] for one in looks} == {0} and not any("differs" in one["words"] for one in looks)
    assert {one["members"][0]["compact_revision"] for one in looks if one["members"][0]["hashed"]} == {middle}

    bad = cluster.follower()
    cluster.tamper(bad, "ORIGINAL", "TAMPERED")
    looks = looker.until(lambda answer: answer["byzantine"], what="it is Byzantine")
    strikes = [one for one in looks if member(one, bad)["hashed"] and "differs" in one["words"]]
    assert len(strikes) == 3 and "to be confirmed" in strikes[1]["words"] and strikes[2] is looks[-1]
    assert [one["name"] for one in looks[-1]["members"] if one["byzantine"]] == [bad]
    assert looks[-1]["quorum"] == "held" and looker.ask("successor")["name"] not in (None, bad)
    cluster.tamper(bad, "TAMPERED", "ORIGINAL")
    looker.until(lambda answer: whole(answer) and answer["byzantine"] == 0, what="it is mended")


def test_endpoints_that_hang_or_talk_nonsense(cluster, closing):
    """Beside one that is well they do no harm."""
    hanging = closing(Service(None))
    nonsense = closing(Service(b'{"header":{"cluster_id":"1"},"members":[{"ID":"1","clientURLs":["http://127.0.0.1:1"]}'))
    looker = closing(Looker(hanging.url, nonsense.url, f"http://127.0.0.1:{free_port()}", cluster.url("n3")))
    answer = looker.look(500)
    assert whole(answer) and answer["ms"] < 500, answer["words"]


class Service(http.server.ThreadingHTTPServer):
    """Answers everything with `body`; None: never."""

    daemon_threads = True

    def __init__(self, body, status=200):
        self.body, self.status, self.released = body, status, threading.Event()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                answer = service.answer(self.path)
                if answer is None:
                    service.released.wait(20)
                    return
                self.send_response(service.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, path):
        return self.body

    def close(self):
        self.released.set()
        self.shutdown()
        self.server_close()


class Pretender(Service):
    """Answers as a member would, but what the test wants."""

    def __init__(self, number, fellows):
        super().__init__(b"")
        self.number, self.fellows = number, fellows
        self.says = {"leader": "1", "raftTerm": "3", "raftAppliedIndex": "100"}
        self.header = {"cluster_id": "7", "member_id": str(number), "revision": "40"}
        self.hash = 4711

    def answer(self, path):
        if path.endswith("member/list"):
            said = {"header": self.header, "members": [
                {"ID": str(one.number), "name": f"n{one.number}", "peerURLs": [one.url], "clientURLs": [one.url]} for one in self.fellows]}
        elif path == "/members/hashkv":
            said = {"header": {"revision": 40}, "hash": self.hash, "compact_revision": 3}
        else:
            said = {"header": self.header, **{key: value() if callable(value) else value for key, value in self.says.items()}}
        return json.dumps(said).encode()


@pytest.fixture
def pretenders(closing):
    fellows = []
    fellows.extend(closing(Pretender(number, fellows)) for number in (1, 2, 3))
    return fellows


def test_lag(pretenders, closing):
    """Asked until it has what the leader had: between the two the truth lies. Who lacks something is asked again after 5 ms at the
    soonest: hence the least that it lags, however busy the machine is."""
    looker = closing(Looker(pretenders[0].url))
    asked = []

    def applied(behind_for):
        asked.append(1)
        return "90" if len(asked) <= behind_for else "100"

    pretenders[1].says["raftAppliedIndex"] = lambda: applied(20)
    answer = looker.look(10_000)
    slow = member(answer, "n2")
    assert slow["reachable"] and slow["behind"] == 0 and slow["applied"] == 100
    assert 18 * 5_000 <= slow["lag_least_us"] < slow["lag_us"] <= answer["ms"] * 1000 + 1, slow
    asked.clear()
    pretenders[1].says["raftAppliedIndex"] = lambda: applied(math.inf)
    stuck = looker.look(200)
    assert member(stuck, "n2")["behind"] == 10 and stuck["ms"] < 700
    least = (len(asked) - 3) * 5_000  # the first was no repetition, and the last may not have been answered
    assert len(asked) > 1 and least <= member(stuck, "n2")["lag_least_us"] <= member(stuck, "n2")["lag_us"] == stuck["lag_us"]
    assert stuck["lag_us"] >= 200_000, "all of its time"
    assert member(stuck, "n3")["lag_least_us"] == 0, "what is first seen with all of it may not lag at all"


def test_another_leader_in_the_same_term(pretenders, closing):
    looker = closing(Looker(pretenders[0].url))
    pretenders[2].says["leader"] = "3"
    looks = looker.until(lambda answer: answer["byzantine"], what="it is Byzantine")
    assert looks[-1]["leader"] == "n1" and member(looks[-1], "n3")["byzantine"], looks[-1]["words"]
    pretenders[2].says["leader"] = "1"
    assert looker.look()["byzantine"] == 0


def test_somebody_else_answers(pretenders, closing):
    """Behind an address that now belongs to another member, or another cluster."""
    looker = closing(Looker(pretenders[0].url))
    assert whole(looker.look())
    pretenders[1].header["member_id"] = "3"
    answer = looker.look()
    assert answer["reachable"] == 2 and "another member (3) answers there" in member(answer, "n2")["detail"]
    pretenders[1].header.update(member_id="2", cluster_id="8")
    assert "another cluster" in member(looker.look(), "n2")["detail"]
    pretenders[1].header.update(cluster_id="7", revision="x")
    assert "'revision' isn't a number" in member(looker.look(), "n2")["detail"]


def test_a_cluster_made_anew(pretenders, closing):
    """From a backup, say: it takes the place of the one that is gone, but only then."""
    looker = closing(Looker(pretenders[0].url, pretenders[1].url, hash_interval="1s"))
    assert whole(looker.look())
    pretenders[0].header["cluster_id"] = "8"
    begun = time.monotonic()
    looks = looker.until(lambda _: time.monotonic() - begun > 1.2, what="the list was asked for again")
    assert looks[-1]["reachable"] == 2 and "another cluster" in member(looks[-1], "n1")["detail"]
    for one in pretenders[1:]:
        one.header["cluster_id"] = "8"
    looker.until(whole, what="the new one is watched")


def test_data_that_is_not_hashed_says_why(pretenders, closing):
    pretenders[1].hash = "?"
    looker = closing(Looker(pretenders[0].url, hash_interval="1h"))
    for _ in range(2):  # at each look, not only when it was tried
        answer = looker.look()
        assert whole(answer) and "its data's hash: 'hash' isn't a number" in member(answer, "n2")["detail"]
    assert "isn't compared" not in answer["words"], "two of three are"


@pytest.mark.parametrize("body, status, says", [
    (None, 200, "no answer within 300 ms"),
    (b"it works!", 200, "not a JSON answer"),
    (b"[]", 200, "not a JSON object"),
    (b"{}", 200, "no 'header'"),
    (b'{"header":{"cluster_id":"-1"},"members":[]}', 200, "'cluster_id' isn't a number"),
    (b'{"error":"etcdserver: request timed out"}', 503, "status 503: etcdserver: request timed out"),
    (b"x" * 300_000, 200, "longer than"),
], ids=["hangs", "text", "list", "empty", "negative", "refusal", "huge"])
def test_no_etcd_at_all(closing, body, status, says):
    """Then not even the members are known: that is no verdict on a cluster."""
    service = closing(Service(body, status))
    looker = closing(Looker(service.url))
    answer = looker.ask("look 300")
    assert answer["status"] == "failed" and says in answer["error"] and service.url in answer["error"], answer
    assert answer["error"].startswith("the cluster's members aren't known")


def test_tls(tmp_path, closing):
    """Members that know nobody without a certificate, and that are known by theirs."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "others").mkdir()
    ours, others = Certificates(tmp_path / "ours"), Certificates(tmp_path / "others")
    cluster = closing(Cluster(tmp_path, ours))
    trusting = closing(Looker(cluster.url("n1"), ca=ours.ca, certificate=ours.certificate, key=ours.key))
    answer = trusting.look()
    assert whole(answer) and all(one["hashed"] for one in answer["members"])
    for settings in ({"ca": ours.ca}, {"ca": others.ca, "certificate": ours.certificate, "key": ours.key}, {}):
        stranger = closing(Looker(cluster.url("n1"), **settings))
        assert stranger.ask("look 1000")["status"] == "failed", settings


def test_bad_settings(closing):
    for endpoints, settings, says in ((["127.0.0.1:2379"], {}, "isn't a URL"), (["http://127.0.0.1:1"], {"certificate": "/c"}, "belong together")):
        looker = closing(Looker(*endpoints, **settings))
        assert looker.opened["status"] == "refused" and says in looker.opened["error"]
