"""Every command of the specification, found by reading it, typed on a real host as it is printed: with the service in two versions,
HAProxy before it, etcd as its consensus layer, and the controller as its packages install it, under its own user.

Nothing of a command is changed: /home/kp/novacron is a link to where the program is installed. What each must do stands in
EXPECTATIONS; a command that none of them knows fails the test. What came is written to build/spec-typed.json."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hosts import BUILD_DIR, PROJECT, wait_until
from specfile import commands
from postgres_cluster import Cluster
from testsite import CONTROLLER, SERVICE_PORT, SERVICE_UNIT, UNITS, Site
from typist import Terminal

SPECIFICATION = PROJECT / "docs/rollback-procedures.md"
NODES = 7
ALERTING_LOG = "/run/alerting.jsonl"
HELPERS = ("novacron-network", "novacron-api", "novacron-scheduler")


# ---- the host ----


class SpecSite(Site):
    """What the specification takes for granted, as one host."""

    def build(self):
        self._packages()
        self._service()
        self._consensus()
        self._names()
        self._database()
        self._alerting()
        self.configure(
            network={"peers": [f"http://node-{i}:8080/api/v3/health" for i in range(1, NODES)]},
            consensus={"driver": "etcd", "etcd": {"endpoints": [f"http://127.0.0.1:{2379 + 10 * i}" for i in range(3)]}},
            # how busy the machine under the tests is isn't the question here
            system={"cpu": "100%", "memory": "100%", "disk": "100%"},
            components={"scheduler": {"unit": "novacron-scheduler.service"}},
            cache={"clear": {"sessions": ["/bin/rm", "-f", "/run/novacron/sessions"]}},
            data={"driver": "postgres", "postgres": {"replicas": ["replica"]}},
            api={"health_listen": [f"10.77.0.{i + 1}:8080" for i in range(NODES)]},
            receivers={"team": {"notify": "http://alerting"}},
        )

    def _packages(self):
        """As `meson install` puts it on a machine, and the few things README.md has an operator do."""
        staging = self.inside("/run/staging")
        subprocess.run(["meson", "install", "-C", str(BUILD_DIR), "--no-rebuild", "--destdir", str(staging)], check=True, capture_output=True)
        (prefix,) = staging.glob("**/scripts/production")
        prefix = prefix.parent.parent
        shutil.copytree(prefix, self.inside("/usr/local"), symlinks=True, dirs_exist_ok=True)
        for found in staging.glob("etc/**/*"):
            if found.is_file():
                self.copy_in(found, f"/{found.relative_to(staging)}")
        for unit in prefix.glob("lib/systemd/system/*"):
            text = unit.read_text().replace(f"{'/' + str(prefix.relative_to(staging))}/bin", "/usr/local/bin")
            self.write(f"/etc/systemd/system/{unit.name}", text)
        host = self.host
        host.run("mkdir -p /home/kp && ln -s /usr/local /home/kp/novacron")
        host.run("systemd-sysusers /usr/local/lib/sysusers.d/*.conf && systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/*.conf")
        host.run("getent group haproxy || groupadd --system haproxy")
        self.write(f"/etc/systemd/system/{CONTROLLER}.d/haproxy.conf", "[Service]\nSupplementaryGroups=haproxy\n")
        config = self.read("/etc/haproxy/haproxy.cfg").replace("mode 660 level admin", "mode 660 group haproxy level admin")
        self.write("/etc/haproxy/haproxy.cfg", config)

    def _service(self):
        self.host.run("useradd --system --no-create-home --user-group service && chown service: /var/lib/service")
        for unit in UNITS.values():
            self.write(f"/etc/systemd/system/{unit}", SERVICE_UNIT.format(extra="User=service"))
        for name in HELPERS:
            self.write(f"/etc/systemd/system/{name}.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
        for version in ("v2.4.0", "v3.0.0"):
            self.release(version)
            self.write(f"/opt/novacron/versions/{version}/release.yaml",
                       json.dumps({"schema": {"version": version, "works_with": ["v2.4.0", "v3.0.0"]}}))

    def _consensus(self):
        """Three members; the first is novacron-consensus."""
        members = ",".join(f"n{i}=http://127.0.0.1:{2380 + 10 * i}" for i in range(3))
        for i, unit in enumerate(self.consensus_units()):
            client, peer = f"http://127.0.0.1:{2379 + 10 * i}", f"http://127.0.0.1:{2380 + 10 * i}"
            self.write(f"/etc/systemd/system/{unit}", (
                f"[Service]\nType=notify\nExecStart=/usr/bin/etcd --name n{i} --data-dir /var/lib/etcd-n{i} --listen-client-urls {client} "
                f"--advertise-client-urls {client} --listen-peer-urls {peer} --initial-advertise-peer-urls {peer} --initial-cluster {members} "
                f"--heartbeat-interval 50 --election-timeout 500\n[Install]\nWantedBy=multi-user.target\n"))

    @staticmethod
    def consensus_units():
        return ["novacron-consensus.service", "consensus-1.service", "consensus-2.service"]

    def _database(self):
        """A primary with a standby, where psql looks for it, and the handbook's way back."""
        self.database = Cluster.on(self.host, directory="/var/run/postgresql", first_port=5432)
        self.database.start()
        self.database.psql(
            "create table schema_version (version text not null)", "insert into schema_version values ('v3.0.0')",
            "create table orders (id bigint primary key, item text not null, note text)",
            "insert into orders select i, 'item ' || i from generate_series(1, 1000) i")
        self.database.allow_amcheck()
        self.database.replica()
        self.host.run(["install", "-d", "/backup"])
        self.write("/backup/schema.v2.4.0.sql", "ALTER TABLE orders DROP COLUMN IF EXISTS note;\nUPDATE schema_version SET version = 'v2.4.0';\n")

    def _alerting(self):
        """The host of that name takes what it is sent, and notes it."""
        self.copy_in(Path(__file__).resolve().parent / "alerting.py", "/usr/local/bin/alerting.py")
        self.write("/etc/systemd/system/alerting.service", f"[Service]\nExecStart=/usr/bin/python3 /usr/local/bin/alerting.py 10.77.1.1 80 {ALERTING_LOG}\n")
        self.write("/etc/hosts", self.read("/etc/hosts") + "10.77.1.1 alerting\n")
        self.host.run(["ip", "address", "add", "10.77.1.1/32", "dev", "lo"])

    def told(self):
        """What came to the alerting host: (path, body)."""
        lines = self.read(ALERTING_LOG).splitlines() if self.inside(ALERTING_LOG).exists() else []
        return [(entry["path"], entry["body"]) for entry in map(json.loads, lines)]

    def _names(self):
        """node-0 to node-6, and a name server that knows the service's name."""
        self.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n" + "".join(f"10.77.0.{i + 1} node-{i}\n" for i in range(NODES)))
        for i in range(NODES):
            self.host.run(["ip", "address", "add", f"10.77.0.{i + 1}/32", "dev", "lo"])
        self.write("/etc/resolv.conf", "nameserver 127.0.0.53\n")
        self.write("/etc/systemd/system/names.service", (
            "[Service]\nExecStart=/usr/sbin/dnsmasq --keep-in-foreground --no-resolv --no-hosts --listen-address=127.0.0.53 --bind-interfaces "
            "--address=/novacron.example.com/10.77.0.1 --user=root --conf-file=/dev/null\n[Install]\nWantedBy=multi-user.target\n"))

    def begin(self):
        units = [*self.consensus_units(), *(f"{name}.service" for name in HELPERS), "names.service", "alerting.service", "haproxy.service", CONTROLLER]
        self.host.systemctl("daemon-reload")
        self.host.systemctl("start", *units, timeout=60)
        self.deploy_good("v2.4.0")
        self.traffic = self.load()
        self.latency_is_measured()  # v2.4.0's own, to compare with later
        self.deploy("v3.0.0")
        self.wait_healthy()

    def wait_healthy(self):
        """Every component that is configured has been measured, and is well."""
        self.wait(lambda: (answer := self.ask("GET", "/health")) and answer[0] == 200 and answer[1]["status"] == "healthy", 30, "everything is healthy")

    # ---- what must hold before a command is typed ----

    def new_version_runs(self):
        """v3.0.0 was deployed again, and traffic flows."""
        self.traffic_flows()
        if self.current() != "v3.0.0":
            done = self.cli("deploy", "--yes", "v3.0.0")
            assert done.returncode == 0, done.stdout + done.stderr

    def traffic_flows(self):
        if not self.traffic:
            self.traffic = self.load()

    def latency_is_measured(self):
        self.traffic_flows()
        self.wait(lambda: (answer := self.ask("GET", "/metrics/latency")) and answer[1]["p99_ms"] is not None and not answer[1]["note"], 20, "a sample has a latency")

    def latency_is_low(self):
        """As the specification expects it, when nothing else keeps the machine busy."""
        self.traffic_flows()
        self.wait(lambda: (answer := self.ask("GET", "/metrics/latency")) and answer[1]["p99_ms"] is not None and answer[1]["p99_ms"] < 100, 30,
                  "a sample's p99 is below 100 ms")

    def no_clients(self):
        """By hand the service is away for longer than requests wait: nobody should be asking it."""
        self.end_traffic()

    def end_traffic(self):
        if self.traffic:
            summary = self.traffic.end()
            self.traffic = None
            self.check_ledger(summary)


# ---- what must come ----


@dataclass
class Expectation:
    pattern: str  # of the command, as it is printed
    expected: str = ""  # in words, where the specification has none
    says: tuple = ()  # patterns that must all be in what is printed
    exit: int = 0
    check: object = None  # check(site, output): None, or what is wrong
    before: object = None  # before(site)
    endless: bool = False  # it goes on until Ctrl-C, which comes when it has said what it must
    type_in: str = ""  # ...when asked, which `asks` recognizes
    asks: str = ""
    timeout: float = 30


def parsed(check):
    """A check of the JSON that was printed."""

    def look(site, output):
        try:
            answer = json.loads(output)
        except ValueError as error:
            return f"no JSON: {error}"
        return check(site, answer)

    return look


def member(name, predicate, words):
    return lambda site, answer: None if predicate(answer.get(name)) else f"{name} is {answer.get(name)!r}, not {words}"


def every(*checks):
    def look(site, answer):
        return next((wrong for wrong in (check(site, answer) for check in checks) if wrong), None)

    return look


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def below(limit):
    return lambda value: is_number(value) and value < limit


def current_is(version):
    return lambda site, output: None if site.current() == version else f"{site.current()} is current, not {version}"


def rolled_back(mode):
    """The newest run is that rollback, it was validated, and nobody noticed."""

    def look(site, _):
        run = site.runs()[0]
        got = {key: run[key] for key in ("kind", "mode", "outcome", "serving", "validation", "requests_failed", "in_flight_cut")}
        wanted = dict(kind="rollback", mode=mode, outcome="succeeded", serving="v2.4.0", validation="passed", requests_failed=0, in_flight_cut=0)
        return None if got == wanted else f"the newest run: {got}"

    return look


def a_leader_and_a_quorum(site, answer):
    return every(
        member("leader_elected", lambda value: value is True, "true"),
        member("quorum_healthy", lambda value: value is True, "true"),
        member("replication_lag_ms", below(50), "below 50"),
        member("byzantine_nodes", lambda value: value == 0, "0"),
    )(site, answer)


def healthy_as_printed(site, answer):
    """The specification's own example."""
    if answer["status"] != "healthy" or not 95 < answer["score"] <= 100:
        return f"{answer['status']}, score {answer['score']}"
    words = {name: answer["components"].get(name) for name in ("consensus", "network", "api", "database")}
    wanted = {"consensus": "healthy", "network": "healthy", "api": "healthy", "database": "healthy"}
    return None if words == wanted else f"components: {words}"


def units_run(site, _):
    """What the specification restarts, all of it."""
    states = site.host.run(["systemctl", "is-active", "novacron-consensus", *HELPERS], check=False).stdout.split()
    return None if states == ["active"] * (1 + len(HELPERS)) else f"{states}"


def all_nodes_answer(site, output):
    answers = [json.loads(line) for line in re.findall(r"^\{.*\}$", output, re.M)]
    return None if len(answers) == NODES and all(answer["status"] == "healthy" for answer in answers) else f"{len(answers)} nodes answered"


def moved(site, answer):
    return None if answer["moved"] and answer["from"] != answer["to"] else f"{answer}"


def checked(site, answer):
    """It ends well."""
    site.wait(lambda: (now := site.ask("GET", "/admin/consistency-check")) and now[1]["state"] == "passed", 30, f"the check ends: {answer}")


def came(path, **members):
    """To the alerting host, and not from us."""

    def look(site, _):
        found = [json.loads(body) for where, body in site.told() if where == path]
        return None if members.items() <= (found[-1] if found else {}).items() else f"{path}: {found}"

    return look


STATUS = r"auto-rollback\.sh status$"
HEALTH = r"health-checker\.sh (status|once)$"
LOG_LINE = r"\d\d:\d\d:\d\d"
HEALTH_SAYS = (r"consensus", r"network", r"database", r"api", r"score")

EXPECTATIONS = [
    # looking
    Expectation(r"^systemctl status novacron-auto-rollback$", "the controller is running", (r"Active: active \(running\)",)),
    Expectation(r"^tail -f /var/log/novacron/rollback\.log$", "the log's lines", (LOG_LINE,), endless=True),
    Expectation(r"^tail -\d+ /var/log/novacron/rollback\.log$", "the log's lines", (LOG_LINE, r"rollback")),
    Expectation(STATUS, "what runs, and what is ready", (r"v2\.4\.0",)),
    Expectation(HEALTH, "every component, and the score", HEALTH_SAYS, before=SpecSite.wait_healthy),
    Expectation(r"^watch -n 5 '.*health-checker\.sh status'$", "the same, again and again", (r"Every 5\.0s", r"score"), endless=True),
    Expectation(r"/api/v3/version$", "v3.0.0 and what was before it", check=parsed(every(
        member("version", lambda value: value == "v3.0.0", "v3.0.0"), member("previous_version", lambda value: value == "v2.4.0", "v2.4.0")))),
    Expectation(r"/metrics/summary \| jq \.$", "every metric, measured", before=SpecSite.latency_is_measured, check=parsed(
        lambda site, answer: None if answer["requests"]["rate_1m"] > 0 and answer["latency"]["p99_ms"] > 0 and is_number(answer["errors"]["count_1m"])
        and is_number(answer["system"]["memory_percent"]) and is_number(answer["connections"]["active"]) else f"{answer}")),
    Expectation(r"^ls -la /opt/novacron/versions/$", "both versions", (r"v2\.4\.0", r"v3\.0\.0")),
    Expectation(r"^ls -la /opt/novacron/current$", "what is current", (r"current -> .*v[23]\.\d\.0",)),
    Expectation(r"^journalctl -u novacron-dwcp-v2 -n 100$", "the service's log", (r"novacron-dwcp-v2|demo-service|systemd",)),
    # rolling back
    Expectation(r"auto-rollback\.sh manual ", "asks as printed, then rolls back", (
        r"Current version: v3\.0\.0", r"Target version: v2\.4\.0", r"Reason: (Performance degradation observed after deployment|Reason for rollback)",
        r"Confirm rollback\? \(yes/no\): yes"), type_in="yes\n", asks=r"Confirm rollback\? \(yes/no\): $", before=SpecSite.new_version_runs,
        check=rolled_back("manual"), timeout=90),
    Expectation(r"auto-rollback\.sh emergency ", "rolls back at once, without a question", before=SpecSite.new_version_runs,
                check=lambda site, output: "it asked" if "(yes/no)" in output else rolled_back("emergency")(site, output), timeout=90),
    Expectation(r"auto-rollback\.sh validate$", "", (
        r"Post-rollback metrics:", r"Error Rate: +\d+(\.\d+)? ?%", r"Latency P99: +[\d.]+ ?ms", r"Success Rate: +\d+(\.\d+)? ?%", r"Rollback validation: PASSED"),
        before=SpecSite.traffic_flows),
    # step by step, by hand
    Expectation(r"deployment/pause$", "deployments are paused", before=SpecSite.new_version_runs, check=parsed(member("paused", lambda value: value is True, "true"))),
    Expectation(r"deployment/status \| jq \.paused$", "", check=lambda site, output: None if output.strip() == "true" else output),
    Expectation(r"traffic/drain ", "nothing is in flight, and nothing new gets through", before=SpecSite.no_clients, check=parsed(every(
        member("state", lambda value: value == "drained", "drained"), member("in_flight", lambda value: value == 0, "0")))),
    Expectation(r"^watch 'curl -s .*metrics/connections'$", "the connections, again and again", (r'"active": ?0',), endless=True),
    Expectation(r"^systemctl stop novacron-dwcp-v3$", "it is stopped", check=lambda site, output: "still active" if site.active("v3.0.0") else None),
    Expectation(r"^systemctl status novacron-dwcp-v3$", "", (r"Active: inactive \(dead\)",), exit=3),
    Expectation(r"^rm -f /opt/novacron/current$", "the link is gone", check=lambda site, output: None if not site.inside("/opt/novacron/current").is_symlink() else "still there"),
    Expectation(r"^ln -s /opt/novacron/versions/v2\.4\.0 /opt/novacron/current$", "v2.4.0 is current", check=current_is("v2.4.0")),
    Expectation(r"^cp /etc/novacron/config\.v2\.4\.0\.yaml /etc/novacron/config\.yaml$", "its configuration is live", check=lambda site, output: None
                if site.read("/etc/novacron/config.yaml") == site.read("/etc/novacron/config.v2.4.0.yaml") else "another configuration"),
    Expectation(r"^systemctl start novacron-dwcp-v2$", "it runs", check=lambda site, output: None if site.active("v2.4.0") else "not active"),
    Expectation(r"^systemctl status novacron-dwcp-v2$", "", (r"Active: active \(running\)",)),
    Expectation(r"^sleep 10$", "ten seconds", timeout=20),
    Expectation(r"^for i in \{1\.\.12\}; do", "", (r"Service healthy",), timeout=70),
    Expectation(r"traffic/restore$", "traffic flows", check=parsed(member("state", lambda value: value == "flowing", "flowing"))),
    Expectation(r"metrics/requests \| jq \.rate_1m$", "more than nothing", before=SpecSite.traffic_flows,
                check=lambda site, output: None if is_number(json.loads(output)) and json.loads(output) > 0 else output),
    Expectation(r"deployment/resume$", "deployments are allowed", check=parsed(member("paused", lambda value: value is False, "false"))),
    # validating
    Expectation(r"/api/v3/health \| jq \.$", "", before=SpecSite.wait_healthy, check=parsed(healthy_as_printed)),
    Expectation(r"metrics/latency \| jq \.$", "", before=SpecSite.latency_is_low, check=parsed(every(
        member("p50_ms", below(50), "below 50"), member("p99_ms", below(100), "below 100"), member("error_rate_percent", below(0.1), "below 0.1")))),
    Expectation(r"admin/consistency-check$", "the check has begun", check=parsed(checked)),
    Expectation(r"database/replication \| jq \.lag_ms$", "", check=lambda site, output: None if below(100)(json.loads(output)) else output),
    Expectation(r"consensus/status \| jq \.$", "", check=parsed(a_leader_and_a_quorum)),
    Expectation(r"metrics/requests \| jq \.success_rate_1m$", "", check=lambda site, output: None if is_number(json.loads(output)) and json.loads(output) > 99.5 else output),
    Expectation(r"metrics/errors \| jq \.count_1m$", "", check=lambda site, output: None if is_number(json.loads(output)) and json.loads(output) < 5 else output),
    # when something is wrong
    Expectation(r"health/(consensus|network|database)$", "its state, and why", check=parsed(member("status", lambda value: value in ("healthy", "degraded"), "healthy"))),
    Expectation(r"^systemctl restart novacron-(consensus|network|api novacron-scheduler)$", "they are running again", check=units_run, timeout=60),
    Expectation(r"cache/clear$", "every cache's command, and how it ended", check=parsed(
        lambda site, answer: None if answer["cleared"] and [hook["name"] for hook in answer["hooks"]] == ["sessions"] else f"{answer}")),
    Expectation(r"traffic/status$", "flowing", check=parsed(member("state", lambda value: value == "flowing", "flowing"))),
    Expectation(r"^dig novacron\.example\.com$", "the site's name server answers", (r"10\.77\.0\.1",)),
    Expectation(r"^curl -v http://localhost:8080/api/v3/health$", "200", (r"< HTTP/1\.1 200 OK", r'"status":"healthy"'), before=SpecSite.wait_healthy),
    Expectation(r"cluster/status$", "every node and its state", check=parsed(
        lambda site, answer: None if len(answer["nodes"]) >= 3 and answer["quorum_healthy"] is True else f"{answer}")),
    Expectation(r"^for i in \{0\.\.6\}; do", "every node's health, without a password", before=SpecSite.wait_healthy, check=all_nodes_answer),
    Expectation(r"consensus/force-election$", "another member leads", before=SpecSite.wait_healthy, check=parsed(moved)),
    Expectation(r"^systemctl status novacron-\*$", "what is running", (r"novacron-auto-rollback\.service", r"novacron-dwcp-v2\.service"), exit=None),
    # telling people
    Expectation(r"http://alerting/notify ", "the team is told", check=came("/notify", severity="high")),
    Expectation(r"http://alerting/page ", "a person is paged", check=came("/page", severity="P0")),
    # the database
    Expectation(r'^psql .* -c "SELECT version', "the schema's version", check=lambda site, output: None if re.search(r"^ v[23]\.\d\.0$", output, re.M) else output),
    Expectation(r"^psql .* < /backup/schema\.v2\.4\.0\.sql$", "the schema is v2.4.0's", check=lambda site, output: None
                if site.database.psql("select version from schema_version", "select count(*) from orders") == "v2.4.0\n1000" else output),
]


def expectation_of(command):
    found = [expectation for expectation in EXPECTATIONS if re.search(expectation.pattern, command.text)]
    assert len(found) == 1, f"line {command.line}: {len(found)} expectations for: {command.text}"
    return found[0]


# ---- typing ----


def type_it(site, command, expectation):
    """(What was printed, what is wrong or None)."""
    if expectation.before:
        expectation.before(site)
    terminal = Terminal(site.host, command.text)
    try:
        if expectation.endless:
            for pattern in expectation.says:
                terminal.read_until(pattern, expectation.timeout)
            terminal.interrupt()
            status = None
        else:
            if expectation.asks and terminal.read_until(expectation.asks, expectation.timeout):
                terminal.type_in(expectation.type_in)
            status = terminal.end(expectation.timeout)
    finally:
        terminal.close()
    output = terminal.plain()
    for pattern in expectation.says:
        if not re.search(pattern, output):
            return output, f"'{pattern}' isn't in it"
    if not expectation.endless and expectation.exit is not None and status != expectation.exit:
        return output, f"exit status {status}, not {expectation.exit}"
    return output, expectation.check(site, output) if expectation.check else None


def test_every_command_has_one_expectation():
    found = commands(SPECIFICATION.read_text())
    assert len(found) > 60
    used = {id(expectation_of(command)) for command in found}
    unused = [expectation.pattern for expectation in EXPECTATIONS if id(expectation) not in used]
    assert not unused, f"the specification has no such command: {unused}"


def test_the_specification_typed(host):
    site = SpecSite(host)
    site.build()
    site.begin()
    rows, failures = [], []
    for command in commands(SPECIFICATION.read_text()):
        expectation = expectation_of(command)
        output, wrong = type_it(site, command, expectation)
        verdict = f"failed: {wrong}" if wrong else "as expected"
        rows.append({"line": command.line, "command": command.text, "expected": command.expected if not expectation.expected else expectation.expected,
                     "got": output[-4000:].strip(), "verdict": verdict})
        if wrong:
            failures.append(f"line {command.line}: {command.text}\n    {wrong}\n" + "\n".join(f"    | {line}" for line in output.splitlines()[-25:]))
    site.end_traffic()
    (BUILD_DIR / "spec-typed.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    trouble = site.crashes()
    assert not failures, "\n".join(failures)
    assert not trouble, trouble
