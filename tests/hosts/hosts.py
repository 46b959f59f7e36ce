"""Throw-away hosts with a real systemd as PID 1, for tests (root needed; nothing of this machine is touched).

    with Host() as host:
        host.write_unit("app.service", "[Service]\\nType=exec\\nExecStart=/bin/sleep inf\\n")
        host.systemctl("start", "app.service")
        host.power_cut()          # kill -9 of the whole machine
        host.boot()               # its disk is as it was

A host sees this machine's root file system through an overlay: it can run every program installed here, and what it writes
stays its own until it is closed. It has its own network with nothing but loopback, so fixed ports never clash between hosts.
/etc/systemd/system is empty and real: what is enabled there starts at the next boot. journald, the system bus and polkit
(started when first asked for) are there; udev, logind and everything else are not.

Not like a real machine: the kernel and its clock are shared, resource limits by cgroup controllers are not enforced."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
BUILD_DIR = Path(os.environ.get("BUILD_DIR", PROJECT / "build")).resolve()

# What PID 1 itself was given, so that systemctl looks where it looks.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_UNIT_PATH": "/etc/systemd/system:/run/systemd/system:/run/systemd/transient:/run/host/units",
    "SYSTEMD_PAGER": "",
}

_numbers = count(1)


class HostError(Exception):
    pass


def why_not():
    """Why hosts can't be made here, or None: for pytest.mark.skipif."""
    if os.geteuid() != 0:
        return "throw-away hosts need root"
    if not _cgroup_root():
        return "throw-away hosts need a cgroup2 mount"
    if not Path("/lib/systemd/systemd").exists():
        return "throw-away hosts need systemd installed"
    return None


def wait_until(condition, timeout=10.0, what="the condition"):
    """For state that only can be asked for, not waited for. Returns the first true answer."""
    end = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not hold within {timeout} s")
        time.sleep(0.01)


class HostProcess(subprocess.Popen):
    """A program started inside a host. Its signals go to the program itself, not to the nsenter before it."""

    def inner_pid(self):
        """Its pid as seen from outside; 0 when it has ended."""
        pid = self.pid
        for _ in range(500):  # sh, which becomes nsenter, which forks the program
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                return 0
            if children:
                return int(children[0])
            if self.poll() is not None:
                return 0
            time.sleep(0.001)
        return 0

    def send_signal(self, sig):
        if self.poll() is None:
            pid = self.inner_pid()
            if pid:
                os.kill(pid, sig)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


class Host:
    def __init__(self, name="host", boot=True):
        self.name = name
        self.pid = 0  # of its PID 1, as seen from outside; 0 while it is down
        _sweep_cgroups()
        self.cgroup = _cgroup_root() / f"hosts-{os.getpid()}-{_start_ticks(os.getpid())}-{next(_numbers)}"
        self._keeper = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", sys.executable, "-E", "-s", str(HERE / "keeper.py"),
             str(self.cgroup), name, str(PROJECT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True)  # Ctrl-C is for the tests; the keeper cleans up when they are gone
        if boot:
            try:
                self.boot()
            except BaseException:
                self.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- life ----

    def boot(self, wait=True, timeout=30.0):
        """Returns when the boot has finished, that is when every unit that is wanted at boot was started or has failed."""
        self.pid = self._ask("boot")["pid"]
        if wait:
            try:
                self._ask("wait_booted", timeout)
            except HostError as error:
                raise HostError(f"{error}\n{self.console()}") from None

    def power_cut(self):
        """Everything dies at once; what was written stays (this kernel's page cache lives on: it is no test of fsync)."""
        self._ask("kill")
        self.pid = 0

    def poweroff(self, timeout=30.0):
        """An orderly shutdown: units are stopped."""
        self.run(["systemctl", "--no-block", "poweroff"])
        self._ask("wait_dead", timeout)
        self.pid = 0

    def reboot(self, orderly=True):
        if orderly:
            self.poweroff()
        else:
            self.power_cut()
        self.boot()

    def freeze(self):
        """The whole machine hangs: nothing on it runs, its connections stay open."""
        self._ask("freeze", True)

    def thaw(self):
        self._ask("freeze", False)

    def close(self):
        """Leaves nothing behind. May be called twice."""
        if self._keeper.poll() is None:
            self._keeper.stdin.close()
            try:
                self._keeper.wait(15)
            except subprocess.TimeoutExpired:
                self._keeper.kill()
                self._keeper.wait()
        self._keeper.stdout.close()
        self.pid = 0

    # ---- inside ----

    def command(self, command, user=None, env=None):
        """The argument vector that runs `command` (a list, or a line for sh) inside the host, in its cgroup so that it is frozen and killed with it."""
        inner = ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
        if user:
            inner = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--", *inner]
        environment = {**ENVIRONMENT, **(env or {})}
        inner = ["env", "-i", *(f"{key}={value}" for key, value in environment.items()), *inner]
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--", *inner]
        return ["sh", "-c", 'echo 0 >"$0/exec/cgroup.procs" && exec "$@"', str(self.cgroup), *enter]

    def popen(self, command, user=None, env=None, **kwargs):
        if not self.pid:
            raise HostError(f"{self.name} is down")
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("text", True)
        return HostProcess(self.command(command, user, env), **kwargs)

    def run(self, command, check=True, timeout=60.0, user=None, env=None, stdin=None):
        """Runs to the end; returns a CompletedProcess with text."""
        process = self.popen(command, user, env, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(stdin, timeout)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        if check and process.returncode != 0:
            line = command if isinstance(command, str) else shlex.join(map(str, command))
            raise HostError(f"{self.name}: `{line}` exited with {process.returncode}\n{out}{err}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def output(self, command, **kwargs):
        return self.run(command, **kwargs).stdout.strip()

    def write_file(self, path, text, mode=0o644, owner=None):
        """Creates the directories on the way. From inside, because a link on the way must lead to the host's own files."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"'
        self.run(["sh", "-c", script, "sh", path, f"{mode:o}"], stdin=text)
        if owner:
            self.run(["chown", owner, path])

    def read_file(self, path):
        return self.run(["cat", path]).stdout

    # ---- units ----

    def systemctl(self, *arguments, check=True, **kwargs):
        return self.run(["systemctl", *arguments], check=check, **kwargs)

    def write_unit(self, name, text, reload=True):
        self.write_file(f"/etc/systemd/system/{name}", text)
        if reload:
            self.systemctl("daemon-reload")

    def show(self, unit, *properties):
        """Properties of a unit, as a dict of strings."""
        text = self.output(["systemctl", "show", unit, *(f"--property={name}" for name in properties)])
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def journal(self, unit):
        self.run(["journalctl", "--sync"])
        return self.output(["journalctl", "--no-pager", "-o", "cat", "-u", unit])

    def console(self):
        """What PID 1 has printed, over all boots."""
        return self._ask("read_console")["text"]

    # ---- circumstances ----

    def mount_small_disk(self, path, size="256k"):
        """A tmpfs of that size at `path`, so that it can be made full; gone with the next boot."""
        self.run(["mkdir", "-p", path])
        self.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", path])

    def fill_disk(self, path):
        """Writes a file there until nothing more fits."""
        self.run(["sh", "-c", 'dd if=/dev/zero of="$0/filler" bs=4k 2>/dev/null; dd if=/dev/zero of="$0/filler-2" bs=1 2>/dev/null; true', path])

    def add_user(self, name):
        self.run(["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name])

    def memory_kib(self):
        """Resident memory of the host's processes: PID 1, journald, bus and what tests started."""
        total = 0
        for procs in self.cgroup.rglob("cgroup.procs"):
            for pid in procs.read_text().split():
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                except OSError:
                    continue
                total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        return total

    def _ask(self, do, *arguments):
        try:
            self._keeper.stdin.write(json.dumps({"do": do, "with": arguments}) + "\n")
            self._keeper.stdin.flush()
            line = self._keeper.stdout.readline()
        except (BrokenPipeError, ValueError):
            line = ""
        if not line:
            raise HostError(f"{self.name}: its keeper is gone")
        answer = json.loads(line)
        if "error" in answer:
            raise HostError(f"{self.name}: {answer['error']}")
        return answer


# ---- cgroups ----


def _cgroup_root():
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


def _start_ticks(pid):
    """A pid alone can be somebody else's by now; with its start time it can't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _sweep_cgroups():
    """Removes empty cgroups of test runs that were killed together with their keepers. One in use can't be removed."""
    for left in _cgroup_root().glob("hosts-*-*-*"):
        _, pid, ticks, _ = left.name.split("-")
        if _start_ticks(pid) == ticks:
            continue
        for directory, _, _ in os.walk(left, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass
