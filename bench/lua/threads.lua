-- threads - what it costs to reach another thread
--
--   aioctl bench/lua/threads.lua MODE DEPTH MILLISECONDS [PROCESSOR]
--
-- Prints {"ns": per operation, "ops": count}, as bench/lua/task.lua does.
-- Modes: wake (a waker there, one back), wake_polling (both loops poll for 32
-- us before they sleep), call, chan (a value there and back), offload, pipe1
-- and pipe2 (the stages of examples/threads.lua in one and in two threads; the
-- time of one block).  PROCESSOR: the only one that the other thread may use.

local aio = require "aio"

local mode, depth, milliseconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local processor = math.tointeger(arg[4])
local run = {}
local thread, other

local function start()
  thread = thread or
    assert(aio.iothread("bench", processor and { affinity = processor }))
end

-- depth tasks share n operations.
local function share(n, body)
  local each = math.max(n // depth, 1)
  local list = {}
  for i = 1, depth do
    list[i] = aio.spawn(body, each)
  end
  for i = 1, depth do
    list[i]:join()
  end
  return each * depth
end

function run.call(n)
  start()
  return share(n, function(each)
    for _ = 1, each do
      thread:call(math.abs, 1):join()
    end
  end)
end

function run.chan(n)
  start()
  local there, back = thread:channel(depth), thread:channel(depth)
  local echo = thread:call(function(from, to)
    for v in from:iter() do to:put(v) end
  end, there, back)
  local done = share(n, function(each)
    for i = 1, each do
      there:put(i)
      back:get()
    end
  end)
  there:close()
  echo:join()
  return done
end

function run.wake(n)
  start()
  local wakers = thread:channel(1)
  local echo = thread:call(function(c, wake, count)
    c:put(aio.self():waker())
    local park = aio.park
    for _ = 1, count do
      park()
      wake()
    end
  end, wakers, aio.self():waker(), n)
  local wake, park = wakers:get(), aio.park
  for _ = 1, n do
    wake()
    park()
  end
  echo:join()
  return n
end

function run.wake_polling(n)
  aio.context():set({ poll_max_ns = 32000 })
  return run.wake(n)
end

function run.offload(n)
  local offload = aio.offload
  local function work(x) return x end
  return share(n, function(each)
    for i = 1, each do
      offload(work, i)
    end
  end)
end

-- A stage: CPU work on what arrives.
local function produce(out, count)
  for number = 1, count do
    local list = {}
    for i = 1, 2000 do
      list[i] = string.char((number * i * 7 + i // 9) % 16)
    end
    out:put(table.concat(list))
  end
  out:close()
end

local function consume(input)
  local total = 0
  for data in input:iter() do
    for i = 1, #data do
      total = (total * 31 + data:byte(i)) % 1000003
    end
  end
  return total
end

local function pipe(n, second)
  local blocks = thread:channel(depth)
  thread:call(produce, blocks, n)
  second:call(consume, blocks):join()
  return n
end

function run.pipe1(n)
  start()
  return pipe(n, thread)
end

function run.pipe2(n)
  start()
  other = other or assert(aio.iothread("bench2"))
  return pipe(n, other)
end

local n, best, ops = 16, math.huge, 0
local spent, total = 0, milliseconds * 1e6
while spent < total do
  local from = aio.now_ns()
  local done = run[mode](n)
  local ns = aio.now_ns() - from
  spent = spent + ns
  if ns < total / 16 and spent < total then
    n = n * 2
  elseif ns / done < best then
    best, ops = ns / done, done
  end
end
print(('{"ns": %.3f, "ops": %d}'):format(best, ops))
if thread then thread:close() end
if other then other:close() end
