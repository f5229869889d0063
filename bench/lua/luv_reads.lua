-- luv_reads - reads.lua's requests as coroutines on luv: the peer
--
--   lua5.4 bench/lua/luv_reads.lua hot|zero TASKS SECONDS [FILE]
--
-- luv makes a string of each read.  Its thread pool has four threads.

local uv = require "luv"

local what, tasks, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local BLOCK, CHUNK = 4096, 256

local fd = assert(uv.fs_open(what == "zero" and "/dev/zero" or arg[4], "r", 0))
local blocks = what == "zero" and 1 or uv.fs_fstat(fd).size // BLOCK
for offset = 0, what == "zero" and -1 or (blocks - 1) * BLOCK, 1 << 20 do
  assert(uv.fs_read(fd, 1 << 20, offset))
end

local done, stop = 0, false

local function worker()
  local co = coroutine.running()
  local function resume(err, data)
    assert(not err and #data == BLOCK, err)
    coroutine.resume(co)
  end
  local random = math.random
  while not stop do
    for _ = 1, CHUNK do
      uv.fs_read(fd, BLOCK, random(0, blocks - 1) * BLOCK, resume)
      coroutine.yield()
    end
    done = done + CHUNK
  end
end

math.randomseed(1)
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
print(('{"ns": %.1f, "iops": %.0f, "cpu": %.1f}'):format(
  wall / done * 1e9, done / wall, used / done * 1e9))
