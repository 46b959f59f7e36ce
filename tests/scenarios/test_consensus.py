"""The service keeps its state in an etcd cluster: what happens to that after a deployment is held against it, what was wrong before isn't."""

import json
import shutil

import pytest
from etcd_units import CONSENSUS, EtcdUnits
from test_openapi import Description, get, wrong_answers
from testsite import FAST_WINDOW

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd isn't installed")


def consensus(site):
    answer = site.ask("GET", "/consensus/status")
    return answer[1] if answer and answer[0] == 200 else {}


def wait_consensus(site, predicate, what, timeout=20):
    def condition():
        status = consensus(site)
        return status if status.get("leader_elected") is not None and predicate(status) else None

    return site.wait(condition, timeout, what)


def is_sound(status):
    return status["quorum_healthy"] and status["reachable"] == 3 and status["byzantine_nodes"] == 0


def begin(site):
    etcd = EtcdUnits(site.host)
    etcd.put("key", "ORIGINAL")
    site.configure(consensus=CONSENSUS, **FAST_WINDOW)
    site.release("v2.4.0")
    site.release("v3.0.0", unit_extra="ExecStartPre=/bin/sleep 0.5")
    site.start()
    site.deploy_good("v2.4.0")
    wait_consensus(site, is_sound, "the cluster is sound")
    return etcd


def decisions(site):
    return site.ask("GET", "/decisions")[1]["decisions"]


def test_byzantine_member(site):
    """Found within seconds, rolled back at once; the leadership never goes to it, and moves elsewhere when it is told to."""
    etcd = begin(site)
    site.deploy("v3.0.0")
    bad = etcd.follower()
    etcd.tamper(bad, "ORIGINAL", "TAMPERED")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    site.check_proof()
    assert run["outcome"] == "succeeded" and run["reason"].startswith("Byzantine member: "), run["reason"]
    assert f"the data of {bad} differs" in run["reason"]
    assert [one["triggers"] for one in decisions(site) if one["id"] == run["decision"]] == [["byzantine"]]
    site.check_steady("v2.4.0")

    status = wait_consensus(site, lambda status: status["byzantine"] == [bad], "it is still named")
    assert {one["name"]: one["state"] for one in status["members"]}[bad] == "byzantine"
    nodes = site.ask("GET", "/cluster/status")[1]["nodes"]
    assert {one["name"]: one["state"] for one in nodes} == {name: "degraded" if name == bad else "healthy" for name in ("n1", "n2", "n3")}
    health = site.ask("GET", "/health/consensus")
    assert health[0] == 503 and "2 of 3 sound = 66" in str(health[1]), health

    description = Description(json.loads(get(site, "/openapi.json")[3]))
    answers = ("/consensus/status", "/consensus/status"), ("/cluster/status", "/cluster/status"), ("/health/{name}", "/health/consensus")
    wrong = [line for path, asked in answers for line in wrong_answers(description, site, "GET", f"/api/v3{path}", f"/api/v3{asked}")]
    assert not wrong, "\n".join(wrong)
    code, moved = site.ask("POST", "/consensus/force-election", {}, timeout=10)
    assert code == 200 and moved["moved"] and moved["from"] == status["leader"], moved
    assert moved["to"] not in (bad, moved["from"])
    wait_consensus(site, lambda status: status["leader"] == moved["to"], "it leads")

    etcd.kill(moved["from"])
    wait_consensus(site, lambda status: status["reachable"] == 2 and status["quorum_healthy"], "one is dead")
    code, refused = site.ask("POST", "/consensus/force-election", {}, timeout=10)
    assert code == 409 and "Byzantine" in refused["detail"], refused


def test_quorum_lost(site):
    """After the deployment."""
    etcd = begin(site)
    site.deploy("v3.0.0")
    etcd.kill("n2", "n3")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    site.check_proof()
    assert run["outcome"] == "succeeded" and run["reason"].startswith("quorum lost: 1 of 3 members answer"), run["reason"]
    site.check_steady("v2.4.0")
    assert site.ask("POST", "/consensus/force-election", {})[0] == 409
    etcd.start("n2", "n3")
    wait_consensus(site, is_sound, "it is sound again")


def test_quorum_lost_before(site):
    """That isn't the deployment's fault; and a controller that is killed in the middle of it still knows."""
    etcd = begin(site)
    etcd.kill("n2", "n3")
    wait_consensus(site, lambda status: status["quorum_healthy"] is False, "the quorum is known to be lost")
    process = site.begin("deploy", "v3.0.0")
    site.wait_acting("start_version")
    site.kills_controller = True
    site.host.run(["kill", "-9", str(site.controller_pid())])
    assert site.wait_for_run(kind="deployment", to="v3.0.0")["outcome"] == "succeeded"
    process.communicate(timeout=30)
    status = site.wait_status(lambda status: any(alert["source"] == "decision" for alert in status["alerts"]), what="the review")
    assert status["version"] == "v3.0.0" and not status["run"]
    decision = decisions(site)[0]
    assert (decision["kind"], decision["guard"], decision["triggers"]) == ("review", "same_before", ["quorum"])
    assert not [run for run in site.runs() if run["kind"] == "rollback"]
