-- fd_cqueues - what fd.lua does, with a coroutine of cqueues under lua5.4
--
--   lua5.4 bench/lua/fd_cqueues.lua MODULES IDLE AMOUNT

package.cpath = arg[1] .. "/?.so;" .. package.cpath
local cqueues = require "cqueues"
local fds = require "bench_fds"
local timing = dofile(arg[0]:match("^(.*/)") .. "timing.lua")

assert(arg[2] == "0", "idle descriptors are not for this one")
local fd = fds.open()

local function clock()
  return cqueues.monotime() * 1e9
end

timing(arg[3], clock, function(n)
  local loop = cqueues.new()
  loop:wrap(function()
    local poll, set, drain = cqueues.poll, fds.set, fds.drain
    local readable = { pollfd = fd, events = "r" }
    for _ = 1, n do
      set(fd)
      poll(readable)
      drain(fd)
    end
  end)
  assert(loop:loop())
  return n
end, fds.user_ns)
