-- wakeup - a workload for aioctl policy-lab: round trips to another thread
--
--   aioctl policy-lab examples/lab/wakeup.lua --html wakeup.html
--
-- Each operation is a read that the thread pool does, so the loop waits for a
-- few microseconds until another thread wakes it: the case in which polling
-- instead of sleeping pays.

local aio, file = require "aio", require "aio.file"

return function(lab)
  local f <close> = assert(file.open("/dev/zero", "r", { engine = "threads" }))
  local buf <close> = aio.buf(512)
  while lab.running() do
    local start = aio.now_ns()
    assert(f:pread(buf, 0))
    lab.record(aio.now_ns() - start)
  end
end
