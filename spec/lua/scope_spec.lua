-- Scopes: groups, timeouts, shields.
local aio = require "aio"

describe("aio.timeout", function()
  it("returns the results of a function in time", function()
    assert.are.same({ n = 3, 1, nil, 3 }, table.pack(aio.timeout(10, function(x)
      aio.yield()
      return x, nil, 3
    end, 1)))
  end)

  it("gives up a function that is late", function()
    local cleaned
    local ok, message, code = aio.timeout(0.002, function()
      local _ <close> = setmetatable({}, { __close = function()
        aio.sleep(0.001)
        cleaned = true
      end })
      aio.sleep(100)
    end)
    assert.is_nil(ok)
    assert.are.equal("timeout", message)
    assert.are.equal(aio.errno.ETIMEDOUT, code)
    assert.is_true(cleaned)
  end)

  it("passes errors through, the same value", function()
    local value = {}
    local ok, err = pcall(aio.timeout, 10, function() error(value) end)
    assert.is_false(ok)
    assert.are.equal(value, err)
  end)

  it("does not reach beyond itself", function()
    aio.timeout(0.001, function()
      local start = aio.now()
      while aio.now() - start < 0.003 do end -- late, and never parks
    end)
    aio.yield() -- would raise
    aio.sleep(0.001)
  end)

  it("nests: the outer one ends the inner", function()
    local start = aio.now()
    local inner = "not reached"
    local ok = aio.timeout(0.002, function()
      inner = aio.timeout(100, aio.sleep, 100)
      inner = "returned"
    end)
    assert.is_nil(ok)
    assert.are.equal("not reached", inner)
    assert.is_true(aio.now() - start < 50)
    assert.are.equal("outer goes on", aio.timeout(100, function()
      assert(aio.timeout(0.001, aio.sleep, 100) == nil)
      aio.yield()
      return "outer goes on"
    end))
  end)

  it("is told apart from the cancellation of the task", function()
    local t = aio.spawn(function() return aio.timeout(100, aio.sleep, 100) end)
    aio.yield()
    t:cancel()
    local ok, err = t:pjoin()
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    assert.are.equal("cancelled", t:status())
  end)

  it("lets a coroutine yield out of it", function()
    local co = coroutine.wrap(function()
      return aio.timeout(10, function()
        coroutine.yield(1)
        return 2
      end)
    end)
    assert.are.equal(1, co())
    assert.are.equal(2, co())
  end)
end)

describe("aio.shield", function()
  it("puts a cancel request off", function()
    local log = {}
    local t = aio.spawn(function()
      local r = aio.shield(function(x)
        aio.sleep(0.002)
        log[#log + 1] = "shielded"
        return x
      end, "result")
      log[#log + 1] = r
      aio.sleep(0)
      log[#log + 1] = "not reached"
    end)
    aio.yield()
    t:cancel()
    local ok, err = t:pjoin()
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    assert.are.same({ "shielded", "result" }, log)
  end)

  it("runs normally although a request is pending", function()
    local t = aio.spawn(function()
      aio.self():cancel()
      local r = aio.shield(function()
        aio.yield()
        return aio.timeout(0.001, aio.sleep, 100) == nil
      end)
      local ok, err = pcall(aio.yield)
      return r, ok, aio.is_cancelled(err)
    end)
    assert.are.same({ true, false, true }, { t:join() })
  end)

  it("passes errors through", function()
    local ok, err = pcall(aio.shield, function() error("x", 0) end)
    assert.is_false(ok)
    assert.are.equal("x", err)
  end)
end)

describe("aio.group", function()
  it("returns when all have ended", function()
    local ended = 0
    local r = aio.group(function(g)
      for i = 1, 5 do
        g:spawn(function()
          aio.sleep(0.001 * i)
          ended = ended + 1
        end)
      end
      return "body"
    end)
    assert.are.equal(5, ended)
    assert.are.equal("body", r)
  end)

  it("cancels the others after the first error, and raises it", function()
    local value, cancelled = {}, 0
    local ok, err = pcall(aio.group, function(g)
      for _ = 1, 3 do
        g:spawn(function()
          local ok, e = pcall(aio.sleep, 100)
          cancelled = cancelled + (not ok and 1 or 0)
          error(e, 0)
        end)
      end
      g:spawn(function()
        aio.sleep(0.001)
        error(value)
      end)
      aio.sleep(100)
    end)
    assert.is_false(ok)
    assert.are.equal(value, err)
    assert.are.equal(3, cancelled)
  end)

  it("cancels its tasks when the body fails", function()
    local child
    local ok, err = pcall(aio.group, function(g)
      child = g:spawn(aio.sleep, 100)
      aio.yield()
      error("body", 0)
    end)
    assert.is_false(ok)
    assert.are.equal("body", err)
    assert.are.equal("cancelled", child:status())
  end)

  it("is cancelled with its parent, and waits for its tasks", function()
    local cleaned
    local parent = aio.spawn(function()
      aio.group(function(g)
        g:spawn(function()
          local _ <close> = setmetatable({}, { __close = function()
            aio.sleep(0.002)
            cleaned = true
          end })
          aio.sleep(100)
        end)
      end)
    end)
    aio.yield()
    aio.yield()
    parent:cancel()
    local _, err = parent:pjoin()
    assert.is_true(aio.is_cancelled(err))
    assert.is_true(cleaned)
  end)

  it("keeps to its limit", function()
    local running, most = 0, 0
    aio.group(function(g)
      for _ = 1, 20 do
        g:spawn(function()
          running = running + 1
          most = math.max(most, running)
          aio.sleep(0.0005)
          running = running - 1
        end)
      end
    end, { limit = 3 })
    assert.are.equal(3, most)
  end)

  it("hands out tasks that can be joined", function()
    assert.are.equal(6, aio.group(function(g)
      local a, b = g:spawn(function() return 2 end), g:spawn(function()
        aio.sleep(0.001)
        return 4
      end)
      return a:join() + b:join()
    end))
  end)

  it("cannot be used after its end", function()
    local kept
    aio.group(function(g) kept = g end)
    local ok, err = pcall(kept.spawn, kept, print)
    assert.is_false(ok)
    assert.matches("group has ended", err)
  end)

  it("refuses unknown options", function()
    local _, err = pcall(aio.group, function() end, { limits = 1 })
    assert.matches("unknown option 'limits' %(did you mean 'limit'%?%)", err)
    assert.is_false((pcall(aio.group, function() end, { limit = 0 })))
  end)
end)
