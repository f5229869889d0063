-- gc - how long collections stop everything with many parked tasks
--
--   aioctl bench/lua/gc.lua tasks COUNT incremental|generational
--   lua5.4 bench/lua/gc.lua coroutines COUNT incremental|generational
--
-- Prints microseconds of CPU: {"step": the longest single step of an
-- incremental cycle, "young": the longest young collection, "full": a full
-- one}; each the best of some rounds, as it is when nothing else disturbs.
-- Each task (coroutine) holds a few values while it waits.

local what, count, mode = arg[1], tonumber(arg[2]), arg[3]
local ROUNDS <const> = 3
local aio = what == "tasks" and require "aio" or nil

local function wait_in(park)
  local state = { 1, 2, 3 }
  local name = "waits"
  park()
  return state, name
end

local all = {}
if aio then
  for i = 1, count do
    all[i] = aio.spawn(wait_in, aio.park)
  end
  aio.yield()
else
  for i = 1, count do
    all[i] = coroutine.create(wait_in)
    coroutine.resume(all[i], coroutine.yield)
  end
end

local function elapsed(fn, ...)
  local start = os.clock()
  local result = fn(...)
  return (os.clock() - start) * 1e6, result
end

local function litter()
  for _ = 1, 100 do
    local _ = { {}, {} }
  end
end

-- The longest of the steps of one cycle.
local function longest_step()
  local longest, done, us = 0, false
  while not done do
    litter()
    us, done = elapsed(collectgarbage, "step", 0)
    longest = math.max(longest, us)
  end
  return longest
end

local function young()
  litter()
  return (elapsed(collectgarbage, "step", 0))
end

local function full()
  return (elapsed(collectgarbage, "collect"))
end

local function best(fn)
  local least = math.huge
  for _ = 1, ROUNDS do
    least = math.min(least, fn())
  end
  return least
end

collectgarbage()
collectgarbage("stop") -- but for what we measure
local pauses = { full = best(full) }
collectgarbage(mode)
pauses[mode == "generational" and "young" or "step"] =
  best(mode == "generational" and young or longest_step)
print(('{"full": %.0f, "step": %.0f, "young": %.0f}'):format(pauses.full,
  pauses.step or 0, pauses.young or 0))
os.exit(true)
