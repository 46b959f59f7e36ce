"""Who may do what, by plain curl on the machine itself, as the specification's commands are typed."""

import json
import subprocess

import pytest

API = "http://localhost:8080/api/v3"
PAUSE = f"{API}/deployment/pause"
TOKENS = "/etc/novacron/tokens"
STATUS_LINE = "\n%{http_code}"


@pytest.fixture
def listening(site):
    """One release, and a controller that listens on the loopback port, too."""
    site.host.run("getent group novacron || groupadd --system novacron")
    site.host.add_user("member")
    site.host.add_user("visitor")
    site.host.run(["usermod", "--append", "--groups", "novacron", "member"])
    site.configure(api={"listen": "127.0.0.1:8080", "tokens": TOKENS}, alerts={"command": []})
    site.write(TOKENS, "", 0o600)
    site.release("v2.4.0")
    site.start()
    return site


def curl(site, *words, user="root"):
    """(status, what the answer says)."""
    done = site.host.run(["curl", "-sS", "-w", STATUS_LINE, *words], user=None if user == "root" else user)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else None


def statuses(site, *words, users=("root", "member", "visitor")):
    return {user: curl(site, *words, user=user)[0] for user in users}


def audit(site, limit=100):
    return site.cli_json("audit", "--limit", str(limit))["entries"]


def test_plain_curl(listening):
    site = listening
    assert statuses(site, f"{API}/status") == {"root": 200, "member": 200, "visitor": 200}
    assert statuses(site, "-X", "POST", PAUSE) == {"root": 200, "member": 200, "visitor": 403}
    status, problem = curl(site, "-X", "POST", PAUSE, user="visitor")
    assert "you are visitor (uid" in problem["detail"] and "sudo" in problem["detail"], problem
    assert curl(site, "-X", "POST", f"{API}/deployment/resume", "--data", '{"x"', "-H", "Content-Type: application/json")[0] == 400
    # a container, or anybody behind a forwarder: whose connection it is can't be told
    done = site.host.run("socat TCP-LISTEN:8089,bind=127.0.0.1,fork,reuseaddr,su=visitor TCP:127.0.0.1:8080 & forwarder=$!; "
                         "for i in $(seq 50); do ss -Hltn sport = 8089 | grep -q . && break; done; "
                         f"curl -sS -o /dev/null -w '%{{http_code}}' -H 'Host: localhost' -X POST {PAUSE.replace('8080', '8089')}; kill $forwarder")
    assert done.stdout == "403", done  # the forwarder's right, not root's behind it
    entries = audit(site)
    seen = [(entry["who"].split(" ")[0], entry["status"], entry["path"].rpartition("/")[2]) for entry in reversed(entries)]
    assert seen == [("root", 200, "pause"), ("member", 200, "pause"), ("visitor", 403, "pause"), ("visitor", 403, "pause"),
                    ("root", 400, "resume"), ("visitor", 403, "pause")]
    assert all(entry["whence"].startswith("127.0.0.1:") for entry in entries)
    assert entries[0]["outcome"] == "Not allowed" and entries[0]["arguments"] is None
    told = site.cli("audit", "--limit", "1").stdout
    assert " 403  visitor (uid " in told and "  127.0.0.1:" in told and "POST /api/v3/deployment/pause: Not allowed\n" in told, told
    log = site.read("/var/log/novacron/rollback.log")
    assert 'by="root (uid 0)" whence=127.0.0.1:' in log and "POST /api/v3/deployment/pause" in log, log
    # the Unix socket's, and those who need no controller, are in the same trail
    site.cli("resume", check=0)
    site.host.systemctl("stop", "novacron-auto-rollback.service")
    site.cli("emergency", "no controller, and nothing to go back to")
    first, second = audit(site, 2)
    assert (second["path"], second["who"], second["whence"]) == ("/api/v3/deployment/resume", "root (uid 0)", "unix socket")
    assert (first["path"], first["who"], first["whence"]) == ("/api/v3/rollback", "root (uid 0)", "this machine, without a controller")
    assert first["arguments"]["mode"] == "emergency" and first["status"] != 200


HIT_AND_RUN = """
import socket, struct, sys
way = sys.argv[1]
s = socket.create_connection(('127.0.0.1', 8080))
if way == 'reset':
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
s.send(b'POST /api/v3/deployment/pause HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 0\\r\\n\\r\\n')
if way == 'half':
    s.shutdown(socket.SHUT_WR)
else:
    s.close()
print('sent', flush=True)
if way == 'half':
    print(s.recv(20).split()[1].decode())
"""


@pytest.mark.parametrize("user", ["root", "visitor"])
def test_sent_and_closed(listening, user):
    """The kernel says a closed socket is root's: nobody gets in by closing early, root neither."""
    site = listening
    site.host.run(["kill", "-STOP", str(site.controller_pid())])  # so that it looks only when they are gone
    clients = []
    for way in ("close", "reset", "half"):
        client = site.host.popen(["/usr/bin/python3", "-c", HIT_AND_RUN, way], user=None if user == "root" else user, stdout=subprocess.PIPE, text=True)
        assert client.stdout.readline() == "sent\n"
        clients.append(client)
    site.host.run(["kill", "-CONT", str(site.controller_pid())])
    out, _ = clients[-1].communicate(timeout=10)
    assert out == "401\n"
    for client in clients[:-1]:
        client.communicate(timeout=10)
    assert site.ask("GET", "/deployment/status")[1]["paused"] is False
    entries = audit(site)
    assert entries and all((entry["who"], entry["status"]) == ("anonymous", 401) for entry in entries), entries


def test_browsers(listening):
    site = listening
    post = ("-X", "POST", PAUSE)
    evil, ours = ("-H", "Origin: http://evil.example"), ("-H", "Origin: http://localhost:8080")
    assert curl(site, *post, *evil)[0] == 403  # a form on another site, sent by root's own browser
    assert curl(site, *post, "-H", "Sec-Fetch-Site: cross-site")[0] == 403
    assert curl(site, *post, "-H", "Host: evil.example")[0] == 421  # its name, pointed at us
    assert curl(site, f"{API}/status", *evil)[0] == 403
    assert curl(site, *post, *ours)[0] == 403
    assert curl(site, *post, *ours, "-H", "X-Novacron-Session: 1")[0] == 401
    site.host.run("touch /tmp/jar /tmp/visitor && chmod 666 /tmp/jar /tmp/visitor")
    session = (f"{API}/session", "-X", "POST", *ours)
    status, begun = curl(site, *session, "-c", "/tmp/jar")
    assert status == 200 and (begun["who"], begun["may_act"]) == ("root (uid 0)", True) and begun["expires"], begun
    jar = site.read("/tmp/jar")
    assert "#HttpOnly_localhost" in jar and "novacron_session" in jar
    act = (*post, *ours, "-b", "/tmp/jar", "-H", "X-Novacron-Session: 1")
    assert statuses(site, *act) == {"root": 200, "member": 401, "visitor": 401}  # a cookie that was stolen is worth nothing
    assert curl(site, *post, *evil, "-b", "/tmp/jar", "-H", "X-Novacron-Session: 1")[0] == 403
    assert curl(site, *session, "-c", "/tmp/visitor", user="visitor")[1]["may_act"] is False
    assert "novacron_session" not in site.read("/tmp/visitor")
    assert curl(site, f"{API}/session", "-X", "DELETE", *ours, "-b", "/tmp/jar")[0] == 200
    assert curl(site, *act)[0] == 401
    headers = site.host.output(["curl", "-sSi", "-X", "OPTIONS", f"{API}/status", *evil]) + site.host.output(["curl", "-sSi", f"{API}/health", *ours])
    assert "access-control" not in headers.lower()


def test_tokens(listening):
    site = listening
    made = site.cli_json("token", "--act", "deploy-bot")
    looks = site.cli_json("token", "viewer")
    post, bearer = ("-X", "POST", PAUSE), ("-H", f"Authorization: Bearer {made['token']}")
    assert curl(site, *post, *bearer, user="visitor")[0] == 401
    assert made["file"] == TOKENS
    site.write(TOKENS, f"# who may\n{made['line']}\n{looks['line']}\n", 0o600)
    assert curl(site, *post, *bearer, user="visitor")[0] == 200
    assert audit(site, 1)[0]["who"] == "token deploy-bot"
    status, problem = curl(site, *post, "-H", f"Authorization: Bearer {looks['token']}", user="visitor")
    assert status == 403 and "token viewer" in problem["detail"]
    site.write(TOKENS, f"{made['line']}\nspoilt\n", 0o600)
    assert curl(site, *post, *bearer, user="visitor")[0] == 200
    site.wait_status(lambda s: any("tokens:2:" in alert["message"] for alert in s["alerts"]), what="the spoilt line is told")
    guess = ("-H", "Authorization: Bearer guess")
    assert {curl(site, f"{API}/status", *guess, user="visitor")[0] for _ in range(12)} == {401, 429}
    assert curl(site, *post, *bearer, user="member")[0] == 200  # another user isn't kept out by it
    site.host.run(["rm", TOKENS])
    assert curl(site, *post, *bearer, user="member")[0] == 401


def test_refusals_are_bounded(listening):
    site = listening
    done = site.host.run(f"for i in $(seq 60); do printf 'url = {PAUSE}\\nrequest = POST\\noutput = /dev/null\\n'; done | curl -sS -K -", user="visitor")
    assert done.returncode == 0
    assert len(audit(site)) == 20
    assert curl(site, "-X", "POST", PAUSE)[0] == 200  # what was done is always in it
    assert audit(site, 1)[0]["who"] == "root (uid 0)"
    site.host.systemctl("stop", "novacron-auto-rollback.service")
    assert audit(site, 1)[0]["outcome"].startswith("40 more requests were refused")
