"""The right people hear of it, in the tools they have: a real Alertmanager, the specification's hooks, CDEvents and traces; whatever the
receivers do, and however the controller ends."""

import json

from cdevents_rules import attribute, check_cdevent, check_signature, check_trace
from receivers import Alertmanager, Receiver
from testsite import CONTROLLER, HELD, JOURNAL, NOT_VERIFIED, seconds

SECRET = "correct horse battery staple"


def messages(receiver, path=None):
    return [request["json"]["message"] for request in receiver.requests() if path in (None, request["path"])]


def tell(site, **receivers):
    site.configure(receivers=receivers)


def row(site, name):
    return next(one for one in site.ask("GET", "/receivers")[1]["receivers"] if one["name"] == name)


def roll_back(site, reason):
    """Ended, not validated: that is not what is waited for here."""
    status, run = site.ask("POST", "/rollback", {"mode": "manual", "reason": reason})
    assert status == 200, run
    ended = site.wait_for_run(kind="rollback")
    assert (ended["id"], ended["outcome"]) == (run["id"], "succeeded")
    return ended


def kill_service(site, version="v3.0.0"):
    unit = {"v3.0.0": "novacron-dwcp-v3.service", "v2.4.0": "novacron-dwcp-v2.service"}[version]
    site.host.systemctl("kill", "-s", "KILL", unit)


def test_everybody_hears_of_an_automatic_rollback(site):
    recorder, team = Receiver(site, "recorder", 7001), Receiver(site, "team", 7002)
    audit, traces = Receiver(site, "audit", 7003), Receiver(site, "traces", 7004)
    alertmanager = Alertmanager(site, recorder)
    site.write("/etc/novacron-rollback/audit.key", SECRET + "\n", 0o600)
    tell(site, oncall={"alertmanager": alertmanager.url}, team={"notify": team.url}, traces={"otlp": traces.url},
         audit={"webhook": f"{audit.url}/events?key=not-to-be-shown", "secret_file": "/etc/novacron-rollback/audit.key"})
    site.begin_with(load=False, unit_extra="Restart=no")
    kill_service(site)
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert run["outcome"] == "succeeded"

    # the specification's hooks: in order, each thing once
    team.wait_for("succeeded in")
    told = [(r["path"], r["json"]["severity"], r["json"]["message"]) for r in team.requests() if "rollback of" in r["json"]["message"]]
    assert [(path, severity) for path, severity, _ in told] == [("/notify", "high")] * 2, told
    assert told[0][2].startswith("Automatic rollback of v3.0.0 to v2.4.0 begun: ") and run["reason"] in told[0][2]
    assert told[1][2].endswith("v2.4.0 serves")

    # Alertmanager, and who stands behind it: it fires when the run begins, and is over at its end
    recorder.wait_for('"alertname":"NovaCronRollback"')
    over = recorder.wait(lambda requests: next((alert for r in requests for alert in r["json"]["alerts"] if alert["status"] == "resolved"
                                                and alert["labels"]["alertname"] == "NovaCronRollback"), None), what="the run is over")
    assert over["labels"]["severity"] == "high" and over["labels"]["run"] == str(run["id"])
    standing = {alert["labels"]["source"] for alert in alertmanager.alerts() if alert["labels"]["alertname"] == "NovaCronAlert"}
    assert "rollback" in standing, standing

    # CDEvents: two deployments and the rollback of the second, in one chain with it
    audit.wait_for("service.rolledback")
    events = [check_cdevent(request) for request in audit.requests()]
    for request in audit.requests():
        assert request["path"] == "/events?key=not-to-be-shown"
        check_signature(request, SECRET)
    kinds = [event["context"]["type"].split(".", 2)[2].rsplit(".", 3)[0] for event in events]
    deployed = [event for event, kind in zip(events, kinds) if kind == "service.deployed"]
    rolled_back = next(event for event, kind in zip(events, kinds) if kind == "service.rolledback")
    assert [event["subject"]["content"]["artifactId"].rpartition("@")[2] for event in deployed] == ["v2.4.0", "v3.0.0"]
    assert rolled_back["subject"]["content"]["artifactId"].endswith("@v2.4.0")
    assert rolled_back["customData"]["mode"] == "automatic" and rolled_back["customData"]["reason"] == run["reason"]
    assert rolled_back["context"]["chainId"] == deployed[1]["context"]["chainId"] != deployed[0]["context"]["chainId"]
    for event, kind in zip(events, kinds):
        if kind.startswith("incident"):
            assert event["context"]["chainId"] == deployed[1]["context"]["chainId"]

    # the trace: the run, and a span for each step
    traces.wait_for('"stringValue":"automatic"')
    root, spans = check_trace(next(r for r in traces.requests() if '"stringValue":"automatic"' in r["body"]))
    assert root["name"] == "rollback" and root["status"]["code"] == 1 and attribute(root, "novacron.run.id") == str(run["id"])
    assert [span["name"] for span in spans] == [one["key"] for one in run["steps"] if one["started"]]
    assert abs(int(root["startTimeUnixNano"]) / 1e9 - seconds(run["created"])) < 0.01 and root["events"]

    # and whoever looks sees it, without the secrets
    seen = row(site, "audit")
    assert (seen["state"], seen["waiting"], seen["address"]) == ("delivering", 0, f"{audit.url}/events")
    assert "not-to-be-shown" not in json.dumps([site.status(), site.ask("GET", "/receivers")]) + site.host.journal(CONTROLLER)
    said = site.cli("receivers", "test", "team", check=0).stdout
    assert said == "Delivered: 200\n" and "nothing has happened" in messages(team)[-1]
    site.check_steady("v2.4.0")


def test_receivers_that_are_down_slow_or_lying(site):
    """Each has its own queue, in order; what a message's fate is, its answer says."""
    down, hangs = Receiver(site, "down", 7001, up=False), Receiver(site, "hangs", 7002)
    huge, refuses = Receiver(site, "huge", 7003, "huge"), Receiver(site, "refuses", 7004, "400")
    hotel, leads = Receiver(site, "hotel", 7005, "garbage"), Receiver(site, "leads", 7006, "redirect")
    well, gone = Receiver(site, "well", 7007), Receiver(site, "gone", 7008, "410")
    tell(site, down={"notify": down.url}, hangs={"notify": hangs.url, "timeout": "60s"}, huge={"notify": huge.url}, refuses={"notify": refuses.url},
         hotel={"alertmanager": hotel.url}, leads={"notify": leads.url}, well={"notify": well.url}, gone={"notify": gone.url})
    site.begin_with(load=False)
    site.wait(lambda: row(site, "hangs")["waiting"] == 0, 10, "it still answers")
    before = row(site, "hangs")["delivered"]
    hangs.mode("hang")
    run = roll_back(site, "everybody is in trouble")
    # nobody waited for them: the run is over, and the one that hangs has not answered yet what was its beginning
    hangs.wait_for("begun by root")
    assert not any("succeeded in" in r["body"] for r in hangs.requests()) and row(site, "hangs")["delivered"] == before
    assert all(one["state"] == "done" and one["attempt"] == 1 for one in run["steps"]), run["steps"]
    well.wait_for("succeeded in")
    assert [text.partition(" v2.4.0 ")[2][:5] for text in messages(well) if "rollback of" in text] == ["begun", "succe"]
    # said yes, and then talked on for megabytes: it has it
    huge.wait_for("succeeded in")
    assert len(huge.requests()) == len(well.requests()) and row(site, "huge")["error"] is None
    # said no: that one isn't sent again, the next is
    refuses.wait_for("succeeded in")
    site.wait(lambda: row(site, "refuses")["waiting"] == 0, 10, "nothing waits for one who refuses")
    assert row(site, "refuses")["dropped"] == len(refuses.requests()) == len(well.requests())
    # wants nothing any more
    site.wait(lambda: row(site, "gone")["state"] == "gone", 10, "it is gone")
    assert len(gone.requests()) == 1
    # something else answers for Alertmanager; a redirect leads nowhere; nobody is there: all wait, and come in order
    for name in ("down", "hotel", "leads"):
        site.wait(lambda name=name: row(site, name)["state"] == "failing", 10, f"{name} fails")
        assert row(site, name)["waiting"] > 0 and row(site, name)["error"], row(site, name)
    assert "isn't its own" in row(site, "hotel")["error"] and "redirect" in row(site, "leads")["error"]
    down.start()
    hotel.mode("200")
    leads.mode("200")
    for receiver in (down, leads):
        receiver.wait(lambda requests, receiver=receiver: any("succeeded in" in r["body"] for r in receiver.taken()), 30, "all")
        assert [r["json"]["id"] for r in receiver.taken()] == [r["json"]["id"] for r in well.requests()], receiver.name
    hotel.wait(lambda _: any('"endsAt"' in r["body"] for r in hotel.taken()), 30, "the run's end")
    checks = {check["key"]: check for check in site.ask("GET", "/validate")[1]["checks"]}
    assert checks["alerts"]["verdict"] == "passed" and "gone: 410" in checks["alerts"]["measured"], "somebody is told, and who isn't is said"


def test_controller_killed_before_it_is_told(site):
    """Whoever dies with a message on its way leaves it to the next: the same, with the same id, and before what comes after it."""
    site.kills_controller = True
    team, audit = Receiver(site, "team", 7001), Receiver(site, "audit", 7002, up=False)
    tell(site, team={"notify": team.url, "timeout": "60s"}, audit={"webhook": audit.url})
    site.begin_with(load=False)
    team.mode("hang")
    roll_back(site, "to be told of")
    first = team.wait_for("begun by root")
    pid = str(site.controller_pid())
    site.host.run(["kill", "-STOP", pid])  # the next one finds a receiver that answers, however soon it comes; this one sees nothing of it
    team.mode("200")
    site.host.run(["kill", "-9", pid])
    audit.start()
    team.wait_for("succeeded in", timeout=30)
    begun = [request for request in team.requests() if "begun by root" in request["body"]]
    assert [request["body"] for request in begun] == [first["body"]] * 2, "the very same message"
    assert [r["json"]["message"].partition(" v2.4.0 ")[2][:5] for r in team.taken() if "rollback of" in r["json"]["message"]] == ["begun", "succe"]
    audit.wait_for("service.rolledback")
    types = [check_cdevent(r)["context"]["type"].split(".")[3] for r in audit.requests() if "dev.cdevents.service" in r["body"]]
    assert types == ["deployed", "deployed", "rolledback"]
    ids = [r["json"]["context"]["id"] for r in audit.requests()]
    assert len(set(ids)) == len(ids)


def test_a_hold_pages(site):
    """P0 is a page, once: the run that holds, in words that name the way out. Its trace is an error."""
    from test_target_unhealthy import spoil

    site.configure(budgets={"verify_health": "2s", "start_version": "2s"})
    team, traces = Receiver(site, "team", 7001), Receiver(site, "traces", 7002)
    tell(site, team={"notify": team.url}, traces={"otlp": traces.url})
    site.begin_with(load=False)
    for version in ("v2.4.0", "v3.0.0"):
        spoil(site, version, "can't be started")
    site.cli("manual", "--yes", "it gets worse", check=HELD)
    page = team.wait(lambda requests: next((r for r in requests if r["path"] == "/page" and "HOLDING" in r["body"]), None))
    assert page["json"]["severity"] == "P0" and "auto-rollback resume" in page["json"]["message"]
    traces.wait_for('"stringValue":"held"')
    root, spans = check_trace(next(r for r in traces.requests() if '"stringValue":"held"' in r["body"]))
    assert root["status"]["code"] == 2 and any(span["status"]["code"] == 2 for span in spans)
    assert any(attribute(span, "novacron.step.recovery") for span in spans)
    assert any(int(attribute(span, "novacron.step.attempt")) > 1 for span in spans)
    site.host.systemctl("restart", CONTROLLER)
    site.wait_status(lambda status: any(alert["source"] == "holding" for alert in status["alerts"]), what="it still holds")
    site.cli("receivers", "test", "team", check=0)  # in the queue's place it would have come after a second page
    assert sum(r["path"] == "/page" and "HOLDING" in r["body"] for r in team.requests()) == 1


def test_break_glass_pages_at_once(site):
    """Without a controller: pages go out before the command ends, the rest when a controller is there again. Without a journal, too."""
    team = Receiver(site, "team", 7001)
    tell(site, team={"notify": team.url})
    site.begin_with(load=False)
    site.host.systemctl("stop", CONTROLLER)
    before = len(team.requests())
    site.cli("emergency", "nobody is there", check=NOT_VERIFIED)
    new = team.requests()[before:]
    assert [(r["path"], r["json"]["severity"]) for r in new] == [("/page", "P0")], new
    assert "Emergency rollback of v3.0.0 to v2.4.0 begun by root" in new[0]["json"]["message"]
    site.host.systemctl("start", CONTROLLER)
    ended = team.wait_for("Emergency rollback of v3.0.0 to v2.4.0 succeeded in")
    assert ended["path"] == "/notify"
    assert sum("begun by root" in r["body"] and r["path"] == "/page" for r in team.requests()) == 1, "what was taken isn't sent again"

    # a journal that can't be used keeps nobody from being paged; a receiver that hangs keeps nobody from rolling back
    site.host.systemctl("stop", CONTROLLER)
    site.host.run(f"rm -f {JOURNAL}-wal {JOURNAL}-shm; head -c 200000 /dev/urandom >{JOURNAL}")
    before = len(team.requests())
    team.mode("hang")
    site.cli("emergency", "--to", "v3.0.0", "and no journal", check=NOT_VERIFIED)
    assert site.current() == "v3.0.0"
    paged = [r for r in team.requests()[before:] if r["path"] == "/page"]
    assert len(paged) == 1 and "and no journal" in paged[0]["json"]["message"], team.requests()[before:]
