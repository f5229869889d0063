--- aio.sync.chan.
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

local function assert_closed(value, err, code)
  assert.is_nil(value)
  assert.equal("closed", err)
  assert.equal(aio.errno.EPIPE, code)
end

local function assert_cancelled(task)
  local ok, err = task:pjoin(2)
  assert.is_false(ok)
  assert.is_true(aio.is_cancelled(err))
end

describe("a channel with room", function()
  it("keeps values in order", function()
    local chan = sync.chan(3)
    local values = { 1, "two", { 3 } }
    for _, v in ipairs(values) do
      assert.is_true(chan:put(v))
    end
    assert.equal(3, #chan)
    assert.is_false(chan:try_put(4))
    for _, v in ipairs(values) do
      assert.equal(v, chan:get())
    end
    assert.is_nil(chan:try_get())
    assert.is_true(chan:try_put(false))
    assert.is_false(chan:get())
  end)

  it("makes put wait while it is full", function()
    local chan = sync.chan(1)
    local log = {}
    local task = aio.spawn(function()
      for i = 1, 4 do
        chan:put(i)
        log[#log + 1] = i
      end
    end)
    tick(4)
    assert.same({ 1 }, log)
    for i = 1, 4 do
      assert.equal(i, chan:get(2))
    end
    task:join(2)
    assert.same({ 1, 2, 3, 4 }, log)
  end)

  it("admits waiting puts in order", function()
    local chan = sync.chan(1)
    chan:put(0)
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(function() return chan:put(i) end)
    end
    tick()
    for i = 0, 3 do
      assert.equal(i, chan:try_get())
    end
    for i = 1, 3 do
      assert.is_true(tasks[i]:join(2))
    end
  end)
end)

describe("a channel without room", function()
  it("hands values straight across", function()
    local chan = sync.chan()
    assert.is_false(chan:try_put(1))
    local task = aio.spawn(function() return chan:put("x") end)
    tick()
    assert.equal("parked", task:status())
    assert.equal("x", chan:get(2))
    assert.is_true(task:join(2))
    task = aio.spawn(function() return chan:get() end)
    tick()
    assert.is_true(chan:try_put("y"))
    assert.equal("y", task:join(2))
  end)
end)

describe("a channel", function()
  it("serves waiting gets in order; nobody overtakes them", function()
    local chan = sync.chan(4)
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(function() return chan:get() end)
    end
    tick()
    for i = 1, 3 do
      chan:put(i)
    end
    assert.is_nil(chan:try_get())
    for i = 1, 3 do
      assert.equal(i, tasks[i]:join(2))
    end
  end)

  it("moves many values through many tasks and loses none", function()
    local chan = sync.chan(3)
    local seen, count = {}, 0
    local getters, putters = {}, {}
    for i = 1, 5 do
      getters[i] = aio.spawn(function()
        for v in chan:iter() do
          assert(not seen[v])
          seen[v] = true
          count = count + 1
          if v % 7 == 0 then
            aio.yield()
          end
        end
      end)
    end
    for i = 1, 4 do
      putters[i] = aio.spawn(function()
        for k = 1, 200 do
          chan:put(i * 1000 + k)
        end
      end)
    end
    for _, task in ipairs(putters) do
      task:join(5)
    end
    chan:close()
    for _, task in ipairs(getters) do
      task:join(5)
    end
    assert.equal(800, count)
  end)

  it("gives up after a time-out and forgets the waiter", function()
    local chan = sync.chan(1)
    assert_timeout(chan:get(0.002))
    assert_timeout(chan:get { timeout = 0.001 })
    chan:put(1)
    assert_timeout(chan:put(2, 0.002))
    assert.equal(1, chan:get())
    assert.is_nil(chan:try_get())
  end)

  it("forgets a cancelled get and a cancelled put", function()
    local chan = sync.chan(1)
    local getter = aio.spawn(function() chan:get() end)
    tick()
    getter:cancel()
    assert_cancelled(getter)
    chan:put(1)
    local putter = aio.spawn(function() chan:put(2) end)
    tick()
    putter:cancel()
    assert_cancelled(putter)
    assert.equal(1, chan:get())
    assert.is_nil(chan:try_get())
  end)

  it("does not lose a value handed to a get that is cancelled", function()
    local chan = sync.chan(2)
    local one = aio.spawn(function() chan:get() end)
    tick()
    chan:put("a")
    chan:put("b")
    one:cancel()
    assert_cancelled(one)
    assert.equal("a", chan:get(2)) -- the first again
    assert.equal("b", chan:get(2))
    one = aio.spawn(function() chan:get() end)
    local two = aio.spawn(function() return chan:get() end)
    tick()
    chan:put("c")
    one:cancel()
    assert_cancelled(one)
    assert.equal("c", two:join(2))
    chan = sync.chan()
    one = aio.spawn(function() chan:get() end)
    tick()
    chan:put("d")
    one:cancel()
    assert_cancelled(one)
    assert.equal("d", chan:get(2))
  end)

  it("delivers what is queued when closed, then ends", function()
    local chan = sync.chan(3)
    chan:put(1)
    chan:put(2)
    chan:close()
    chan:close()
    assert.is_true(chan:is_closed())
    assert_closed(chan:put(3))
    assert_closed(chan:try_put(3))
    local got = {}
    for v in chan:iter() do
      got[#got + 1] = v
    end
    assert.same({ 1, 2 }, got)
    assert.equal(1, select("#", chan:get()))
    assert.is_nil(chan:get())
    assert.is_nil(chan:try_get())
  end)

  it("ends waiting gets and puts when closed", function()
    local empty, full = sync.chan(1), sync.chan()
    local getter = aio.spawn(function() return empty:get() end)
    local putter = aio.spawn(function() return full:put(1) end)
    tick()
    empty:close()
    full:close()
    assert.is_nil(getter:join(2))
    assert_closed(putter:join(2))
    assert.is_nil(full:get())
  end)

  it("refuses to wait in a callback, and offers try_put there", function()
    local chan = sync.chan(1)
    local err
    aio.defer(function()
      err = select(2, pcall(chan.get, chan))
      chan:try_put(5)
    end, "feeder")
    assert.equal(5, chan:get(2))
    assert.matches("bh 'feeder'", err)
  end)

  it("keeps parked values through collections", function()
    local chan = sync.chan()
    for i = 1, 20 do
      aio.spawn(function() chan:put { i } end)
    end
    tick()
    collectgarbage()
    for i = 1, 20 do
      collectgarbage()
      assert.equal(i, chan:get(2)[1])
    end
  end)

  it("carries values out of a coroutine inside a task", function()
    local chan = sync.chan()
    local task = aio.spawn(function()
      local gen = coroutine.wrap(function()
        while true do
          coroutine.yield((chan:get()))
        end
      end)
      return gen() + gen()
    end)
    chan:put(3)
    chan:put(4)
    assert.equal(7, task:join(2))
  end)

  it("checks its arguments", function()
    assert.has_error(function() sync.chan(-1) end)
    assert.has_error(function() sync.chan("x") end)
    local chan = sync.chan(1)
    assert.has_error(function() chan:put(nil) end)
    assert.has_error(function() chan:put() end)
    assert.has_error(function() chan:try_put(nil) end)
    assert.has_error(function() chan:put(1, -1) end)
    assert.has_error(function() chan.get({}) end)
    assert.equal(0, #chan)
  end)
end)
