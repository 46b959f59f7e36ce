"""A site that is measured through a real Prometheus: a bad release is rolled back, the range is backtested, and a Prometheus that is
gone is an alert, never a verdict."""

import re

from testsite import FAST_WINDOW, SERVICE_PORT, merge

PORT = 9790
UNIT = f"""\
[Service]
Type=exec
StateDirectory=prometheus-test
ExecStart=/usr/bin/prometheus --config.file=/etc/prometheus-test.yml --storage.tsdb.path=/var/lib/prometheus-test \\
    --web.listen-address=127.0.0.1:{PORT} --log.level=warn
"""
SCRAPES = f"""\
global: {{ scrape_interval: 100ms, scrape_timeout: 100ms }}
scrape_configs:
  - job_name: service
    static_configs: [ {{ targets: ['127.0.0.1:{SERVICE_PORT}'] }} ]
"""


def begin(site):
    site.write("/etc/prometheus-test.yml", SCRAPES)
    site.write("/etc/systemd/system/prometheus-test.service", UNIT)
    site.configure(**merge(FAST_WINDOW, {"metrics": {"source": "prometheus", "prometheus": {"url": f"http://127.0.0.1:{PORT}"}}}))
    site.host.systemctl("daemon-reload")
    site.host.systemctl("start", "prometheus-test.service")


def test_measured_by_prometheus(site):
    begin(site)
    load = site.begin_with(error_every=10, measured=True)
    run = site.wait_for_run(kind="rollback", mode="automatic")
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0"), run
    assert re.search(r"error rate \d+\.\d\d % > 1\.0 % in [34] of 4 samples over 3 s", run["reason"]), run["reason"]
    site.wait_status(lambda status: status["metrics"]["sample"] and status["metrics"]["sample"]["state"] == "healthy", what="it is well again")

    report = site.cli_json("backtest", "--prometheus", "--from", "10m")
    assert report["source"] == "Prometheus" and not report["deployments_known"]
    found = [one for one in report["found"] if one["kind"] == "rollback" and "error_rate" in one["triggers"]]
    assert len(found) == 1 and report["samples"]["healthy"] >= 1, report
    loose = site.cli_json("backtest", "--prometheus", "--from", "10m", "--set", "thresholds.error_rate=50%", "--set", "thresholds.success_rate=50%",
                          "--set", "thresholds.latency_p99=1h")
    assert loose["found"] == [], loose

    site.host.systemctl("stop", "prometheus-test.service")
    status = site.wait_status(lambda status: any(alert["source"] == "metrics" for alert in status["alerts"]), what="it isn't heard")
    alert = next(alert for alert in status["alerts"] if alert["source"] == "metrics")
    assert f"http://127.0.0.1:{PORT}" in alert["message"], alert
    status = site.wait_status(lambda status: status["window"]["degraded"] == 0 and status["window"]["unknown"] == status["window"]["expected"],
                              what="the window knows nothing")
    assert [one["id"] for one in site.runs() if one["kind"] == "rollback"] == [run["id"]]
    site.host.systemctl("start", "prometheus-test.service")
    site.wait_status(lambda status: not any(alert["source"] == "metrics" for alert in status["alerts"]), what="it is heard again")
    load.end()
