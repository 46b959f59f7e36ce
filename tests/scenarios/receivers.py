"""Who is told, for scenarios about telling: receivers on a throw-away host, and a real Alertmanager with one behind it."""

import json

from hosts import PROJECT, wait_until

RECEIVER = PROJECT / "tests/scenarios/receiver.py"


class Receiver:
    """On the host of `site`; `mode` is how it answers (receiver.py)."""

    def __init__(self, site, name, port, mode="200", up=True):
        self.site, self.name, self.port = site, name, port
        self.home = f"/run/receiver-{name}"
        self.url = f"http://127.0.0.1:{port}"
        self.process = None
        self.mode(mode)
        if up:
            self.start()

    def mode(self, mode):
        # replaced at once: a reader never sees it half-written
        self.site.write(f"{self.home}/mode.new", mode)
        self.site.inside(f"{self.home}/mode.new").rename(self.site.inside(f"{self.home}/mode"))

    def start(self):
        ready = self.site.inside(f"{self.home}/ready")
        ready.unlink(missing_ok=True)
        self.process = self.site.host.popen(["/usr/bin/python3", str(RECEIVER), str(self.port), self.home])
        wait_until(ready.exists, what=f"the receiver {self.name} listens")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def requests(self):
        try:
            text = self.site.read(f"{self.home}/log")
        except FileNotFoundError:
            return []
        return [{**entry, "json": json.loads(entry["body"])} for entry in map(json.loads, filter(lambda line: line.endswith("}"), text.splitlines()))]

    def taken(self):
        """What it said yes to, in order."""
        return [entry for entry in self.requests() if entry["mode"] in ("200", "huge")]

    def wait(self, condition, timeout=20, what="a message"):
        """The first true answer of `condition(requests)`."""
        return wait_until(lambda: condition(self.requests()), timeout, f"{self.name}: {what}; it has {[r['path'] + ' ' + r['body'][:200] for r in self.requests()]}")

    def wait_for(self, text, timeout=20):
        """The first request that holds `text` in its body."""
        return self.wait(lambda requests: next((r for r in requests if text in r["body"]), None), timeout, f"one with '{text}'")


ALERTMANAGER_CONFIG = """\
route:
  receiver: recorder
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: recorder
    webhook_configs:
      - url: {url}/alertmanager
        send_resolved: true
"""


class Alertmanager:
    """The real one; what it sends on comes to `recorder`."""

    def __init__(self, site, recorder, port=9093):
        self.url = f"http://127.0.0.1:{port}"
        site.write("/etc/alertmanager.yml", ALERTMANAGER_CONFIG.format(url=recorder.url))
        self.site = site
        self.process = site.host.popen(
            ["/usr/bin/prometheus-alertmanager", "--config.file=/etc/alertmanager.yml", "--storage.path=/run/alertmanager",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"])
        wait_until(lambda: site.host.run(["curl", "-sf", "-o", "/dev/null", f"{self.url}/-/ready"], check=False).returncode == 0, 20,
                   "Alertmanager is ready")

    def alerts(self):
        return json.loads(self.site.host.output(["curl", "-s", f"{self.url}/api/v2/alerts"]))
