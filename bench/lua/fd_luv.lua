-- fd_luv - what fd.lua does, with a poll handle of luv under lua5.4
--
--   lua5.4 bench/lua/fd_luv.lua MODULES MODE IDLE AMOUNT
--
-- Mode task: the handle's callback resumes a coroutine, which is all a wrapper
-- of luv for coroutines can do.  The handle stays started.

package.cpath = arg[1] .. "/?.so;" .. package.cpath
local uv = require "luv"
local fds = require "bench_fds"
local timing = dofile(arg[0]:match("^(.*/)") .. "timing.lua")

local mode, idle = arg[2], tonumber(arg[3])
local set, drain = fds.set, fds.drain
local run = {}

local function never()
  error("an idle descriptor that stays idle")
end

fds.reserve(idle)
for _ = 1, idle do
  local poll = uv.new_poll(fds.open())
  poll:start("r", never)
  poll:unref()
end
local fd = fds.open()
local handle = uv.new_poll(fd)

function run.callback(n)
  local left = n
  handle:start("r", function()
    drain(fd)
    left = left - 1
    if left > 0 then set(fd) else uv.stop() end
  end)
  set(fd)
  uv.run()
  handle:stop()
  return n
end

function run.task(n)
  local resume, yield = coroutine.resume, coroutine.yield
  local co = coroutine.create(function()
    for _ = 1, n do
      set(fd)
      yield()
      drain(fd)
    end
    uv.stop()
  end)
  handle:start("r", function()
    assert(resume(co))
  end)
  assert(resume(co))
  uv.run()
  handle:stop()
  return n
end

timing(arg[4], uv.hrtime, run[mode], fds.user_ns)
