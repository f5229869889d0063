-- wakeup - a workload for aioctl policy-lab: round trips to another thread
--
--   aioctl policy-lab examples/lab/wakeup.lua --html wakeup.html
--
-- Each operation is a request that the thread pool answers, so the loop waits
-- for a few microseconds until another thread wakes it: the case in which
-- polling instead of sleeping pays.

local aio, file = require "aio", require "aio.file"

return function(lab)
  local f <close> = assert(file.open("/dev/zero", "r", { engine = "threads" }))
  while lab.running() do
    local start = aio.now_ns()
    assert(f:nop())
    lab.record(aio.now_ns() - start)
  end
end
