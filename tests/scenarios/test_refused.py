"""A target that can't be proven is refused before traffic is touched; the service never notices."""

import pytest
from testsite import CONTROLLER, REFUSED, UNITS, step

V2 = "/opt/novacron/versions/v2.4.0"


def remove(site, path):
    site.inside(path).unlink()


TROUBLE = {
    "directory missing": (lambda site: site.host.run(["mv", V2, "/opt/elsewhere"]), "v2.4.0"),
    "incomplete": (lambda site: remove(site, f"{V2}/share/notes.txt"), "notes.txt"),
    "altered": (lambda site: site.write(f"{V2}/bin/demo-service", "#!/bin/sh\nexit 1\n", 0o755), "demo-service"),
    "altered, same size": (lambda site: site.write(f"{V2}/share/notes.txt", "what belongs to v6.6.6\n"), "notes.txt"),
    "something added": (lambda site: site.write(f"{V2}/share/more.txt", "not ours\n"), "more.txt"),
    "saved configuration missing": (lambda site: remove(site, "/etc/novacron/config.v2.4.0.yaml"), "config.v2.4.0.yaml"),
    "saved configuration altered": (lambda site: site.save_config("v2.4.0", unhealthy=True), "config.v2.4.0.yaml"),
    "unit missing": (lambda site: remove_unit(site), UNITS["v2.4.0"]),
    "unit not loadable": (lambda site: break_unit(site), UNITS["v2.4.0"]),
}


def remove_unit(site):
    remove(site, f"/etc/systemd/system/{UNITS['v2.4.0']}")
    site.host.systemctl("daemon-reload")


def break_unit(site):
    site.write(f"/etc/systemd/system/{UNITS['v2.4.0']}", "[Service]\nExecStart=not/absolute\n")
    site.host.systemctl("daemon-reload")


@pytest.mark.parametrize("name", TROUBLE)
def test_manual(site, name):
    trouble, named = TROUBLE[name]
    load = site.begin_with()
    before = len(site.runs())
    trouble(site)
    done = site.roll_back(check=REFUSED)
    assert named in done.stderr + done.stdout, done.stderr + done.stdout
    runs = site.runs()
    if len(runs) > before:  # it came to a run: that ended at its preflight
        run = runs[0]
        assert (run["outcome"], run["phase"], run["serving"]) == ("refused", "failed", "v3.0.0")
        assert named in run["failure"], run["failure"]
        assert all(step(run, key)["state"] == "skipped" for key in ("pause_deployments", "drain_traffic", "stop_version"))
    site.check_steady("v3.0.0")
    summary = load.end()
    assert summary["failed"] == 0, "the service noticed"
    site.check_ledger(summary)


def test_automatic(site):
    """The bad release stays, for nothing better is to be had; and a person is told before and when it matters. When the target has been
    put right it goes there by itself: what was refused was no rollback."""
    site.configure(readiness={"interval": "500ms"})
    load = site.begin_with(error_every=20)
    whole = site.inside(f"{V2}/bin/demo-service").read_bytes()
    site.write(f"{V2}/bin/demo-service", "#!/bin/sh\nexit 1\n", 0o755)
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert (run["outcome"], run["serving"]) == ("refused", "v3.0.0")
    seen = site.watch(8)
    site.check_steady("v3.0.0")
    assert seen[-1]["last_run"]["id"] == run["id"], "the same decision must not be tried again and again"
    assert any("demo-service" in alert for alert in site.alerts())
    site.inside(f"{V2}/bin/demo-service").write_bytes(whole)
    again = site.wait_for_run(kind="rollback", mode="automatic", outcome="succeeded")
    assert again["id"] > run["id"] and again["serving"] == "v2.4.0"
    site.check_ledger(load.end(), again)


def test_adopt_proves_nothing(site):
    """What changed is taken in as it is now; that it was proven is over, and it is chosen by name only."""
    site.begin_with(load=False)
    state = lambda version: {release["version"]: release["state"] for release in site.cli_json("adopt", "--json")["releases"]}[version]
    assert state("v2.4.0") == "good"
    site.write(f"{V2}/share/notes.txt", "what belongs to v6.6.6\n")
    site.cli("adopt", check=0)
    site.wait(lambda: "v2.4.0 is unproven now" in site.read("/var/log/novacron/rollback.log"), 10, "that it is unproven")
    assert state("v2.4.0") == "unproven"
    site.wait(lambda: state("v3.0.0") == "good", 10, "the live one has lived through its bake")
    site.write("/opt/novacron/versions/v3.0.0/share/notes.txt", "what belongs to v7.7.7\n")
    site.cli("adopt", check=0)
    site.wait(lambda: state("v3.0.0") == "unproven", 10, "the live one is unproven, too")
    site.host.systemctl("restart", CONTROLLER)
    site.wait_status(lambda status: status["health"]["state"] == "healthy", what="the controller is back")
    assert {state("v2.4.0"), state("v3.0.0")} == {"unproven"}


def test_deployment_of_what_is_not_there(site):
    site.release("v2.4.0")
    site.start()
    site.deploy_good()
    load = site.load()
    done = site.deploy("v3.0.0", check=REFUSED)
    assert "v3.0.0" in done.stderr + done.stdout
    assert load.end()["failed"] == 0
    site.check_steady("v2.4.0")


# ---- `current` ----

CURRENT = {
    "missing": ("rm /opt/novacron/current", "missing"),
    "dangling": ("ln -sfn /opt/novacron/versions/v9.9.9 /opt/novacron/current", "v9.9.9"),
    "a real directory": ("rm /opt/novacron/current && cp -a /opt/novacron/versions/v3.0.0 /opt/novacron/current", "directory"),
    "elsewhere": ("ln -sfn /var /opt/novacron/current", "/opt/novacron/versions"),
}


@pytest.mark.parametrize("name", CURRENT)
def test_current(site, name):
    """A clear error that says how to mend it; nothing is deleted, the service goes on."""
    command, named = CURRENT[name]
    load = site.begin_with()
    site.host.run(command)
    before = tree(site)
    for words in (["manual", "--yes", "now"], ["emergency", "now"], ["deploy", "v2.4.0"]):
        done = site.cli(*words, check=REFUSED)
        said = done.stdout + done.stderr
        assert named in said and ("ln -s" in said or "mv " in said), said
    status = site.wait_status(lambda status: status["version"] is None, what="the status says so")
    assert named in status["version_problem"]
    site.wait(lambda: any("current" in alert for alert in site.alerts()), 5, "an alert")
    assert tree(site) == before, "something was touched"
    assert site.serving() == "v3.0.0"
    assert load.end()["failed"] == 0, "the service noticed"


def tree(site):
    return site.host.output("find /opt/novacron /etc/novacron -printf '%y %p %l %i\\n' | grep -v '/\\.' | sort")
