"""A cluster of three etcd members on one host, as units of its systemd, for scenarios about consensus."""

import base64
import json

from hosts import wait_until

NAMES = ("n1", "n2", "n3")
PEERS = ",".join(f"{name}=http://127.0.0.1:{2380 + 10 * index}" for index, name in enumerate(NAMES))
UNIT = """\
[Service]
Type=notify
ExecStart=/usr/bin/etcd --name {name} --data-dir /var/lib/etcd-{name} --initial-cluster {peers} --initial-cluster-state new \
 --listen-client-urls {client} --advertise-client-urls {client} --listen-peer-urls {peer} --initial-advertise-peer-urls {peer} \
 --heartbeat-interval 50 --election-timeout 500 --logger zap --log-level error
"""

# For the controller: quick enough for a test.
CONSENSUS = {"driver": "etcd", "interval": "250ms", "timeout": "500ms", "patience": "2s", "lag": "1s",
             "etcd": {"endpoints": ["http://127.0.0.1:2379"], "hash_interval": "1s"}}


def unit(name):
    return f"etcd-{name}.service"


class EtcdUnits:
    def __init__(self, host):
        self.host = host
        for index, name in enumerate(NAMES):
            client, peer = (f"http://127.0.0.1:{port + 10 * index}" for port in (2379, 2380))
            host.write_unit(unit(name), UNIT.format(name=name, peers=PEERS, client=client, peer=peer), reload=False)
        host.systemctl("daemon-reload")
        host.systemctl("start", *map(unit, NAMES))

    def post(self, name, path, body):
        url = f"http://127.0.0.1:{2379 + 10 * NAMES.index(name)}/v3/{path}"
        return json.loads(self.host.output(["curl", "-s", "-m", "5", url, "-d", json.dumps(body)], check=False) or "{}")

    def put(self, key, value):
        encoded = {"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(value.encode()).decode()}
        assert "header" in self.post("n1", "kv/put", encoded)

    def follower(self):
        status = {name: self.post(name, "maintenance/status", {}) for name in NAMES}
        return next(name for name, one in status.items() if one["leader"] != one["header"]["member_id"])

    def tamper(self, name, old, new):
        """Changes a member's data behind its back."""
        self.host.systemctl("stop", unit(name))
        self.host.run(["sed", "-i", f"s/{old}/{new}/g", f"/var/lib/etcd-{name}/member/snap/db"])
        self.host.systemctl("start", unit(name))

    def kill(self, *names):
        self.host.systemctl("kill", "--signal=SIGKILL", *map(unit, names))
        wait_until(lambda: all(self.host.show(unit(name), "ActiveState")["ActiveState"] == "failed" for name in names))

    def start(self, *names):
        self.host.systemctl("start", *map(unit, names))
