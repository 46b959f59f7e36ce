"""The dashboard in a real browser, on a real site: live, reachable by keyboard, accessible, quiet."""

import json

from browser import URL
from receivers import Receiver
from testsite import CONTROLLER, FAST_WINDOW, HELD, SERVICE_UNIT, UNITS

LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1440, 360)]

# Kept in the page: a page that was loaded anew has lost it.
MARK = "window.mark = 'still the same page'"

# What the page shows from now on, noted at each change.
NOTE_STEPS = """
window.seen = { degraded: 0, acting: [], lead: [] };
new MutationObserver(() => {
  seen.degraded = Math.max(seen.degraded, document.querySelectorAll('.cell.bad').length);
  for (const step of document.querySelectorAll('#run .step.acting .no')) if (!seen.acting.includes(step.textContent)) seen.acting.push(step.textContent);
  const lead = document.querySelector('.lead').textContent;
  if (seen.lead.at(-1) !== lead) seen.lead.push(lead);
}).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
"""


def check_looks(browser, what):
    browser.ask("document.activeElement.blur(); scrollTo(0, 0)")
    for scheme, width in LOOKS:
        browser.tell("look", scheme=scheme, width=width, height=1000 if width > 500 else 800)
        name = f"{what}, {scheme}, {width}"
        browser.check_width(name)
        browser.check_accessible(name)
        browser.shot(f"{what}-{scheme}-{width}")
        if width == 360:
            browser.shot(f"{what}-{scheme}-phone", whole=False)
    browser.tell("look", scheme="light", width=1440, height=1000)


def test_it_shows_a_bad_deployment_from_trigger_to_validated(site, browsers):
    site.release("v2.4.0", slow_start_ms=1500)  # long enough to see a budget fill
    site.release("v3.0.0", error_every=20)
    site.start()
    site.deploy_good("v2.4.0")
    load = site.load()
    browser = browsers()
    browser.open()
    browser.wait_text("headline", "v2.4.0 runs and is healthy.", "Deployed v2.4.0")
    browser.wait("document.querySelectorAll('.cell.good').length > 0", 15)
    assert not browser.ask("document.getElementById('receivers-card').checkVisibility()"), "nobody is to be told"
    check_looks(browser, "healthy")
    browser.ask(MARK)
    browser.ask(NOTE_STEPS)
    browser.ask("noted.moved = []; noted.shift = 0")

    site.deploy("v3.0.0")
    browser.wait_text("headline", "samples are degraded; 4 trigger a rollback")
    browser.wait_text("window", "3 of 5 degraded, 4 needed", "2 not yet", timeout=15)
    assert browser.ask("document.querySelectorAll('.cell.bad').length") == 3
    assert "errors 5.00 % > 1.0 %" in browser.text("window") or "errors 4." in browser.text("window")
    browser.shot("degraded")
    browser.wait_text("headline", "Rolling back v3.0.0 → v2.4.0: step 5 of 8", timeout=15)
    first = browser.ask("Number(document.querySelector('#run .bar.acting').style.getPropertyValue('--filled'))")
    browser.wait(f"Number(document.querySelector('#run .bar.acting').style.getPropertyValue('--filled')) > {first + 0.08}")
    browser.shot("during-a-run")
    browser.wait_text("headline", "v2.4.0 runs and is healthy.", "Rolled back from v3.0.0 to v2.4.0 at", "because error rate", "no request lost", timeout=15)
    browser.wait_text("headline", "; validated.", timeout=15)
    noted = browser.ask("noted")
    assert noted["shift"] < 0.01, "\n".join(noted["moved"])

    run = site.wait_for_run(kind="rollback", mode="automatic")
    seen = browser.ask("seen")
    assert seen["degraded"] >= 3 and "5" in seen["acting"], seen
    assert any(lead.startswith("Rolling back") for lead in seen["lead"]), seen["lead"]
    assert browser.ask("window.mark") == "still the same page"
    assert browser.ask("document.querySelectorAll('#run .step.good').length") == 9
    assert f"Last run {run['id']}: automatic rollback, v3.0.0 → v2.4.0" in browser.text("run")
    assert "succeeded, validated" in browser.text("history")

    browser.click("#decisions [data-act=evidence]")
    browser.wait_text("dialog", "recomputed from its evidence: identical")
    shown = browser.text("dialog")
    assert "8 s window / 2 s interval + 1 = 5" in shown and "75 % of 5 = 3.75, so 4" in shown and " / 4" in shown, shown
    browser.check_accessible("evidence")
    browser.shot("evidence", whole=False)
    browser.press("Escape")
    check_looks(browser, "rolled-back")
    browser.check_quiet()
    site.check_ledger(load.end(), run)


FAKE_GATE = """(window.plainFetch = window.fetch, window.fetch = async (path, options) => String(path).includes("/plan?")
  ? Response.json({database: {verdict: "refused", detail: "no way back is proven"}}) : window.plainFetch(path, options), 0)"""


def test_rolling_back_by_keyboard(site, browsers):
    site.release("v2.4.0")
    site.release("v3.0.0")
    site.release("v3.1.0", slow_start_ms=4000)  # time to cancel it
    site.start()
    site.deploy_good("v2.4.0")
    load = site.load()
    site.deploy_good("v3.0.0")
    browser = browsers()
    browser.open(motion="reduce")
    browser.press("Tab")
    assert browser.ask("document.activeElement.className") == "skip"
    browser.press("Enter")
    assert browser.ask("document.activeElement.id") == "main"

    # a database's word on the target: this site has none, so the plan's answer is put in its place
    browser.ask(FAKE_GATE)
    browser.tab_to("manual")
    browser.press("Enter")
    browser.wait_text("dialog", "Database: no way back is proven", "Rows may be lost")
    assert browser.ask("document.activeElement.id") == "reason", "whoever types already isn't disturbed"
    assert not browser.ask("document.getElementById('allow-row-loss').checked")
    browser.check_accessible("manual with a database")
    browser.shot("manual-with-a-database", whole=False)
    browser.press("Escape")
    browser.ask("(window.fetch = window.plainFetch, 0)")

    browser.tab_to("manual")
    browser.press("Enter")
    shown = browser.text("dialog")
    for line in ("Current version", "v3.0.0", "Target version", "v2.4.0", "Reason", "Confirm rollback? Type yes"):
        assert line in shown, shown
    browser.check_accessible("manual")
    browser.type("found a bug in the invoices")
    browser.press("Tab")
    browser.type("no")
    browser.press("Enter")
    browser.wait_text("dialog", "Type yes to confirm.")
    assert site.runs()[0]["kind"] == "deployment"
    browser.press("Control+a")
    browser.type("yes")
    browser.press("Tab", "Tab", "Enter")
    run = site.wait_for_run(kind="rollback", mode="manual")
    assert (run["reason"], run["from"], run["to"], run["initiator"]) == ("found a bug in the invoices", "v3.0.0", "v2.4.0", "root (uid 0)")
    browser.wait("!document.querySelector('dialog').open")
    browser.wait_text("headline", "Rolled back from v3.0.0 to v2.4.0", "because “found a bug in the invoices”", "no request lost")

    # an emergency only with the version typed
    site.deploy_good("v3.0.0")
    browser.wait_text("headline", "v3.0.0 runs and is healthy.", "Deployed v3.0.0")
    browser.tab_to("emergency")
    browser.press("Enter")
    browser.press("Tab")
    browser.type("yes")
    browser.press("Enter")
    browser.wait_text("dialog", "Type v2.4.0 exactly, to confirm.")
    browser.check_accessible("emergency")
    assert site.runs()[0]["kind"] == "deployment"
    browser.press("Control+a")
    browser.type("v2.4.0")
    browser.press("Enter")
    run = site.wait_for_run(kind="rollback", mode="emergency")
    assert (run["to"], run["outcome"]) == ("v2.4.0", "succeeded")
    browser.wait_text("run", "emergency rollback, v3.0.0 → v2.4.0", "succeeded")

    # deployments are paused, and a deployment is refused; resumed
    browser.tab_to("pause")
    browser.press("Enter")
    browser.type("month's end")
    browser.press("Enter")
    browser.wait_text("facts", "paused", "By root (uid 0): month's end")
    assert "month's end" in site.deploy("v3.0.0", check=75).stderr
    browser.tab_to("resume")
    browser.press("Enter", "Tab", "Enter")
    browser.wait_text("facts", "Nobody has paused them.")

    # a run is cancelled too late, and the answer says so
    deploying = site.begin("deploy", "v3.1.0")
    browser.wait_text("headline", "Deploying v3.1.0: step 5 of 8")
    browser.tab_to("cancel")
    browser.press("Enter", "Tab", "Enter")
    browser.wait_text("dialog", "What came of it")
    assert deploying.wait(30) == 0
    browser.press("Escape")
    browser.wait_text("headline", "Deployed v3.1.0")
    browser.check_quiet()
    site.check_ledger(load.end())


def test_a_token(site, browsers):
    """Who may not even look signs in with a token, may then act, and signs out."""
    site.release("v2.4.0")
    token = site.cli_json("token", "--act", "desk")
    site.write("/etc/novacron-rollback/tokens", token["line"] + "\n", 0o600)
    site.configure(api={"readers": "group", "tokens": "/etc/novacron-rollback/tokens"}, metrics={"source": "none"})
    site.start()
    site.deploy_good("v2.4.0")
    site.host.add_user("ann")
    browser = browsers(user="ann")
    browser.tell("open", url=URL, scheme="dark", width=360, height=800)
    browser.wait_text("connection", "Not signed in")
    browser.wait_text("headline", "Sign in with a token to look.")
    browser.check_accessible("not signed in")
    assert "v2.4.0" not in browser.ask("document.documentElement.innerHTML")
    browser.tab_to("sign-in")
    browser.press("Enter")
    browser.type(token["token"])
    browser.press("Enter")
    browser.wait_text("connection", "Live")
    browser.wait_text("who", "You are token desk")
    browser.wait_text("headline", "v2.4.0 runs and is healthy.")
    browser.wait_text("window", "not measured", "No metrics source is configured")
    browser.wait_text("facts", "not possible")
    browser.tab_to("pause")
    browser.press("Enter", "Tab", "Tab", "Enter")
    browser.wait_text("facts", "paused", "By token desk")
    browser.ask("location.reload()")
    browser.wait_text("connection", "Live")
    browser.wait_text("who", "You are token desk")
    browser.click("[data-act=sign-out]")
    browser.wait_text("connection", "Not signed in")
    assert "v2.4.0" not in browser.ask("document.documentElement.innerHTML")


def test_who_may_only_look_and_a_controller_that_goes(site, browsers):
    site.release("v2.4.0")
    site.release("v3.0.0")
    site.start()
    site.deploy_good("v2.4.0")
    site.host.add_user("ann")
    browser = browsers(user="ann")
    browser.open()
    browser.wait_text("who", "You are ann (uid ", "and may only look")
    assert browser.ask("document.querySelectorAll('#actions button').length") == 0
    assert "sign in with a token" in browser.text("actions")
    browser.check_accessible("only looking")
    browser.click("[data-act=sign-in]")
    browser.type("not a token")
    browser.press("Enter")
    browser.wait("document.querySelector('dialog .problem').textContent.length > 10")
    assert "not a token" not in json.dumps(browser.ask("[document.body.innerText, localStorage, sessionStorage]"))
    browser.press("Escape")

    browser.ask(MARK)
    site.kills_controller = True
    site.host.systemctl("stop", CONTROLLER)
    browser.wait_text("connection", "Connection lost")
    browser.wait_text("facts", "Runs, as of ", "s ago")
    browser.wait_text("headline", "systemctl start novacron-auto-rollback", "sudo auto-rollback emergency")
    browser.wait_text("headline", "As of the last word from the controller: v2.4.0 runs")
    site.host.systemctl("start", CONTROLLER)
    browser.wait_text("connection", "Live", timeout=20)
    browser.wait_text("headline", "v2.4.0 runs and is healthy.")
    assert "as of" not in browser.text("facts") and "systemctl" not in browser.text("headline")
    site.deploy("v3.0.0")
    browser.wait_text("headline", "Deployed v3.0.0")
    assert browser.ask("window.mark") == "still the same page"


def test_what_is_off_leads_the_page_with_what_to_do(site, browsers):
    """Nowhere to go back to, drained, no balancer, a run that holds, no controller: never green, and the next step is shown first."""
    site.configure(budgets={"verify_health": "2s", "start_version": "2s"})
    site.release("v2.4.0")
    site.release("v3.0.0")
    site.start()
    site.deploy_good("v2.4.0")
    browser = browsers()
    browser.open()
    browser.wait_text("facts", "not possible")
    browser.click("[data-act=emergency]")
    browser.wait_text("dialog", "none can be chosen", "Known here: v3.0.0, v2.4.0", "it needs a name")
    assert browser.ask("[...document.querySelectorAll('#releases option')].map((one) => one.value)") == ["v3.0.0", "v2.4.0"]
    browser.check_accessible("emergency without a target")
    browser.shot("emergency-without-a-target", whole=False)
    browser.press("Tab", "Enter")
    browser.wait_text("dialog", "Type the version that is to run")
    browser.press("Escape")

    site.cli("drain", check=0)
    browser.wait_text("headline", "its traffic is drained: clients get nothing.", "sudo auto-rollback restore")
    check_looks(browser, "drained")
    browser.tab_to("restore")
    browser.press("Enter")
    browser.wait_text("dialog", "Restore traffic", "root (uid 0)")
    browser.check_accessible("restore")
    browser.press("Tab", "Enter")
    browser.wait_text("headline", "v2.4.0 runs and is healthy.")
    assert site.status()["traffic"]["state"] == "flowing"
    browser.wait("!document.querySelector('[data-act=restore]')")

    site.host.systemctl("stop", "haproxy.service")
    browser.wait_text("headline", "The balancer doesn't answer: clients may get nothing.", "systemctl status haproxy", timeout=20)
    assert browser.ask("document.getElementById('now').className") == "now bad"
    check_looks(browser, "no-balancer")
    site.host.systemctl("start", "haproxy.service")
    browser.wait_text("headline", "v2.4.0 runs and is healthy.", timeout=20)

    site.deploy_good("v3.0.0")
    for unit in UNITS.values():
        site.write(f"/etc/systemd/system/{unit}", SERVICE_UNIT.format(extra="ExecStart=\nExecStart=/bin/false"))
    site.host.systemctl("daemon-reload")
    site.cli("manual", "--yes", "it gets worse", check=HELD)
    browser.wait_text("headline", "Holding: a person is needed.", "auto-rollback resume", 'sudo auto-rollback emergency --to v2.4.0 "recovery after a held rollback"')
    assert browser.ask("document.querySelector('.next code').getBoundingClientRect().bottom < innerHeight")
    browser.wait_text("facts", "not possible")
    check_looks(browser, "holding")

    site.kills_controller = True
    site.host.systemctl("stop", CONTROLLER)
    browser.wait_text("connection", "Connection lost")
    browser.wait("document.querySelectorAll('#actions button').length === document.querySelectorAll('#actions button:disabled').length")
    assert browser.ask("document.querySelectorAll('#facts .badge:not(.unknown)').length") == 0
    check_looks(browser, "no-controller")
    site.host.systemctl("start", CONTROLLER)
    browser.wait("document.querySelectorAll('#actions button:not(:disabled)').length > 1", timeout=5)


def test_an_incident_is_shown_acknowledged_and_resolved(site, browsers):
    site.configure(**FAST_WINDOW)
    site.release("v2.4.0")
    site.release("v3.0.0", error_every=20)
    site.start()
    site.deploy_good("v2.4.0")
    site.load()
    browser = browsers()
    browser.open()
    browser.wait_text("incidents", "There has been no incident.")
    site.measured()
    site.deploy("v3.0.0")
    run = site.wait_for_run(kind="rollback", mode="automatic")
    site.wait_validation(run["id"])
    browser.wait_text("incidents", "1: P1, automatic", "v3.0.0 → v2.4.0", "open", "validation:", timeout=15)
    site.wait(lambda: site.ask("GET", "/incidents/1")[1]["difference"], 15, "all of it is gathered")

    browser.click("#incidents [data-act=incident]")
    browser.wait("[...document.querySelectorAll('dialog img.plot')].filter((one) => one.complete && one.naturalWidth > 0).length === 3", 10)
    shown = browser.text("dialog")
    for text in ("Incident 1: P1, automatic", "failed now", "Timeline", "Drain traffic", "What v3.0.0 changed against v2.4.0", "+error_every: 20", "The last lines of v3.0.0"):
        assert text in shown, shown
    check_looks(browser, "incident")
    browser.click("dialog [data-act=acknowledge]")
    browser.wait_text("dialog", "Acknowledge incident 1")
    browser.check_accessible("acknowledge")
    browser.click("dialog [type=submit]")
    browser.wait_text("incidents", "acknowledged by root (uid 0)")
    browser.click("#incidents [data-act=incident]")
    browser.click("dialog [data-act=resolve]")
    browser.wait_text("dialog", "Resolve incident 1")
    browser.type("v3.0.1 fixes it")
    browser.click("dialog [type=submit]")
    browser.wait_text("incidents", "resolved by root (uid 0)")
    incident = site.ask("GET", "/incidents/1")[1]
    assert "resolved by root (uid 0): v3.0.1 fixes it" in [entry["text"] for entry in incident["timeline"]]
    browser.check_quiet()


def test_who_is_told_and_who_takes_nothing(site, browsers):
    well, hotel, gone = Receiver(site, "well", 7001), Receiver(site, "hotel", 7002, "garbage"), Receiver(site, "gone", 7003, "410")
    site.configure(**FAST_WINDOW, receivers={"team": {"notify": well.url}, "oncall": {"alertmanager": hotel.url}, "audit-of-the-whole-company": {"webhook": gone.url},
                                             "traces": {"otlp": "http://127.0.0.1:7004"}})
    site.release("v2.4.0")
    site.start()
    site.deploy_good("v2.4.0")
    browser = browsers()
    browser.open()
    browser.wait_text("receivers", "team", "notify and page", "delivering", "oncall", "Alertmanager", "wants no more", "410", timeout=20)
    browser.wait("document.querySelector('[data-key=receiver-traces]').textContent.includes('failing')", 20)
    shown = browser.ask("Object.fromEntries([...document.querySelectorAll('#receivers tbody tr')].map((one) => [one.dataset.key, one.innerText]))")
    for words in ("OTLP traces", "1 message, the oldest ", "not since the controller began", "Since ", " UTC: http://127.0.0.1:7004/v1/traces: connection refused."):
        assert words in shown["receiver-traces"], shown
    assert "none" in shown["receiver-team"] and "Since" not in shown["receiver-team"], shown
    assert "410 (nothing is wanted any more)" in shown["receiver-audit-of-the-whole-company"], shown

    traces = Receiver(site, "traces", 7004)  # somebody starts it
    traces.wait(lambda requests: requests, 30)
    browser.wait("document.querySelector('[data-key=receiver-traces]').textContent.includes('delivering')", 20)
    assert "Since" not in browser.ask("document.querySelector('[data-key=receiver-traces]').innerText")
    check_looks(browser, "receivers")
    browser.check_quiet()
