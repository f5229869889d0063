-- randread - random 4 KiB reads past the page cache, one task per request
--
--   aioctl bench/lua/randread.lua FILE TASKS SECONDS [ENGINE]
--
-- Prints {"iops":, "cpu_us": per read, "reads":, "engine":}.

local aio = require "aio"
local file = require "aio.file"

local path, tasks, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local BLOCK = 4096

local f = assert(file.open(path, "r", { direct = true, engine = arg[4] }))
local blocks = assert(f:size()) // BLOCK
local pool = aio.bufpool { count = tasks, size = BLOCK, register = true }
local reads, stop = 0, false

local function reader()
  local buf = pool:get()
  local random = math.random
  while not stop do
    local n, message = f:pread(buf, random(0, blocks - 1) * BLOCK)
    if n ~= BLOCK then
      error(message or "short read")
    end
    reads = reads + 1
  end
  buf:close()
end

math.randomseed(1)
local start, cpu = aio.now(), os.clock()
aio.group(function(g)
  for _ = 1, tasks do
    g:spawn(reader)
  end
  aio.sleep(seconds)
  stop = true
end)
local wall, used = aio.now() - start, os.clock() - cpu
print(('{"iops": %.0f, "cpu_us": %.3f, "reads": %d, "engine": "%s"}'):format(
  reads / wall, used / reads * 1e6, reads, f.engine))
f:close()
pool:close()
