"""A real etcd cluster on loopback ports of its own, as the tests of the consensus driver use it. Its elections are quick, and it lives in a
temporary directory; only processes started here are ended."""

import base64
import contextlib
import json
import shutil
import signal
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

from balancer import TOOLS, free_port, wait_for

needs_etcd = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd isn't installed")
NAMES = ("n1", "n2", "n3")


def encode(text):
    return base64.b64encode(text.encode()).decode()


class Cluster:
    def __init__(self, directory, tls=None):
        """`tls`: a Certificates."""
        self.directory, self.tls = directory, tls
        self.scheme = "https" if tls else "http"
        self.ports = {name: (free_port(), free_port()) for name in NAMES}
        self.processes = {}
        for name in NAMES:
            self.start(name, "new")
        wait_for(lambda: all(self.status(name).get("leader") for name in NAMES), what="every member follows a leader")

    def url(self, name):
        return f"{self.scheme}://127.0.0.1:{self.ports[name][0]}"

    def peer_url(self, name):
        return f"{self.scheme}://127.0.0.1:{self.ports[name][1]}"

    def start(self, name, state="existing"):
        command = ["etcd", "--name", name, "--data-dir", self.directory / name, "--initial-cluster-state", state,
                   "--listen-client-urls", self.url(name), "--advertise-client-urls", self.url(name),
                   "--listen-peer-urls", self.peer_url(name), "--initial-advertise-peer-urls", self.peer_url(name),
                   "--initial-cluster", ",".join(f"{other}={self.peer_url(other)}" for other in NAMES), "--initial-cluster-token", str(self.directory),
                   "--heartbeat-interval", "20", "--election-timeout", "200", "--logger", "zap", "--log-level", "error", "--unsafe-no-fsync"]
        if self.tls:
            for kind in ("", "peer-"):
                command += [f"--{kind}cert-file", self.tls.certificate, f"--{kind}key-file", self.tls.key, f"--{kind}trusted-ca-file", self.tls.ca,
                            f"--{kind}client-cert-auth"]
        with open(self.directory / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def post(self, name, path, body=None, timeout=1):
        request = urllib.request.Request(f"{self.url(name)}/v3/{path}", json.dumps(body or {}).encode())
        context = self.tls.context() if self.tls else None
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
            return json.loads(answer.read())

    def status(self, name):
        try:
            return self.post(name, "maintenance/status")
        except (OSError, urllib.error.URLError):
            return {}

    def put(self, key, value, through="n1"):
        return int(self.post(through, "kv/put", {"key": encode(key), "value": encode(value)}, timeout=5)["header"]["revision"])

    def compact(self, revision, through="n1"):
        self.post(through, "kv/compaction", {"revision": revision, "physical": True}, timeout=5)

    def leader(self):
        """Its name; "" for none."""
        for name in self.processes:
            status = self.status(name)
            if status.get("leader") and status["leader"] == status["header"]["member_id"]:
                return name
        return ""

    def follower(self):
        leader = self.leader()
        return next(name for name in NAMES if name != leader)

    def send(self, name, number):
        self.processes[name].send_signal(number)

    def kill(self, name, number=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(10)

    def tamper(self, name, old, new):
        """Changes a member's data behind its back."""
        self.kill(name, signal.SIGTERM)
        path = self.directory / name / "member/snap/db"
        data = path.read_bytes()
        assert old.encode() in data and len(old) == len(new)
        path.write_bytes(data.replace(old.encode(), new.encode()))
        self.start(name)
        wait_for(lambda: self.status(name).get("leader"), what=f"{name} is back")

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.send_signal(signal.SIGCONT)
        for process in self.processes.values():
            process.wait(10)


class Certificates:
    """An authority, and one certificate that serves for members and for us."""

    def __init__(self, directory):
        self.ca, self.certificate, self.key = directory / "ca.pem", directory / "member.pem", directory / "member-key.pem"
        ca_key, request, extensions = directory / "ca-key.pem", directory / "member.csr", directory / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", self.ca, "-subj", "/CN=authority", "-days", "2")
        self._openssl("req", "-new", *curve, "-keyout", self.key, "-out", request, "-subj", "/CN=member")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-out", self.certificate,
                      "-days", "2", "-extfile", extensions)

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def context(self):
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Looker:
    """consensus-tool: one command, one answer."""

    def __init__(self, *endpoints, patience_ms=1000, **settings):
        arguments = [f"{key}={value}" for key, value in {"endpoints": ",".join(endpoints), **settings}.items()]
        self.process = subprocess.Popen([TOOLS / "consensus-tool", "etcd", str(patience_ms), *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.opened = json.loads(self.process.stdout.readline())

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def look(self, member_ms=1000):
        answer = self.ask(f"look {member_ms}")
        assert answer["status"] == "done", answer
        return answer

    def until(self, condition, seconds=10, what="", member_ms=1000):
        seen = []

        def looked():
            seen.append(self.look(member_ms))
            return condition(seen[-1])

        wait_for(looked, seconds, what)
        return seen

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(20)
        self.process.stdout.close()
        assert code == (1 if self.opened["status"] == "refused" else 0)


def member(answer, name):
    return next(one for one in answer["members"] if one["name"] == name)


@pytest.fixture
def closing():
    """closing(x): x, which is closed when the test is over."""
    with contextlib.ExitStack() as stack:
        yield lambda thing: stack.enter_context(contextlib.closing(thing))
