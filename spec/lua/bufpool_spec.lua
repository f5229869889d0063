-- aio.bufpool: handing out, waiting, losing and closing

local aio = require "aio"

describe("aio.bufpool", function()
  it("hands out as many buffers as it has, all different", function()
    local pool <close> = aio.bufpool { count = 3, size = 1000, align = 512 }
    local a, b, c = pool:get(), pool:get(), pool:get()
    assert.equal(1000, #a)
    a:fill("a")
    b:fill("b")
    c:fill("c")
    assert.equal(("a"):rep(1000), a:tostring())
    assert.equal(("b"):rep(1000), b:tostring())
    assert.is_nil(pool:try_get())
    assert.equal(0, pool:stats().free)
  end)

  it("takes closed buffers back, and the stale handle is closed", function()
    local pool <close> = aio.bufpool { count = 1, size = 16 }
    local a = pool:get()
    local s = a:slice(0, 4)
    a:close()
    a:close() -- once is enough
    assert.error_matches(function() a:tostring() end, "closed")
    assert.equal(1, pool:stats().free)
    local b <close> = pool:get()
    assert.equal(16, #b)
    assert.error_matches(function() s:tostring() end, "closed")
  end)

  it("parks when empty, and serves waiters in order", function()
    local pool <close> = aio.bufpool { count = 1, size = 16 }
    local held = pool:get()
    local order = {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(function()
        local b <close> = pool:get()
        order[#order + 1] = i
        aio.yield()
        assert.equal(16, #b)
      end)
    end
    aio.yield()
    assert.equal(3, pool:stats().waiting)
    held:close()
    assert.is_nil(pool:try_get()) -- it is on its way to the first
    for _, task in ipairs(tasks) do
      task:join()
    end
    assert.same({ 1, 2, 3 }, order)
    assert.equal(1, pool:stats().free)
  end)

  it("gives up after the given time", function()
    local pool <close> = aio.bufpool { count = 1, size = 16 }
    local held <close> = pool:get()
    local b, message, errno = pool:get(0.001)
    assert.is_nil(b)
    assert.equal("timeout", message)
    assert.equal(aio.errno.ETIMEDOUT, errno)
    assert.equal(0, pool:stats().waiting)
    assert.equal(16, #held)
  end)

  it("loses no buffer to a cancelled waiter", function()
    local pool <close> = aio.bufpool { count = 1, size = 16 }
    local held = pool:get()
    local task = aio.spawn(function()
      local b <close> = pool:get()
      assert.equal(16, #b)
    end)
    aio.yield()
    held:close()  -- handed to the task, which is cancelled before it runs
    task:cancel()
    task:pjoin()
    assert.equal(1, pool:stats().free)
  end)

  it("gets back what was lost and collected", function()
    local pool <close> = aio.bufpool { count = 2, size = 16 }
    for _ = 1, 5 do
      do
        local lost = { pool:get(), pool:get() }
        assert.equal(2, #lost)
      end
      collectgarbage()
      collectgarbage()
      assert.equal(2, pool:stats().free)
    end
  end)

  it("lets buffers that are out live on after close", function()
    local pool = aio.bufpool { count = 2, size = 16 }
    local b = pool:get()
    pool:close()
    pool:close()
    b:set(0, "still here")
    assert.equal("still", b:tostring(0, 5))
    b:close()
    assert.error_matches(function() pool:get() end, "closed")
  end)

  it("wakes its waiters on close", function()
    local pool = aio.bufpool { count = 1, size = 16 }
    local held = pool:get()
    local task = aio.spawn(function() return pool:get() end)
    aio.yield()
    pool:close()
    local b, message, errno = task:join()
    assert.is_nil(b)
    assert.matches("closed", message)
    assert.equal(aio.errno.EPIPE, errno)
    held:close()
  end)

  it("refuses to move a pooled buffer", function()
    local pool <close> = aio.bufpool { count = 1, size = 16 }
    local b <close> = pool:get()
    assert.error_matches(function() b:move() end, "pooled")
  end)

  it("refuses nonsense", function()
    assert.has_error(function() aio.bufpool { count = 0, size = 1 } end)
    assert.has_error(function() aio.bufpool { count = 1 } end)
    assert.has_error(function() aio.bufpool { count = 1, size = -1 } end)
    assert.error_matches(function()
      aio.bufpool { cuont = 1, size = 1 }
    end, "count")
  end)

  it("goes on unregistered when registration is refused", function()
    local pool <close> =
      aio.bufpool { count = 1, size = 4096, register = true }
    local b <close> = pool:get()
    assert.equal(pool:stats().registered, b:is_registered())
  end)

  it("asks for huge pages for registered memory", function()
    local MODE = "/sys/kernel/mm/transparent_hugepage/enabled"
    local f <close> = io.open(MODE)
    if not f then
      pending("this kernel has no transparent huge pages: no " .. MODE)
      return
    end
    local function advised() -- mappings with the flag "hg"
      local count = 0
      for line in io.lines("/proc/self/smaps") do
        count = count + (line:find("^VmFlags:.* hg") and 1 or 0)
      end
      return count
    end
    local before = advised()
    local pool <close> =
      aio.bufpool { count = 8, size = 1 << 20, register = true }
    assert.equal(8, #pool)
    assert.equal(before + 1, advised())
    local small <close> =
      aio.bufpool { count = 8, size = 4096, register = true }
    assert.equal(8, #small)
    assert.equal(before + 1, advised())
  end)
end)
