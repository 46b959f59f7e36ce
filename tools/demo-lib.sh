# shellcheck shell=sh
# Sourced by demo: one temporary directory with two releases, their configurations, HAProxy and the controller on loopback
# ports that are free, and an end that touches nothing but what was begun here. POSIX shell.

demo_program=build-demo/src/cli/auto-rollback
demo_pids='' # of the processes begun here; nothing else is ever signalled

# ---- telling ----

demo_colours() { # only on a terminal, and not for who asks for none (no-color.org)
  bold='' red='' green='' plain=''
  [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ] || return 0
  escape=$(printf '\033')
  bold="${escape}[1m" red="${escape}[31m" green="${escape}[32m" plain="${escape}[0m"
}

demo_title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
demo_say() { printf '  %s\n' "$*"; }

demo_fail() {
  printf '%sThe demo failed: %s%s\n' "$red" "$*" "$plain" >&2
  exit 1
}

# ---- the place ----

# Ports of 20000 to 29999 that nobody listens at or is connected from now, one a line.
demo_free_ports() { # COUNT
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v wanted="$1" -v from="$$" '
    function number(hex,    i, n) {
      for (i = 1; i <= length(hex); i++)
        n = n * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1
      return n
    }
    $1 ~ /^[0-9]+:$/ { split($2, address, ":"); taken[number(address[length(address)])] = 1 }
    END {
      for (i = 0; i < 10000 && wanted > 0; i++) {
        port = 20000 + (from * 7 + i) % 10000
        if (!(port in taken)) { print port; wanted-- }
      }
    }'
}

demo_make_directory() {
  umask 022
  demo_directory=$(mktemp -d /tmp/novacron-demo.XXXXXX) # a short path: sockets lie in it
  demo_kept=''
  trap demo_end EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  mkdir -p "$demo_directory/versions" "$demo_directory/etc" "$demo_directory/data" "$demo_directory/log" "$demo_directory/state"
  # shellcheck disable=SC2046 # four numbers
  set -- $(demo_free_ports 4)
  [ $# -eq 4 ] || demo_fail 'no four free ports between 20000 and 29999'
  demo_front=127.0.0.1:$1 demo_service=127.0.0.1:$2 demo_log=127.0.0.1:$3 demo_page=127.0.0.1:$4
}

demo_make_release() { # VERSION, the rest of its configuration on standard input
  mkdir -p "$demo_directory/versions/$1/bin"
  cp build-demo/examples/demo-service "$demo_directory/versions/$1/bin/"
  echo "$1" >"$demo_directory/versions/$1/VERSION"
  {
    echo "# configuration of $1"
    echo "listen: $demo_service"
    echo "data: $demo_directory/data"
    cat
  } >"$demo_directory/etc/config.$1.yaml"
}

# The example configuration as it is: what differs is in the environment.
demo_make_haproxy() {
  cp data/haproxy/haproxy.cfg.example data/haproxy/novacron-gate.lua data/haproxy/novacron-gate.map "$demo_directory/etc/"
  NOVACRON_HAPROXY_SOCKET=$demo_directory/haproxy.sock
  NOVACRON_GATE_LUA=$demo_directory/etc/novacron-gate.lua
  NOVACRON_GATE_MAP=$demo_directory/etc/novacron-gate.map
  NOVACRON_EDGE=$demo_log NOVACRON_BIND=$demo_front NOVACRON_SERVICE=$demo_service
  export NOVACRON_HAPROXY_SOCKET NOVACRON_GATE_LUA NOVACRON_GATE_MAP NOVACRON_EDGE NOVACRON_BIND NOVACRON_SERVICE
  haproxy -c -f "$demo_directory/etc/haproxy.cfg.example" >"$demo_directory/log/haproxy.log" 2>&1 ||
    demo_fail "HAProxy does not take its configuration: $(cat "$demo_directory/log/haproxy.log")"
}

demo_make_controller_config() { # WINDOW INTERVAL MIN_REQUESTS BAKE
  cat >"$demo_directory/etc/rollback.yaml" <<YAML
thresholds:
  error_rate: 1.0%           # Maximum acceptable error rate
  latency_p99: 100ms         # P99 latency threshold
  success_rate: 99.0%        # Minimum success rate
  degradation_window: $1       # Sustained degradation time

decision:
  interval: $2
  min_requests: $3
  bake_for: $4

paths:
  versions: $demo_directory/versions
  current: $demo_directory/current
  live_config: $demo_directory/etc/config.yaml
  saved_config: "$demo_directory/etc/config.{version}.yaml"
  state: $demo_directory/state
  log: $demo_directory/log/rollback.log
  socket: $demo_directory/rollback.sock
  group: ""

units:
  driver: supervisor
  supervisor:
    command: ["{current}/bin/demo-service", --config, "{config}"]
    log: $demo_directory/log/service.log

traffic:
  driver: haproxy
  haproxy:
    socket: $demo_directory/haproxy.sock
    backend: app
    gate_map: $demo_directory/etc/novacron-gate.map

metrics:
  source: edge
  edge:
    listen: $demo_log
    backend: app
    haproxy_socket: $demo_directory/haproxy.sock

health:
  url: http://$demo_service/health

api:
  listen: $demo_page

# How busy this machine is besides, and its latency from one short window to the next, is not what is shown.
system:
  cpu: 100%
  memory: 100%
  disk: 100%
validation:
  baseline_floor: 50ms
YAML
}

# ---- processes ----

demo_begin() { # NAME COMMAND...: in the background; its pid in $demo_pid, its output in log/NAME.log
  demo_name=$1
  shift
  "$@" >"$demo_directory/log/$demo_name.log" 2>&1 &
  demo_pid=$!
  demo_pids="$demo_pid $demo_pids"
}

demo_wait_for() { # SECONDS WHAT COMMAND...: asks ten times a second
  demo_tries=$(($1 * 10)) demo_what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    demo_tries=$((demo_tries - 1))
    [ "$demo_tries" -gt 0 ] || demo_fail "waited in vain for $demo_what"
    sleep 0.1
  done
}

# The embedded supervisor leaves the service running when the controller ends, as it must. It is ours by where its program lies.
demo_service_pids() {
  for demo_exe in /proc/[0-9]*/exe; do
    case $(readlink "$demo_exe" 2>/dev/null) in
    "$demo_directory"/versions/*) demo_exe=${demo_exe#/proc/} && echo "${demo_exe%/exe}" ;;
    esac
  done
}

demo_gone() { # PID...
  for demo_one; do
    # a zombie is gone: its parent has not looked yet
    case $(cat "/proc/$demo_one/stat" 2>/dev/null) in '' | *') Z '*) ;; *) return 1 ;; esac
  done
}

demo_stop() { # PID...: politely, then not
  [ $# -gt 0 ] || return 0
  kill "$@" 2>/dev/null || true
  demo_tries=50
  until demo_gone "$@"; do
    demo_tries=$((demo_tries - 1))
    [ "$demo_tries" -gt 0 ] || { kill -9 "$@" 2>/dev/null || true && break; }
    sleep 0.1
  done
}

demo_end() {
  demo_code=$?
  trap - EXIT INT TERM HUP
  # shellcheck disable=SC2086,SC2046 # lists of numbers
  demo_stop $demo_pids
  # shellcheck disable=SC2046
  demo_stop $(demo_service_pids)
  if [ "$demo_code" -ne 0 ] || [ "$demo_kept" ]; then
    printf 'Everything it left, logs too, is in %s\n' "$demo_directory" >&2
  else
    rm -rf "$demo_directory"
  fi
  exit "$demo_code"
}

# ---- asking ----

demo_rollback() { # what an operator types
  "$demo_program" --config "$demo_directory/etc/rollback.yaml" "$@"
}

demo_status() { # JQ-EXPRESSION over the controller's status; empty when it does not answer
  demo_rollback status --json 2>/dev/null | jq -r "$1 // empty" 2>/dev/null || true
}

demo_serves() { # do clients get answers through HAProxy?
  build-demo/examples/demo-load --rate 50 --duration 100 --write-share 0 --timeout 1000 "http://$demo_front" | jq -e '.failed == 0'
}

demo_status_is() { # JQ-CONDITION
  [ "$(demo_status "if $1 then \"yes\" else empty end")" = yes ]
}
