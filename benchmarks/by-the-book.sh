#!/bin/sh
# The specification's section "Rollback Execution Steps", its commands typed in order, with its waits and without a person's
# pauses for thought. bench.py runs it on the host; its first and its last line are the moments of the decision and of being done,
# in microseconds since the epoch.
#
# What had to be mapped, because the system that the specification's curl lines speak to does not exist here:
#   deployment/pause, /resume   a file that says so. The real call would take a little longer, so this is to the book's advantage.
#   traffic/drain, /restore     what an operator types at HAProxy's runtime socket. With a single server, as here, a drained
#                               backend has nobody to send a request to: HAProxy answers 503 from the drain to the restore.
#   `watch ... connections`     the 30 s that the drain is given; the section has no command that ends it sooner.
#   :8080/api/v3/health         the service's own health address.
#   `... | jq .rate_1m`, `systemctl status`: typed too; they cost milliseconds.
# Left out: the schema's restore, which is a comment in the book.
set -u
service=http://127.0.0.1:9001
paused=/run/deployments-paused

haproxy() {
  printf '%s\n' "$1" | socat -t 2 - UNIX-CONNECT:/run/haproxy/admin.sock
}

date +%s%6N

# 1. Pause deployments
touch "$paused"
ls "$paused"

# 2. Drain traffic
haproxy 'set server app/s1 state drain'
sleep 30

# 3. Stop current version
systemctl stop novacron-dwcp-v3
systemctl --no-pager status novacron-dwcp-v3

# 4. Restore previous version
rm -f /opt/novacron/current
ln -s /opt/novacron/versions/v2.4.0 /opt/novacron/current
cp /etc/novacron/config.v2.4.0.yaml /etc/novacron/config.yaml

# 5. Start previous version
systemctl start novacron-dwcp-v2
systemctl --no-pager status novacron-dwcp-v2

# 6. Health verification
sleep 10
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
  if curl -sf "$service/health" >/dev/null; then
    echo "Service healthy"
    break
  fi
  echo "Waiting for health check... ($i/12)"
  sleep 5
done

# 7. Restore traffic
haproxy 'set server app/s1 state ready'
haproxy 'show stat app 4 -1'

# 8. Resume deployments
rm -f "$paused"
date +%s%6N
