-- reads - one kind of request in a number of tasks, for a while
--
--   aioctl bench/lua/reads.lua WHAT TASKS SECONDS [FILE]
--
-- WHAT: hot     4 KiB at random from FILE, which is read into the page cache
--       string  the same, a new Lua string for each
--       zero    4 KiB of /dev/zero
--       nop     to the engine and back
--       direct  4 KiB at random from FILE with O_DIRECT
--       polling the same; the loop polls for 200 us before it sleeps
--       large   1 MiB at random from FILE with O_DIRECT
--
-- Buffers are registered.  Prints {"ns": per request, "iops":, "cpu": ns of
-- CPU per request, "cpu_us": the same in microseconds}, and for polling "p50",
-- ns that half of the reads took at most.

local aio = require "aio"
local file = require "aio.file"

local what, tasks, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local BLOCK, CHUNK, SPREAD = what == "large" and 1 << 20 or 4096, 256, 16384
local NAMES = { zero = "/dev/zero", nop = "/dev/zero" }

local direct = what == "direct" or what == "polling" or what == "large"
local f = assert(file.open(NAMES[what] or arg[4], "r",
  { direct = direct, engine = os.getenv("BENCH_ENGINE") }))
local blocks = NAMES[what] and 1 or f:size() // BLOCK
local pool = aio.bufpool { count = tasks, size = BLOCK, register = true }
local done, stop = 0, false

if what == "polling" then
  -- One slow read halves the budget; without poll_shrink it begins anew.
  aio.context():set { poll_max_ns = 200000, poll_shrink = 2 }
elseif what == "hot" or what == "string" then
  local all = aio.buf(1 << 20)
  for offset = 0, (blocks - 1) * BLOCK, 1 << 20 do
    assert(f:pread(all, offset))
  end
  all:close()
end

math.randomseed(1)

-- Chosen beforehand: what is measured is reading.
local offsets = {}
for i = 1, SPREAD do
  offsets[i] = math.random(0, blocks - 1) * BLOCK
end

local nop, pread = f.nop, f.pread
local hist = aio.hist()

local function nops()
  for _ = 1, CHUNK do
    nop(f)
  end
end

local function strings(_, first)
  for i = first, first + CHUNK - 1 do
    assert(#pread(f, BLOCK, offsets[i]) == BLOCK)
  end
end

local function reads(buf, first)
  for i = first, first + CHUNK - 1 do
    local n, message = pread(f, buf, offsets[i])
    if n ~= BLOCK then
      error(message or "short read")
    end
  end
end

-- For what takes its time: none of it after the end.
local function read_once(buf, i)
  local n, message = pread(f, buf, offsets[i])
  if n ~= BLOCK then
    error(message or "short read")
  end
  done = done + 1
end

local function slow(buf, first)
  for i = first, first + CHUNK - 1 do
    read_once(buf, i)
    if stop then
      break
    end
  end
  done = done - CHUNK -- which the worker adds
end

local function timed(buf, i)
  local began = aio.now()
  read_once(buf, i)
  hist:record(math.floor((aio.now() - began) * 1e9))
  done = done - CHUNK
end

local chunks = { nop = nops, string = strings, polling = timed, direct = slow,
  large = slow }

local function worker()
  local buf = pool:get()
  local chunk = chunks[what] or reads
  while not stop do
    chunk(buf, math.random(1, SPREAD - CHUNK))
    done = done + CHUNK
  end
  buf:close()
end

local start, cpu = aio.now(), os.clock()
aio.group(function(g)
  for _ = 1, tasks do
    g:spawn(worker)
  end
  aio.sleep(seconds)
  stop = true
end)
local wall, used = aio.now() - start, os.clock() - cpu
print(('{"ns": %.1f, "iops": %.0f, "cpu": %.1f, "cpu_us": %.3f, "p50": %d}')
  :format(wall / done * 1e9, done / wall, used / done * 1e9, used / done * 1e6,
  hist:percentile(50) or 0))
f:close()
pool:close()
