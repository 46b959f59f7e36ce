"""units-tool and test-service, as the tests of the unit drivers use them."""

import json
import subprocess
import threading

from hosts import BUILD_DIR

TOOL = f"{BUILD_DIR}/tests/adapters/units-tool"
SERVICE = f"{BUILD_DIR}/tests/adapters/test-service"


def last_line(text):
    return json.loads(text.strip().splitlines()[-1])


def service_unit(arguments="", service="", unit="", install=True):
    text = f"[Unit]\n{unit}\n[Service]\nType=notify\nExecStart={SERVICE} {arguments}\n{service}\n"
    return text + ("[Install]\nWantedBy=multi-user.target\n" if install else "")


def drive(host, verb, *units, options=(), user=None, driver="systemd", state="/var/lib/units-tool"):
    """Runs one verb to its end; its answer."""
    result = host.run([TOOL, *options, driver, state, verb, *units], check=False, user=user)
    assert result.stdout, result.stderr
    assert "Sanitizer" not in result.stderr, result.stderr
    return last_line(result.stdout)


def follow(host, verb, *units, options=(), user=None, driver="systemd", state="/var/lib/units-tool"):
    """Starts a verb that stays (watch, hold) or takes long; read its answers with next_line()."""
    return host.popen([TOOL, *options, driver, state, verb, *units], user=user, stdout=subprocess.PIPE)


def next_line(process, until=lambda line: True):
    """Bounded: a change that is never told must fail the test, not hang it."""
    guard = threading.Timer(20, process.kill)
    guard.start()
    try:
        for text in process.stdout:
            line = json.loads(text)
            if until(line):
                return line
    finally:
        guard.cancel()
    raise AssertionError("the tool ended, or told nothing more within 20 s")


def end(process):
    process.terminate()
    process.wait(10)
    process.stdout.close()
