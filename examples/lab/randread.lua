-- randread - a workload for aioctl policy-lab: one random read at a time
--
--   aioctl policy-lab examples/lab/randread.lua disk.img --html randread.html
--
-- Reads 4 KiB at random places of a file or device, past the page cache where
-- possible, each when the one before is done.

local aio, file = require "aio", require "aio.file"

local BLOCK <const> = 4096

return function(lab)
  local path = assert(lab.args[1], "randread.lua: which file? Name one after "
    .. "the workload")
  local f <close> = assert(file.open(path, "r", { direct = "try" }))
  local buf <close> = aio.buf { size = BLOCK, register = true }
  local blocks = assert(f:size()) // BLOCK
  assert(blocks > 0, path .. " is smaller than 4 KiB")
  while lab.running() do
    local offset = math.random(0, blocks - 1) * BLOCK
    local start = aio.now_ns()
    assert(f:pread(buf, offset))
    lab.record(aio.now_ns() - start)
  end
end
