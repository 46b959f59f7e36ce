"""What is made from the programs' tables: manual pages that groff reads without a warning, completions that complete."""

import shutil
import subprocess

import pytest
from hosts import BUILD_DIR

PROGRAMS = ["auto-rollback", "health-checker"]


def generate(name, kind):
    return subprocess.run([BUILD_DIR / "src/cli" / name, "--generate", kind], check=True, capture_output=True, text=True).stdout


def verbs(name):
    """As --help lists them."""
    said = subprocess.run([BUILD_DIR / "src/cli" / name, "--help"], check=True, capture_output=True, text=True).stdout
    listed = said.partition("Verbs:\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


@pytest.mark.parametrize("name, kind", [*((name, "man") for name in PROGRAMS), ("auto-rollback", "man5")])
def test_manual_page(name, kind):
    page = generate(name, kind)
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=page, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    if kind == "man":
        assert all(f"\n.SS {verb.replace('-', chr(92) + '-')} " in page for verb in verbs(name))


def complete(name, *words):
    script = (f"source /dev/stdin; COMP_WORDS=({name} {' '.join(words)}); COMP_CWORD={len(words)}; _{name.replace('-', '_')}; "
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script], input=generate(name, "bash"), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("name", PROGRAMS)
def test_bash_completes(name):
    assert set(verbs(name)) <= set(complete(name, "''"))
    assert "status" in complete(name, "stat")
    assert "--json" in complete(name, "status", "--")


def test_bash_knows_what_a_verb_takes():
    assert "--to" in complete("auto-rollback", "manual", "--") and "--to" not in complete("auto-rollback", "deploy", "--")


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(name, shell):
    script = generate(name, shell)
    assert all(verb in script for verb in verbs(name))
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True, capture_output=True)
