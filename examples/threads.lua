-- threads - a pipeline spread over two threads
--
-- Stage one makes blocks of data and their checksums, stage two compresses
-- them (by run lengths); each has a thread, with a loop and a Lua of its own.
-- What is between them is a bounded channel: a fast stage waits for a slow one.
-- `aioctl examples/threads.lua 1` runs both stages in one thread.
--
-- Output:
--   2 threads: 120 blocks of 4096 bytes in N ms
--   compressed to N %, every checksum right

local aio = require "aio"

local BLOCKS <const>, SIZE <const> = tonumber(arg[2]) or 120, 4096

-- Runs of up to 15 equal bytes, each of 16 possible values.
local function make_blocks(out, count, size)
  local buf = aio.buf(size)
  for number = 1, count do
    local seed, at = number, 0
    while at < size do
      seed = (seed * 1103515245 + 12345) % 2147483648
      local run = math.min(seed >> 16 & 15, size - at)
      buf:fill(seed >> 24 & 15, at, run)
      at = at + run
    end
    out:put { data = buf:tostring(), sum = buf:crc32c() }
  end
  out:close()
end

local function compress(input, result)
  local before, after, sums = 0, 0, 0
  for block in input:iter() do
    local data, packed, at = block.data, {}, 1
    while at <= #data do
      local byte, last = data:byte(at), at
      while data:byte(last + 1) == byte do last = last + 1 end
      packed[#packed + 1] = string.char(last - at + 1 & 255, byte)
      at = last + 1
    end
    before, after = before + #data, after + 2 * #packed
    sums = sums + (aio.buf(SIZE):set(0, data):crc32c() == block.sum and 1 or 0)
  end
  result:put { ratio = 100 * after // before, right = sums }
end

local threads = tonumber(arg[1]) or 2
local first <close> = assert(aio.iothread("make"))
local second <close> = assert(aio.iothread("compress"))
local blocks, result = first:channel(16), first:channel(1)
local start = aio.now()
first:call(make_blocks, blocks, BLOCKS, SIZE)
local last = threads == 1 and first or second
last:call(compress, blocks, result)
local found = result:get()
print(("%d thread%s: %d blocks of %d bytes in %.1f ms"):format(threads,
  threads == 1 and "" or "s", BLOCKS, SIZE, (aio.now() - start) * 1e3))
print(("compressed to %d %%, %s"):format(found.ratio,
  found.right == BLOCKS and "every checksum right" or "CHECKSUMS DIFFER"))
