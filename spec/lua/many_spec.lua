-- A hundred thousand parked tasks: what one costs, and that each wakes.
local aio = require "aio"
local skip = os.getenv("AIOCTL_SPEC_SMALL")

-- Sanitizers give each stack its own shadow and TSan ends at 8,000 fibers.
local function sanitizer()
  local file = assert(io.open("/proc/self/maps"))
  local text = file:read("a")
  file:close()
  return text:match("lib([at]san)")
end

local N = sanitizer() and 4000 or 100000
local LIMIT = 8.5 * 1024 -- bytes each: resident memory and page tables

if sanitizer() then
  print(("# many tasks: %d instead of 100000, and their memory is not looked "
    .. "at: this is %s"):format(N, sanitizer()))
end

local function memory()
  local file = assert(io.open("/proc/self/status"))
  local text = file:read("a")
  file:close()
  return (text:match("VmRSS:%s+(%d+)") + text:match("VmPTE:%s+(%d+)")) * 1024
end

local function assert_cheap(bytes)
  if not sanitizer() then
    assert.is_true(bytes <= LIMIT, ("%.0f bytes each"):format(bytes))
  end
end

local function wait_all(tasks)
  for i = 1, #tasks do tasks[i]:join() end
end

describe(N .. " tasks", function()
  local run = skip and pending or it

  run("sleep within their memory and all wake", function()
    local tasks, woken, wake_at = {}, 0, nil
    for i = 1, N do tasks[i] = false end
    collectgarbage()
    collectgarbage()
    local before = memory()
    for i = 1, N do
      tasks[i] = aio.spawn(function()
        aio.sleep(math.max(0, wake_at - aio.now()))
        woken = woken + 1
      end)
    end
    wake_at = aio.now() + 4
    aio.yield()
    local each = (memory() - before) / N
    assert.are.equal(0, woken, "too slow: some woke before all were parked")
    assert_cheap(each)
    wait_all(tasks)
    assert.are.equal(N, woken)
  end)

  run("park and are all woken by their wakers", function()
    local tasks, wakers, woken = {}, {}, 0
    for i = 1, N do
      tasks[i] = aio.spawn(function()
        aio.park()
        woken = woken + 1
      end)
      wakers[i] = tasks[i]:waker()
    end
    aio.yield()
    for i = 1, N do wakers[i]() end
    wait_all(tasks)
    assert.are.equal(N, woken)
  end)
end)
