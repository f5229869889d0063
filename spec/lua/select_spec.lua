--- aio.select: the first of several things, and only that one.
local aio = require "aio"
local sync = require "aio.sync"

local function tick()
  aio.yield()
  aio.yield()
end

describe("aio.select", function()
  it("returns the key and the value of the channel that has one", function()
    local a, b = sync.chan(1), sync.chan(1)
    b:put("v")
    assert.same({ 2, "v" }, { aio.select { a, b } })
    a:put("w")
    assert.same({ "in", "w" }, { aio.select { ["in"] = a, out = b } })
  end)

  it("prefers the first of the list when several can go on", function()
    local a, b = sync.chan(1), sync.chan(1)
    a:put(1)
    b:put(2)
    assert.same({ 1, 2 }, { aio.select { b, a } })
    assert.equal(1, #a)
    assert.same({ 2, 1 }, { aio.select { b, a, x = a } })
  end)

  it("takes from one channel only, though both get a value at once", function()
    local a, b = sync.chan(), sync.chan(1)
    local task = aio.spawn(aio.select, { a, b })
    tick()
    assert.is_true(a:try_put("first")) -- handed to the waiting task
    assert.is_true(b:try_put("second")) -- stays in the channel
    assert.same({ 1, "first" }, { task:join(2) })
    assert.equal(1, #b)
    assert.equal("second", b:try_get())
  end)

  it("leaves no waiter behind after a time-out", function()
    local a = sync.chan()
    assert.same({ nil, "timeout", aio.errno.ETIMEDOUT },
      { aio.select({ a }, 0.001) })
    assert.is_false(a:try_put(1))
  end)

  it("puts where there is room, once", function()
    local full, empty = sync.chan(1), sync.chan(1)
    full:put(1)
    local cases = { { put = full, value = "x" }, { put = empty, value = "y" } }
    assert.same({ 2, true }, { aio.select(cases) })
    assert.equal("y", empty:get())
    empty:put("z")
    local task = aio.spawn(aio.select, cases)
    tick()
    assert.equal(1, full:get())
    assert.same({ 1, true }, { task:join(2) })
    assert.equal("x", full:get())
    assert.equal("z", empty:get())
    assert.is_nil(empty:try_get())
  end)

  it("meets another select on a channel without room", function()
    local chan = sync.chan()
    local getter = aio.spawn(aio.select, { chan, 2 })
    local putter = aio.spawn(aio.select, { { put = chan, value = "v" }, 2 })
    assert.same({ 1, "v" }, { getter:join(2) })
    assert.same({ 1, true }, { putter:join(2) })
  end)

  it("tells that a channel is closed, before and while it waits", function()
    local a, b = sync.chan(), sync.chan()
    local task = aio.spawn(aio.select, { a, { put = b, value = 1 } })
    tick()
    b:close()
    assert.same({ 2, nil, "closed", aio.errno.EPIPE }, { task:join(2) })
    a:close()
    assert.same({ n = 2, 1, nil }, table.pack(aio.select { a }))
    task = aio.spawn(aio.select, { sync.chan(), sync.chan(), x = b })
    assert.same({ n = 2, "x", nil }, table.pack(task:join(2)))
  end)

  it("returns what pjoin() of a task returns, its error included", function()
    local good = aio.spawn(function()
      aio.yield()
      return "a", "b"
    end)
    assert.same({ 1, true, "a", "b" }, { aio.select { good } })
    local bad = aio.spawn(function()
      aio.yield()
      error("oops", 0)
    end)
    assert.same({ "bad", false, "oops" }, { aio.select { bad = bad } })
    assert.same({ 1, true, "a", "b" }, { aio.select { good, bad } })
  end)

  it("waits for seconds, the shortest of several", function()
    local start = aio.now()
    assert.same({ "soon" }, { aio.select { late = 2, soon = 0.002 } })
    assert.is_true(aio.now() - start < 1)
    assert.same({ nil, "timeout", aio.errno.ETIMEDOUT },
      { aio.select({ late = 2 }, 0.001) })
  end)

  it("waits for descriptors, events and semaphores", function()
    local notifier <close> = aio.notifier()
    local event, sem = sync.event(), sync.sem(0)
    local cases = { fd = { fd = notifier, want = "r" }, event = event,
      sem = sem, never = sync.chan() }
    aio.defer(function() notifier:set() end)
    assert.same({ "fd", "r" }, { aio.select(cases) })
    notifier:test_and_clear()
    aio.defer(function() sem:release() end)
    assert.same({ "sem", true }, { aio.select(cases) })
    assert.equal(0, sem:value())
    aio.defer(function() event:set() end)
    assert.same({ "event", true }, { aio.select(cases) })
    assert.same({ "event", true }, { aio.select(cases) })
    local task = aio.spawn(aio.select, { notifier, sync.chan() })
    aio.defer(function() notifier:set() end)
    assert.same({ 1, "r" }, { task:join(2) })
  end)

  it("takes more cases than fit on the stack", function()
    local cases = {}
    for i = 1, 100 do
      cases[i] = sync.chan(1)
    end
    local task = aio.spawn(aio.select, cases)
    tick()
    cases[73]:put("v")
    assert.same({ 73, "v" }, { task:join(2) })
    for _, chan in ipairs(cases) do
      assert.is_true(chan:try_put(1)) -- queued: nobody waits any more
      assert.equal(1, #chan)
    end
  end)

  it("passes on what it was given when it is cancelled meanwhile", function()
    local chan, sem = sync.chan(), sync.sem(0)
    for _, case in ipairs { chan, sem } do
      local task = aio.spawn(aio.select, { case, 2 })
      tick()
      if case == chan then
        assert.is_true(chan:try_put("v"))
      else
        sem:release()
      end
      task:cancel()
      local ok, err = task:pjoin(2)
      assert.is_false(ok)
      assert.is_true(aio.is_cancelled(err))
    end
    assert.equal("v", chan:try_get())
    assert.equal(1, sem:value())
  end)

  it("is cancelled like any wait, and then stands in no queue", function()
    local chan = sync.chan()
    local notifier <close> = aio.notifier()
    local task = aio.spawn(aio.select, { chan, notifier, aio.self() })
    tick()
    task:cancel()
    assert.is_false((task:pjoin(2)))
    assert.is_false(chan:try_put(1))
    local handler <close> = aio.fd(notifier:fd(), { read = print }) -- is free
    assert.is_truthy(handler)
  end)

  it("says what is wrong with a case", function()
    assert.has_error(function() aio.select { x = true } end, "case 'x' of " ..
      "select: channel, task, semaphore, event, descriptor or seconds " ..
      "expected, got boolean")
    assert.has_error(function() aio.select { { put = 1, value = 2 } } end,
      "case '1' of select: put wants a channel, got number")
    assert.has_error(function() aio.select { { put = sync.chan() } } end,
      "case '1' of select: value to put expected, got nil")
    assert.has_error(function() aio.select { {} } end, "case '1' of select: " ..
      "{put = chan, value = v} or {fd = fd, want = 'r'} expected, got table")
    assert.error_matches(function() aio.select {} end, "nothing to wait for")
    assert.error_matches(function() aio.select(1) end, "table expected")
    assert.error_matches(function() aio.select { -1 } end, "negative")
    assert.error_matches(function() aio.select { aio.self() } end,
      "cannot join itself")
    local key, value, message, code = aio.select { f = { fd = 99999 } }
    assert.same({ "f", nil, aio.errno.EBADF }, { key, value, code })
    assert.matches("EBADF.*fd 99999", message)
  end)

  it("may not park in a callback", function()
    local err
    aio.defer(function()
      local _
      _, err = pcall(aio.select, { sync.chan() })
    end)
    tick()
    assert.matches("cannot park in a callback", err)
  end)
end)
