-- Channels between threads: the same rules as within one.

local aio, sync = require "aio", require "aio.sync"

describe("a channel between threads", function()
  local thread

  before_each(function() thread = assert(aio.iothread("chan")) end)
  after_each(function() thread:close() end)

  it("carries values both ways, in order", function()
    local there, back = sync.chan(4), sync.chan()
    local echo = thread:call(function(from, to)
      for v in from:iter() do
        to:put(v)
      end
      to:close()
      return "ended"
    end, there, back)
    local feeder = aio.spawn(function()
      for i = 1, 500 do
        there:put({ i })
      end
      there:close()
    end)
    local n = 0
    for v in back:iter() do
      n = n + 1
      assert.equal(n, v[1])
    end
    assert.equal(500, n)
    feeder:join()
    assert.equal("ended", echo:join())
  end)

  it("is bounded: a putter waits for room", function()
    local chan = thread:channel(2)
    local call = thread:call(function(c)
      local put = 0
      for i = 1, 5 do
        if not c:try_put(i) then break end
        put = put + 1
      end
      assert(c:put(put + 1))
      return put
    end, chan)
    local deadline = aio.now() + 5
    while #chan < 2 and aio.now() < deadline do aio.sleep(0.001) end
    assert.is_nil((call:join(0.002)))
    assert.equal(2, #chan)
    assert.equal(1, chan:get(5))
    assert.equal(2, call:join())
    assert.equal(2, chan:get(5))
    assert.equal(3, chan:get(5))
    assert.is_nil(chan:try_get())
  end)

  it("hands over directly when it has no capacity", function()
    local chan = sync.chan()
    thread:call(function() end, chan):join()
    assert.is_false(chan:try_put(1))
    local call = thread:call(function(c) return c:get() end, chan)
    assert.is_true(chan:put("x", 5))
    assert.equal("x", call:join())
    call = thread:call(function(c) return c:put("y") end, chan)
    assert.equal("y", chan:get(5))
    assert.is_true(call:join())
  end)

  it("times out on either side", function()
    local chan = thread:channel()
    assert.equal("timeout", select(2, chan:get(0.001)))
    assert.equal("timeout", select(2, chan:put(1, 0.001)))
    assert.equal("timeout", thread:call(function(c)
      return (select(2, c:get(0.001)))
    end, chan):join())
    assert.equal(0, #chan)
  end)

  it("delivers what is queued after it was closed, by either side", function()
    local chan = thread:channel(3)
    chan:put(1)
    chan:put(2)
    thread:call(function(c) c:close() end, chan):join()
    assert.is_true(chan:is_closed())
    assert.same({ nil, "closed" }, { (chan:put(3)), (select(2, chan:put(3))) })
    assert.equal("closed", select(2, chan:try_put(3)))
    assert.equal(1, chan:get())
    assert.equal(2, chan:get())
    assert.is_nil(chan:get())
    local waiting = thread:channel()
    local getter = thread:call(function(c) return c:get() end, waiting)
    local putter = thread:call(function(c)
      return select(2, c:put(1))
    end, chan)
    assert.equal("closed", putter:join())
    aio.sleep(0.002)
    waiting:close()
    assert.is_nil(getter:join())
  end)

  it("loses nothing when a waiter is cancelled", function()
    local chan = thread:channel()
    local getter = aio.spawn(function() return chan:get() end)
    aio.yield()
    getter:cancel()
    assert.is_false((getter:pjoin()))
    local there = thread:call(function(c) return c:get() end, chan)
    aio.sleep(0.002)
    there:cancel()
    assert.is_false((there:pjoin()))
    local putter = aio.spawn(function() chan:put("gone") end)
    aio.yield()
    putter:cancel()
    assert.is_false((putter:pjoin()))
    assert.is_nil(chan:try_get())
    -- given and cancelled in the same moment: it goes to the next
    local first = aio.spawn(function() return chan:get() end)
    local second = aio.spawn(function() return chan:get() end)
    aio.yield()
    assert.is_true(chan:try_put("kept"))
    first:cancel()
    assert.is_false((first:pjoin()))
    assert.equal("kept", second:join(5))
  end)

  it("takes along what was queued and who waited when it became shared",
    function()
      local chan = sync.chan(2)
      chan:put("a")
      chan:put("b")
      local late = aio.spawn(function() return chan:put("c") end)
      local empty = sync.chan()
      local getter = aio.spawn(function() return empty:get() end)
      local late_getter = aio.spawn(function() return empty:get(0.01) end)
      aio.yield()
      local got = thread:call(function(c, e)
        local list = {}
        for i = 1, 3 do list[i] = c:get() end
        e:put("for the getter")
        return list
      end, chan, empty):join()
      assert.same({ "a", "b", "c" }, got)
      assert.is_true(late:join(5))
      assert.equal("for the getter", getter:join(5))
      assert.is_nil((late_getter:join(5)))
    end)

  it("stays as it is when what it holds cannot be sent", function()
    local chan = sync.chan(3)
    local buf = aio.buf(1)
    chan:put(buf)
    chan:put(print)
    chan:put(coroutine.create(print))
    local ok, err = pcall(thread.call, thread, print, chan)
    assert.is_false(ok)
    assert.is_truthy(err:find("the value: a coroutine cannot", 1, true), err)
    assert.equal(buf, chan:get())
    assert.equal(print, chan:get())
    assert.is_truthy(tostring(chan):find("1 of 3)", 1, true))
  end)

  it("refuses what cannot cross, naming it", function()
    local chan = thread:channel(1)
    local ok, err = pcall(chan.put, chan, { io.stdout })
    assert.is_false(ok)
    assert.is_truthy(err:find("the value[1]: a userdata (FILE*)", 1, true))
    assert.has_error(function() chan:put(nil) end)
    assert.equal(0, #chan)
  end)

  it("stays a case of aio.select when it is sent meanwhile", function()
    local later = sync.chan()
    local waiting = aio.spawn(aio.select, { x = later }, 5)
    local late = aio.spawn(aio.select, { later }, 0.01)
    aio.yield()
    thread:call(function(c) c:put("from there") end, later):join()
    assert.same({ "x", "from there" }, { waiting:join() })
    assert.same({ nil, "timeout", aio.errno.ETIMEDOUT }, { late:join() })
  end)

  it("is the same object when it comes back", function()
    local chan = thread:channel(1)
    assert.equal(chan, thread:call(function(c) return c end, chan):join())
    assert.is_truthy(tostring(chan):find("aio.chan (0 of 1, shared)", 1, true))
    local inner = thread:channel(1)
    chan:put(inner)
    assert.equal(inner, chan:get())
  end)

  it("outlives its thread, and drops what nobody takes", function()
    local chan = thread:channel(2)
    thread:call(function(c) c:put("left behind") end, chan):join()
    thread:close()
    assert.equal("left behind", chan:get(5))
    chan:put(aio.buf(4096))
    chan = nil -- luacheck: ignore
    collectgarbage()
  end)

  it("serves many producers and consumers in several threads", function()
    local work, results = thread:channel(8), thread:channel(8)
    local PRODUCERS <const>, EACH <const>, CONSUMERS <const> = 6, 100, 3
    local other <close> = aio.iothread("chan2")
    local threads = { thread, other }
    local calls = {}
    for i = 1, CONSUMERS do
      calls[#calls + 1] = threads[i % 2 + 1]:call(function(from, to)
        for v in from:iter() do to:put(v * 2) end
        return true
      end, work, results)
    end
    local collector = aio.spawn(function()
      local sum = 0
      for v in results:iter() do sum = sum + v end
      return sum
    end)
    aio.group(function(g)
      for p = 1, PRODUCERS do
        g:spawn(function()
          threads[p % 2 + 1]:call(function(c, n)
            for i = 1, n do c:put(i) end
          end, work, EACH):join()
        end)
      end
    end)
    work:close()
    for _, call in ipairs(calls) do call:join() end
    results:close()
    assert.equal(PRODUCERS * EACH * (EACH + 1), collector:join())
  end)

  it("may be closed while threads use it", function()
    local chan = thread:channel(1)
    local putters = {}
    for i = 1, 20 do
      putters[i] = thread:call(function(c)
        repeat until not c:put(1)
        return "ended"
      end, chan)
    end
    for _ = 1, 50 do chan:get() end
    chan:close()
    for _, putter in ipairs(putters) do
      assert.equal("ended", putter:join(5))
    end
  end)
end)
