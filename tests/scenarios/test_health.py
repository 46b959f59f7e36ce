"""Component health: what is declared goes down and comes back, what may be healed is healed and given up, and a machine beyond its
limits asks for a person, never for a rollback."""

import json
import signal
import subprocess

from testsite import CONTROLLER, SOCKET, find_program
from testsite import _UnixConnection as UnixConnection

THING = "thing.service"
# What the declared components measure: it listens, answers, and can be told to answer badly.
THING_UNIT = """\
[Service]
ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /run/thing 7001
"""
FAST = {"interval": "200ms", "timeout": "1s"}


class Follow:
    """The controller's events, in order and none missed, from the moment it is opened."""

    def __init__(self, site):
        self.connection = UnixConnection(str(site.inside(SOCKET)), 15)
        self.connection.request("GET", "/api/v3/events", headers={"Accept": "text/event-stream"})
        self.lines = self.connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.connection.close()

    def until(self, kind, enough):
        """All events of that kind up to the one that is enough. A stream that says nothing more ends it, too."""
        seen, name = [], ""
        while True:
            word, _, rest = self.lines.readline().decode().rstrip("\n").partition(": ")
            if word == "event":
                name = rest
            elif word == "data" and name == kind:
                seen.append(json.loads(rest))
                if enough(seen[-1]):
                    return seen


def ready(site, **components):
    site.configure(components=components)
    site.write(f"/etc/systemd/system/{THING}", THING_UNIT)
    site.write("/run/thing/index.html", "well\n")
    site.release("v2.4.0")
    site.start()
    site.host.systemctl("start", THING)
    site.deploy_good()


def component(site, name):
    answer = site.ask("GET", f"/health/{name}")
    return answer and answer[1]


def wait_for(site, name, status, timeout=10):
    """The component in that state; the events of health wake us."""
    return site.wait(lambda: (found := component(site, name)) and found.get("status") == status and found, timeout, f"{name} is {status}")


def health(site):
    return site.ask("GET", "/health")


def curl(site, path="/health"):
    return site.host.run(["curl", "-sf", f"http://localhost:8080/api/v3{path}"], check=False).returncode


def check(site, *words, code):
    """`health-checker WORDS...`"""
    done = site.host.run(["health-checker", *words], check=False)
    assert done.returncode == code, f"{done.returncode}, not {code}\n{done.stdout}{done.stderr}"
    return done


def alert(site, source):
    return site.wait_status(lambda status: any(one["source"] == source for one in status["alerts"]), what=f"an alert of {source}")


def test_declared_components(site):
    site.configure(network={"peers": ["http://127.0.0.1:9001/health", "127.0.0.1:7001"]})
    ready(site, network=FAST, **{
        "thing-http": {"http": "http://127.0.0.1:7001/", "critical": True, "weight": 2, **FAST},
        "thing-tcp": {"tcp": "127.0.0.1:7001", **FAST},
        "thing-unit": {"unit": "thing", **FAST},
        "thing-file": {"command": ["/usr/bin/test", "-e", "/run/thing/index.html"], "failures": 1, **FAST},
    })
    names = ["thing-http", "thing-tcp", "thing-unit", "thing-file", "api", "network", "storage", "system"]
    for name in names:
        wait_for(site, name, "healthy")
    status, whole = health(site)
    assert (status, whole["status"], whole["score"], whole["reasons"]) == (200, "healthy", 100, []), whole
    assert set(whole["components"]) == {*names, "consensus", "database", "scheduler"}
    assert whole["arithmetic"]["formula"] == "(1*100 + 1*100 + 1*100 + 1*100 + 2*100 + 1*100 + 1*100 + 1*100) / 9 = 100"
    assert curl(site) == 0

    # a failed check or two is degraded, the third is unhealthy
    with Follow(site) as events:
        site.host.systemctl("stop", THING)
        wait_for(site, "thing-http", "unhealthy")
        seen = [event["components"]["thing-tcp"] for event in events.until("health", lambda event: event["components"]["thing-tcp"] == "unhealthy")]
    assert list(dict.fromkeys(seen)) in (["degraded", "unhealthy"], ["healthy", "degraded", "unhealthy"]), seen
    down = wait_for(site, "thing-unit", "unhealthy")
    assert down["score"] == 0 and "thing.service: inactive" in down["reason"]
    assert "127.0.0.1:7001" in component(site, "thing-tcp")["reason"]
    assert wait_for(site, "network", "degraded")["reason"].startswith("1 of 2 peers reached, not 127.0.0.1:7001: ")
    status, whole = health(site)
    assert (status, whole["status"], whole["score"]) == (503, "unhealthy", (3 * 100 + 50 + 100) // 9), whole
    assert sorted(reason.partition(" ")[0] for reason in whole["reasons"]) == ["network", "thing-http", "thing-tcp", "thing-unit"]
    assert curl(site) == 22, "curl -f: an HTTP error"
    assert curl(site, "/health/thing-http") == 22 and curl(site, "/health/api") == 0
    assert component(site, "thing-file")["status"] == "healthy"

    site.host.systemctl("start", THING)
    for name in names:
        wait_for(site, name, "healthy")
    site.inside("/run/thing/index.html").unlink()
    assert "status 1" in wait_for(site, "thing-file", "unhealthy")["reason"]
    status, whole = health(site)
    assert (status, whole["status"]) == (200, "degraded"), "it isn't critical"

    status, problem = site.ask("GET", "/health/thing-htp")
    assert status == 404 and "did you mean 'thing-http'?" in problem["detail"] and "consensus, network, database" in problem["detail"]
    assert not [run for run in site.runs() if run["kind"] == "rollback"]


def test_healing(site):
    ready(site, thing={"unit": "thing", "restart": "thing", "clear": ["/usr/bin/touch", "/run/cleared"], "heal_after": 2,
                       "heal_backoff": "1s", "heal_limit": 2, **FAST})
    wait_for(site, "thing", "healthy")
    before = site.host.show(THING, "MainPID")["MainPID"]
    with Follow(site) as events:
        site.host.systemctl("kill", "--signal=KILL", THING)
        tried, done = events.until("healing", lambda event: "done" in event["what"])
    assert "clearing its cache and restarting thing.service, try 1 of 2" in tried["what"] and not done["failed"]
    wait_for(site, "thing", "healthy")
    assert site.host.show(THING, "MainPID")["MainPID"] != before and site.inside("/run/cleared").exists()

    # it can't be healed: one more try, then a person is asked
    site.write(f"/etc/systemd/system/{THING}", "[Service]\nExecStart=/bin/false\n")
    site.host.systemctl("daemon-reload")
    site.host.systemctl("kill", "--signal=KILL", THING)
    status = alert(site, "component thing")
    message = next(one["message"] for one in status["alerts"] if one["source"] == "component thing")
    assert message.startswith("manual review: component thing still fails after 2 tries"), message
    site.wait(lambda: any("component thing still fails" in line for line in site.alerts()), 5, "the operator's command is told")
    assert not [run for run in site.runs() if run["kind"] == "rollback"]

    # the limit holds beyond the controller's own life
    told = len(site.alerts())
    site.kills_controller = True
    site.host.systemctl("kill", "--signal=KILL", CONTROLLER)
    site.wait(lambda: any("component thing still fails after 2 tries" in line for line in site.alerts()[told:]), 20, "it is given up again")
    tries = [entry for entry in site.cli_json("audit", "--limit", "100")["entries"] if entry["method"] == "heal" and entry["outcome"] == "begun"]
    assert len(tries) == 2, tries

    site.write(f"/etc/systemd/system/{THING}", THING_UNIT)
    site.host.systemctl("daemon-reload")
    site.host.systemctl("restart", THING)
    site.wait_status(lambda status: not status["alerts"], what="the alert is over")


def test_healing_the_service_is_no_deployment(site):
    """What we restart ourselves must not look like somebody's deployment, which would arm the automatic rollback."""
    ready(site, service={"command": ["/usr/bin/test", "-e", "/run/thing/index.html"], "restart": "novacron-dwcp-v2", "heal_after": 1,
                         "heal_backoff": "60s", **FAST})
    wait_for(site, "service", "healthy")
    deployments = site.ask("GET", "/history?limit=50")[1]["deployments"]
    with Follow(site) as events:
        site.inside("/run/thing/index.html").unlink()
        events.until("healing", lambda event: "done" in event["what"])
    wait_for(site, "api", "healthy")
    assert site.watch(2.5)
    assert site.ask("GET", "/history?limit=50")[1]["deployments"] == deployments


def test_measured_anew_after_a_run(site):
    """A check that was begun before a run's end says nothing of what came of it: there is another one at once, also after one that
    takes longer than the run."""
    site.host.run(["mkfifo", "/run/gate"])
    ready(site, slow={"command": ["/bin/sh", "-c", "echo begun >> /run/checks; cat /run/gate"], "interval": "60s", "timeout": "30s"})
    assert site.read("/run/checks") == "begun\n"
    site.host.run(["sh", "-c", "> /run/gate"])
    site.wait(lambda: site.read("/run/checks") == "begun\n" * 2, 10, "it is checked again")
    assert component(site, "slow")["status"] == "healthy"


def test_beyond_the_limits(site):
    """CPU, memory and disk: a manual review, and nothing is rolled back (specification, Rollback Decision Matrix)."""
    site.configure(system={"cpu": "1%", "memory": "1%", "disk": "50%", "window": "2s"}, components={"api": {"failures": 1, "interval": "100ms"}})
    site.inside("/var/log/novacron").mkdir(parents=True)
    site.host.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/var/log/novacron"])
    site.host.run(["dd", "if=/dev/zero", "of=/var/log/novacron/large", "bs=1k", "count=600"])
    site.release("v2.4.0")
    site.release("v3.0.0", slow_start_ms=1000)
    site.start()
    site.deploy_good()
    load = site.load()
    with Follow(site) as events:
        site.deploy()
        seen = events.until("health", lambda event: event["components"]["api"] == "healthy" and event["components"]["system"] == "degraded" and site.current() == "v3.0.0")
    assert {event["components"]["api"] for event in seen} == {"healthy", "degraded"}, "a run's own stop and start aren't counted"
    for source, words in {"cpu": "(limit 1.0 %)", "memory": "(limit 1.0 %)", "disk": "of /var/log/novacron (limit 50.0 %)"}.items():
        status = alert(site, source)
        message = next(one["message"] for one in status["alerts"] if one["source"] == source)
        assert message.startswith("manual review: ") and words in message, message
    storage = wait_for(site, "storage", "degraded")
    assert "paths.log (/var/log/novacron) is" in storage["reason"]
    site.wait(lambda: component(site, "system")["score"] == 0, 10, "none of the three is within its limit")
    assert component(site, "system")["status"] == "degraded" and health(site)[0] == 200
    seen = site.watch(10)
    assert not [run for run in site.runs() if run["kind"] == "rollback"] and not [status for status in seen if status["run"]]
    assert site.current() == "v3.0.0"
    assert load.end()["failed"] == 0


def test_health_checker(site):
    """The program: against the controller, anew by itself, and following what changes."""
    site.copy_in(find_program("health-checker"), "/usr/local/bin/health-checker", 0o755)
    ready(site, **{"thing-http": {"http": "http://127.0.0.1:7001/", "weight": 2, "failures": 1, **FAST}})
    wait_for(site, "thing-http", "healthy")
    wait_for(site, "system", "healthy")
    wait_for(site, "api", "healthy")
    for words in (["status"], ["once"]):
        done = check(site, *words, code=0)
        assert done.stdout.startswith("Healthy, score 100 of 100.\n"), done.stdout
        assert "score = (1*100 + 1*100 + 1*100 + 2*100) / 5 = 100" in done.stdout and not done.stderr
        assert "  thing-http   healthy   score 100, weight 2: 200 points\n" in done.stdout
        assert "  database     unknown   not configured: data.driver is none\n" in done.stdout
    watch = site.host.popen(["health-checker", "watch"], stdout=subprocess.PIPE)
    assert " score        healthy 100: " in watch.stdout.readline()

    site.host.systemctl("stop", THING)
    line = watch.stdout.readline()
    assert " thing-http   healthy -> unhealthy 0: http://127.0.0.1:7001/: " in line, line
    assert " score        healthy -> degraded 60: (1*100 + 1*100 + 1*100 + 2*0) / 5 = 60" in watch.stdout.readline()
    for words in (["status"], ["once"]):
        assert "Degraded, score 60 of 100: thing-http.\n" in check(site, *words, code=1).stdout
    assert json.loads(check(site, "once", "--json", code=1).stdout)["components"]["thing-http"] == "unhealthy"

    site.host.systemctl("stop", "novacron-dwcp-v2.service")
    wait_for(site, "api", "unhealthy")
    whole = json.loads(check(site, "status", "--json", code=2).stdout)
    assert whole["score"] == 40 and whole == health(site)[1] | {"checked": whole["checked"], "arithmetic": whole["arithmetic"]}
    assert "novacron-dwcp-v2.service: inactive" in check(site, "once", code=2).stdout
    watch.send_signal(signal.SIGINT)
    assert watch.wait(10) == 130

    # without a controller it measures by itself, and leaves nothing that would stand in the controller's way
    site.host.systemctl("stop", CONTROLLER)
    done = check(site, "status", code=2)
    assert "No controller answers" in done.stderr and "by this program" in done.stdout
    site.host.systemctl("start", THING, "novacron-dwcp-v2.service")
    assert "Healthy" in check(site, "once", code=0).stdout
    site.host.systemctl("start", CONTROLLER)
    wait_for(site, "api", "healthy")
