-- The parking gate of NovaCron Rollback. While a gate is closed, requests wait here, before they are sent anywhere, instead of
-- being refused; so a release can be switched in place and no request is lost, and none is ever sent twice.
--
--   presetenv NOVACRON_GATE_MAP /etc/haproxy/novacron-gate.map
--   lua-load-per-thread /etc/haproxy/novacron-gate.lua
--
-- (The map's path comes in a variable, because HAProxy 2.6 hands no arguments to a file that is loaded per thread.) The map's entries, written by the controller over the runtime socket:
--   <key>            until when the gate is closed, in ms since the epoch. It opens by itself at that moment: the controller keeps
--                    moving it ahead, and a controller that has died keeps nobody waiting. 0: open.
--   <key>:park_max   how long one request may wait, in ms
--
-- What becomes of a request is left in txn.novacron_gate for the rule that follows (haproxy.cfg.example) and for the log:
--   passed    it waited, and goes on
--   refused   it waited park_max: to be answered 503
--   parked    HAProxy ended the wait because the client has left: must not go on either
-- with the gate's key in txn.novacron_key and the wait in ms in txn.novacron_parked. All stay unset for a request that met an open gate.

local map_file = os.getenv("NOVACRON_GATE_MAP") or "/etc/haproxy/novacron-gate.map"
local gates = Map.new(map_file, Map._str)

local LOOK_MS = 10            -- how often a parked request looks again; 500 parked ones cost about a tenth of a core
local PARK_MAX_MS = 15000     -- where the map has no park_max

local function number_of(key, otherwise)
  return tonumber(gates:lookup(key)) or otherwise
end

-- core.now() never jumps, but it isn't the wall clock after the clock was set; the deadline is wall clock.
local function elapsed_ms(since)
  local now = core.now()
  return (now.sec - since.sec) * 1000 + (now.usec - since.usec) // 1000
end

core.register_action("novacron_gate", { "http-req" }, function(txn, key)
  local function closed()
    return txn.f:date(0, "ms") < number_of(key, 0)
  end
  if not closed() then
    return
  end
  local began = core.now()
  local park_max = number_of(key .. ":park_max", PARK_MAX_MS)
  txn:set_var("txn.novacron_key", key)
  txn:set_var("txn.novacron_gate", "parked")
  repeat
    txn:set_var("txn.novacron_parked", elapsed_ms(began))
    if elapsed_ms(began) >= park_max then
      txn:set_var("txn.novacron_gate", "refused")
      return
    end
    core.msleep(LOOK_MS)
  until not closed()
  txn:set_var("txn.novacron_parked", elapsed_ms(began))
  txn:set_var("txn.novacron_gate", "passed")
end, 1)
