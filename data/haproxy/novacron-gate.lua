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
-- with the gate's key in txn.novacron_key and the wait in ms (of a parked one: a little less) in txn.novacron_parked. All stay unset for a request that met an open gate.

local map_file = os.getenv("NOVACRON_GATE_MAP") or "/etc/haproxy/novacron-gate.map"
local gates = Map.new(map_file, Map._str)

local LOOK_MS = 10            -- how often a parked request looks again
local NOTE_EVERY = 20         -- looks; how often the wait so far is noted, for a client that leaves while it waits
local PARK_MAX_MS = 15000     -- where the map has no park_max

local function number_of(text, otherwise)
  return tonumber(text) or otherwise
end

-- core.now() never jumps, but it isn't the wall clock any more once that was set; the deadline is wall clock, date() is too.
local function steady_ms()
  local now = core.now()
  return now.sec * 1000 + now.usec // 1000
end

core.register_action("novacron_gate", { "http-req" }, function(txn, key)
  local entry, opens_at
  local function closed(now)
    local latest = gates:lookup(key)
    if latest ~= entry then -- it was moved: a look that finds it as it was costs next to nothing
      entry = latest
      opens_at = now + number_of(entry, 0) - txn.f:date(0, "ms")
    end
    return now < opens_at
  end
  local began = steady_ms()
  if not closed(began) then
    return
  end
  local gives_up_at = began + number_of(gates:lookup(key .. ":park_max"), PARK_MAX_MS)
  local now, looks, outcome = began, 0, "passed"
  txn:set_var("txn.novacron_key", key)
  txn:set_var("txn.novacron_gate", "parked")
  repeat
    if now >= gives_up_at then
      outcome = "refused"
      break
    end
    if looks % NOTE_EVERY == 0 then
      txn:set_var("txn.novacron_parked", now - began)
    end
    looks = looks + 1
    core.msleep(LOOK_MS)
    now = steady_ms()
  until not closed(now)
  txn:set_var("txn.novacron_parked", now - began)
  txn:set_var("txn.novacron_gate", outcome)
end, 1)
