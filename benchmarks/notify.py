"""From the decision to roll back to Alertmanager's webhook being called: a real Alertmanager that groups nothing (group_wait 0), a
service that has just died. What a configured group_wait adds is the operator's."""

import os

from stage import BAD_UNIT, Stage, seconds  # makes the tests' modules known

from hosts import wait_until
from receivers import Alertmanager, Receiver


def _first_firing(recorder):
    for request in recorder.requests():
        for alert in request["json"]["alerts"]:
            if alert["labels"]["alertname"] == "NovaCronRollback" and alert["status"] == "firing":
                return request["at"]
    return None


def notify(number, _):
    with Stage(f"notify-{number}", bad_unit="Restart=no", receivers={"oncall": {"alertmanager": "http://127.0.0.1:9093"}}) as on:
        recorder = Receiver(on.site, "recorder", 7001)
        Alertmanager(on.site, recorder)
        on.begin_load()
        on.deploy_bad(settle=1 + number * 0.2)
        os.kill(on.site.outside_pid(int(on.host.show(BAD_UNIT, "MainPID")["MainPID"])), 9)
        on.site.wait_for_run(timeout=20, kind="rollback", mode="automatic")
        called = wait_until(lambda: _first_firing(recorder), 20, "Alertmanager calls its webhook")
        decision = on.site.ask("GET", "/decisions?limit=1")[1]["decisions"][0]
        on.end_load()
        return called - seconds(decision["at"])
