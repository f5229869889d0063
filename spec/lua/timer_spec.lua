--- aio.timer.
local aio = require "aio"

--- Waits until @done() is true, at most two seconds.
local function eventually(done)
  local deadline = aio.now() + 2
  while not done() do
    assert(aio.now() < deadline, "nothing happened for two seconds")
    aio.sleep(0.001)
  end
end

describe("aio.timer", function()
  it("fires at its deadline, not before, once", function()
    local fired = {}
    local timer <close> = aio.timer {
      fn = function() fired[#fired + 1] = aio.now() end,
    }
    local deadline = aio.now() + 0.005
    timer:mod(deadline)
    assert.is_true(timer:pending())
    assert.near(deadline, timer:deadline(), 1e-6)
    eventually(function() return #fired > 0 end)
    assert.is_true(fired[1] >= deadline - 1e-6)
    assert.is_false(timer:pending())
    assert.is_nil(timer:deadline())
    aio.sleep(0.002)
    assert.equal(1, #fired)
  end)

  it("fires in the order of deadlines, equal ones in order of arming",
    function()
      local order = {}
      local timers = {}
      local base = aio.now() + 0.004
      local deadlines = { 0.002, 0.001, 0.001, 0.003, 0.001 }
      for i, delay in ipairs(deadlines) do
        timers[i] = aio.timer { fn = function() order[#order + 1] = i end }
        timers[i]:mod(base + delay)
      end
      eventually(function() return #order == #deadlines end)
      assert.same({ 2, 3, 5, 1, 4 }, order)
    end)

  it("moves with mod, and only forward with mod_anticipate", function()
    local timer <close> = aio.timer { fn = function() end }
    local now = aio.now()
    timer:mod(now + 100)
    timer:mod_anticipate(now + 200)
    assert.near(now + 100, timer:deadline(), 1e-6)
    timer:mod_anticipate(now + 50)
    assert.near(now + 50, timer:deadline(), 1e-6)
    timer:mod(now + 300)
    assert.near(now + 300, timer:deadline(), 1e-6)
    timer:del()
    assert.is_false(timer:pending())
    timer:mod_anticipate(now + 70)
    assert.near(now + 70, timer:deadline(), 1e-6)
  end)

  it("does not fire after del or close", function()
    local runs = 0
    local function count() runs = runs + 1 end
    local one <close> = aio.timer { fn = count }
    local two = aio.timer { fn = count }
    one:mod(aio.now() + 0.001):del():del()
    two:mod(aio.now() + 0.001)
    two:close()
    two:close()
    aio.sleep(0.005)
    assert.equal(0, runs)
    assert.has_error(function() two:mod(1) end)
    assert.has_error(function() two:pending() end)
  end)

  it("may be armed again by its own callback", function()
    local runs = 0
    local timer <close> = aio.timer {
      fn = function(self)
        runs = runs + 1
        if runs < 3 then
          self:mod(aio.now() + 0.001)
        end
      end,
    }
    timer:mod(aio.now())
    eventually(function() return runs == 3 end)
    assert.is_false(timer:pending())
  end)

  it("may be closed by its own callback", function()
    local fired = false
    do
      local timer = aio.timer {
        fn = function(self)
          self:close()
          collectgarbage()
          fired = true
        end,
      }
      timer:mod(0)
    end
    eventually(function() return fired end)
  end)

  it("is anchored while armed only", function()
    local seen = setmetatable({}, { __mode = "k" })
    local fired = false
    do
      local timer = aio.timer { fn = function() fired = true end }
      seen[timer] = true
      timer:mod(aio.now() + 0.002)
      timer = aio.timer { fn = print }
      seen[timer] = true
      timer = nil -- luacheck: ignore
    end
    collectgarbage()
    collectgarbage()
    local left = 0
    for _ in pairs(seen) do
      left = left + 1
    end
    assert.equal(1, left)
    eventually(function() return fired end)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)

  it("fires at once for times in the past, before the epoch too", function()
    local runs = 0
    local timer <close> = aio.timer { fn = function() runs = runs + 1 end }
    timer:mod(-5)
    eventually(function() return runs == 1 end)
    timer:mod(0)
    eventually(function() return runs == 2 end)
    timer:mod(math.huge)
    assert.is_true(timer:pending())
  end)

  it("runs on the clock it was made for", function()
    for _, clock in ipairs { "realtime", "virtual", "host", "virtual_rt" } do
      local fired = false
      local timer <close> = aio.timer {
        fn = function() fired = true end,
        clock = clock,
        name = clock,
      }
      timer:mod(aio.clock(clock) + 0.002)
      eventually(function() return fired end)
    end
  end)

  it("refuses to park in its callback and names it", function()
    local err
    local timer <close> = aio.timer {
      name = "tick",
      fn = function() err = select(2, pcall(aio.yield)) end,
    }
    timer:mod(0)
    eventually(function() return err end)
    assert.matches("timer 'tick', created at .*timer_spec.lua:%d+", err)
  end)

  it("checks its arguments", function()
    assert.has_error(function() aio.timer() end)
    assert.has_error(function() aio.timer {} end)
    assert.has_error(function() aio.timer { fn = 3 } end)
    assert.has_error(function() aio.timer { fn = print, clock = "moon" } end)
    local ok, err = pcall(aio.timer, { fn = print, nmae = "x" })
    assert.is_false(ok)
    assert.matches("name", err)
    ok, err = pcall(aio.timer, { fn = print, clock = "moon" })
    assert.is_false(ok)
    assert.matches("field 'clock': unknown clock 'moon' %(one of", err)
    local timer <close> = aio.timer { fn = print }
    assert.has_error(function() timer:mod() end)
    assert.has_error(function() timer:mod("soon") end)
    assert.has_error(function() timer:mod(0 / 0) end)
    assert.is_false(timer:pending())
  end)
end)

describe("the clocks", function()
  it("go forward and agree with each other", function()
    local before = aio.now()
    local ns = aio.now_ns()
    local after = aio.now()
    assert.equal("integer", math.type(ns))
    assert.is_true(before <= ns / 1e9 + 1e-6 and ns / 1e9 <= after + 1e-6)
    assert.near(aio.now(), aio.clock(), 0.1)
    assert.near(aio.now(), aio.clock("realtime"), 0.1)
    assert.near(os.time(), aio.clock("host"), 2)
    assert.has_error(function() aio.clock("sundial") end)
  end)
end)
