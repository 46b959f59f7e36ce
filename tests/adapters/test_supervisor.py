"""The units driver "supervisor": no systemd, no root needed. Whatever a test starts is killed by its pid at the end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hosts import wait_until
from tool import SERVICE, TOOL, last_line, next_line


class Supervisor:
    def __init__(self, state):
        self.state, self.log, self.tools = state, state / "service.log", []

    def arguments(self, verb, unit="app", service=(), options=()):
        words = [word for each in (SERVICE, *service) for word in ("-c", each)]
        return [TOOL, *words, "-s", f"log={self.log}", *options, "supervisor", str(self.state), verb, unit]

    def drive(self, verb, unit="app", **kwargs):
        result = subprocess.run(self.arguments(verb, unit, **kwargs), capture_output=True, text=True, timeout=60)
        assert "Sanitizer" not in result.stderr and result.stdout, result.stderr
        return last_line(result.stdout)

    def follow(self, verb, unit="app", **kwargs):
        self.tools.append(subprocess.Popen(self.arguments(verb, unit, **kwargs), stdout=subprocess.PIPE, text=True))
        return self.tools[-1]

    def record(self, unit="app"):
        path = self.state / "supervisor" / unit
        return dict(line.split(" ", 1) for line in path.read_text().strip("\n\0").splitlines() if " " in line) if path.exists() else {}

    def close(self):
        for tool in self.tools:
            if tool.poll() is None:
                tool.kill()
            tool.wait()
            tool.stdout.close()
        for unit in [path.name for path in (self.state / "supervisor").glob("*")]:
            try:
                self.drive("force-stop", unit)
            except AssertionError:
                pass  # the record was damaged by the test itself


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(tmp_path)
    yield made
    made.close()


def test_start_stop(supervisor):
    assert supervisor.drive("start")["status"] == "done"  # the tool ends: the service outlives it
    state = supervisor.drive("query")
    assert state["active"] and state["alive"] and not state["failed"] and state["loadable"]
    pid = state["main_pid"]
    assert is_running(pid) and os.getsid(pid) == pid and abs(state["main_start_wall"] / 1e6 - time.time()) < 30
    assert supervisor.drive("start")["status"] == "done" and supervisor.drive("query")["main_pid"] == pid  # twice is once
    for _ in range(2):
        assert supervisor.drive("stop")["status"] == "done"
    assert not is_running(pid)
    state = supervisor.drive("query")
    assert not state["alive"] and not state["failed"] and state["invocation"] == ""
    assert f"started, pid {pid}" in supervisor.log.read_text()


def test_start_waits_for_readiness(supervisor):
    answer = supervisor.drive("start", service=["ready-ms=600"])
    assert answer["status"] == "done" and answer["ms"] >= 600


def test_started_is_enough_when_configured_so(supervisor):
    answer = supervisor.drive("start", service=["ready-ms=-1"], options=["-s", "readiness=started"])
    assert answer["status"] == "done"


def test_never_ready_times_out_and_is_not_taken_for_active(supervisor):
    tool = supervisor.follow("hold", service=["ready-ms=-1"], options=["-b", "300"])
    assert next_line(tool)["status"] == "timed_out"


def test_a_start_that_dies_says_how(supervisor):
    answer = supervisor.drive("start", service=["ready-ms=-1", "exit-ms=0", "status=4"])
    assert answer["status"] == "failed" and "exited with status 4" in answer["error"] and str(supervisor.log) in answer["error"]
    assert supervisor.drive("query")["failed"]


def test_a_program_that_is_not_there(supervisor):
    arguments = [TOOL, "-c", "/nonexistent/service", "supervisor", str(supervisor.state), "query", "app"]
    answer = last_line(subprocess.run(arguments, capture_output=True, text=True).stdout)
    assert not answer["loadable"] and "/nonexistent/service" in answer["detail"]


@pytest.mark.parametrize("command", ["{currant}/bin/app", ""])
def test_a_wrong_command_is_refused(supervisor, command):
    arguments = [TOOL, "-c", command, "supervisor", str(supervisor.state), "query", "app"]
    assert subprocess.run(arguments, capture_output=True, text=True).returncode != 0


def test_placeholders(supervisor):
    script = "printf '%s\\n' \"$@\"; exec \"$0\""
    arguments = [TOOL, "-c", "/bin/sh", "-c", "-c", "-c", script, "-c", SERVICE, "-c", "{current}|{config}", "-c", "x{version}y{unit}", "-c", "{}{A}",
                 "-s", f"log={supervisor.log}", "supervisor", str(supervisor.state), "start", "app"]
    assert last_line(subprocess.run(arguments, capture_output=True, text=True).stdout)["status"] == "done"
    text = supervisor.log.read_text()
    assert "/opt/novacron/current|/etc/novacron/config.yaml\nxv1.0.0yapp\n{}{A}\n" in text


def test_a_hanging_stop_is_killed(supervisor):
    supervisor.drive("start", service=["stop-ms=-1"])
    pid = supervisor.drive("query")["main_pid"]
    answer = supervisor.drive("stop", options=["-b", "300"])
    assert answer["status"] == "timed_out" and is_running(pid)
    answer = supervisor.drive("force-stop")
    assert answer["status"] == "done" and answer["ms"] < 1000 and not is_running(pid)
    assert not supervisor.drive("query")["failed"]


def test_found_again_after_the_controller_was_killed(supervisor):
    tool = supervisor.follow("hold")
    assert next_line(tool)["status"] == "done"
    tool.send_signal(signal.SIGKILL)
    tool.wait()
    state = supervisor.drive("query")
    assert state["active"] and is_running(state["main_pid"])
    assert supervisor.drive("start")["status"] == "done"
    assert supervisor.drive("query")["main_pid"] == state["main_pid"]  # not a second one
    assert supervisor.drive("stop")["status"] == "done" and not is_running(state["main_pid"])


def test_ready_while_nobody_listened(supervisor):
    """The controller is killed while the service starts: its READY=1 is lost, and the next one's start counts it as started."""
    tool = supervisor.follow("hold", service=["ready-ms=300"])
    wait_until(lambda: (pid := int(supervisor.record().get("pid", 0))) and os.readlink(f"/proc/{pid}/exe") == os.path.realpath(SERVICE),
               what="it is recorded, and no longer held back")
    tool.send_signal(signal.SIGKILL)
    tool.wait()
    pid = int(supervisor.record()["pid"])
    assert supervisor.drive("start")["status"] == "done"
    assert supervisor.drive("query")["main_pid"] == pid and is_running(pid)


def test_a_crash_is_seen_at_once(supervisor):
    tool = supervisor.follow("watch")
    first = next_line(tool)
    assert not first["alive"] and not first["failed"]
    tool.kill()
    supervisor.drive("start")
    watch = supervisor.follow("watch")
    state = next_line(watch)
    assert state["active"]
    begun = time.monotonic()
    os.kill(state["main_pid"], signal.SIGSEGV)
    assert next_line(watch)["failed"] and time.monotonic() - begun < 1
    assert supervisor.drive("query")["failed"]  # durable
    assert supervisor.drive("start")["status"] == "done" and not supervisor.drive("query")["failed"]


@pytest.mark.parametrize("verb", ["watch", "hold"])  # it found the service, or it is its parent
def test_what_another_process_did_meanwhile_is_taken_over(supervisor, verb):
    """Break glass replaces the service while the controller is stopped: the record it wrote stands, and the new one is watched."""
    if verb == "watch":
        supervisor.drive("start")
    tool = supervisor.follow(verb)
    next_line(tool)
    old = int(supervisor.record()["pid"])
    tool.send_signal(signal.SIGSTOP)
    assert supervisor.drive("stop")["status"] == "done"
    assert supervisor.drive("start")["status"] == "done"
    record = supervisor.record()
    tool.send_signal(signal.SIGCONT)
    if verb == "watch":
        state = next_line(tool)
        assert state["main_pid"] == int(record["pid"]) and state["active"] and not state["failed"], state
    wait_until(lambda: not Path(f"/proc/{old}").exists(), what="the old one is reaped")
    state = supervisor.drive("query")
    assert state["active"] and not state["failed"] and supervisor.record() == record
    os.kill(int(record["pid"]), signal.SIGKILL)
    wait_until(lambda: supervisor.record()["how"] != "-", what="the end of the new one, seen by who was stopped")


def test_what_another_process_stopped_meanwhile_has_not_failed(supervisor):
    supervisor.drive("start")
    watch = supervisor.follow("watch")
    assert next_line(watch)["active"]
    watch.send_signal(signal.SIGSTOP)
    assert supervisor.drive("stop")["status"] == "done"
    record = supervisor.record()
    watch.send_signal(signal.SIGCONT)
    state = next_line(watch)
    assert not state["alive"] and not state["failed"], state
    assert supervisor.record() == record


def test_a_record_that_was_removed_does_not_make_it_forget(supervisor):
    """Nobody else started anything: the service that runs is still known, and its end is told."""
    supervisor.drive("start")
    watch = supervisor.follow("watch")
    pid = next_line(watch)["main_pid"]
    (supervisor.state / "supervisor" / "app").unlink()
    os.kill(pid, signal.SIGKILL)
    assert next_line(watch)["failed"]


def test_a_crash_of_our_own_child_names_the_status(supervisor):
    supervisor.follow("hold", service=["exit-ms=400", "status=5"])
    wait_until(lambda: supervisor.record().get("how", "-") != "-", what="the end")
    assert "exited with status 5" in supervisor.drive("query")["detail"]


def test_another_process_with_the_recorded_pid_is_left_alone(supervisor):
    supervisor.drive("start")
    supervisor.drive("stop")
    stranger = subprocess.Popen(["/bin/sleep", "inf"], start_new_session=True)
    try:
        path = supervisor.state / "supervisor" / "app"
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        ticks = int(Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19])
        text = "version v1.0.0\npid {}\nticks {}\nboot {}\ninvocation ab\nstarted 1\nstopping 0\nhow -\nend\n"
        path.write_text(text.format(stranger.pid, ticks - 1, boot))  # the number was given to somebody else
        state = supervisor.drive("query")
        assert not state["alive"] and state["failed"]
        for verb in ("stop", "force-stop"):
            assert supervisor.drive(verb)["status"] == "done"
        assert stranger.poll() is None
        path.write_text(text.format(stranger.pid, ticks, "00000000-0000-0000-0000-000000000000"))  # before a reboot
        state = supervisor.drive("query")
        assert not state["alive"] and not state["failed"]
        path.write_text(text.format(stranger.pid, ticks, boot))  # the very process: it is found, so the test can fail
        assert supervisor.drive("query")["main_pid"] == stranger.pid
    finally:
        stranger.kill()
        stranger.wait()


def test_another_release_under_the_same_unit_must_be_stopped_first(supervisor):
    supervisor.drive("start")
    path = supervisor.state / "supervisor" / "app"
    path.write_text(path.read_text().replace("version v1.0.0", "version v9.9.9"))
    answer = supervisor.drive("start")
    assert answer["status"] == "refused" and "still runs v9.9.9" in answer["error"]


@pytest.mark.parametrize("content", ["nonsense\n", "version v1\npid 12", "x" * 5000])
def test_a_damaged_record_is_told_and_not_guessed(supervisor, content):
    supervisor.drive("query")
    (supervisor.state / "supervisor" / "app").write_text(content)
    for verb in ("query", "start", "stop"):
        answer = supervisor.drive(verb)
        assert answer["status"] == "refused" and str(supervisor.state / "supervisor" / "app") in answer["error"]


def test_only_the_services_own_word_counts(supervisor):
    """Another process that says READY=1 on the socket is not heard."""
    tool = supervisor.follow("hold", service=["ready-ms=-1"], options=["-b", "700"])
    wait_until(lambda: int(supervisor.record().get("pid", 0)), what="the record")
    name = "\0novacron-rollback/" + supervisor.record()["invocation"]
    lie = "import socket,sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', sys.argv[1].replace('@', chr(0), 1))"
    subprocess.run([sys.executable, "-c", lie, name.replace("\0", "@")], check=True)
    assert next_line(tool)["status"] == "timed_out"


def test_what_the_main_process_leaves_goes_with_it(supervisor):
    script = f"trap '' TERM; sleep inf & echo child $!; exec {SERVICE}"
    arguments = [TOOL, "-c", "/bin/sh", "-c", "-c", "-c", script, "-s", f"log={supervisor.log}", "supervisor", str(supervisor.state), "start", "app"]
    assert last_line(subprocess.run(arguments, capture_output=True, text=True).stdout)["status"] == "done"
    child = int(supervisor.log.read_text().split("child ")[1].split()[0])
    assert is_running(child)
    assert supervisor.drive("force-stop")["status"] == "done"
    wait_until(lambda: not is_running(child), what="the child's end")


def test_a_log_that_cannot_be_opened_does_not_keep_it_down(supervisor):
    supervisor.log = supervisor.state / "missing" / "service.log"
    assert supervisor.drive("start")["status"] == "done"


def test_on_a_full_disk(host):
    """The record's space is taken when the unit is first asked for, so starting and stopping need none."""
    host.mount_small_disk("/var/lib/novacron", "128k")
    tool = f"{TOOL} -c {SERVICE} supervisor /var/lib/novacron"
    host.run(f"{tool} query app")
    host.fill_disk("/var/lib/novacron")
    for verb in ("start", "stop", "start", "force-stop"):
        assert last_line(host.run(f"{tool} {verb} app", check=False).stdout)["status"] == "done"
