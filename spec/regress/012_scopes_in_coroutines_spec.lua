--- Scopes that a user's coroutine holds open while it is suspended reached what
-- the task did outside of them, and crashed when a callback resumed it.
local aio = require "aio"

local function in_task(fn)
  return aio.spawn(fn):join()
end

describe("a scope in a suspended coroutine", function()
  it("does not cancel what the task does meanwhile", function()
    in_task(function()
      local co = coroutine.wrap(function()
        return aio.timeout(0.001, function()
          coroutine.yield("suspended")
          aio.sleep(10)
        end)
      end)
      assert.equal("suspended", co())
      aio.sleep(0.005) -- used to raise
      local value, message = co()
      assert.is_nil(value)
      assert.equal("timeout", message)
    end)
  end)

  it("does not shield what the task does meanwhile", function()
    local reached
    local t = aio.spawn(function()
      local co = coroutine.wrap(function()
        aio.shield(function()
          coroutine.yield()
        end)
      end)
      co()
      aio.self():cancel()
      aio.yield()
      reached = true
    end)
    assert.is_false(t:pjoin())
    assert.equal("cancelled", t:status())
    assert.is_nil(reached)
  end)

  it("is forgotten with its task", function()
    local weak = setmetatable({}, { __mode = "v" })
    in_task(function()
      local co = coroutine.create(function()
        local big = { "kept by the coroutine" }
        weak[1] = big
        aio.timeout(100, function() coroutine.yield(big) end)
      end)
      coroutine.resume(co)
    end)
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)
end)

describe("a group in a coroutine", function()
  local function suspended_group(task_ends)
    local co, child
    local t = aio.spawn(function()
      co = coroutine.create(function()
        return aio.group(function(g)
          child = g:spawn(aio.sleep, 10)
          coroutine.yield()
          return "ended"
        end)
      end)
      assert(coroutine.resume(co))
      if not task_ends then
        aio.park(10)
      end
    end)
    if task_ends then
      t:join()
    else
      aio.yield()
    end
    return co, child, t
  end

  it("says so when its body ends in a callback", function()
    local co, child, t = suspended_group(false)
    local ok, message
    aio.defer(function() ok, message = coroutine.resume(co) end)
    aio.yield()
    aio.yield()
    assert.is_false(ok)
    assert.matches("cannot wait for its tasks here", message)
    assert.is_false(child:pjoin())
    assert.equal("cancelled", child:status())
    t:cancel()
    t:pjoin()
  end)

  it("lets its tasks go when its own task ends", function()
    local co, child = suspended_group(true)
    assert.is_false(child:pjoin())
    assert.equal("cancelled", child:status())
    assert.same({ true, "ended" }, { coroutine.resume(co) })
  end)

  it("lets them go when nobody can reach it any more", function()
    local child = select(2, suspended_group(true))
    collectgarbage()
    collectgarbage()
    child:pjoin() -- used to touch the collected group
    assert.equal("cancelled", child:status())
  end)
end)

describe("aio.is_cancelled", function()
  it("knows what a failed group raises in its body", function()
    local inside
    local ok, err = pcall(aio.group, function(g)
      g:spawn(function() error("first", 0) end)
      local _, raised = pcall(aio.sleep, 10)
      inside = aio.is_cancelled(raised)
      assert.equal("aio.group (cancelled)", tostring(raised))
    end)
    assert.is_false(ok)
    assert.equal("first", err)
    assert.is_true(inside)
  end)

  it("does not take any group for a cancellation", function()
    aio.group(function(g)
      assert.is_false(aio.is_cancelled(g))
    end)
  end)
end)
