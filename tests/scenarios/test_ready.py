"""Readiness: each item of the checklist made to fail for real, and named; the trial start; a deployment that would leave no way back."""

import json
import os
import signal
import subprocess

import pytest
from fixtures import need_hosts
from hosts import Host
from testsite import REFUSED, SERVICE_PORT, SERVICE_UNIT, UNITS, Site

TARGET, LIVE = "v2.4.0", "v3.0.0"
NOT_READY = REFUSED
STATE_SIZE = "48m"
TRIAL = ("printf 'listen: 127.0.0.1:%s\\ndata: /tmp\\n' {port} >/tmp/trial.yaml; [ ! -e /etc/trial-fails ] || exit 3; "
         "while [ -e /etc/trial-waits ]; do sleep 0.1; done; exec {directory}/bin/demo-service --config /tmp/trial.yaml")

HELPER = {"libneeded.c": "int needed(void) { return 0; }", "helper.c": "int needed(void); int main(void) { return needed(); }"}


def build_helper(site, directory):
    """A program of the release that needs a library of the machine."""
    for name, text in HELPER.items():
        (directory / name).write_text(text)
    for command in (["cc", "-shared", "-fPIC", "-o", "libneeded.so", "libneeded.c"], ["cc", "-o", "helper", "helper.c", "-L.", "-lneeded"]):
        subprocess.run(command, cwd=directory, check=True)
    site.copy_in(directory / "libneeded.so", "/usr/local/lib/libneeded.so", 0o755)
    site.copy_in(directory / "helper", f"/opt/novacron/versions/{TARGET}/bin/helper", 0o755)
    site.host.run(["ldconfig"])


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """v3.0.0 is live, v2.4.0 the target, and proven ready. What a test breaks it mends."""
    need_hosts()
    with Host() as host:
        site = Site(host, readiness={"interval": "300ms"}, components={"storage": {"interval": "300ms"}}, decision={"rollbacks_per_day": 0})
        site.inside("/var/lib/novacron").mkdir(parents=True, exist_ok=True)
        host.run(["mount", "-t", "tmpfs", "-o", f"size={STATE_SIZE},mode=755", "tmpfs", "/var/lib/novacron"])
        site.release(TARGET)
        site.release(LIVE)
        build_helper(site, tmp_path_factory.mktemp("helper"))
        site.start()
        site.deploy_good(TARGET)
        site.deploy(LIVE)
        yield site
        trouble = site.crashes()
        assert not trouble, trouble


def checks(answer):
    return {check["key"]: check for check in answer["checks"]}


def wait_check(site, key, verdict, part=None, timeout=20):
    """The newest answer, as soon as the check has that verdict."""

    def condition():
        answer = site.ask("GET", "/ready")
        told = answer and answer[0] == 200 and (answer[1][part] if part else answer[1])
        return told if told and checks(told).get(key, {}).get("verdict") == verdict else None

    return site.wait(condition, timeout, f"{key} is {verdict}")


def check_failed(site, key, *words):
    """It is named everywhere: by the answer, the command, the gauge and the alert."""
    answer = wait_check(site, key, "failed")
    check = checks(answer)[key]
    assert answer["ready"] is False
    assert all(word in check["measured"] for word in words), check
    assert check["next"], check
    said = site.cli("ready", check=NOT_READY).stdout
    assert "NOT ready" in said and "[!]" in said, said
    alert = site.wait_status(lambda status: next((a for a in status["alerts"] if a["source"] == "readiness"), None), what="the alert")
    assert any(a["source"] == "readiness" and TARGET in a["message"] for a in alert["alerts"])
    return check


def check_ready(site):
    def condition():
        answer = site.ask("GET", "/ready")
        return answer[1] if answer and answer[1]["ready"] is True else None

    answer = site.wait(condition, 20, "the target is ready again")
    assert site.cli("ready", check=0).stdout.startswith(f"{TARGET} is ready")
    site.wait_status(lambda status: not [a for a in status["alerts"] if a["source"] == "readiness"], what="the alert is over")
    return answer


def gauge(site):
    text = site.host.output(["curl", "-s", "--unix-socket", "/run/novacron/rollback.sock", "http://localhost/metrics"])
    return next((line.split()[1] for line in text.splitlines() if line.startswith("rollback_target_ready ")), None)


def test_proven_ready(ready):
    check_ready(ready)

    def both():  # the current one is looked at after the target; before that it may still be the one before the deployment
        status, answer = ready.ask("GET", "/ready") or (0, None)
        return answer if status == 200 and answer["ready"] and answer["current"] and answer["current"]["version"] == LIVE else None

    answer = ready.wait(both, 20, "both have been looked at")
    assert answer["version"] == TARGET
    verdicts = {key: check["verdict"] for key, check in checks(answer).items()}
    assert verdicts == {"release": "ok", "configuration": "ok", "units": "ok", "programs": "ok", "libraries": "ok", "database": "not_applicable",
                        "port": "ok", "space": "ok", "balancer": "ok", "trial": "not_applicable"}
    assert answer["current"]["ready"] is True and checks(answer["current"])["release"]["verdict"] == "ok"
    assert gauge(ready) == "1"
    assert [check["key"] for check in ready.status()["target"]["checks"]] == list(verdicts)


def test_release_changed(ready):
    path = f"/opt/novacron/versions/{TARGET}/share/notes.txt"
    before = ready.read(path)
    ready.write(path, "somebody was here\n")
    check_failed(ready, "release", "share/notes.txt")
    assert gauge(ready) == "0"
    ready.write(path, before)
    check_ready(ready)


def test_configuration_missing(ready):
    path = ready.inside(f"/etc/novacron/config.{TARGET}.yaml")
    aside = path.with_name("aside")
    path.rename(aside)
    check_failed(ready, "configuration", f"config.{TARGET}.yaml", "missing")
    aside.rename(path)
    check_ready(ready)


def test_unit_masked(ready):
    path = ready.inside(f"/etc/systemd/system/{UNITS[TARGET]}")
    path.unlink()
    path.symlink_to("/dev/null")
    ready.host.systemctl("daemon-reload")
    check_failed(ready, "units", UNITS[TARGET], "masked")
    path.unlink()
    ready.write(f"/etc/systemd/system/{UNITS[TARGET]}", SERVICE_UNIT.format(extra=""))
    ready.host.systemctl("daemon-reload")
    check_ready(ready)


def test_program_missing(ready):
    unit = f"/etc/systemd/system/{UNITS[TARGET]}"
    ready.write(unit, SERVICE_UNIT.format(extra="").replace("bin/demo-service", "bin/gone"))
    ready.host.systemctl("daemon-reload")
    check_failed(ready, "programs", f"{TARGET}/bin/gone", "No such file")
    ready.write(unit, SERVICE_UNIT.format(extra=""))
    ready.host.systemctl("daemon-reload")
    check_ready(ready)


def test_library_missing(ready):
    library = ready.inside("/usr/local/lib/libneeded.so")
    aside = library.with_name("aside")
    library.rename(aside)
    ready.host.run(["ldconfig"])
    check_failed(ready, "libraries", "helper", "libneeded.so")
    aside.rename(library)
    ready.host.run(["ldconfig"])
    check_ready(ready)


def test_port_taken_by_a_stranger(ready):
    ready.host.systemctl("stop", UNITS[LIVE])
    ready.host.run(["systemd-run", "--quiet", "--unit=stranger", "python3", "-m", "http.server", "--bind", "127.0.0.1", str(SERVICE_PORT)])
    check = check_failed(ready, "port", str(SERVICE_PORT), "python3")
    assert "stop process" in check["next"]
    ready.host.systemctl("stop", "stranger.service")
    ready.host.systemctl("start", UNITS[LIVE])
    check_ready(ready)


def test_balancer_silent(ready):
    ready.host.systemctl("stop", "haproxy.service")
    check_failed(ready, "balancer", "haproxy")
    ready.host.systemctl("start", "haproxy.service")
    check_ready(ready)


def fill(path):
    with path.open("ab", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass


def test_disk_full(ready):
    """What is reserved stays usable on a full disk; what could not be reserved is named."""
    filler = ready.inside("/var/lib/novacron/filler")
    fill(filler)
    check_ready(ready)
    pid = ready.outside_pid(ready.controller_pid())
    os.kill(pid, signal.SIGSTOP)  # else it would take its reserve back at once
    ready.inside("/var/lib/novacron/emergency.jsonl").unlink()
    fill(filler)
    os.kill(pid, signal.SIGCONT)
    check_failed(ready, "space", "/var/lib/novacron")
    filler.unlink()
    check_ready(ready)


def test_deployment_that_leaves_no_target_asks(ready):
    path = f"/opt/novacron/versions/{LIVE}/share/notes.txt"
    before = ready.read(path)
    ready.write(path, "somebody was here\n")
    wait_check(ready, "release", "failed", part="current")
    newest = ready.runs()[0]["id"]
    done = ready.cli("deploy", TARGET, check=REFUSED)
    assert "no target that is proven ready would be left" in done.stderr and f"deploy --yes {TARGET}" in done.stderr
    assert "share/notes.txt" in ready.cli("deploy", "--dry-run", TARGET, check=0).stdout
    status, problem = ready.ask("POST", "/deploy", {"version": TARGET})
    assert status == 409 and problem["title"] == "No ready target would be left" and "accept_no_target" in problem["hint"]
    assert ready.runs()[0]["id"] == newest, "nothing was begun"
    ready.cli("deploy", "--yes", TARGET, check=0)
    assert ready.current() == TARGET
    ready.write(path, before)
    ready.cli("deploy", LIVE, check=0)
    check_ready(ready)


@pytest.fixture
def trial(ready):
    """Trial starts are allowed for one test, whichever others have run before it: call it once what the trial is to meet is there."""

    def allow(command):
        ready.configure(readiness={"trial_command": command, "trial_timeout": "30s"})
        ready.host.systemctl("reload", "novacron-auto-rollback.service")

    yield lambda: allow(["/bin/sh", "-c", TRIAL])
    allow([])
    wait_check(ready, "trial", "not_applicable")
    check_ready(ready)


def trials(site):
    """The units of those that run."""
    listed = site.host.output(["systemctl", "list-units", "--plain", "--no-legend", "--state=activating,active,deactivating", "novacron-rollback-trial-*"])
    return {line.split()[0] for line in listed.splitlines()}


def test_trial_start(ready, trial):
    trial()
    answer = wait_check(ready, "trial", "ok")
    assert answer["ready"] is True and "healthy on port" in checks(answer)["trial"]["measured"]
    assert not trials(ready)
    assert ready.host.run(["pgrep", "-f", "trial.yaml"], check=False).returncode == 1, "nothing of it runs any more"


def test_trial_that_does_not_start(ready, trial):
    ready.write("/etc/trial-fails", "")
    try:
        trial()
        check_failed(ready, "trial", "before it answered")
    finally:
        ready.inside("/etc/trial-fails").unlink()


def test_trial_cut_off_by_a_reload(ready, trial):
    """The next one doesn't stumble over what is left of it."""
    ready.write("/etc/trial-waits", "")
    try:
        trial()
        first = ready.wait(lambda: trials(ready), 20, "it runs")
        trial()
        ready.wait(lambda: trials(ready) - first, 20, "the next one runs")
    finally:
        ready.inside("/etc/trial-waits").unlink()
    assert wait_check(ready, "trial", "ok")["ready"] is True
    ready.wait(lambda: not trials(ready), 20, "nothing of them runs any more")


def test_trial_ends_with_the_controller(ready, trial):
    """At once, not when its own time is over: what would ask systemd to stop it is killed with the controller's unit."""
    ready.write("/etc/trial-waits", "")
    try:
        trial()
        ready.wait(lambda: trials(ready), 20, "it runs")
        ready.host.systemctl("stop", "novacron-auto-rollback.service")
        ready.wait(lambda: not trials(ready), 15, "it runs no more")  # RuntimeMaxSec: 40 s
    finally:
        ready.inside("/etc/trial-waits").unlink()
        ready.host.systemctl("start", "novacron-auto-rollback.service")


def test_told_as_json(ready):
    check_ready(ready)
    assert json.loads(ready.cli("ready", "--json", check=0).stdout)["ready"] is True
