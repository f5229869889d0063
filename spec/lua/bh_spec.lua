--- Bottom halves: aio.bh and aio.defer.
local aio = require "aio"

--- Runs ticks until @done() or for a bounded number of them.
local function tick(n)
  for _ = 1, n or 2 do
    aio.yield()
  end
end

describe("aio.bh", function()
  it("runs its callback once however often it was scheduled", function()
    local runs = 0
    local bh <close> = aio.bh(function() runs = runs + 1 end)
    bh:schedule():schedule()
    bh:schedule()
    assert.equal(0, runs)
    tick()
    assert.equal(1, runs)
    tick()
    assert.equal(1, runs)
  end)

  it("passes itself to the callback", function()
    local got
    local bh <close> = aio.bh(function(self) got = self end)
    bh:schedule()
    tick()
    assert.equal(bh, got)
  end)

  it("runs in the order of scheduling", function()
    local order = {}
    local handles = {}
    for i = 1, 5 do
      handles[i] = aio.bh(function() order[#order + 1] = i end)
    end
    for _, i in ipairs { 3, 1, 5, 2, 4 } do
      handles[i]:schedule()
    end
    tick()
    assert.same({ 3, 1, 5, 2, 4 }, order)
  end)

  it("runs in a later tick when it schedules itself", function()
    local ctx <close> = aio.context {}
    local runs = 0
    local bh <close> = aio.bh(function(self)
      runs = runs + 1
      if runs < 3 then
        self:schedule()
      end
    end, "again", ctx)
    bh:schedule()
    assert.is_true(ctx:poll(false))
    assert.equal(1, runs)
    assert.is_true(ctx:poll(false))
    assert.equal(2, runs)
    assert.is_true(ctx:poll(false))
    assert.is_false(ctx:poll(false))
    assert.equal(3, runs)
  end)

  it("does not run when cancelled, and can be scheduled again", function()
    local runs = 0
    local bh <close> = aio.bh(function() runs = runs + 1 end)
    bh:schedule():cancel()
    tick()
    assert.equal(0, runs)
    bh:cancel():schedule()
    tick()
    assert.equal(1, runs)
  end)

  it("does not run when deleted", function()
    local runs = 0
    local bh = aio.bh(function() runs = runs + 1 end)
    bh:schedule()
    bh:delete()
    bh:delete()
    tick()
    assert.equal(0, runs)
  end)

  it("may be deleted by its own callback", function()
    local bh
    local runs = 0
    bh = aio.bh(function(self)
      runs = runs + 1
      self:close()
      bh = nil
      collectgarbage()
      collectgarbage()
    end)
    bh:schedule()
    tick()
    assert.equal(1, runs)
    assert.is_nil(bh)
  end)

  it("raises after it was closed, saying which one", function()
    local bh = aio.bh(function() end, "mine")
    bh:close()
    for _, method in ipairs { "schedule", "schedule_idle", "cancel", "remote",
      "schedule_always" } do
      local ok, err = pcall(bh[method], bh)
      assert.is_false(ok)
      assert.matches("closed", err)
      assert.matches("bh", err)
    end
  end)

  it("stays alive while scheduled and is collectable afterwards", function()
    local seen = setmetatable({}, { __mode = "k" })
    local ran = false
    do
      local bh = aio.bh(function() ran = true end)
      seen[bh] = true
      bh:schedule()
      bh = nil -- luacheck: ignore
    end
    collectgarbage()
    collectgarbage()
    assert.is_not_nil(next(seen))
    tick()
    assert.is_true(ran)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)

  it("runs in each turn from schedule_always() until it is cancelled",
    function()
      local ctx <close> = aio.context {}
      local runs, cancelled = 0, false
      local bh <close> = aio.bh(function(self)
        runs = runs + 1
        if runs == 3 then
          self:cancel()
          cancelled = true
        end
      end, nil, ctx)
      bh:schedule_always():schedule_always()
      collectgarbage()
      for i = 1, 3 do
        assert.is_true(ctx:poll(true))
        assert.equal(i, runs)
      end
      assert.is_true(cancelled)
      assert.is_false(ctx:poll(false))
      assert.equal(3, runs)
      bh:schedule()
      assert.is_true(ctx:poll(false))
      assert.is_false(ctx:poll(false))
      assert.equal(4, runs)
    end)

  it("that is always scheduled stays alive, and may close itself", function()
    local seen = setmetatable({}, { __mode = "k" })
    local runs = 0
    do
      local bh = aio.bh(function(self)
        runs = runs + 1
        collectgarbage()
        if runs == 3 then self:close() end
      end)
      seen[bh] = true
      bh:schedule_always()
      bh = nil -- luacheck: ignore
    end
    for _ = 1, 5 do tick() end
    assert.equal(3, runs)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)

  it("runs its callback on a thread that scripts cannot resume", function()
    local thread
    local bh <close> = aio.bh(function()
      thread = coroutine.running()
      assert(coroutine.status(thread) == "running")
      assert(not coroutine.resume(thread))
      assert(not pcall(coroutine.close, thread))
    end)
    bh:schedule()
    tick()
    assert.equal("dead", coroutine.status(thread))
    assert.same({ false, "cannot resume dead coroutine" },
      { coroutine.resume(thread) })
    assert.same({ false, "cannot resume dead coroutine" },
      { coroutine.resume(thread, print) })
    assert.is_true(coroutine.close(thread))
    thread = nil
    bh:schedule()
    tick()
    assert.is_not_nil(thread)
  end)

  it("runs when idle within 10 ms, which is no progress", function()
    local ctx <close> = aio.context {}
    local runs = 0
    local bh <close> = aio.bh(function() runs = runs + 1 end, nil, ctx)
    bh:schedule_idle()
    assert.is_false(ctx:poll(false))
    assert.equal(1, runs)
  end)

  it("refuses to park in its callback and names it", function()
    local err
    local bh <close> = aio.bh(function()
      err = select(2, pcall(aio.sleep, 0.001))
    end, "no parking")
    bh:schedule()
    tick()
    assert.matches("bh 'no parking', created at .*bh_spec.lua:%d+", err)
  end)

  it("checks its arguments", function()
    assert.has_error(function() aio.bh() end)
    assert.has_error(function() aio.bh(3) end)
    assert.has_error(function() aio.bh(print, {}) end)
    assert.has_error(function() aio.bh(print, "x", 3) end)
    local bh <close> = aio.bh(print)
    assert.has_error(function() bh.schedule(3) end)
    assert.has_error(function() bh.schedule(io.stdout) end)
  end)

  it("shows up in aio.handles()", function()
    local bh <close> = aio.bh(function() end, "visible")
    local found
    for _, handle in ipairs(aio.handles()) do
      if handle.name == "visible" then
        found = handle
      end
    end
    assert.equal("bh", found.kind)
    assert.is_false(found.armed)
    assert.matches("bh_spec.lua:%d+", found.origin)
    assert.matches("visible", tostring(bh))
  end)
end)

describe("bh:remote()", function()
  it("schedules the bottom half", function()
    local runs = 0
    local bh <close> = aio.bh(function() runs = runs + 1 end)
    local proxy <close> = bh:remote()
    proxy:schedule():schedule()
    tick()
    assert.equal(1, runs)
  end)

  it("keeps the bottom half alive, idle or not", function()
    local runs = 0
    local proxy <close> = aio.bh(function() runs = runs + 1 end):remote()
    collectgarbage()
    collectgarbage()
    proxy:schedule()
    tick()
    assert.equal(1, runs)
    proxy:schedule()
    tick()
    assert.equal(2, runs)
  end)

  it("does not lose a call when closed right after it", function()
    local runs = 0
    local proxy = aio.bh(function() runs = runs + 1 end):remote()
    proxy:schedule()
    proxy:close()
    collectgarbage()
    collectgarbage()
    tick()
    assert.equal(1, runs)
  end)

  it("raises once the bottom half or itself is closed", function()
    local bh = aio.bh(function() end)
    local proxy <close> = bh:remote()
    local other = bh:remote()
    other:close()
    other:close()
    assert.has_error(function() other:schedule() end)
    bh:close()
    assert.has_error(function() proxy:schedule() end)
  end)
end)

describe("aio.defer", function()
  it("runs a function once, later", function()
    local runs = 0
    aio.defer(function() runs = runs + 1 end)
    assert.equal(0, runs)
    tick(3)
    assert.equal(1, runs)
  end)

  it("can be taken back", function()
    local runs = 0
    aio.defer(function() runs = runs + 1 end):close()
    tick()
    assert.equal(0, runs)
  end)
end)
