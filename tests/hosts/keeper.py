"""Keeps one throw-away host: its disk (a tmpfs in the keeper's own mount namespace), its cgroup, its life.

hosts.py starts it as `unshare --mount python3 keeper.py CGROUP NAME PROJECT` and speaks to it over stdin and stdout, one JSON
object a line. It is a process of its own so that a test run that is killed leaves nothing behind: at the end of stdin the
keeper kills the host, removes its cgroup and ends, and the mounts go with its namespace. If the keeper is killed itself, the
kernel's parent-death signals take the host along; the empty cgroup is then swept by the next host that is made."""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

DISK = Path("/mnt")  # covered by the tmpfs, in this mount namespace only
INIT = Path(__file__).with_name("host-init.sh")
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


class Keeper:
    def __init__(self, cgroup: Path, name: str, project: str):
        self.cgroup, self.name, self.project = cgroup, name, project
        self.unshare = None  # the parent of the host's PID 1, which dies with it
        self.notify = None
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(DISK)], check=True)
        self.state = DISK / "host"
        (self.state / "boot").mkdir(parents=True)
        self.console = self.state / "console.log"
        for part in ("host", "exec"):  # the host's root cgroup; what tests run inside the host
            (cgroup / part).mkdir(parents=True)

    # ---- commands ----

    def boot(self):
        """Starts PID 1 and tells its pid, as seen from outside; it has not booted yet."""
        if self.unshare and self.unshare.poll() is None:
            raise RuntimeError("the host is running already")
        (self.cgroup / "host").mkdir(exist_ok=True)
        self._listen()
        keeper = os.getpid()

        def before_exec():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:
                os._exit(1)
            # first, so that the cgroup namespace is rooted there
            (self.cgroup / "host" / "cgroup.procs").write_text("0")

        flags = ["--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child", "--mount-proc"]
        with self.console.open("ab") as console:
            self.unshare = subprocess.Popen(
                ["unshare", *flags, str(INIT), str(self.state), self.name, self.project],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=before_exec)
        return {"pid": self._find_init()}

    def wait_booted(self, timeout: float):
        """PID 1 says READY=1 when the jobs of the boot are done, whatever their result."""
        end = time.monotonic() + timeout
        while True:
            self._check_alive()
            left = end - time.monotonic()
            if left <= 0:
                raise RuntimeError(f"the host did not boot within {timeout} s")
            readable, _, _ = select.select([self.notify, sys.stdin], [], [], min(left, 0.1))
            if sys.stdin in readable:  # nobody speaks while waiting for an answer: the test run is gone
                raise EOFError
            if self.notify in readable and b"READY=1" in self.notify.recv(4096).split(b"\n"):
                self._stop_listening()
                return {}

    def kill(self):
        """As a power cut: everything on the host dies at once, only the disk stays."""
        if self.unshare:
            self._write_cgroup("cgroup.freeze", "0")
            self.unshare.kill()  # its death kills PID 1, and that the rest
            self.unshare.wait()
            self.unshare = None
        self._write_cgroup("cgroup.kill", "1")
        self._wait_empty()
        self._remove_cgroups(self.cgroup / "host")
        return {}

    def wait_dead(self, timeout: float):
        """After a shutdown asked for from inside; tells the exit status."""
        status = self.unshare.wait(timeout) if self.unshare else 0
        self.kill()
        return {"status": status}

    def freeze(self, frozen: bool):
        self._write_cgroup("cgroup.freeze", "1" if frozen else "0")
        want = f"frozen {int(frozen)}"
        while want not in (self.cgroup / "cgroup.events").read_text():
            time.sleep(0.001)
        return {}

    def read_console(self):
        return {"text": self.console.read_text(errors="replace") if self.console.exists() else ""}

    # ---- parts ----

    def _listen(self):
        self._stop_listening()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.state / "boot" / "notify"))

    def _stop_listening(self):
        """A queue nobody reads would block PID 1 one day; a socket that is gone does not."""
        if self.notify:
            self.notify.close()
            self.notify = None
        (self.state / "boot" / "notify").unlink(missing_ok=True)

    def _check_alive(self):
        if self.unshare.poll() is not None:
            raise RuntimeError(f"the host's PID 1 ended with status {self.unshare.returncode}")

    def _find_init(self):
        children = Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children")
        while True:
            self._check_alive()
            pids = children.read_text().split()
            if pids:
                # out of the host's own cgroup, where PID 1 wants to be alone
                (self.cgroup / "exec" / "cgroup.procs").write_text(str(self.unshare.pid))
                return int(pids[0])
            time.sleep(0.001)

    def _write_cgroup(self, name: str, value: str):
        try:
            (self.cgroup / name).write_text(value)
        except FileNotFoundError:
            pass

    def _wait_empty(self):
        end = time.monotonic() + 5
        events = self.cgroup / "cgroup.events"
        while events.exists() and "populated 1" in events.read_text() and time.monotonic() < end:
            time.sleep(0.001)

    @staticmethod
    def _remove_cgroups(top: Path):
        for directory, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass

    def close(self):
        self.kill()
        self._remove_cgroups(self.cgroup)

    def serve(self):
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = getattr(self, request["do"])(*request["with"])
            except EOFError:
                return
            except Exception as error:  # told to the test, which fails with it
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    keeper = Keeper(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    try:
        keeper.serve()
    finally:
        keeper.close()
