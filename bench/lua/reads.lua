-- reads - one kind of request in a number of tasks, for a while
--
--   aioctl bench/lua/reads.lua WHAT TASKS SECONDS [FILE]
--
-- WHAT: hot     4 KiB at random from FILE, which is read into the page cache
--       string  the same, a new Lua string for each
--       zero    4 KiB of /dev/zero
--       nop     to the engine and back
--       direct  4 KiB at random from FILE with O_DIRECT
--       polling the same; the loop polls for 100 us before it sleeps
--
-- Buffers are registered.  Prints {"ns": per request, "iops":, "cpu": ns of
-- CPU per request, "cpu_us": the same in microseconds}.

local aio = require "aio"
local file = require "aio.file"

local what, tasks, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local BLOCK, CHUNK = 4096, 256
local NAMES = { zero = "/dev/zero", nop = "/dev/zero" }

local direct = what == "direct" or what == "polling"
local f = assert(file.open(NAMES[what] or arg[4], "r",
  { direct = direct, engine = os.getenv("BENCH_ENGINE") }))
local blocks = NAMES[what] and 1 or f:size() // BLOCK
local pool = aio.bufpool { count = tasks, size = BLOCK, register = true }
local done, stop = 0, false

if what == "polling" then
  aio.context():set { poll_max_ns = 100000 }
elseif what == "hot" or what == "string" then
  local all = aio.buf(1 << 20)
  for offset = 0, (blocks - 1) * BLOCK, 1 << 20 do
    assert(f:pread(all, offset))
  end
  all:close()
end

local function nops()
  for _ = 1, CHUNK do
    f:nop()
  end
end

local function strings()
  local random = math.random
  for _ = 1, CHUNK do
    assert(#f:pread(BLOCK, random(0, blocks - 1) * BLOCK) == BLOCK)
  end
end

local function reads(buf)
  local random = math.random
  for _ = 1, CHUNK do
    local n, message = f:pread(buf, random(0, blocks - 1) * BLOCK)
    if n ~= BLOCK then
      error(message or "short read")
    end
  end
end


local function worker()
  local buf = pool:get()
  local chunk = what == "nop" and nops or what == "string" and strings or reads
  while not stop do
    chunk(buf)
    done = done + CHUNK
  end
  buf:close()
end

math.randomseed(1)
local start, cpu = aio.now(), os.clock()
aio.group(function(g)
  for _ = 1, tasks do
    g:spawn(worker)
  end
  aio.sleep(seconds)
  stop = true
end)
local wall, used = aio.now() - start, os.clock() - cpu
print(('{"ns": %.1f, "iops": %.0f, "cpu": %.1f, "cpu_us": %.3f}'):format(
  wall / done * 1e9, done / wall, used / done * 1e9, used / done * 1e6))
f:close()
pool:close()
