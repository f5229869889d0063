-- timers_luv - what timers.lua does, with timers of luv under lua5.4
--
--   lua5.4 bench/lua/timers_luv.lua MODE COUNT AMOUNT
--
-- The time in which the deadlines come does not count.

local uv = require "luv"
local timing = dofile(arg[0]:match("^(.*/)") .. "timing.lua")

local mode, count = arg[1], tonumber(arg[2])
local run = {}
local timers, delays = {}, {}
local fired = 0
local function callback() fired = fired + 1 end

math.randomseed(1)
for i = 1, count do
  timers[i] = uv.new_timer()
  delays[i] = math.random(0, 9)
end
for i = count, 2, -1 do
  local k = math.random(i)
  timers[i], timers[k] = timers[k], timers[i]
end
if mode == "rearm" then
  for i = 1, count do
    timers[i]:start(1000000 + delays[i], 0, callback)
  end
end

function run.rearm(n)
  local done = 0
  while done < n do
    uv.update_time()
    local first = done // count % count
    for i = 1, count do
      timers[i]:start(1000000 + delays[(i + first) % count + 1], 0, callback)
    end
    done = done + count
  end
  return done
end

function run.arm_fire(n)
  local start, ns = fired, 0
  while fired - start < n do
    local began = uv.hrtime()
    uv.update_time()
    for i = 1, count do
      timers[i]:start(delays[i], 0, callback)
    end
    ns = ns + uv.hrtime() - began
    uv.sleep(10)
    began = uv.hrtime()
    uv.run("nowait")
    ns = ns + uv.hrtime() - began
  end
  return fired - start, ns
end

timing(arg[3], uv.hrtime, run[mode])
