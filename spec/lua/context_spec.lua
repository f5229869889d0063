--- aio.context, the order of a tick, and the statistics.
local aio = require "aio"

--- A pipe-like pair: notifiers are readable once set.
local function ready_fd(ctx, fn)
  local n = assert(aio.notifier { ctx = ctx })
  n:handler(fn)
  n:set()
  return n
end

describe("aio.context", function()
  it("without arguments is the current one", function()
    assert.equal(aio.context(), aio.context())
    local ctx <close> = aio.context {}
    local seen
    local bh <close> = aio.bh(function() seen = aio.context() end, nil, ctx)
    bh:schedule()
    ctx:poll(false)
    assert.equal(ctx, seen)
    assert.not_equal(ctx, aio.context())
  end)

  it("runs nothing outside of its own poll", function()
    local ctx <close> = aio.context {}
    local runs = 0
    local bh <close> = aio.bh(function() runs = runs + 1 end, nil, ctx)
    bh:schedule()
    aio.yield()
    aio.yield()
    assert.equal(0, runs)
    assert.is_true(ctx:poll(false))
    assert.equal(1, runs)
    assert.is_false(ctx:poll(false))
  end)

  it("polls from a task: the task parks while the loop runs", function()
    local runs = 0
    local bh <close> = aio.bh(function() runs = runs + 1 end)
    bh:schedule()
    assert.is_true(aio.context():poll(true))
    assert.equal(1, runs)
    assert.is_boolean(aio.context():poll(false))
    assert.equal(1, runs)
  end)

  it("sleeps in a blocking poll until there is something to do", function()
    local ctx <close> = aio.context {}
    local fired
    local timer <close> = aio.timer {
      ctx = ctx,
      fn = function() fired = aio.now() end,
    }
    local deadline = aio.now() + 0.004
    timer:mod(deadline)
    for _ = 1, 10 do
      if ctx:poll(true) then
        break
      end
    end
    assert.is_true(fired >= deadline - 1e-6)
    timer:mod(aio.now() + 0.004)
    fired = nil
    local home = aio.context()
    local own <close> = aio.timer { fn = function() fired = true end }
    own:mod(aio.now() + 0.004)
    for _ = 1, 100 do
      if fired then
        break
      end
      home:poll(true)
    end
    assert.is_true(fired)
  end)

  it("polls nested from callbacks, of its own and of another context",
    function()
      local ctx <close> = aio.context {}
      local log = {}
      local inner <close> = aio.bh(function() log[#log + 1] = "inner" end,
        nil, ctx)
      local outer <close> = aio.bh(function()
        log[#log + 1] = "begin"
        inner:schedule()
        assert(ctx:poll(false))
        log[#log + 1] = "end"
      end, nil, ctx)
      outer:schedule()
      ctx:poll(false)
      assert.same({ "begin", "inner", "end" }, log)
      log = {}
      local home <close> = aio.bh(function()
        outer:schedule()
        ctx:poll(false)
      end)
      home:schedule()
      aio.yield()
      aio.yield()
      assert.same({ "begin", "inner", "end" }, log)
    end)

  it("returns from a blocking poll when notified", function()
    local ctx <close> = aio.context {}
    ctx:notify()
    assert.is_false(ctx:poll(true))
  end)

  it("cannot be polled in a finalizer", function()
    local err
    do
      local ctx = aio.context()
      setmetatable({}, {
        __gc = function() err = select(2, pcall(ctx.poll, ctx, false)) end,
      })
    end
    collectgarbage()
    collectgarbage()
    assert.matches("finalizer", err)
  end)

  it("switches its monitor and keeps its handlers", function()
    local ctx <close> = aio.context {}
    local n <close> = assert(aio.notifier { ctx = ctx })
    local calls = 0
    n:handler(function() calls = calls + 1 end)
    for round, fdmon in ipairs { "poll", "epoll", "poll" } do
      ctx:set { fdmon = fdmon }
      n:set()
      assert.is_true(ctx:poll(true))
      assert.equal(fdmon, ctx:get().fdmon)
      assert.equal(round, calls)
    end
  end)

  it("switches its monitor inside a callback, at the end of the tick",
    function()
      local ctx <close> = aio.context { fdmon = "epoll" }
      local n <close> = assert(aio.notifier { ctx = ctx })
      local inside
      n:handler(function()
        ctx:set { fdmon = "poll" }
        inside = ctx:get().fdmon
      end)
      n:set()
      assert.is_true(ctx:poll(true))
      assert.equal("epoll", inside)
      assert.equal("poll", ctx:get().fdmon)
      n:set()
      assert.is_true(ctx:poll(true))
    end)

  it("gets and sets its parameters", function()
    local ctx <close> = aio.context { fdmon = "poll", max_batch = 7 }
    ctx:set { poll_max_ns = 1000, poll_grow = 3, poll_shrink = 2 }
    ctx:set { thread_pool_min = 1, thread_pool_max = 5 }
    local got = ctx:get()
    assert.equal("poll", got.fdmon)
    assert.equal(7, got.max_batch)
    assert.equal(1000, got.poll_max_ns)
    assert.equal(3, got.poll_grow)
    assert.equal(2, got.poll_shrink)
    assert.equal(1, got.thread_pool_min)
    assert.equal(5, got.thread_pool_max)
  end)

  it("starts with the monitor the host was told to use", function()
    local told = os.getenv("AIOCTL_FDMON")
    local ctx <close> = aio.context {}
    ctx:poll(false)
    if told and told ~= "auto" then
      assert.equal(told, ctx:get().fdmon)
    end
    local other <close> = aio.context { fdmon = "poll" }
    assert.equal("poll", other:get().fdmon)
  end)

  it("refuses wrong parameters by name", function()
    local ctx <close> = aio.context {}
    local function refuses(options, pattern)
      local ok, err = pcall(ctx.set, ctx, options)
      assert.is_false(ok)
      assert.matches(pattern, err)
    end
    refuses({ fdmon = "epol" }, "epol")
    refuses({ fdmno = "epoll" }, "fdmon")
    refuses({ poll_max_ns = "x" }, "poll_max_ns")
    refuses({ poll_max_ns = 1.5 }, "poll_max_ns")
    refuses({ poll_max_ns = -1 }, "poll")
    refuses({ max_batch = -1 }, "batch")
    refuses({ thread_pool_min = 5, thread_pool_max = 1 }, "thread.pool")
    assert.has_error(function() aio.context { fdmon = "x" } end)
    assert.has_error(function() aio.context(3) end)
    collectgarbage() -- the contexts that were refused
  end)

  it("acquires and releases its lock, in pairs", function()
    local ctx <close> = aio.context {}
    ctx:acquire():acquire()
    ctx:release():release()
    assert.has_error(function() ctx:release() end)
  end)

  it("closes what belongs to it", function()
    local ctx = aio.context {}
    local bh = aio.bh(function() end, nil, ctx)
    local timer = aio.timer { ctx = ctx, fn = print }
    timer:mod(aio.now() + 100)
    bh:schedule()
    ctx:close()
    ctx:close()
    assert.has_error(function() ctx:poll() end)
    assert.has_error(function() bh:schedule() end)
    assert.has_error(function() timer:mod(0) end)
    assert.has_error(function() aio.bh(print, nil, ctx) end)
    assert.matches("closed", tostring(ctx))
  end)

  it("is kept alive by its handles", function()
    local bh
    do
      local ctx = aio.context {}
      bh = aio.bh(function() end, nil, ctx)
    end
    collectgarbage()
    collectgarbage()
    bh:schedule()
    bh:close()
  end)

  it("cannot be closed while it runs, nor the home context at all", function()
    local ctx <close> = aio.context {}
    local err
    local bh <close> = aio.bh(function()
      err = select(2, pcall(ctx.close, ctx))
    end, nil, ctx)
    bh:schedule()
    ctx:poll(false)
    assert.matches("while it is polled", err)
    assert.has_error(function() aio.context():close() end)
  end)

  it("counts what it does", function()
    local ctx <close> = aio.context {}
    local before = ctx:stats()
    local bh <close> = aio.bh(function() end, nil, ctx)
    local timer <close> = aio.timer { ctx = ctx, fn = function() end }
    local n <close> = ready_fd(ctx, function() end)
    bh:schedule()
    timer:mod(0)
    assert.is_truthy(n)
    for _ = 1, 3 do
      ctx:poll(false)
    end
    local after = ctx:stats()
    assert.equal(before.bhs + 1, after.bhs)
    assert.equal(before.timers + 1, after.timers)
    assert.equal(before.fds + 1, after.fds)
    assert.equal(before.iterations + 3, after.iterations)
    assert.equal(0, after.in_flight)
    local stats = aio.stats()
    assert.is_true(stats.iterations > 0)
    assert.is_true(stats.lua_bytes > 0)
    assert.is_true(stats.dispatched >= stats.coroutines)
    assert.equal(1, stats.tasks)
    assert.is_true(stats.handles >= 3)
  end)
end)

describe("a tick", function()
  it("runs bottom halves, then descriptors, then timers", function()
    local ctx <close> = aio.context {}
    local order = {}
    local function log(what)
      return function() order[#order + 1] = what end
    end
    local timer <close> = aio.timer { ctx = ctx, fn = log "timer" }
    timer:mod(0)
    local n <close> = ready_fd(ctx, log "fd")
    local bh <close> = aio.bh(log "bh", nil, ctx)
    bh:schedule()
    for _ = 1, 3 do
      ctx:poll(false)
    end
    assert.is_truthy(n)
    assert.same({ "bh", "fd", "timer" }, order)
  end)

  it("starts a spawned task later, in the order of spawning", function()
    local order = {}
    for i = 1, 3 do
      aio.spawn(function() order[#order + 1] = i end)
    end
    assert.same({}, order)
    aio.yield()
    aio.yield()
    assert.same({ 1, 2, 3 }, order)
  end)
end)
