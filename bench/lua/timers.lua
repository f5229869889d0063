-- timers - what Lua timers, and sleeping tasks, cost
--
--   aioctl bench/lua/timers.lua MODE COUNT AMOUNT
--
-- Modes: rearm (one of COUNT pending timers, at random, gets another deadline
-- that does not come), arm_fire (COUNT timers are armed in random order of
-- deadlines, then all fire in one turn of the loop), sleep (each of COUNT tasks
-- is spawned and sleeps at least 20 times, for less than it takes the others to
-- run; the peer's do the same).

local aio = require "aio"
local timing = dofile(arg[0]:match("^(.*/)") .. "timing.lua")

local mode, count = arg[1], tonumber(arg[2])
local run, setup = {}, {}
local timers, delays = {}, {}
local fired = 0
local function callback() fired = fired + 1 end

local function make()
  math.randomseed(1)
  for i = 1, count do
    timers[i] = aio.timer { fn = callback }
    delays[i] = math.random() * 0.010
  end
  for i = count, 2, -1 do
    local k = math.random(i)
    timers[i], timers[k] = timers[k], timers[i]
  end
end

function setup.rearm()
  make()
  local now = aio.now() + 1000
  for i = 1, count do timers[i]:mod(now + delays[i]) end
end

setup.arm_fire = make

function run.rearm(n)
  local done = 0
  while done < n do
    local now = aio.now() + 1000
    local first = done // count % count -- another delay for each
    for i = 1, count do
      timers[i]:mod(now + delays[(i + first) % count + 1])
    end
    done = done + count
  end
  return done
end

function run.arm_fire(n)
  local start = fired
  while fired - start < n do
    local before = aio.now()
    for i = 1, count do
      timers[i]:mod(before - delays[i])
    end
    aio.yield()
  end
  return fired - start
end

function run.sleep(n)
  local each, list = math.max(n // count, 20), {}
  local function body()
    local sleep = aio.sleep
    for _ = 1, each do sleep(1e-6) end
  end
  for i = 1, count do list[i] = aio.spawn(body) end
  for i = 1, count do list[i]:join() end
  return each * count
end

if setup[mode] then setup[mode]() end
timing(arg[3], aio.now_ns, run[mode])
for i = 1, #timers do timers[i]:close() end
