--- aio.sync: semaphores, mutexes, events (channels: chan_spec.lua).
local aio = require "aio"
local sync = require "aio.sync"

local function tick(n)
  for _ = 1, n or 2 do
    aio.yield()
  end
end

local function assert_timeout(value, err, code)
  assert.is_nil(value)
  assert.equal("timeout", err)
  assert.equal(aio.errno.ETIMEDOUT, code)
end

local function assert_cancelled(task)
  local ok, err = task:pjoin(2)
  assert.is_false(ok)
  assert.is_true(aio.is_cancelled(err))
end

describe("sync.sem", function()
  it("lets as many in as it has permits", function()
    local sem = sync.sem(2)
    assert.is_true(sem:acquire())
    assert.is_true(sem:acquire())
    assert.is_false(sem:try_acquire())
    assert.equal(0, sem:value())
    sem:release()
    assert.is_true(sem:try_acquire())
    sem:release()
    sem:release()
    assert.equal(2, sem:value())
  end)

  it("serves its waiters in order; nobody overtakes them", function()
    local sem = sync.sem(0)
    local order = {}
    local tasks = {}
    for i = 1, 4 do
      tasks[i] = aio.spawn(function()
        sem:acquire()
        order[#order + 1] = i
      end)
    end
    tick()
    sem:release()
    assert.is_false(sem:try_acquire()) -- handed to the first already
    sem:release()
    sem:release()
    sem:release()
    for _, task in ipairs(tasks) do
      task:join(2)
    end
    assert.same({ 1, 2, 3, 4 }, order)
    assert.equal(0, sem:value())
  end)

  it("keeps its permits when a waiter gives up", function()
    local sem = sync.sem(0)
    assert_timeout(sem:acquire(0.002))
    local task = aio.spawn(function() sem:acquire() end)
    tick()
    task:cancel()
    assert_cancelled(task)
    sem:release()
    assert.equal(1, sem:value())
  end)

  it("keeps a permit that was handed to a waiter cancelled meanwhile",
    function()
      local sem = sync.sem(0)
      local one = aio.spawn(function() sem:acquire() end)
      local two = aio.spawn(function() return sem:acquire() end)
      tick()
      sem:release() -- to one
      one:cancel()
      assert_cancelled(one)
      assert.is_true(two:join(2))
      assert.equal(0, sem:value())
      local three = aio.spawn(function() sem:acquire() end)
      tick()
      sem:release()
      three:cancel()
      assert_cancelled(three)
      assert.equal(1, sem:value())
    end)

  it("loses no permit under many tasks, time-outs and cancels", function()
    local sem = sync.sem(3)
    local inside, most = 0, 0
    local tasks = {}
    for i = 1, 100 do
      tasks[i] = aio.spawn(function()
        for round = 1, 5 do
          if sem:acquire((i + round) % 3 == 0 and 0.0005 or nil) then
            inside = inside + 1
            most = math.max(most, inside)
            pcall(aio.yield)
            inside = inside - 1
            sem:release()
          end
        end
      end)
    end
    for i = 1, 100, 7 do
      aio.yield()
      tasks[i]:cancel()
    end
    for _, task in ipairs(tasks) do
      task:pjoin(5)
    end
    assert.equal(3, sem:value())
    assert.is_true(most <= 3)
  end)

  it("may be released in a callback, where acquire raises", function()
    local sem = sync.sem(0)
    local err
    aio.defer(function()
      sem:release()
      err = select(2, pcall(sem.acquire, sem))
    end, "giver")
    assert.is_true(sem:acquire(2))
    assert.matches("bh 'giver'", err)
  end)

  it("checks its arguments", function()
    assert.has_error(function() sync.sem() end)
    assert.has_error(function() sync.sem(-1) end)
    assert.has_error(function() sync.sem(1):acquire(-1) end)
    assert.has_error(function() sync.sem(1):acquire("x") end)
    assert.has_error(function() sync.sem(1).acquire(sync.event()) end)
  end)
end)

describe("sync.mutex", function()
  it("excludes other tasks while one has parked inside", function()
    local mutex = sync.mutex()
    local inside = 0
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = aio.spawn(function()
        mutex:lock()
        assert(inside == 0)
        inside = inside + 1
        aio.sleep(0.0005)
        inside = inside - 1
        mutex:unlock()
      end)
    end
    for _, task in ipairs(tasks) do
      task:join(2)
    end
    assert.is_false(mutex:is_locked())
  end)

  it("is handed over in order", function()
    local mutex = sync.mutex()
    local order = {}
    mutex:lock()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(function()
        mutex:lock()
        order[#order + 1] = i
        mutex:unlock()
      end)
    end
    tick()
    mutex:unlock()
    assert.is_false(mutex:try_lock())
    for _, task in ipairs(tasks) do
      task:join(2)
    end
    assert.same({ 1, 2, 3 }, order)
  end)

  it("belongs to the task that locked it", function()
    local mutex = sync.mutex()
    assert.has_error(function() mutex:unlock() end)
    mutex:lock()
    assert.has_error(function() mutex:lock() end)
    assert.is_false(mutex:try_lock())
    local task = aio.spawn(function() mutex:unlock() end)
    local ok, err = task:pjoin(2)
    assert.is_false(ok)
    assert.matches("another task", err)
    mutex:unlock()
    assert.is_true(mutex:try_lock())
    mutex:unlock()
  end)

  it("gives up after its time-out", function()
    local mutex = sync.mutex()
    mutex:lock()
    local task = aio.spawn(function() return mutex:lock(0.002) end)
    assert_timeout(task:join(2))
    task = aio.spawn(function() return mutex:guard(0.002) end)
    assert_timeout(task:join(2))
    mutex:unlock()
    assert.is_false(mutex:is_locked())
  end)

  it("passes on when the waiter it was handed to is cancelled", function()
    local mutex = sync.mutex()
    mutex:lock()
    local one = aio.spawn(function() mutex:lock() end)
    local two = aio.spawn(function()
      local guard <close> = mutex:guard()
      return guard ~= nil
    end)
    tick()
    mutex:unlock()
    one:cancel()
    assert_cancelled(one)
    assert.is_true(two:join(2))
    assert.is_false(mutex:is_locked())
  end)

  it("is unlocked by its guard on every way out", function()
    local mutex = sync.mutex()
    do
      local guard <close> = mutex:guard()
      assert.is_true(mutex:is_locked())
      assert.is_truthy(guard)
    end
    assert.is_false(mutex:is_locked())
    pcall(function()
      local guard <close> = mutex:guard()
      error(guard)
    end)
    assert.is_false(mutex:is_locked())
    local task = aio.spawn(function()
      local guard <close> = mutex:guard()
      aio.sleep(5)
      return guard
    end)
    tick()
    assert.is_true(mutex:is_locked())
    task:cancel()
    assert_cancelled(task)
    assert.is_false(mutex:is_locked())
    local guard = mutex:guard()
    guard:unlock()
    guard:unlock()
    assert.is_false(mutex:is_locked())
  end)

  it("is not left locked by a guard that is garbage", function()
    local mutex = sync.mutex()
    do
      mutex:guard() -- not kept
    end
    collectgarbage()
    collectgarbage()
    assert.is_false(mutex:is_locked())
  end)
end)

describe("sync.event", function()
  it("is sticky", function()
    local event = sync.event()
    assert.is_false(event:is_set())
    assert_timeout(event:wait(0.001))
    event:set()
    event:set()
    assert.is_true(event:is_set())
    assert.is_true(event:wait())
    assert.is_true(event:wait(0))
    event:clear()
    assert_timeout(event:wait(0.001))
  end)

  it("wakes everybody, even when it is cleared at once", function()
    local event = sync.event()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(function() return event:wait() end)
    end
    tick()
    event:set()
    event:clear()
    for i = 1, 3 do
      assert.is_true(tasks[i]:join(2))
    end
  end)

  it("forgets a waiter that was cancelled", function()
    local event = sync.event()
    local task = aio.spawn(function() event:wait() end)
    tick()
    task:cancel()
    assert_cancelled(task)
    event:set()
  end)
end)
