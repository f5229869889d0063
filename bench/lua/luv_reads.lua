-- luv_reads - reads.lua's requests as coroutines on luv: the peer
--
--   lua5.4 bench/lua/luv_reads.lua hot|zero|direct TASKS SECONDS [FILE]
--
-- luv makes a string of each read.  Its thread pool has four threads, or what
-- UV_THREADPOOL_SIZE says.  direct needs a malloc() that aligns (LD_PRELOAD).

local uv = require "luv"

local what, tasks, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local BLOCK, CHUNK, SPREAD = 4096, 256, 16384

local O_DIRECT = 16384 -- of x86-64
local flags = what == "direct" and O_DIRECT or "r"
local fd = assert(uv.fs_open(what == "zero" and "/dev/zero" or arg[4], flags,
  0))
local blocks = what == "zero" and 1 or uv.fs_fstat(fd).size // BLOCK
for offset = 0, what == "hot" and (blocks - 1) * BLOCK or -1, 1 << 20 do
  assert(uv.fs_read(fd, 1 << 20, offset))
end

math.randomseed(1)
local offsets = {}
for i = 1, SPREAD do
  offsets[i] = math.random(0, blocks - 1) * BLOCK
end

local done, stop = 0, false

local function worker()
  local co = coroutine.running()
  local function resume(err, data)
    assert(not err and #data == BLOCK, err)
    coroutine.resume(co)
  end
  local read = uv.fs_read
  while not stop do
    local first = math.random(1, SPREAD - CHUNK)
    for i = first, first + CHUNK - 1 do
      read(fd, BLOCK, offsets[i], resume)
      coroutine.yield()
    end
    done = done + CHUNK
  end
end

local timer = uv.new_timer()
timer:start(math.floor(seconds * 1000), 0, function()
  stop = true
  timer:close()
end)
local start, cpu = uv.hrtime(), os.clock()
for _ = 1, tasks do
  assert(coroutine.resume(coroutine.create(worker)))
end
uv.run()
local wall, used = (uv.hrtime() - start) / 1e9, os.clock() - cpu
print(('{"ns": %.1f, "iops": %.0f, "cpu": %.1f, "cpu_us": %.3f}'):format(
  wall / done * 1e9, done / wall, used / done * 1e9, used / done * 1e6))
