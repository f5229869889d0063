-- aio.select with channels between threads: served once, by whichever side.

local aio, sync = require "aio", require "aio.sync"

local TSAN <const> = os.getenv("TSAN_OPTIONS") ~= nil

-- Both run in other threads.
local function produce(first, count, to, or_to)
  local select = require("aio").select
  for i = first, first + count - 1 do
    local key = assert(select({ { put = to, value = i },
      { put = or_to, value = i } }, 20))
    assert(key == 1 or key == 2)
  end
end
local function consume(from, or_from, ended)
  local select = require("aio").select
  local sum, n = 0, 0
  while true do
    local key, value = select({ from, or_from, ended = ended }, 20)
    if key == "ended" then return sum, n end
    sum, n = sum + value, n + 1
  end
end

describe("aio.select of channels between threads", function()
  local thread

  before_each(function() thread = assert(aio.iothread("select")) end)
  after_each(function() thread:close() end)

  local function shared(n)
    return thread:channel(n)
  end

  it("gets what is there, in the order of the list", function()
    local a, b = shared(1), shared(1)
    b:put("second")
    assert.same({ 2, "second" }, { aio.select { a, b } })
    a:put("x")
    b:put("y")
    assert.same({ 1, "x" }, { aio.select { a, b } })
    assert.same({ "k", "y" }, { aio.select { k = b } })
  end)

  it("waits for another thread to put, and to get", function()
    local a, b = shared(0), shared(0)
    local call = thread:call(function(to)
      require("aio").sleep(0.002)
      return to:put({ "later" })
    end, b)
    assert.same({ 2, { "later" } }, { aio.select({ a, b }, 5) })
    assert.is_true(call:join())
    call = thread:call(function(from)
      require("aio").sleep(0.002)
      return from:get()
    end, b)
    assert.same({ 2, true },
      { aio.select({ a, { put = b, value = "sent" } }, 5) })
    assert.equal("sent", call:join())
  end)

  it("works at both ends at once", function()
    local there, back = shared(0), shared(0)
    local call = thread:call(function(from, to)
      local aio_there = require "aio"
      local sum = 0
      for i = 1, 100 do
        local _, value = aio_there.select({ from }, 5)
        sum = sum + value
        assert(aio_there.select({ { put = to, value = i } }, 5))
      end
      return sum
    end, there, back)
    for i = 1, 100 do
      assert.same({ 1, true }, { aio.select({ { put = there, value = i },
        back }, 5) })
      assert.same({ "b", i }, { aio.select({ b = back }, 5) })
    end
    assert.equal(5050, call:join())
  end)

  it("is served in one thread as well, with tasks and other things", function()
    local chan, event = shared(0), sync.event()
    local getter = aio.spawn(aio.select, { chan, event }, 5)
    aio.yield()
    assert.is_true(chan:try_put("hand to hand"))
    assert.same({ 1, "hand to hand" }, { getter:join() })
    getter = aio.spawn(aio.select, { chan, event, aio.spawn(aio.sleep, 0.01) },
      5)
    aio.yield()
    event:set()
    assert.same({ 2, true }, { getter:join() })
    assert.is_false(chan:try_put("nobody waits any more"))
    local putter = aio.spawn(aio.select, { { put = chan, value = 1 }, 5 })
    aio.yield()
    assert.equal(1, chan:try_get())
    assert.same({ 1, true }, { putter:join() })
    assert.is_nil(chan:try_get())
  end)

  it("does not serve itself", function()
    local chan = shared(0)
    assert.same({ nil, "timeout", aio.errno.ETIMEDOUT },
      { aio.select({ chan, { put = chan, value = 1 } }, 0.002) })
    local other = aio.spawn(aio.select, { chan, { put = chan, value = 2 } }, 5)
    local key = aio.select({ { put = chan, value = 1 }, chan }, 5)
    assert.is_truthy(key == 1 or key == 2)
    assert.is_truthy(other:join())
  end)

  it("times out, as a whole and by its seconds, and takes nothing then",
    function()
      local chan, full = shared(0), shared(1)
      full:put("there")
      local cases = { chan, { put = full, value = "more" } }
      assert.same({ nil, "timeout", aio.errno.ETIMEDOUT },
        { aio.select(cases, 0.001) })
      cases.late = 0.001
      assert.same({ "late" }, { aio.select(cases) })
      assert.is_false(chan:try_put(1))
      assert.equal("there", full:get())
      assert.is_nil(full:try_get())
    end)

  it("ends when one is closed, from either side", function()
    local chan = shared(0)
    local getter = aio.spawn(aio.select, { chan }, 5)
    local putter = aio.spawn(aio.select, { { put = chan, value = 1 }, 5 })
    aio.yield()
    assert.is_truthy(getter:join())
    assert.is_truthy(putter:join())
    getter = aio.spawn(aio.select, { chan }, 5)
    aio.yield()
    thread:call(function(c) c:close() end, chan):join()
    assert.equal(2, select("#", getter:join()))
    assert.same({ 1, nil }, { getter:join() })
    assert.same({ 1, nil, "closed", aio.errno.EPIPE },
      { aio.select { { put = chan, value = 1 } } })
    assert.same({ 1 }, { aio.select { chan } })
    local full = shared(1)
    full:put(1)
    putter = aio.spawn(aio.select, { { put = full, value = 2 } }, 5)
    aio.yield()
    full:close()
    assert.same({ 1, nil, "closed", aio.errno.EPIPE }, { putter:join() })
  end)

  it("that is cancelled takes nothing, and passes on what it got", function()
    local chan = shared(0)
    local task = aio.spawn(aio.select, { chan, { put = shared(0), value = 1 } })
    aio.yield()
    task:cancel()
    assert.is_true(aio.is_cancelled(select(2, task:pjoin())))
    assert.is_false(chan:try_put("nobody"))
    task = aio.spawn(aio.select, { chan })
    aio.yield()
    assert.is_true(chan:try_put("kept"))
    task:cancel()
    assert.is_true(aio.is_cancelled(select(2, task:pjoin())))
    assert.equal("kept", chan:try_get())
  end)

  it("gives what moves back when another case is served", function()
    local full, ready = shared(0), shared(1)
    local buf <close> = aio.buf(4):set(0, "mine")
    ready:put("r")
    local cases = { { put = full, value = buf }, ready }
    assert.same({ 2, "r" }, { aio.select(cases) })
    assert.equal("mine", buf:tostring())
    assert.equal("timeout", select(3, aio.select(cases, 0.001)) and "timeout")
    assert.equal("mine", buf:tostring())
    local task = aio.spawn(aio.select, cases)
    aio.yield()
    assert.is_true(buf:is_closed())
    task:cancel()
    assert.is_false((task:pjoin()))
    assert.equal("mine", buf:tostring())
    -- what cannot be sent is found after the buffer was packed
    local ok, err = pcall(aio.select, { { put = full, value = buf },
      { put = full, value = io.stdout } })
    assert.is_false(ok)
    assert.is_truthy(err:find("the value: a userdata (FILE*)", 1, true), err)
    assert.equal("mine", buf:tostring())
    -- and so is a descriptor that has a handler
    local notifier <close> = aio.notifier()
    local handler <close> = aio.fd(notifier:fd(), { read = function() end })
    ok, err = pcall(aio.select, { { put = full, value = buf }, notifier }, 5)
    assert.is_false(ok)
    assert.is_truthy(err:find("already has a handler", 1, true), err)
    assert.is_truthy(handler)
    assert.equal("mine", buf:tostring())
    -- served: it has gone
    assert.same({ 1, true }, { aio.select { { put = ready, value = buf } } })
    assert.is_true(buf:is_closed())
    local got <close> = ready:get()
    assert.equal("mine", got:tostring())
  end)

  it("may have more cases than fit, of all kinds", function()
    local cases, last = {}, nil
    for i = 1, 40 do
      last = i % 2 == 0 and shared(0) or sync.chan()
      cases[i] = last
    end
    local call = thread:call(function(c) return c:put("the last", 5) end, last)
    assert.same({ 40, "the last" }, { aio.select(cases, 5) })
    assert.is_true(call:join())
    for _, chan in ipairs(cases) do
      assert.is_false(chan:try_put(1))
    end
  end)

  it("loses and doubles nothing when many threads select at both ends",
    function()
      local EACH <const> = TSAN and 60 or 400
      local threads, calls = {}, {}
      local a, b, done = shared(0), shared(2), shared(0)
      for i = 1, 3 do
        threads[i] = assert(aio.iothread())
        calls[i] = threads[i]:call(produce, i * EACH, EACH, a, b)
        calls[i + 3] = threads[i]:call(consume, b, a, done)
      end
      calls[7] = aio.spawn(consume, a, b, done)
      for i = 1, 3 do calls[i]:join() end
      local left = b:try_get()
      local sum, count = left or 0, left and 1 or 0
      while #b > 0 do aio.sleep(0.001) end
      done:close()
      for i = 4, 7 do
        local s, n = calls[i]:join()
        sum, count = sum + s, count + n
      end
      assert.equal(3 * EACH, count)
      local expected = 0
      for i = EACH, 4 * EACH - 1 do expected = expected + i end
      assert.equal(expected, sum)
      for _, t in ipairs(threads) do t:close() end
    end)
end)

describe("aio.select", function()
  it("keeps what a channel gave it when a descriptor is ready as well",
    function()
      local chan, notifier = sync.chan(), aio.notifier()
      local task = aio.spawn(aio.select, { notifier, chan }, 5)
      aio.yield()
      notifier:set()
      local put
      aio.defer(function() -- before the task runs that the descriptor woke
        put = chan:try_put("given")
      end)
      local key, value = task:join()
      if put then
        assert.same({ 2, "given" }, { key, value })
      else
        assert.equal(1, key)
      end
      notifier:close()
    end)
end)
