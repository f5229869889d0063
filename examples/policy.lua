-- policy - a loop that polls while it is busy, steered by a script
--
-- Fifty times a second decide() looks at what the loop has done. When wake-ups
-- come thick and fast it lets the loop poll for up to 50 us before it sleeps,
-- which answers faster; when it gets quiet, polling would only burn CPU time.
--
-- Output:
--   quiet: sleeps at once
--   busy: polls up to 50 us
--   quiet: sleeps at once
--   by default: 0 us

local aio = require "aio"

local ctx = aio.context()
local POLL_NS <const> = 50000
local BUSY <const> = 200 -- wake-ups per second

local changed = aio.sync.chan(8)
local mode

ctx:policy {
  name = "on demand",
  every = 0.02,
  decide = function(delta)
    local rate = delta.dispatched / delta.seconds
    local now = rate > BUSY and "busy" or "quiet"
    if now == mode then
      return nil
    end
    mode = now
    changed:try_put(now)
    return { poll_max_ns = now == "busy" and POLL_NS or 0 }
  end,
}

local function show(expected)
  local now
  repeat now = assert(changed:get(5)) until now == expected
  local ns = ctx:get().poll_max_ns
  print(now .. ": " .. (ns > 0 and ("polls up to %d us"):format(ns // 1000)
    or "sleeps at once"))
end

show("quiet")
local work = aio.every(0.0005, function() end)
show("busy")
work:cancel()
show("quiet")

ctx:policy(nil)
print(("by default: %d us"):format(ctx:get().poll_max_ns // 1000))
