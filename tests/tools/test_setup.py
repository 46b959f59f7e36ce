"""tools/setup.sh on a pretended machine: a tree with a package list of its own, and programs that only say they were called."""
import os
import pathlib
import signal
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]

APT = """#!/bin/sh
echo "apt-get $*" >>"$MACHINE/calls"
case "$*" in *install*) ;; *) exit 0 ;; esac
"$MACHINE/policy-rc.d" haproxy start; echo "policy: $?" >>"$MACHINE/calls"
[ ! -e "$MACHINE/slow" ] || { touch "$MACHINE/installing"; while [ -e "$MACHINE/slow" ]; do sleep 0.02; done; }
[ ! -e "$MACHINE/broken" ] || { echo "E: no such package"; exit 100; }
for word; do :; done
printf '#!/bin/sh\\n' >"$MACHINE/bin/here"; chmod +x "$MACHINE/bin/here"
"""


class Machine:
    def __init__(self, directory):
        self.home = directory
        self.policy = directory / "policy-rc.d"
        (directory / "tools").mkdir()
        (directory / "bin").mkdir()
        (directory / "build").mkdir()
        (directory / "tools/packages").write_text("# list\n[demo]\nthere command:sh\nmissing command:here daemon:haproxy\n[test]\nalso command:sh\n")
        self.program("apt-get", APT)
        self.program("id", "#!/bin/sh\necho 0\n")
        for name in ("systemctl", "update-rc.d"):
            self.program(name, f'#!/bin/sh\necho "{name} $*" >>"$MACHINE/calls"\n')

    def program(self, name, text):
        path = self.home / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def spawn(self, command="setup_packages demo"):
        script = f". {TOP}/tools/setup.sh; setup_policy={self.policy}; {command}; echo went on"
        environment = {"PATH": f"{self.home}/bin:{os.environ['PATH']}", "MACHINE": str(self.home)}
        return subprocess.Popen(["sh", "-euc", f"setup_script=demo; {script}"], cwd=self.home, env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, command="setup_packages demo"):
        process = self.spawn(command)
        output = process.communicate(timeout=30)[0]
        return process.returncode, output

    def calls(self):
        path = self.home / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def await_install(self):
        deadline = time.monotonic() + 20
        while not (self.home / "installing").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_nothing_is_done_when_all_is_there(machine):
    machine.program("here", "#!/bin/sh\n")
    machine.program("id", "#!/bin/sh\necho 1000\n")
    assert machine.run() == (0, "went on\n")
    assert machine.calls() == []


def test_installs_what_is_missing_and_starts_no_daemon(machine):
    code, output = machine.run()
    assert code == 0 and output.endswith("went on\n"), output
    assert machine.calls() == [
        "apt-get -o DPkg::Lock::Timeout=300 -y -q update",
        "apt-get -o DPkg::Lock::Timeout=300 -y -q install --no-install-recommends missing",
        "policy: 101", "systemctl --quiet disable haproxy.service", "update-rc.d haproxy disable"]
    assert not machine.policy.exists()


def test_without_root_it_says_what_to_type(machine):
    machine.program("id", "#!/bin/sh\necho 1000\n")
    code, output = machine.run()
    assert code == 77
    assert f"  sudo {machine.home}/demo --setup\n" in output
    assert "  sudo apt-get install --no-install-recommends missing\n" in output
    assert machine.calls() == []


def test_without_apt_it_names_what_is_missing(machine):
    (machine.home / "bin/apt-get").unlink()
    code, output = machine.run("command() { [ \"$2\" != apt-get ] && [ \"$2\" != here ]; }; setup_packages demo")
    assert code == 69 and "Missing, by their Debian names: missing" in output


def test_a_failed_install_ends_it_and_leaves_nothing(machine):
    (machine.home / "broken").touch()
    code, output = machine.run()
    assert code == 69 and "E: no such package" in output and "went on" not in output
    assert not machine.policy.exists()


def test_an_install_that_brings_nothing_is_noticed(machine):
    machine.program("apt-get", "#!/bin/sh\nexit 0\n")
    code, output = machine.run()
    assert code == 69 and "Still missing: missing" in output


def test_terminated_it_cleans_up(machine):
    (machine.home / "slow").touch()
    process = machine.spawn()
    machine.await_install()
    assert machine.policy.exists()
    process.send_signal(signal.SIGTERM)
    (machine.home / "slow").unlink()
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert not machine.policy.exists()


def test_killed_it_leaves_only_what_has_no_meaning(machine):
    (machine.home / "slow").touch()
    process = machine.spawn()
    machine.await_install()
    assert subprocess.run([machine.policy, "haproxy", "start"]).returncode == 101
    process.kill()
    (machine.home / "slow").unlink()
    process.communicate(timeout=20)
    assert subprocess.run([machine.policy, "haproxy", "start"]).returncode == 0
    (machine.home / "bin/here").unlink(missing_ok=True)
    assert machine.run()[0] == 0
    assert not machine.policy.exists()


def test_a_policy_that_was_there_stays(machine):
    machine.policy.write_text("#!/bin/sh\nexit 101\n")
    machine.policy.chmod(0o755)
    assert machine.run()[0] == 0
    assert machine.policy.read_text() == "#!/bin/sh\nexit 101\n"
    (machine.home / "bin/here").unlink()
    machine.policy.write_text("#!/bin/sh\nexit 0\n")
    (machine.home / "calls").unlink()
    code, output = machine.run()
    assert code == 69 and "is not ours to change" in output
    assert machine.calls() == []
    assert machine.policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_the_list_is_well_formed():
    """Every row of the real list has a probe that the script knows; what is installed here is found."""
    done = subprocess.run(["sh", "-euc", "setup_script=test; . tools/setup.sh; setup_list demo test; echo; setup_missing demo test"],
                          cwd=TOP, capture_output=True, text=True, check=True)
    rows, missing = done.stdout.split("\n\n")
    assert len(rows.splitlines()) > 20 and all(2 <= len(row.split()) <= 3 for row in rows.splitlines())
    assert done.stderr == "" and "gcc" not in missing.split()


def test_what_a_broken_build_says(machine):
    code, output = machine.run("setup_quietly sh -c 'echo the compiler says no; exit 3'")
    assert code == 70 and "the compiler says no" in output and "build/setup.log" in output
