"""The controller as packaged: its own user with few rights, allowed by polkit to manage the releases' units and nothing else."""

import pytest
from hosts import PROJECT
from testsite import CONTROLLER, NOT_VERIFIED, PERMISSION, SERVICE_UNIT, UNITS

PACKAGING = PROJECT / "packaging"
OWN_SOCKET = "[Service]\nSupplementaryGroups=haproxy\n"


@pytest.fixture
def packaged(site):
    """What the packages put on a machine, and what the operator has to: HAProxy's group, and a service that isn't root's."""
    unit = (PACKAGING / "novacron-auto-rollback.service.in").read_text().replace("@bindir@", "/usr/local/bin")
    site.write(f"/etc/systemd/system/{CONTROLLER}", unit)
    for name in ("enable", "disable"):
        site.copy_in(PACKAGING / f"novacron-rollback-{name}@.service", f"/etc/systemd/system/novacron-rollback-{name}@.service")
    site.copy_in(PACKAGING / "polkit/50-novacron-rollback.rules", "/etc/polkit-1/rules.d/50-novacron-rollback.rules")
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
