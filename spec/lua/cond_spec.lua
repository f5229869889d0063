--- aio.sync: condition variables, latches, rates.
local aio = require "aio"
local sync = require "aio.sync"

local function tick()
  aio.yield()
  aio.yield()
end

local TIMEOUT <const> = { nil, "timeout", aio.errno.ETIMEDOUT }

describe("sync.cond", function()
  it("gives the mutex up while it waits and has it again after", function()
    local mutex, cond = sync.mutex(), sync.cond()
    local seen
    local task = aio.spawn(function()
      local _ <close> = mutex:guard()
      cond:wait(mutex)
      seen = mutex:is_locked()
    end)
    tick()
    assert.is_true(mutex:try_lock())
    cond:signal()
    tick()
    assert.is_nil(seen) -- woken, and waits for the mutex
    mutex:unlock()
    task:join(2)
    assert.is_true(seen)
    assert.is_false(mutex:is_locked())
  end)

  it("wakes one per signal, in order, all by broadcast", function()
    local mutex, cond, order, tasks = sync.mutex(), sync.cond(), {}, {}
    for i = 1, 4 do
      tasks[i] = aio.spawn(function()
        local _ <close> = mutex:guard()
        cond:wait(mutex)
        order[#order + 1] = i
      end)
    end
    tick()
    cond:signal()
    tick()
    assert.same({ 1 }, order)
    cond:broadcast()
    for _, task in ipairs(tasks) do
      task:join(2)
    end
    assert.same({ 1, 2, 3, 4 }, order)
    cond:signal() -- nobody waits: it is not remembered
    mutex:lock()
    assert.same(TIMEOUT, { cond:wait(mutex, 0.001) })
    mutex:unlock() -- it has the mutex after a time-out too
  end)

  it("has the mutex when a cancellation is raised; the signal is passed on",
    function()
      local mutex, cond = sync.mutex(), sync.cond()
      local locked
      local one = aio.spawn(function()
        mutex:lock()
        local _ <close> = setmetatable({}, { __close = function()
          locked = mutex:is_locked()
          mutex:unlock()
        end })
        cond:wait(mutex)
      end)
      local two = aio.spawn(function()
        local _ <close> = mutex:guard()
        return cond:wait(mutex)
      end)
      tick()
      cond:signal()
      one:cancel()
      assert.is_false((one:pjoin(2)))
      assert.is_true(locked)
      assert.is_true(two:join(2))
    end)

  it("says how it was misused", function()
    local mutex, cond = sync.mutex(), sync.cond()
    assert.error_matches(function() cond:wait(mutex) end, "is not locked")
    assert.error_matches(function() cond:wait(cond) end, "aio.mutex expected")
    assert.error_matches(function() cond:wait() end, "aio.mutex expected")
    local other = aio.spawn(function()
      mutex:lock()
      aio.park(2)
      mutex:unlock()
    end)
    tick()
    assert.error_matches(function() cond:wait(mutex) end, "another task")
    other:waker()()
    other:join(2)
  end)
end)

describe("sync.latch", function()
  it("opens when it has been counted down", function()
    local latch = sync.latch(3)
    local waits = aio.spawn(latch.wait, latch)
    tick()
    assert.equal(2, latch:count_down())
    assert.equal("parked", waits:status())
    assert.same(TIMEOUT, { latch:wait(0.001) })
    aio.defer(function() latch:count_down(2) end)
    assert.is_true(waits:join(2))
    assert.is_true(latch:wait(0))
    assert.equal(0, latch:count())
    assert.is_true(sync.latch(0):wait())
  end)

  it("refuses more than is left and what is no count", function()
    local latch = sync.latch(1)
    assert.error_matches(function() latch:count_down(2) end,
      "counted down by 2, but 1 is left")
    assert.error_matches(function() latch:count_down(-1) end, "negative")
    assert.error_matches(function() sync.latch(-1) end, "negative")
    assert.error_matches(function() sync.latch("x") end, "number expected")
    local waits = aio.spawn(latch.wait, latch)
    tick()
    waits:cancel()
    assert.is_false((waits:pjoin(2)))
  end)
end)

describe("sync.rate", function()
  it("lets a burst through, then so many a second, in order", function()
    local rate = sync.rate(1000, 5)
    local start, order = aio.now(), {}
    aio.group(function(g)
      for i = 1, 15 do
        g:spawn(function()
          assert.is_true(rate:take())
          order[i] = aio.now()
        end)
      end
    end)
    for i = 2, 15 do
      assert.is_true(order[i] >= order[i - 1])
    end
    assert.is_true(order[15] - start >= 0.0099) -- ten beyond the burst
  end)

  it("serves who is due, but not awake yet, before who asks later", function()
    local rate, order = sync.rate(1000, 1), {}
    rate:take()
    aio.group(function(g)
      g:spawn(function() rate:take() order[#order + 1] = "first" end)
      tick()
      local due = aio.now() + 0.003
      while aio.now() < due do end -- nobody wakes up
      local late = #order == 1 -- the machine was: the first is awake already
      assert.equal(late, rate:try_take())
      g:spawn(function() rate:take() order[#order + 1] = "second" end)
    end)
    assert.same({ "first", "second" }, order)
  end)

  it("takes nothing when the wait would be too long", function()
    local rate = sync.rate(10, 1)
    assert.is_true(rate:try_take())
    assert.is_false(rate:try_take())
    assert.same(TIMEOUT, { rate:take(1, 0.001) })
    rate:set(1e6, 1)
    assert.is_true(rate:take(1, 1))
  end)

  it("lets one through that is larger than the burst, and pays after",
    function()
      local rate = sync.rate(1e4, 10)
      local start = aio.now()
      assert.is_true(rate:take(60)) -- the bucket is full: at once
      assert.is_true(aio.now() - start < 0.05)
      assert.is_true(rate:take(1))
      assert.is_true(aio.now() - start >= 0.005)
    end)

  it("gives back what a cancelled task had booked", function()
    local rate = sync.rate(1, 1)
    rate:take()
    local task = aio.spawn(rate.take, rate, 1)
    tick()
    task:cancel()
    assert.is_false((task:pjoin(2)))
    rate:set(1000, 1)
    local start = aio.now()
    assert.is_true(rate:take())
    assert.is_true(aio.now() - start < 0.5)
  end)

  it("says what is wrong", function()
    assert.error_matches(function() sync.rate(0) end,
      "limit must be a positive number, got 0")
    assert.error_matches(function() sync.rate(1, -1) end, "burst must be")
    assert.error_matches(function() sync.rate(1):take(0) end, "units must be")
    assert.error_matches(function() sync.rate("x") end, "got x")
    assert.error_matches(function() sync.rate(1).take(1) end, "rate expected")
    assert.same({ 5, 2 }, { sync.rate(5, 2):limit() })
  end)
end)
