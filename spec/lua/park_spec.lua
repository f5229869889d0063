-- aio.park, wakers and aio.await.
local aio = require "aio"

describe("aio.park", function()
  it("ends when the waker is called", function()
    local t = aio.spawn(function() return aio.park() end)
    local wake = t:waker()
    aio.yield()
    assert.are.equal("parked", t:status())
    wake()
    assert.is_true(t:join())
  end)

  it("remembers an early wake, once", function()
    local t = aio.spawn(function()
      aio.yield()
      aio.yield()
      assert(aio.park())
      return aio.park(0.002)
    end)
    local wake = t:waker()
    wake()
    wake()
    local ok, message = t:join()
    assert.is_nil(ok)
    assert.are.equal("timeout", message)
  end)

  it("is woken from callbacks", function()
    local t = aio.spawn(function() return aio.park() end)
    local wake = t:waker()
    aio.yield()
    local bh = aio.bh(function() wake() end)
    bh:schedule()
    assert.is_true(t:join())
  end)

  it("is the only wait a waker ends", function()
    local t = aio.spawn(function()
      local start = aio.now()
      aio.sleep(0.01)
      return aio.now() - start
    end)
    local wake = t:waker()
    aio.yield()
    wake()
    assert.is_true(t:join() >= 0.009)
    wake() -- harmless after the end
    collectgarbage()
    collectgarbage()
    wake()
  end)

  it("does not wake another task that was recycled", function()
    local old = aio.spawn(function() end)
    local wake = old:waker()
    old:join()
    local new = aio.spawn(function() return aio.park(0.005) end)
    aio.yield()
    wake()
    assert.is_nil((new:join()))
  end)

  it("is cancelled without losing a wake", function()
    local t = aio.spawn(function()
      local ok, err = pcall(aio.park)
      assert(not ok and aio.is_cancelled(err))
      return aio.park(0.005)
    end)
    local wake = t:waker()
    aio.yield()
    t:cancel()
    aio.yield()
    wake()
    assert.is_true(t:join())
  end)

  it("takes part in a big round of tasks", function()
    local n, wakers, tasks, sum = 1000, {}, {}, 0
    for i = 1, n do
      tasks[i] = aio.spawn(function()
        aio.park()
        sum = sum + i
      end)
      wakers[i] = tasks[i]:waker()
    end
    aio.yield()
    for i = n, 1, -1 do wakers[i]() end
    for i = 1, n do tasks[i]:join() end
    assert.are.equal(n * (n + 1) // 2, sum)
  end)
end)

describe("aio.await", function()
  it("returns what done was called with", function()
    local function later(done)
      aio.bh(function() done(1, nil, 3) end):schedule()
    end
    assert.are.same({ n = 3, 1, nil, 3 }, table.pack(aio.await(later)))
    assert.are.equal("now", aio.await(function(done) done("now") end))
  end)

  it("takes the first call only", function()
    local second
    assert.are.equal(1, aio.await(function(done)
      done(1)
      second = done(2)
    end))
    assert.is_false(second)
  end)

  it("raises what its function raises, and can give up", function()
    local ok, err = pcall(aio.await, function() error("early", 0) end)
    assert.is_false(ok)
    assert.are.equal("early", err)
    local late
    assert.is_nil((aio.await(function(done) late = done end, 0.002)))
    assert.is_true(late()) -- nobody waits: harmless
  end)

  it("is cancelled", function()
    local late
    local t = aio.spawn(aio.await, function(done) late = done end)
    aio.yield()
    t:cancel()
    local _, err = t:pjoin()
    assert.is_true(aio.is_cancelled(err))
    late()
  end)
end)
