"""The hook driver: somebody else's commands, good and bad."""
import os

import pytest

from balancer import Tool


@pytest.fixture
def commands(tmp_path):
    """Scripts that note how they were called; `drained` is the balancer's state."""
    for name, body in {
        "drain": 'echo "$@" > {0}/called; touch {0}/drained; echo "two left, now none"',
        "restore": "rm -f {0}/drained",
        "status": "if [ -e {0}/drained ]; then echo drained 2; else echo flowing; fi",
    }.items():
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + body.format(tmp_path) + "\n")
        path.chmod(0o755)
    return tmp_path


@pytest.fixture
def hook(commands):
    tools = []

    def make(**settings):
        tools.append(Tool("traffic", "hook", **({name: commands / name for name in ("drain", "restore", "status")} | settings)))
        return tools[-1]

    yield make
    for tool in tools:
        tool.close()


def test_drain_and_restore(hook, commands):
    tool = hook(drain=f"{commands / 'drain'},--wait={{timeout}}s,x")
    state = tool.ask("query 2000")
    assert (state["status"], state["drained"], state["in_flight"]) == ("done", False, -1)
    done = tool.ask("drain 5000 30000")
    assert done["status"] == "done" and done["number"] == 0 and done["detail"] == "two left, now none"
    assert (commands / "called").read_text() == "--wait=30s x\n"
    state = tool.ask("query 2000")
    assert (state["drained"], state["gated"], state["in_flight"]) == (True, False, 2)
    assert tool.ask("restore 2000")["status"] == "done"
    assert tool.ask("query 2000")["drained"] is False


def test_failures(hook, commands):
    (commands / "drain").write_text("#!/bin/sh\necho no such pool; exit 3\n")
    (commands / "restore").write_text("#!/bin/sh\nexec sleep 60\n")
    tool = hook()
    answer = tool.ask("drain 1000 2000")
    assert answer["status"] == "failed" and "status 3" in answer["error"] and "no such pool" in answer["error"]
    answer = tool.ask("restore 300")
    assert answer["status"] == "timed_out" and answer["ms"] < 1000


@pytest.mark.parametrize("said", ["", "maybe", "drained many", "drained -1", "drained 2 3", "flowing?"])
def test_status_that_says_something_else(hook, commands, said):
    (commands / "status").write_text(f"#!/bin/sh\necho '{said}'\n")
    answer = hook().ask("query 2000")
    assert answer["status"] == "failed" and "must print" in answer["error"], answer


@pytest.mark.skipif(os.geteuid() != 0, reason="only what runs as root must be trusted")
def test_commands_that_others_may_change_are_refused(hook, commands):
    (commands / "restore").chmod(0o777)
    for settings in ({}, {"restore": f"/bin/sh,{commands / 'restore'}"}, {"restore": "true"}):
        tool = hook(**settings)
        assert tool.opened["status"] == "refused" and "traffic.hook.restore" in tool.opened["error"], tool.opened
