"""What an operator reads afterwards: lines for tail -f, and structured fields in systemd's journal."""

import json

STEPS = ["preflight", "pause_deployments", "drain_traffic", "stop_version", "restore_version", "start_version", "verify_health", "restore_traffic", "resume_deployments"]


def test_fields_in_the_journal(site):
    site.begin_with(load=False)
    run = site.runs()[0]

    def entries():
        lines = site.host.run(["journalctl", "--no-pager", "-o", "json", f"NOVACRON_RUN={run['id']}"]).stdout.splitlines()
        return [json.loads(line) for line in lines]

    site.wait(lambda: {entry["NOVACRON_STEP"] for entry in entries()} == set(STEPS), 10, "every step in the journal")
    for entry in entries():
        assert entry["PRIORITY"] == "6" and entry["NOVACRON_PHASE"] and entry["MESSAGE"].startswith("step "), entry


def test_lines_for_tail(site):
    site.begin_with(load=False)
    run = site.runs()[0]
    lines = [line for line in site.read("/var/log/novacron/rollback.log").splitlines() if f" run={run['id']} " in line]
    ended = [line for line in lines if " done in " in line]
    assert [next(key for key in STEPS if f"step={key} " in line) for line in ended] == STEPS
    assert all(line[:2] == "20" and line.split()[0].endswith("Z") and line.split()[1] == "INFO" for line in lines)
