-- callbacks - what it costs the loop to call a Lua function
--
--   aioctl bench/lua/callbacks.lua MODE COUNT AMOUNT
--
-- COUNT bottom halves, one operation is one call.  Modes: again (each call
-- schedules its own again), armed (they stay scheduled, as luv's idle handles
-- do).  See timing.lua for AMOUNT and what is printed.

local aio = require "aio"
local timing = dofile(arg[0]:match("^(.*/)") .. "timing.lua")

local mode, count = arg[1], tonumber(arg[2])
local left, wake
local run = {}

local function make(callback)
  local list = {}
  for i = 1, count do
    list[i] = aio.bh(callback)
  end
  return list
end

function run.again(n)
  local list = make(function(bh)
    left = left - 1
    if left > 0 then
      bh:schedule()
    elseif left == 0 then
      wake()
    end
  end)
  for i = 1, count do list[i]:schedule() end
  aio.park()
  for i = 1, count do list[i]:close() end
  return n
end

function run.armed(n)
  local list = make(function()
    left = left - 1
    if left == 0 then wake() end
  end)
  for i = 1, count do list[i]:schedule_always() end
  aio.park()
  for i = 1, count do list[i]:close() end
  return n - left
end

timing(arg[3], aio.now_ns, function(n)
  left, wake = n, aio.self():waker()
  return run[mode](n)
end)
