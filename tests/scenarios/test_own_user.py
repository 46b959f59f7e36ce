"""The controller as packaged: its own user with few rights, allowed by polkit to manage the releases' units and nothing else."""

import os
import re
import signal

import pytest
from hosts import PROJECT, wait_until
from testsite import CONTROLLER, NOT_VERIFIED, PERMISSION, SERVICE_UNIT, UNITS

PACKAGING = PROJECT / "packaging"
OWN_SOCKET = "[Service]\nSupplementaryGroups=haproxy\n"
RULE = "/etc/polkit-1/rules.d/50-novacron-rollback.rules"
TRIAL_UNIT = "/etc/systemd/system/novacron-rollback-trial@.service"
# Its last word is one that a shell would take apart. It is another user's, and can write to nothing but its own directories.
TRIAL_SCRIPT = """[ "$1" = "$(cat /etc/trial-word)" ] || exit 9; [ "$(id -un)" != novacron ] || exit 8
if touch /opt/novacron/x || touch /run/novacron/x; then exit 7; fi; [ ! -e /etc/trial-fails ] || exit 3
while [ -e /etc/trial-waits ]; do sleep 0.1; done
printf 'listen: 127.0.0.1:%s\\ndata: /tmp\\n' {port} >/tmp/trial.yaml; exec {directory}/bin/demo-service --config /tmp/trial.yaml"""
TRIAL_WORD = "it's a $HOME of `two` words"
TRIAL = ["/bin/sh", "-c", TRIAL_SCRIPT.replace("\n", "; "), "trial", TRIAL_WORD]


def test_a_trial_has_the_same_sandbox_either_way():
    """By the packaged unit, and by systemd-run where the controller is root."""
    packaged = (PACKAGING / "novacron-rollback-trial@.service").read_text().partition("# ---- the sandbox ----\n")[2].split("\n")
    by_root = re.findall(r'"-p(\w+=[^"%]*)"', (PROJECT / "src/daemon/readiness-trial-command.c").read_text())
    assert len(by_root) > 10
    assert {line for line in packaged if line} | {"TimeoutStopSec=2"} == set(by_root)


@pytest.fixture
def packaged(site):
    """What the packages put on a machine, and what the operator has to: HAProxy's group, and a service that isn't root's."""
    unit = (PACKAGING / "novacron-auto-rollback.service.in").read_text().replace("@bindir@", "/usr/local/bin")
    site.write(f"/etc/systemd/system/{CONTROLLER}", unit)
    for name in ("enable", "disable", "trial"):
        site.copy_in(PACKAGING / f"novacron-rollback-{name}@.service", f"/etc/systemd/system/novacron-rollback-{name}@.service")
    site.copy_in(PACKAGING / "polkit/50-novacron-rollback.rules", RULE)
    for kind in ("sysusers", "tmpfiles"):
        site.copy_in(PACKAGING / f"{kind}.d/novacron-rollback.conf", f"/etc/{kind}.d/novacron-rollback.conf")
    host = site.host
    host.run(["systemd-sysusers", "/etc/sysusers.d/novacron-rollback.conf"])
    host.run(["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/novacron-rollback.conf"])
    host.run("getent group haproxy || groupadd --system haproxy")
    host.run("useradd --system --no-create-home --user-group service")
    host.run(["chown", "service:", "/var/lib/service"])
    for unit in UNITS.values():
        site.write(f"/etc/systemd/system/{unit}", SERVICE_UNIT.format(extra="User=service"))
    site.write(f"/etc/systemd/system/{CONTROLLER}.d/haproxy.conf", OWN_SOCKET)
    config = site.read("/etc/haproxy/haproxy.cfg").replace("mode 660 level admin", "mode 660 group haproxy level admin")
    site.write("/etc/haproxy/haproxy.cfg", config)
    site.configure(alerts={"command": []})
    return site


def test_rollback_and_reboot(packaged):
    site = packaged
    load = site.begin_with(error_every=20)
    pid = site.controller_pid()
    assert site.host.output(["stat", "-c", "%U", f"/proc/{pid}"]) == "novacron"
    assert "CapEff:\t0000000000000000" in site.host.read_file(f"/proc/{pid}/status")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)
    enabled = {version: site.host.systemctl("is-enabled", unit, check=False).stdout.strip() for version, unit in UNITS.items()}
    assert enabled == {"v2.4.0": "enabled", "v3.0.0": "disabled"}, enabled
    site.host.reboot()
    site.check_steady("v2.4.0")


@pytest.mark.parametrize("verb", ["stop", "start", "restart", "kill", "enable"])
def test_it_may_nothing_else(packaged, verb):
    site = packaged
    site.write("/etc/systemd/system/other.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
    site.release("v2.4.0")
    site.start()
    site.host.systemctl("start", "other.service")
    done = site.host.run(["systemctl", "--no-ask-password", verb, "other.service"], user="novacron", check=False)
    assert done.returncode != 0, done.stdout
    assert site.host.show("other.service", "ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "disabled"}


def test_who_may_command_it(packaged):
    """Members of its group act without sudo; everybody else may only look."""
    site = packaged
    load = site.begin_with(measured=True)
    site.host.run("useradd --system --no-create-home --groups novacron oncall; useradd --system --no-create-home visitor")
    denied = site.host.run(["auto-rollback", "manual", "--yes", "let me"], user="visitor", check=False)
    assert denied.returncode == PERMISSION, denied.stdout + denied.stderr
    plain = "curl -sS -o /dev/null -w '%{http_code} ' -X POST http://localhost:8080/api/v3/deployment/"
    asked = {user: site.host.output(f"{plain}pause; {plain}resume", user=user) for user in ("root", "oncall", "visitor")}
    assert asked == {"root": "200 200", "oncall": "200 200", "visitor": "403 403"}
    site.host.run(["auto-rollback", "manual", "--yes", "it is bad"], user="oncall")
    run = site.wait_for_run(kind="rollback")
    assert run["outcome"] == "succeeded" and run["initiator"].startswith("oncall")
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)


@pytest.mark.parametrize("trap", [False, True])
def test_break_glass_as_root(packaged, trap):
    """An emergency doesn't depend on the controller, nor on whose files they are; and the controller goes on with them."""
    site = packaged
    load = site.begin_with(error_every=20)
    site.host.systemctl("stop", CONTROLLER)
    # whose directory that is could lead root's hands elsewhere: its report is written with its owner's rights alone
    if trap:
        site.host.run("rm -rf /var/lib/novacron/incidents; mkdir /root/elsewhere; ln -s /root/elsewhere /var/lib/novacron/incidents")
        site.host.run(["chown", "-h", "novacron:", "/var/lib/novacron/incidents"])
    done = site.cli("emergency", "the controller is away", check=None)
    assert done.returncode in (0, NOT_VERIFIED), done.stdout + done.stderr
    assert "could change what we run" not in done.stderr
    if trap:
        assert site.host.output("find /root/elsewhere -mindepth 1") == ""
        site.host.run(["rm", "/var/lib/novacron/incidents"])
    else:
        assert site.host.output(["stat", "-c", "%U %a", "/var/lib/novacron/incidents/1/report.md"]) == "novacron 640"
    site.host.systemctl("start", CONTROLLER)
    run = site.wait_for_run(kind="rollback", mode="emergency")
    assert run["outcome"] == "succeeded"
    site.check_steady("v2.4.0")
    strays = site.host.output("find /etc/novacron /opt/novacron/current /var/lib/novacron /var/log/novacron -newer /etc/hosts -user root ! -name 'config.v*'")
    assert strays == "", strays
    site.check_ledger(load.end(), run)


# ---- a trial start of the target ----


@pytest.fixture
def tried(packaged):
    """v2.4.0 is the target, and is tried as soon as the configuration allows it: `allow`."""
    site = packaged
    site.write("/etc/trial-word", TRIAL_WORD)
    site.configure(readiness={"interval": "300ms", "trial_timeout": "30s"})
    site.release("v2.4.0")
    site.release("v3.0.0")
    site.start()
    site.deploy_good("v2.4.0")
    site.deploy("v3.0.0")
    return site


def allow(site, **more):
    site.configure(readiness={"trial_command": TRIAL, **more})
    site.host.systemctl("reload", CONTROLLER)


def wait_trial(site, verdict):
    def condition():
        answer = site.ask("GET", "/ready")
        check = answer and answer[0] == 200 and next((check for check in answer[1]["checks"] if check["key"] == "trial"), None)
        return check if check and check["verdict"] == verdict else None

    return site.wait(condition, 20, f"the trial is {verdict}")


def trial_units(site, *states):
    listed = site.host.output(["systemctl", "list-units", "--all", "--plain", "--no-legend", f"--state={','.join(states)}", "novacron-rollback-trial@*"])
    return [line.split()[0] for line in listed.splitlines()]


def check_nothing_left(site):
    site.wait(lambda: not trial_units(site, "activating", "active", "deactivating", "failed"), 20, "no unit of it is left")
    assert site.host.run(["pgrep", "-f", "trial.yaml"], check=False).returncode == 1, "nothing of it runs any more"
    assert site.host.output("find /run/novacron -name 'trial-*'") == ""


def readiness_alerts(status):
    return [alert for alert in status["alerts"] if alert["source"] == "readiness"]


def test_trial_start(tried):
    allow(tried)
    assert "healthy on port" in wait_trial(tried, "ok")["measured"]
    assert not trial_units(tried, "activating", "active", "deactivating"), "it is told when it is over"
    check_nothing_left(tried)
    assert not readiness_alerts(tried.status())


def test_trial_that_does_not_start(tried):
    tried.write("/etc/trial-fails", "")
    allow(tried)
    check = wait_trial(tried, "failed")
    assert "exited with status 3 before it answered" in check["measured"] and "journalctl -u novacron-rollback-trial@" in check["next"], check
    tried.wait_status(readiness_alerts, what="the alert")
    check_nothing_left(tried)


def test_trial_that_does_not_answer(tried):
    tried.write("/etc/trial-waits", "")
    allow(tried, trial_timeout="4s")
    check = wait_trial(tried, "failed")
    assert "did not answer with 2xx within 4 s" in check["measured"], check
    check_nothing_left(tried)


@pytest.mark.parametrize("missing", [RULE, TRIAL_UNIT])
def test_trial_that_is_not_allowed(tried, missing):
    """Nothing was tried, so nothing has failed."""
    site = tried
    if missing == RULE:
        site.write(RULE, site.read(RULE).replace("novacron-rollback-trial@", "nothing@"))
        site.host.systemctl("restart", "polkit.service")
    else:
        site.inside(missing).unlink()
        site.host.systemctl("daemon-reload")
    allow(site)
    check = wait_trial(site, "unknown")
    assert "could not be tried" in check["measured"] and "50-novacron-rollback.rules" in check["next"], check
    check_nothing_left(site)
    assert not readiness_alerts(site.status())


def test_trial_user_is_roots_to_choose(tried):
    allow(tried, trial_user="service")
    check = wait_trial(tried, "unknown")
    assert "trial_user" in check["measured"] and "systemctl edit novacron-rollback-trial@.service" in check["next"], check
    assert not readiness_alerts(tried.status())


@pytest.mark.parametrize("how", ["killed", "restarted"])
def test_trial_ends_with_the_controller(tried, how):
    """However that ends; what it has left is removed by the next trial."""
    site = tried
    site.kills_controller = True
    site.write("/etc/trial-waits", "")
    allow(site)
    first = site.wait(lambda: trial_units(site, "activating"), 20, "it runs")[0]
    if how == "killed":
        os.kill(site.outside_pid(site.controller_pid()), signal.SIGKILL)
    else:
        site.host.systemctl("restart", CONTROLLER)
    wait_until(lambda: site.host.show(first, "ActiveState")["ActiveState"] == "inactive", 20, "it has ended")
    site.inside("/etc/trial-waits").unlink()
    wait_trial(site, "ok")
    check_nothing_left(site)


@pytest.mark.parametrize("target", ["/etc/secret", "/etc/missing"])
def test_trial_reads_nothing_of_roots(packaged, target):
    """Where the command's file is a link to is read by the trial's user, so it isn't read; nor is told whether it exists."""
    site = packaged
    site.write("/etc/secret", "of root alone\n", 0o600)
    site.release("v2.4.0")
    site.start()
    site.host.run(["ln", "-s", target, "/run/novacron/trial-1-2"], user="novacron")
    unit = "novacron-rollback-trial@1-2.service"
    done = site.host.run(["systemctl", "--no-ask-password", "start", unit], user="novacron", check=False)
    assert done.returncode != 0
    shown = site.host.show(unit, "Result", "ExecMainStartTimestampMonotonic")
    assert shown == {"Result": "exit-code", "ExecMainStartTimestampMonotonic": "0"}
    assert "alone" not in site.host.journal(unit)


def test_no_unit_of_its_own_making(packaged):
    """The sandbox is the packaged one, nobody's choice."""
    site = packaged
    done = site.host.run(["systemd-run", "--no-ask-password", "--unit=novacron-rollback-trial@1-2.service", "/bin/true"], user="novacron", check=False)
    assert done.returncode != 0 and "uthenti" in done.stderr, done.stderr
