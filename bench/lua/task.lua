-- task - what a wake-up of a Lua task costs
--
--   aioctl bench/lua/task.lua yield|park|spawn|finish TASKS MILLISECONDS
--   aioctl bench/lua/task.lua memory TASKS 0
--
-- Prints {"ns": per operation, "ops": count}, like the programs of bench/c:
-- the number of operations doubles until a run is long enough, the fastest
-- of the runs of that length counts.  memory prints what a sleeping task takes,
-- in bytes: {"rss": resident, "all": with its page tables}.

local aio = require "aio"

local mode, tasks, milliseconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local run = {}

-- Each task yields n / tasks times.
function run.yield(n)
  local each = math.max(n // tasks, 1)
  local function body()
    local yield = aio.yield
    for _ = 1, each do
      yield()
    end
  end
  local list = {}
  for i = 1, tasks do
    list[i] = aio.spawn(body)
  end
  for i = 1, tasks do
    list[i]:join()
  end
  return each * tasks
end

-- Two tasks wake each other: one operation is one wake and one park.
function run.park(n)
  local wakers = {}
  local function body(me, other)
    local park = aio.park
    wakers[me] = aio.self():waker()
    aio.yield()
    if me == 1 then
      wakers[other]()
    end
    for _ = 1, n // 2 do
      park()
      wakers[other]()
    end
  end
  local a, b = aio.spawn(body, 1, 2), aio.spawn(body, 2, 1)
  a:join()
  b:join()
  return n // 2 * 2
end

local function body() end

-- One after the other, each waited for.
function run.spawn(n)
  local spawn = aio.spawn
  for _ = 1, n do
    spawn(body):join()
  end
  return n
end

-- A batch at a time, which ends while we yield once; nobody joins.
function run.finish(n)
  local spawn = aio.spawn
  local batches = math.max(n // tasks, 1)
  for _ = 1, batches do
    for _ = 1, tasks do
      spawn(body)
    end
    aio.yield()
  end
  return batches * tasks
end

local function memory()
  local rss, tables
  collectgarbage()
  for line in io.lines("/proc/self/status") do
    rss = rss or tonumber(line:match("^VmRSS:%s*(%d+)"))
    tables = tables or tonumber(line:match("^VmPTE:%s*(%d+)"))
  end
  return rss * 1024, tables * 1024
end

local function measure_memory()
  local rss, tables = memory()
  for i = 1, tasks do
    aio.spawn(aio.sleep, 3600 + i)
  end
  aio.sleep(0)
  local rss2, tables2 = memory()
  assert(#aio.tasks() == tasks + 1)
  print(('{"rss": %.0f, "all": %.0f}'):format((rss2 - rss) / tasks,
    (rss2 + tables2 - rss - tables) / tasks))
  aio.exit(0)
end

if mode == "memory" then
  measure_memory()
end

local n, best, ops = 64, math.huge, 0
local spent, total = 0, milliseconds * 1e6
while spent < total do
  local start = aio.now_ns()
  local done = run[mode](n)
  local ns = aio.now_ns() - start
  spent = spent + ns
  if ns < total / 16 and spent < total then
    n = n * 2
  elseif ns / done < best then
    best, ops = ns / done, done
  end
end
print(('{"ns": %.3f, "ops": %d}'):format(best, ops))
