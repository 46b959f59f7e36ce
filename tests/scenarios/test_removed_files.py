"""Somebody cleans up under a live controller: it notices what of its files is gone, and makes anew what can be made anew."""

from testsite import CONTROLLER, JOURNAL, SOCKET, VALIDATION_FAILED

LOG = "/var/log/novacron/rollback.log"


def journal_alert(status):
    return next((alert["message"] for alert in status["alerts"] if alert["source"] == "journal"), None)


def test_journal(site):
    load = site.begin_with()
    assert journal_alert(site.status()) is None
    site.host.run(["mv", JOURNAL, f"{JOURNAL}.aside"])
    message = journal_alert(site.wait_status(journal_alert, what="the alert"))
    assert JOURNAL in message and "restart" in message
    site.host.run(["mv", f"{JOURNAL}.aside", JOURNAL])
    site.wait_status(lambda status: journal_alert(status) is None, what="the alert is over")

    # what it says: a restart begins a new one, and says what is missing in it
    site.host.run(f"rm {JOURNAL}*")
    site.wait_status(journal_alert, what="the alert")
    site.host.systemctl("restart", CONTROLLER)
    status = site.wait_status(lambda status: status["version"] == "v3.0.0", what="the new controller")
    assert journal_alert(status) is None and site.host.run(["test", "-s", JOURNAL], check=False).returncode == 0
    assert "a new journal was begun" in site.read(LOG)
    load.end()


def test_control_socket(site):
    site.begin_with(load=False)
    pid = site.controller_pid()
    site.host.run(["rm", SOCKET])
    assert site.status() is None
    site.wait_status(lambda status: True, what="the socket is made anew")
    site.cli("status", check=0)
    assert site.controller_pid() == pid and "was removed or replaced" in site.read(LOG)


def test_log(site):
    """What is written within a second of the line before may still go into the file that was removed: the run's end is lost then,
    which the validation doesn't pass over."""
    site.begin_with(load=False)
    site.host.run(["rm", LOG])
    told = site.roll_back(check=VALIDATION_FAILED).stdout
    assert "[!] Logs being generated" in told
    site.wait(lambda: site.inside(LOG).exists() and "rollback validation" in site.read(LOG), 20, "the log is made anew")
