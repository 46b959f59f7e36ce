"""Incidents: each rollback nobody asked for, each emergency, hold and review opens one, with all that is needed to understand it
gathered at the time and no secret in it; people acknowledge and resolve it; no death of the controller loses or doubles it."""

import json
import re
import shutil
import xml.etree.ElementTree

import pytest
from test_kill_9 import Killer
from testsite import CONTROLLER, FAST_WINDOW, HELD, NOT_VERIFIED, SERVICE_UNIT, UNITS

ROOT = "root (uid 0)"
SECRETS = ("hunter2-old", "hunter2-new", "s3cr3t-of-the-log", "MIIEvQIBADANBg")


def app_yaml(workers, password):
    return (f"name: app\nworkers: {workers}\ndatabase:\n  host: db\n  password: {password}\n  url: postgres://app:{password}@db/app\n"
            "tls: |\n  -----BEGIN PRIVATE KEY-----\n  MIIEvQIBADANBg\n  -----END PRIVATE KEY-----\nqueue: 64\n")


def with_files(site):
    """Both releases have a file that configures something, and the new one says something in its log that it shouldn't."""
    for version, text in (("v2.4.0", app_yaml(8, "hunter2-old")), ("v3.0.0", app_yaml(16, "hunter2-new"))):
        site.write(f"/opt/novacron/versions/{version}/etc/app.yaml", text)
    site.write("/opt/novacron/versions/v3.0.0/lib/new.so", "x" * 1000)


def all_of(site, incident_id=1):
    answer = site.ask("GET", f"/incidents/{incident_id}")
    return answer[1] if answer and answer[0] == 200 else None


def wait_incident(site, predicate, what, incident_id=1, timeout=20):
    def condition():
        incident = all_of(site, incident_id)
        return incident if incident and predicate(incident) else None

    return site.wait(condition, timeout, what)


def spoil(site):
    """Neither release can be started any more; the process that runs isn't touched."""
    for version, unit in UNITS.items():
        site.write(f"/etc/systemd/system/{unit}", SERVICE_UNIT.format(extra=f"ExecStart=\nExecStart=/bin/sh -c 'echo {version} has no libfoo.so.7; exit 1'"))
    site.host.systemctl("daemon-reload")


def only_one(site):
    answer = site.ask("GET", "/incidents")[1]
    assert len(answer["incidents"]) == 1, answer
    return answer["incidents"][0]


def kinds(incident):
    return [entry["kind"] for entry in incident["timeline"]]


def no_secret(text):
    for secret in SECRETS:
        assert secret not in text, f"{secret} is in it"


def check_report(site, incident, *, outcome):
    """What a person opens: the text, and pictures beside it that are there and are pictures."""
    site.wait(lambda: incident["report"] and site.inside(incident["report"]).exists() and outcome in site.read(incident["report"]), 20, "the report is written")
    text = site.read(incident["report"])
    pictures = re.findall(r"!\[[^]]+\]\(([a-z0-9-]+\.svg)\)", text)
    assert pictures == ["error-rate.svg", "latency-p99.svg", "success-rate.svg"]
    for name in pictures:
        root = xml.etree.ElementTree.fromstring(site.read(incident["report"].replace("report.md", name)))
        assert root.tag.endswith("svg")
    json.loads(site.read(incident["report"].replace("report.md", "report.json")))
    no_secret(text)
    return text


def test_an_automatic_rollback(site):
    site.configure(**FAST_WINDOW)
    site.release("v2.4.0")
    site.release("v3.0.0", error_every=20)
    with_files(site)
    site.start()
    site.deploy_good()
    site.load()
    site.measured()
    site.deploy()
    run = site.wait_for_run(kind="rollback", mode="automatic")
    verdict = site.wait_validation(run["id"])["validation"]
    incident = wait_incident(site, lambda one: one["difference"] and one["log"] and "validation" in one["outcome"]
                             and one["samples"][-1]["end"] > run["ended"], "all of it is gathered")
    check_row(site, incident, run, verdict)
    check_contents(incident, run)
    text = check_report(site, incident, outcome=f"validation: {verdict}")
    assert "## Timeline" in text and "+workers: 16" in text and "Drain traffic" in text
    check_api(site, incident)
    check_people(site)
    check_without_controller(site)


def check_row(site, incident, run, verdict):
    row = only_one(site)
    assert {key: incident[key] for key in row} == row
    assert (row["severity"], row["cause"], row["state"], row["version"], row["target"]) == ("P1", "automatic", "open", "v3.0.0", "v2.4.0")
    assert (row["run"], row["decision"], row["release_state"], row["source"]) == (run["id"], run["decision"], "failed", None)
    assert row["deployment"] and row["acknowledged"] is None and row["resolved"] is None
    assert "v2.4.0 serves" in row["outcome"] and row["outcome"].endswith(f"validation: {verdict}"), row["outcome"]
    assert "error rate" in row["title"], row["title"]


def check_contents(incident, run):
    told = kinds(incident)
    assert told.count("step") == 9 and told.count("opened") == 1 and told.count("run") == 2, told
    for kind in ("deployment", "decision", "validation"):
        assert told.count(kind) == 1, told
    assert [entry["at"] for entry in incident["timeline"]] == sorted(entry["at"] for entry in incident["timeline"])
    assert incident["trigger"]["samples"] and incident["run_record"]["id"] == run["id"]
    states = [sample["state"] for sample in incident["samples"]]
    assert "healthy" in states[:states.index("degraded")] and states[-1] == "healthy", states
    difference = incident["difference"]
    changes = {file["path"]: file["change"] for file in difference["files"]}
    assert changes == {"VERSION": "changed", "etc/app.yaml": "changed", "lib/new.so": "added", "share/notes.txt": "changed"}, changes
    assert (difference["before"], difference["after"], difference["added"], difference["changed"]) == ("v2.4.0", "v3.0.0", 1, 3)
    texts = {text["name"]: text["diff"] for text in difference["texts"]}
    assert "+error_every: 20\n" in texts["configuration"], texts
    assert "-workers: 8\n+workers: 16\n" in texts["etc/app.yaml"] and "+  password: [masked]\n" in texts["etc/app.yaml"], texts
    log = incident["log"]
    assert (log["version"], log["units"]) == ("v3.0.0", [UNITS["v3.0.0"]])
    assert 0 < len(log["lines"]) <= 50 and all(line["at"] <= incident["opened"] for line in log["lines"]), log
    assert any(UNITS["v3.0.0"] in line["text"] or "demo-service" in line["text"] for line in log["lines"]), log
    no_secret(json.dumps(incident))


def check_api(site, incident):
    def fetch(path):
        return site.host.output(["curl", "-si", "--unix-socket", "/run/novacron/rollback.sock", f"http://localhost/api/v3/incidents/{path}"])

    report = fetch("1/report")
    assert "200 OK" in report and "Content-Type: text/markdown" in report and "(plot/error-rate)" in report
    plot = fetch("1/plot/success-rate")
    assert "Content-Type: image/svg+xml" in plot and "</svg>" in plot and "Content-Security-Policy: default-src 'none'" in plot
    assert " 404 " in fetch("1/plot/nothing").splitlines()[0] and " 404 " in fetch("77").splitlines()[0]
    assert incident["id"] == 1


def check_people(site):
    acknowledged = site.cli_json("incidents", "ack", "1")
    assert (acknowledged["state"], acknowledged["acknowledged_by"]) == ("acknowledged", ROOT) and acknowledged["acknowledged"]
    again = site.cli_json("incidents", "ack", "1")
    assert again == acknowledged, "the first one counts"
    told = site.cli("incidents", "resolve", "1", "v3.0.1 fixes it", check=0).stdout
    assert "is resolved since" in told and ROOT in told
    incident = all_of(site)
    assert (incident["state"], incident["resolved_by"]) == ("resolved", ROOT)
    assert f"resolved by {ROOT}: v3.0.1 fixes it" in [entry["text"] for entry in incident["timeline"]]
    assert site.ask("GET", "/incidents")[1]["unresolved"] == 0
    assert site.cli("incidents", "ack", "99").returncode == 66
    assert "P1" in site.cli("incidents", check=0).stdout
    entries = [entry for entry in site.ask("GET", "/audit")[1]["entries"] if "incidents" in entry["path"]]
    assert len(entries) == 4 and {entry["who"] for entry in entries} == {ROOT}


def check_without_controller(site):
    site.host.systemctl("stop", CONTROLLER)
    shown = site.cli("incidents", "show", "1", check=0).stdout
    assert "resolved" in shown and "Timeline" in shown and "report.md" in shown
    markdown = site.cli("incidents", "show", "1", "--markdown", check=0).stdout
    assert markdown.count("](data:image/svg+xml;base64,") == 3
    no_secret(shown + markdown)
    assert site.cli("incidents", "resolve", "1").returncode == 69


def test_an_emergency_with_and_without_a_controller(site):
    site.configure(**FAST_WINDOW)  # its validation waits for so long
    site.begin_with(load=False)
    site.cli("emergency", "Critical: password=hunter2-old", check=NOT_VERIFIED)
    incident = wait_incident(site, lambda one: one["difference"] and one["run_record"]["ended"], "the emergency's incident")
    assert (incident["severity"], incident["cause"], incident["decision"]) == ("P0", "emergency", None)
    no_secret(json.dumps(incident))
    only_one(site)
    site.deploy()
    site.host.systemctl("stop", CONTROLLER)
    site.cli("emergency", "the controller is away", check=NOT_VERIFIED)
    report = "/var/lib/novacron/incidents/2/report.md"
    assert "P0" in site.read(report) and "v2.4.0 serves" in site.read(report), "it was gathered and written before the command ended"
    site.host.systemctl("start", CONTROLLER)
    site.wait_status(lambda status: not status["run"], what="the controller is back")
    rows = site.ask("GET", "/incidents")[1]["incidents"]
    assert [(row["id"], row["severity"]) for row in rows] == [(2, "P0"), (1, "P0")]


def test_a_hold_escalates_the_same_incident(site):
    site.configure(budgets={"verify_health": "2s", "start_version": "2s"}, **FAST_WINDOW)
    site.begin_with(error_every=20)
    spoil(site)
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert run["outcome"] == "held"
    incident = wait_incident(site, lambda one: one["severity"] == "P0" and one["target_log"], "the same incident is P0 now")
    row = only_one(site)
    assert (row["cause"], row["run"], row["state"]) == ("automatic", run["id"], "open")
    assert "escalated" in kinds(incident) and "held" in incident["outcome"]
    assert any("v2.4.0 has no libfoo.so.7" in line["text"] for line in incident["target_log"]["lines"]), incident["target_log"]


def test_a_hold_of_an_operators_rollback_opens_one(site):
    site.configure(budgets={"verify_health": "2s", "start_version": "2s"})
    site.begin_with(load=False)
    spoil(site)
    site.cli("manual", "--yes", "it gets worse", check=HELD)
    incident = wait_incident(site, lambda one: True, "the hold's incident")
    assert (incident["severity"], incident["cause"]) == ("P0", "hold")
    site.host.systemctl("restart", CONTROLLER)
    site.wait_status(lambda status: any(alert["source"] == "holding" for alert in status["alerts"]), what="it still holds")
    only_one(site)


def test_a_review_becomes_a_rollback(site):
    """A guard forbids the rollback: one incident however long it lasts; what an operator then does belongs to it."""
    site.configure(decision={"rollbacks_per_day": 0, **FAST_WINDOW["decision"]}, thresholds=FAST_WINDOW["thresholds"],
                   system={"memory": "1%", "window": "1s"})
    site.begin_with(error_every=20)

    def about(source):
        answer = site.ask("GET", "/incidents")
        return [row for row in answer[1]["incidents"] if row["source"] == source] if answer else []

    review = site.wait(lambda: about(None), 20, "a review is asked for")[0]
    machine = site.wait(lambda: about("memory"), 20, "the machine is to be looked at")[0]
    assert (review["severity"], review["cause"], review["version"], review["run"]) == ("P2", "review", "v3.0.0", None)
    assert (machine["severity"], machine["cause"]) == ("P2", "review") and "memory" in machine["title"]
    site.watch(2, step=0.5)
    assert len(about(None)) == 1 and len(about("memory")) == 1, "one for a case, not one a second"
    site.host.systemctl("restart", CONTROLLER)
    site.wait_status(lambda status: status["review"], what="the review is asked for again")
    done = site.roll_back(check=None)
    run = site.wait_for_run(kind="rollback", mode="manual")
    assert run["outcome"] == "succeeded", done.stdout + done.stderr
    rows = about(None)
    assert len(rows) == 1 and rows[0]["run"] == run["id"] and rows[0]["cause"] == "review", rows
    assert "v2.4.0 serves" in rows[0]["outcome"] and len(about("memory")) == 1


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_killed_at_the_moment_of_opening(site):
    """At one of the journal's syncs around it, and right after it, before anything is gathered."""
    site.kills_controller = True
    site.configure(**FAST_WINDOW)
    site.begin_with(load=False)
    killed = 0
    for syscall, k in (("fdatasync", 4), ("memfd_create", 1)):
        newest = site.runs()[0]["id"]
        killer = Killer(site, syscall, k)
        site.cli("emergency", f"killed at {syscall} {k}")
        site.wait(lambda: site.controller_pid() != killer.pid or (site.runs() and site.runs()[0]["ended"]), 20, "it is killed, or through")
        killed += killer.end()
        run = site.wait_for_run(after=newest, kind="rollback", mode="emergency")
        site.wait_status(lambda status: not status["run"], what="nothing is under way")
        incident = site.wait(lambda: [row for row in site.ask("GET", "/incidents?limit=50")[1]["incidents"] if row["run"] == run["id"]], 20, "its incident")
        assert len(incident) == 1 and incident[0]["severity"] == "P0", incident
        wait_incident(site, lambda one: one["difference"] and "succeeded" in one["outcome"], "it is gathered in the next life", incident[0]["id"])
        assert kinds(all_of(site, incident[0]["id"])).count("opened") == 1
        site.deploy()
    assert killed == 2
    runs = [run for run in site.runs() if run["mode"] == "emergency"]
    assert len(site.ask("GET", "/incidents?limit=50")[1]["incidents"]) == len(runs)
