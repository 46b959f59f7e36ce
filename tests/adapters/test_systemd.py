"""The units driver "systemd" against a real systemd."""

import os
import signal
import time

import pytest

from hosts import PROJECT, wait_until
from tool import TOOL, drive, end, follow, next_line, service_unit

SYSTEM_BUS = ("-s", "bus=system")


def active(host, unit):
    return host.show(unit, "ActiveState")["ActiveState"]


@pytest.mark.parametrize("bus", ["private", "system"])
def test_start_query_stop(module_host, bus):
    options = ("-s", f"bus={bus}")
    module_host.write_unit("plain.service", service_unit())
    assert drive(module_host, "start", "plain", options=options)["status"] == "done"
    state = drive(module_host, "query", "plain.service", options=options)
    shown = module_host.show("plain.service", "MainPID", "InvocationID")
    assert state["active"] and state["alive"] and state["loadable"] and not state["failed"]
    assert (str(state["main_pid"]), state["invocation"]) == (shown["MainPID"], shown["InvocationID"])
    assert abs(state["main_start_wall"] / 1e6 - time.time()) < 30
    assert drive(module_host, "start", "plain", options=options)["status"] == "done"  # twice is once
    assert module_host.show("plain.service", "MainPID")["MainPID"] == shown["MainPID"]
    for _ in range(2):
        assert drive(module_host, "stop", "plain", options=options)["status"] == "done"
    state = drive(module_host, "query", "plain", options=options)
    assert not state["active"] and not state["alive"] and not state["failed"] and state["loadable"]
    assert state["main_pid"] == 0 and state["invocation"] == ""


def test_start_waits_for_readiness(module_host):
    module_host.write_unit("slow.service", service_unit("ready-ms=700"))
    answer = drive(module_host, "start", "slow")
    assert answer["status"] == "done" and 700 <= answer["ms"] < 3000


def test_start_that_outlives_its_budget(module_host):
    module_host.write_unit("never.service", service_unit("ready-ms=-1"))
    answer = drive(module_host, "start", "never", options=("-b", "600"))
    assert answer["status"] == "timed_out" and 590 <= answer["ms"] < 1500
    assert "never.service: activating" in answer["error"]  # says where it hangs
    drive(module_host, "force-stop", "never")


def test_start_that_fails_says_why(module_host):
    module_host.write_unit("dies.service", service_unit("ready-ms=-1 exit-ms=0 status=3"))
    answer = drive(module_host, "start", "dies")
    assert answer["status"] == "failed"
    assert "dies.service: failed (exit-code, status 3)" in answer["error"] and "journalctl -u dies.service" in answer["error"]
    state = drive(module_host, "query", "dies")
    assert state["failed"] and not state["alive"] and state["detail"] == "dies.service: failed (exit-code, status 3)"


def test_start_whose_condition_is_not_met(module_host):
    module_host.write_unit("unmet.service", service_unit(unit="ConditionPathExists=/nonexistent"))
    answer = drive(module_host, "start", "unmet")
    assert answer["status"] == "failed" and "condition" in answer["error"]


def test_start_limit_does_not_keep_it_down(module_host):
    module_host.write_unit("limited.service", service_unit(unit="StartLimitIntervalSec=60\nStartLimitBurst=2"))
    for _ in range(2):
        module_host.systemctl("restart", "limited.service")
    assert module_host.systemctl("restart", "limited.service", check=False).returncode != 0
    assert drive(module_host, "start", "limited")["status"] == "done"


def test_stop_that_hangs_is_killed(module_host):
    module_host.write_unit("stubborn.service", service_unit("stop-ms=-1", "Restart=always\nRestartSec=0\nTimeoutStopSec=60"))
    drive(module_host, "start", "stubborn")
    answer = drive(module_host, "stop", "stubborn", options=("-b", "500"))
    assert answer["status"] == "timed_out" and "deactivating" in answer["error"]
    answer = drive(module_host, "force-stop", "stubborn", options=("-b", "3000"))
    assert answer["status"] == "done" and answer["ms"] < 1000
    state = drive(module_host, "query", "stubborn")
    assert not state["alive"] and not state["failed"]  # our kill is no crash of its own


def test_a_hanging_stop_command_is_killed_too(module_host):
    module_host.write_unit("post.service", service_unit("", "ExecStopPost=/bin/sleep inf\nTimeoutStopSec=60"))
    drive(module_host, "start", "post")
    assert drive(module_host, "force-stop", "post", options=("-b", "4000"))["status"] == "done"
    assert active(module_host, "post.service") in ("inactive", "failed")


def test_units_that_cannot_be_loaded(module_host):
    state = drive(module_host, "query", "missing")
    assert not state["loadable"] and "/etc/systemd/system/missing.service" in state["detail"]
    assert drive(module_host, "stop", "missing")["status"] == "done"
    answer = drive(module_host, "start", "missing")
    assert answer["status"] == "failed" and "missing.service" in answer["error"]

    module_host.systemctl("mask", "masked.service")
    assert "systemctl unmask masked.service" in drive(module_host, "query", "masked")["detail"]
    module_host.write_unit("bad.service", "[Service]\nType=oneshot\nRestart=always\nExecStart=/bin/true\n")
    state = drive(module_host, "query", "bad")
    assert not state["loadable"] and "bad.service: its unit file has a bad setting" in state["detail"]


def test_several_units_at_once(module_host):
    for name in ("one", "two"):
        module_host.write_unit(f"{name}.service", service_unit("ready-ms=300 stop-ms=300"))
    answer = drive(module_host, "start", "one,two")
    assert answer["status"] == "done" and answer["ms"] < 580
    state = drive(module_host, "query", "one,two")
    assert state["active"] and "one.service" in state["detail"] and "two.service" in state["detail"]
    module_host.systemctl("stop", "two.service")
    state = drive(module_host, "query", "one,two")
    assert not state["active"] and state["alive"]
    assert drive(module_host, "stop", "one,two,missing")["status"] == "done"
    assert not drive(module_host, "query", "one,two")["alive"]


# ---- watching ----


@pytest.mark.parametrize("bus", ["private", "system"])
def test_watch_sees_a_crash_within_a_second(module_host, bus):
    module_host.write_unit("watched.service", service_unit())
    drive(module_host, "start", "watched")
    watch = follow(module_host, "watch", "watched", options=("-s", f"bus={bus}"))
    first = next_line(watch)
    assert first["status"] == "changed" and first["active"]
    begun = time.monotonic()
    module_host.systemctl("kill", "--signal=ABRT", "watched.service")
    seen = next_line(watch, lambda line: line["failed"])
    assert time.monotonic() - begun < 1
    assert "SIGABRT" in seen["state_detail"]
    end(watch)


def test_watch_counts_restarts_and_says_nothing_twice(module_host):
    module_host.write_unit("again.service", service_unit("", "Restart=always\nRestartSec=50ms"))
    drive(module_host, "start", "again")
    watch = follow(module_host, "watch", "again")
    lines = [next_line(watch)]
    for number in (1, 2, 3):
        module_host.systemctl("kill", "--signal=KILL", "again.service")
        while not (lines[-1]["restarts"] == number and lines[-1]["active"]):
            lines.append(next_line(watch))
    assert len({line["invocation"] for line in lines if line["active"]}) == 4
    told = [tuple(line[key] for key in ("active", "alive", "failed", "restarts", "main_pid", "invocation", "loadable")) for line in lines]
    assert all(one != other for one, other in zip(told, told[1:]))
    end(watch)
    drive(module_host, "stop", "again")


@pytest.mark.parametrize("bus", ["private", "system"])
def test_watch_survives_pid_1_executing_itself_again(host, bus):
    host.write_unit("watched.service", service_unit())
    drive(host, "start", "watched")
    watch = follow(host, "watch", "watched", options=("-s", f"bus={bus}"))
    next_line(watch)
    host.systemctl("daemon-reexec", check=False)
    wait_until(lambda: host.systemctl("is-active", "watched.service", check=False).returncode == 0, what="systemd's answer")
    host.systemctl("kill", "--signal=ABRT", "watched.service")
    begun = time.monotonic()
    next_line(watch, lambda line: line.get("failed"))
    assert time.monotonic() - begun < 1.5
    end(watch)


def restart_bus(host):
    """As a crash of dbus-daemon: everybody's connection ends; systemd starts it again."""
    old = host.show("dbus.service", "MainPID")["MainPID"]
    host.systemctl("kill", "--signal=KILL", "dbus.service")
    host.systemctl("reset-failed", "dbus.service", check=False)
    host.systemctl("start", "dbus.service")
    assert host.show("dbus.service", "MainPID")["MainPID"] != old


def test_watch_survives_a_restart_of_the_bus(host):
    host.write_unit("watched.service", service_unit())
    drive(host, "start", "watched")
    watch = follow(host, "watch", "watched", options=SYSTEM_BUS)
    next_line(watch)
    restart_bus(host)
    wait_until(lambda: drive(host, "query", "watched", options=SYSTEM_BUS)["status"] == "done", what="the bus")
    host.systemctl("kill", "--signal=ABRT", "watched.service")
    begun = time.monotonic()
    next_line(watch, lambda line: line.get("failed"))
    assert time.monotonic() - begun < 1.5
    end(watch)


# ---- the connection is lost in the middle ----


def test_a_start_survives_a_restart_of_the_bus(host):
    host.write_unit("slow.service", service_unit("ready-ms=1500"))
    drive(host, "query", "slow", options=SYSTEM_BUS)  # the bus runs
    start = follow(host, "start", "slow", options=(*SYSTEM_BUS, "-b", "10000"))
    wait_until(lambda: active(host, "slow.service") == "activating", what="the start")
    pid = host.show("slow.service", "MainPID")["MainPID"]
    restart_bus(host)
    assert next_line(start)["status"] == "done"
    assert host.show("slow.service", "MainPID")["MainPID"] == pid  # one start, not two
    start.wait(10)
    start.stdout.close()


@pytest.mark.parametrize("bus", ["private", "system"])
def test_a_stop_survives_pid_1_executing_itself_again(host, bus):
    host.write_unit("slow.service", service_unit("stop-ms=1500"))
    drive(host, "start", "slow")
    stop = follow(host, "stop", "slow", options=("-s", f"bus={bus}", "-b", "10000"))
    wait_until(lambda: active(host, "slow.service") == "deactivating", what="the stop")
    host.systemctl("daemon-reexec", check=False)
    assert next_line(stop)["status"] == "done"
    assert active(host, "slow.service") == "inactive"
    stop.wait(10)
    stop.stdout.close()


def test_a_hanging_pid_1_costs_the_budget_and_no_more(host):
    host.write_unit("plain.service", service_unit())
    for options in (("-s", "bus=private"), SYSTEM_BUS):
        drive(host, "query", "plain", options=options)
        os.kill(host.pid, signal.SIGSTOP)
        try:
            for verb in ("query", "stop", "start"):
                answer = drive(host, verb, "plain", options=(*options, "-b", "400"))
                assert answer["status"] == "timed_out" and 390 <= answer["ms"] < 1500
        finally:
            os.kill(host.pid, signal.SIGCONT)


def test_no_systemd_at_all_is_said_before_the_budget(host):
    host.run(["mount", "-t", "tmpfs", "tmpfs", "/run/systemd"])  # hides the private socket
    answer = drive(host, "query", "plain", options=("-s", "bus=private", "-b", "30000"))
    assert answer["status"] == "failed" and answer["ms"] < 6000
    assert "/run/systemd/private" in answer["error"] and "units.driver: supervisor" in answer["error"]


# ---- what the next boot starts ----


def test_enable_decides_what_a_reboot_starts(host):
    for major in (2, 3):
        host.write_unit(f"novacron-dwcp-v{major}.service", service_unit())
    host.systemctl("enable", "novacron-dwcp-v3.service")
    answer = drive(host, "enable", "novacron-dwcp-v2", "novacron-dwcp-v3,missing")
    assert answer["status"] == "done" and "a reboot starts novacron-dwcp-v2.service" in answer["detail"]
    assert drive(host, "enable", "novacron-dwcp-v2", "novacron-dwcp-v2,novacron-dwcp-v3")["status"] == "done"  # twice; a shared name stays
    host.reboot(orderly=False)
    assert active(host, "novacron-dwcp-v2.service") == "active"
    assert active(host, "novacron-dwcp-v3.service") == "inactive"


def test_enable_says_what_it_cannot_do(module_host):
    module_host.write_unit("static.service", service_unit(install=False))
    answer = drive(module_host, "enable", "static")
    assert answer["status"] == "done" and "no [Install] section" in answer["detail"]
    answer = drive(module_host, "enable", "missing")
    assert answer["status"] == "failed" and "missing.service" in answer["error"]


# ---- without being root ----


@pytest.fixture
def packaged_host(host):
    """User, polkit rule and helper units as packaging installs them."""
    host.add_user("novacron")
    packaging = PROJECT / "packaging"
    host.write_file("/etc/polkit-1/rules.d/50-novacron-rollback.rules", (packaging / "polkit/50-novacron-rollback.rules").read_text())
    for name in ("novacron-rollback-enable@.service", "novacron-rollback-disable@.service"):
        host.write_unit(name, (packaging / name).read_text(), reload=False)
    for major in (2, 3):
        host.write_unit(f"novacron-dwcp-v{major}.service", service_unit(), reload=False)
    host.write_unit("other.service", service_unit())
    return host


def test_the_rule_lets_user_novacron_do_what_a_run_needs(packaged_host):
    host, user = packaged_host, "novacron"
    assert drive(host, "start", "novacron-dwcp-v3", user=user)["status"] == "done"
    assert drive(host, "query", "novacron-dwcp-v3", user=user)["active"]
    assert drive(host, "force-stop", "novacron-dwcp-v3", user=user)["status"] == "done"
    assert drive(host, "start", "novacron-dwcp-v2", user=user)["status"] == "done"
    assert drive(host, "stop", "novacron-dwcp-v2", user=user)["status"] == "done"
    host.systemctl("enable", "novacron-dwcp-v3.service")
    assert drive(host, "enable", "novacron-dwcp-v2", "novacron-dwcp-v3", user=user)["status"] == "done"
    host.reboot()
    assert (active(host, "novacron-dwcp-v2.service"), active(host, "novacron-dwcp-v3.service")) == ("active", "inactive")


def test_a_denial_names_the_line_to_type(packaged_host):
    for verb, word in (("start", "start"), ("stop", "stop"), ("enable", "enable")):
        answer = drive(packaged_host, verb, "other", user="novacron")
        assert answer["status"] == "failed"
        assert f"systemctl {word} other.service" in answer["error"] and "50-novacron-rollback.rules" in answer["error"]
    assert active(packaged_host, "other.service") == "inactive"


def test_the_controllers_sandbox_leaves_it_able_to_act(packaged_host):
    """The packaged unit's hardening around the driver: syscalls, address families and namespaces it needs are not taken away."""
    host = packaged_host
    host.run(["mkdir", "-p", "/opt/novacron", "/etc/novacron"])
    unit = (PROJECT / "packaging/novacron-auto-rollback.service.in").read_text().replace("@bindir@", "/usr/bin")
    host.write_unit("novacron-auto-rollback.service", unit, reload=False)
    host.run(["install", TOOL, "/usr/local/bin/units-tool"])  # the build may lie under /home, which the unit can't see
    override = f"[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nEnvironment=ASAN_OPTIONS=detect_leaks=0\nExecStart=\nExecStart=/usr/local/bin/units-tool systemd /var/lib/novacron start novacron-dwcp-v2\n"
    host.write_file("/etc/systemd/system/novacron-auto-rollback.service.d/try.conf", override)
    host.systemctl("daemon-reload")
    host.systemctl("start", "novacron-auto-rollback.service")
    assert active(host, "novacron-dwcp-v2.service") == "active"


def test_packaged_files_are_valid(packaged_host):
    host = packaged_host
    unit = (PROJECT / "packaging/novacron-auto-rollback.service.in").read_text().replace("@bindir@/auto-rollback", "/bin/true")
    host.write_file("/tmp/verify/novacron-auto-rollback.service", unit)
    security = host.run(["systemd-analyze", "security", "--offline=true", "--threshold=25", "/tmp/verify/novacron-auto-rollback.service"], check=False)
    assert security.returncode == 0, security.stdout  # exposure 2.5 at most
    for name in ("sysusers.d", "tmpfiles.d"):
        host.write_file(f"/etc/{name}/novacron-rollback.conf", (PROJECT / "packaging" / name / "novacron-rollback.conf").read_text())
    host.run(["systemd-sysusers", "/etc/sysusers.d/novacron-rollback.conf"])
    host.run(["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/novacron-rollback.conf"])
    assert host.output(["stat", "-c", "%U %a", "/opt/novacron/versions"]) == "novacron 755"
