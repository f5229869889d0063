-- fd - an eventfd becomes readable and Lua hears of it
--
--   aioctl bench/lua/fd.lua MODULES MODE IDLE AMOUNT
--
-- One operation writes an eventfd, waits until it is readable and reads it: a
-- callback of aio.fd (mode callback) or a task in aio.wait_fd (mode task),
-- beside IDLE descriptors that are watched as well and stay idle.  MODULES:
-- where bench_fds.so is, whose functions both sides use to write and read.

package.cpath = arg[1] .. "/?.so;" .. package.cpath
local aio = require "aio"
local fds = require "bench_fds"
local timing = dofile(arg[0]:match("^(.*/)") .. "timing.lua")

local mode, idle = arg[2], tonumber(arg[3])
local set, drain = fds.set, fds.drain
local run = {}

local function never()
  error("an idle descriptor that stays idle")
end

fds.reserve(idle)
local watched = {}
for i = 1, idle do
  watched[i] = aio.fd(fds.open(), { read = never }):unref()
end
local fd = fds.open()

function run.callback(n)
  local left, wake = n, aio.self():waker()
  local handler = aio.fd(fd, { read = function()
    drain(fd)
    left = left - 1
    if left > 0 then set(fd) else wake() end
  end })
  set(fd)
  aio.park()
  handler:close()
  return n
end

function run.task(n)
  local wait_fd = aio.wait_fd
  for _ = 1, n do
    set(fd)
    wait_fd(fd, "r")
    drain(fd)
  end
  return n
end

timing(arg[4], aio.now_ns, run[mode], fds.user_ns)
for i = 1, idle do watched[i]:close() end
