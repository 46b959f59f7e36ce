"""The harness itself: what the other tests build on must hold."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hosts import HERE, PROJECT, Host, HostError, _start_ticks, wait_until

SLEEPER = "[Service]\nType=exec\nExecStart=/bin/sleep inf\n[Install]\nWantedBy=multi-user.target\n"


def test_boots_a_real_systemd(host):
    assert host.output(["cat", "/proc/1/comm"]) == "systemd"
    assert host.output(["systemctl", "is-system-running"]) == "running"
    assert host.output(["hostname"]) == "host"
    assert host.run(["true"]).returncode == 0
    with pytest.raises(HostError, match="exited with 3"):
        host.run("echo said; exit 3")


def test_runs_a_unit_and_keeps_its_journal(host):
    host.write_unit("talk.service", "[Service]\nType=oneshot\nExecStart=/bin/echo hello from the unit\n")
    host.systemctl("start", "talk.service")
    assert "hello from the unit" in host.journal("talk.service")


def test_what_happens_on_a_host_stays_there(host):
    host.write_file("/etc/of-the-host", "1\n")
    host.run("rm -f /etc/hostname; touch /tmp/of-the-host /run/of-the-host /var/lib/of-the-host; rm -rf /usr/share/doc/base-files")
    for path in ("/etc/of-the-host", "/tmp/of-the-host", "/run/of-the-host", "/var/lib/of-the-host"):
        assert not Path(path).exists()
    assert Path("/usr/share/doc/base-files").exists()
    assert host.run(["touch", f"{PROJECT}/of-the-host"], check=False).returncode != 0  # read-only


def test_hosts_are_apart_from_each_other(host):
    listen = "import socket,time; s=socket.create_server(('127.0.0.1', 8080)); print('up', flush=True); time.sleep(60)"
    connect = "import socket; socket.create_connection(('127.0.0.1', 8080), 1)"
    with Host("second") as second:
        listeners = [each.popen(["/usr/bin/python3", "-c", listen], stdout=subprocess.PIPE) for each in (host, second)]
        for listener in listeners:  # the same port on both
            assert listener.stdout.readline() == "up\n"
        listeners[0].kill()
        listeners[0].wait()
        assert host.run(["/usr/bin/python3", "-c", connect], check=False).returncode != 0
        assert second.run(["/usr/bin/python3", "-c", connect]).returncode == 0
        assert second.output(["hostname"]) == "second"


def test_power_cut_kills_all_and_keeps_the_disk(host):
    host.write_unit("sleeper.service", SLEEPER)
    host.systemctl("start", "sleeper.service")
    inside = host.popen(["sleep", "inf"])
    inside.inner_pid()
    machine = host.read_file("/etc/machine-id")
    host.write_file("/var/lib/kept", "kept\n")
    host.write_file("/run/lost", "lost\n")
    host.power_cut()
    assert inside.wait(5) != 0
    with pytest.raises(HostError, match="is down"):
        host.run(["true"])
    host.boot()
    assert host.read_file("/var/lib/kept") == "kept\n"
    assert host.read_file("/etc/machine-id") == machine
    assert host.run(["test", "-e", "/run/lost"], check=False).returncode == 1
    assert host.show("sleeper.service", "ActiveState")["ActiveState"] == "inactive"


@pytest.mark.parametrize("orderly", [True, False])
def test_what_is_enabled_starts_at_boot(host, orderly):
    host.write_unit("sleeper.service", SLEEPER)
    host.systemctl("enable", "sleeper.service")
    assert host.show("sleeper.service", "ActiveState")["ActiveState"] == "inactive"
    host.reboot(orderly)
    assert host.show("sleeper.service", "ActiveState")["ActiveState"] == "active"
    host.systemctl("disable", "sleeper.service")
    host.reboot(orderly)
    assert host.show("sleeper.service", "ActiveState")["ActiveState"] == "inactive"


def test_poweroff_stops_units(host):
    stop = "[Service]\nType=exec\nExecStart=/bin/sleep inf\nExecStop=/bin/sh -c 'echo stopped >/var/lib/stopped'\n"
    host.write_unit("orderly.service", stop)
    host.systemctl("start", "orderly.service")
    host.poweroff()
    host.boot()
    assert host.read_file("/var/lib/stopped") == "stopped\n"


def test_a_failed_unit_does_not_keep_the_boot_back(host):
    host.write_unit("broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n")
    host.systemctl("enable", "broken.service")
    host.reboot()
    assert host.output(["systemctl", "is-system-running"], check=False) == "degraded"


def test_freeze_and_thaw(host):
    ticker = host.popen("while :; do date +%s%N; sleep 0.01; done", stdout=subprocess.PIPE)
    ticker.stdout.readline()
    host.freeze()
    frozen = time.time_ns()
    time.sleep(0.3)  # the time it must not have lived through
    thawing = time.time_ns()  # before: what it does while we are told that it lives again counts
    host.thaw()
    stamp = 0
    while stamp < thawing:
        stamp = int(ticker.stdout.readline())
        assert not frozen + 50_000_000 < stamp < thawing
    ticker.kill()
    ticker.wait()


def test_signals_reach_the_program_inside(host):
    process = host.popen("trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.01; done", stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.stdout.readline() == "got it\n"
    assert process.wait(5) == 7


def test_a_small_disk_can_be_filled(host):
    host.mount_small_disk("/var/lib/novacron", "128k")
    host.fill_disk("/var/lib/novacron")
    result = host.run(["dd", "if=/dev/zero", "of=/var/lib/novacron/more", "bs=1", "count=1"], check=False)
    assert result.returncode != 0 and "No space left" in result.stderr
    host.run("echo elsewhere >/var/lib/elsewhere")


def test_polkit_denies_and_allows(host):
    """As packaging/polkit does it: user novacron may manage the releases' units, and nothing else."""
    host.add_user("novacron")
    for unit in ("novacron-dwcp-v2.service", "other.service"):
        host.write_unit(unit, SLEEPER)
    denied = host.systemctl("start", "novacron-dwcp-v2.service", user="novacron", check=False)
    assert denied.returncode != 0

    host.write_file("/etc/polkit-1/rules.d/50-novacron-rollback.rules", (PROJECT / "packaging/polkit/50-novacron-rollback.rules").read_text())
    wait_until(lambda: host.systemctl("start", "novacron-dwcp-v2.service", user="novacron", check=False).returncode == 0, what="the new rule")
    host.systemctl("stop", "novacron-dwcp-v2.service", user="novacron")
    for allowed_not in (["start", "other.service"], ["stop", "dbus.service"], ["restart", "novacron-dwcp-v2.service"],
                        ["enable", "novacron-dwcp-v2.service"], ["daemon-reload"], ["poweroff"]):
        assert host.systemctl(*allowed_not, user="novacron", check=False).returncode != 0, allowed_not
    assert host.output(["systemctl", "is-system-running"]) == "running"


# ---- leaving nothing behind ----


def traces(cgroup, keeper):
    """The mounts and the network are in namespaces that live as long as a process in them: the keeper's and the host's."""
    return [trace for trace in (cgroup, Path(f"/proc/{keeper}")) if trace.exists()]


def test_close_leaves_nothing(host):
    cgroup, keeper = host.cgroup, host._keeper.pid
    assert cgroup.exists()
    before = Path("/proc/self/mounts").read_text()
    host.close()
    host.close()
    assert not traces(cgroup, keeper)
    assert Path("/proc/self/mounts").read_text() == before


RUN = "import sys; sys.path.insert(0, {here!r}); from hosts import Host; h = Host(); print(h.cgroup, h._keeper.pid, h.pid, flush=True); sys.stdin.read()"


@pytest.mark.parametrize("who", ["tests", "keeper"])
def test_a_killed_run_leaves_nothing(who):
    run = subprocess.Popen([sys.executable, "-c", RUN.format(here=str(HERE))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    cgroup, keeper, init = run.stdout.readline().split()
    ticks = _start_ticks(init)
    os.kill(run.pid if who == "tests" else int(keeper), signal.SIGKILL)
    wait_until(lambda: _start_ticks(init) != ticks, what="the end of PID 1")
    run.stdin.close()
    run.wait(10)
    run.stdout.close()
    if who == "keeper":  # the next host sweeps the cgroup
        wait_until(lambda: "populated 0" in (Path(cgroup) / "cgroup.events").read_text(), what="an empty cgroup")
        Host(boot=False).close()
    wait_until(lambda: not traces(Path(cgroup), int(keeper)), what="an end without traces")
