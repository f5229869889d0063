--- aio.policy.latency_target - polls as long as it takes to meet a target.
--
-- A wait that polling ends costs no wake-up. The target is the share of waits
-- of which that should be true: the budget is that percentile of the last
-- waits and a little more. When even poll_max_ns does not reach so far,
-- polling would be in vain, and the loop sleeps at once.
local is = require "aio.check".is

local WINDOW <const> = 128 -- waits that are looked at
local STRIDE <const> = 16  -- waits between two looks
local MARGIN <const> = 1.25

local KNOWN <const> = { percentile = true, max_ns = true }

local function check(options)
  is("table", options, "latency_target: options", 4)
  for name in pairs(options) do
    assert(KNOWN[name], ("latency_target: unknown option '%s' (one of "
      .. "max_ns, percentile)"):format(tostring(name)))
  end
  local percentile = options.percentile or 90
  assert(math.type(percentile) and percentile > 0 and percentile <= 100,
    "latency_target: percentile must be a number above 0, up to 100")
  local max_ns = options.max_ns or 200000
  assert(math.type(max_ns) == "integer" and max_ns > 0,
    "latency_target: max_ns must be an integer above 0")
  return percentile, max_ns
end

-- The smallest budget that @percentile of the @waits would not exceed.
local function budget(waits, percentile, max_ns)
  local sorted = table.move(waits, 1, #waits, 1, {})
  table.sort(sorted)
  local rank = math.max(1, math.ceil(percentile / 100 * #sorted))
  local ns = sorted[rank]
  return ns <= max_ns and math.min(max_ns, math.ceil(ns * MARGIN)) or 0
end

--- class aio.LatencyTarget
--
-- percentile?: number - share of the waits, 90 by default
-- max_ns?: integer - longest polling, 200000 by default

--- policy.latency_target(options?: aio.LatencyTarget) -> aio.Policy
--
-- A policy that polls just long enough for that share of the waits to end
-- without a sleep, and not at all where `max_ns` would not suffice.
local function latency_target(options)
  local percentile, max_ns = check(options or {})
  local waits, at, seen, ns = {}, 0, 0, 0
  return {
    name = "latency_target",
    set = { poll_max_ns = max_ns },
    poll_ns = function(state)
      at = at % WINDOW + 1
      seen = seen + 1
      waits[at] = state.block_ns
      if seen % STRIDE == 0 then
        ns = budget(waits, percentile, state.poll_max_ns)
      end
      return ns
    end,
  }
end

return latency_target
