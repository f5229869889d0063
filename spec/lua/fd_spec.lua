--- aio.fd, aio.wait_fd and aio.notifier.
local aio = require "aio"

local function tick(n)
  for _ = 1, n or 2 do
    aio.yield()
  end
end

--- Waits until @done() is true, at most two seconds.
local function eventually(done)
  local deadline = aio.now() + 2
  while not done() do
    assert(aio.now() < deadline, "nothing happened for two seconds")
    aio.sleep(0.001)
  end
end

--- A notifier: a descriptor whose readiness a spec controls.
local function switch()
  return assert(aio.notifier())
end

describe("aio.fd", function()
  it("calls read while the descriptor is readable", function()
    local n <close> = switch()
    local calls = 0
    local h <close> = aio.fd(n:fd(), {
      read = function() calls = calls + 1 end,
    })
    tick(3)
    assert.equal(0, calls)
    n:set()
    eventually(function() return calls >= 2 end) -- level-triggered
    n:test_and_clear()
    tick()
    local seen = calls
    tick(3)
    assert.equal(seen, calls)
    assert.equal(n:fd(), h:fd())
  end)

  it("calls write while the descriptor is writable", function()
    local n <close> = switch()
    local got
    local h <close> = aio.fd(n:fd(), {
      write = function(self)
        got = self
        self:set { write = false }
      end,
    })
    eventually(function() return got end)
    assert.equal(h, got)
  end)

  it("calls read before write", function()
    local n <close> = switch()
    local order = {}
    n:set()
    local h <close> = aio.fd(n:fd(), {
      read = function() order[#order + 1] = "read" end,
      write = function() order[#order + 1] = "write" end,
    })
    eventually(function() return #order >= 2 end)
    h:delete()
    assert.same({ "read", "write" }, { order[1], order[2] })
  end)

  it("changes one callback and keeps the others", function()
    local n <close> = switch()
    local log = {}
    local h <close> = aio.fd(n:fd(), {
      read = function() log.old = true end,
    })
    n:set()
    h:set { read = function() log.new = true end }
    eventually(function() return log.new end)
    assert.is_nil(log.old)
    h:set { write = function() log.write = true end }
    log.new = nil
    eventually(function() return log.new and log.write end)
    h:set { read = false, write = false }
    log = {}
    tick(3)
    assert.is_nil(next(log))
  end)

  it("may be deleted by its own callback, which ends the tick for it",
    function()
      local n <close> = switch()
      local log = {}
      n:set()
      aio.fd(n:fd(), {
        read = function(self)
          log[#log + 1] = "read"
          self:delete()
          self = nil -- luacheck: ignore
          collectgarbage()
          collectgarbage()
        end,
        write = function() log[#log + 1] = "write" end,
      })
      tick(4)
      assert.same({ "read" }, log)
    end)

  it("is anchored while it watches", function()
    local n <close> = switch()
    local calls = 0
    local seen = setmetatable({}, { __mode = "k" })
    do
      local h = aio.fd(n:fd(), {
        read = function(self)
          calls = calls + 1
          self:close()
        end,
      })
      seen[h] = true
      h = nil -- luacheck: ignore
    end
    collectgarbage()
    collectgarbage()
    n:set()
    eventually(function() return calls == 1 end)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)

  it("has one handler per descriptor, and names the one there is", function()
    local n <close> = switch()
    local h <close> = aio.fd(n:fd(), { read = print, name = "first" })
    local ok, err = pcall(aio.fd, n:fd(), { read = print })
    assert.is_false(ok)
    assert.matches("fd %d+ already has a handler: fd 'first', created at", err)
    ok, err = pcall(aio.wait_fd, n:fd(), "r")
    assert.is_false(ok)
    assert.matches("'first'", err)
    h:close()
    local again <close> = aio.fd(n:fd(), { read = print })
    assert.is_truthy(again)
  end)

  it("pauses external handlers while they are disabled", function()
    local ctx <close> = aio.context {}
    local n <close> = switch()
    local calls = 0
    local h <close> = aio.fd(n:fd(), {
      external = true,
      ctx = ctx,
      read = function()
        calls = calls + 1
        n:test_and_clear()
      end,
    })
    assert.is_truthy(h)
    n:set()
    ctx:disable_external()
    ctx:disable_external()
    ctx:poll(false)
    ctx:enable_external()
    ctx:poll(false)
    assert.equal(0, calls)
    ctx:enable_external()
    ctx:poll(false)
    ctx:poll(false)
    assert.equal(1, calls)
    assert.has_error(function() ctx:enable_external() end)
  end)

  it("asks poll callbacks while the loop is busy polling", function()
    local ctx <close> = aio.context { poll_max_ns = 20000000 }
    local n <close> = switch()
    local ready, handled = false, 0
    local h <close> = aio.fd(n:fd(), {
      ctx = ctx,
      read = function() n:test_and_clear() end,
      poll = function() return ready end,
      poll_ready = function()
        ready = false
        handled = handled + 1
      end,
    })
    assert.is_truthy(h)
    local timer <close> = aio.timer { ctx = ctx, fn = function() end }
    for _ = 1, 50 do -- a handler is polled after it fired once
      if handled > 0 then
        break
      end
      n:set()
      ctx:poll(true)
      ready = true
      timer:mod(aio.now() + 0.002)
      ctx:poll(true)
    end
    assert.is_true(handled > 0)
    assert.has_error(function() h:set { poll_ready = false } end)
  end)

  it("accepts files and objects with a descriptor", function()
    local f <close> = assert(io.tmpfile())
    local h <close> = assert(aio.fd(f, {}))
    assert.is_true(h:fd() >= 0)
    local object <close> = setmetatable({ n = switch() }, {
      __index = { fd = function(self) return self.n:fd() end },
      __close = function(self) self.n:close() end,
    })
    local other <close> = assert(aio.fd(object, {}))
    assert.equal(object.n:fd(), other:fd())
  end)

  it("reports a descriptor that is not open", function()
    local n = switch()
    local fd = n:fd()
    n:close()
    local h, err, code = aio.fd(fd, { read = print })
    assert.is_nil(h)
    assert.matches("^EBADF: .*fd " .. fd, err)
    assert.equal(aio.errno.EBADF, code)
    h, err, code = aio.wait_fd(fd, "r")
    assert.is_nil(h)
    assert.matches("^EBADF", err)
    assert.equal(aio.errno.EBADF, code)
  end)

  it("checks its arguments", function()
    local n <close> = switch()
    assert.has_error(function() aio.fd() end)
    assert.has_error(function() aio.fd(-1, {}) end)
    assert.has_error(function() aio.fd(1.5, {}) end)
    assert.has_error(function() aio.fd("1", {}) end)
    assert.has_error(function() aio.fd({}, {}) end)
    assert.has_error(function() aio.fd(n:fd()) end)
    assert.has_error(function() aio.fd(n:fd(), { read = 3 }) end)
    assert.has_error(function() aio.fd(n:fd(), { poll = print }) end)
    local ok, err = pcall(aio.fd, n:fd(), { raed = print })
    assert.is_false(ok)
    assert.matches("read", err)
    local h <close> = aio.fd(n:fd(), {})
    h:close()
    h:close()
    assert.has_error(function() h:set {} end)
  end)
end)

describe("aio.wait_fd", function()
  it("returns at once when the descriptor is ready", function()
    local n <close> = switch()
    assert.equal("w", aio.wait_fd(n:fd(), "w"))
    n:set()
    assert.equal("r", aio.wait_fd(n:fd(), "r"))
    assert.equal("rw", aio.wait_fd(n:fd(), "rw"))
  end)

  it("parks until the descriptor becomes ready", function()
    local n <close> = switch()
    local got
    local task = aio.spawn(function() got = aio.wait_fd(n:fd(), "r") end)
    tick(3)
    assert.is_nil(got)
    n:set()
    task:join(2)
    assert.equal("r", got)
  end)

  it("wakes all tasks that wait for the same descriptor", function()
    local n <close> = switch()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(aio.wait_fd, n:fd(), "r")
    end
    assert.equal("w", aio.wait_fd(n:fd(), "rw"))
    n:set()
    for i = 1, 3 do
      assert.equal("r", tasks[i]:join(2))
    end
  end)

  it("gives up after its time-out", function()
    local n <close> = switch()
    local before = aio.now()
    local got, err, code = aio.wait_fd(n:fd(), "r", 0.003)
    assert.is_nil(got)
    assert.equal("timeout", err)
    assert.equal(aio.errno.ETIMEDOUT, code)
    assert.is_true(aio.now() - before >= 0.003)
    local h <close> = aio.fd(n:fd(), { read = print }) -- nobody waits any more
    assert.is_truthy(h)
  end)

  it("ends when its task is cancelled, and others go on waiting", function()
    local n <close> = switch()
    local one = aio.spawn(aio.wait_fd, n:fd(), "r")
    local two = aio.spawn(aio.wait_fd, n:fd(), "r")
    tick()
    one:cancel()
    local ok, err = one:pjoin(2)
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    n:set()
    assert.equal("r", two:join(2))
  end)

  it("excludes a handler meanwhile", function()
    local n <close> = switch()
    local task = aio.spawn(aio.wait_fd, n:fd(), "r")
    tick()
    assert.has_error(function() aio.fd(n:fd(), { read = print }) end)
    n:set()
    task:join(2)
  end)

  it("checks its arguments", function()
    local n <close> = switch()
    assert.has_error(function() aio.wait_fd(n:fd()) end)
    assert.has_error(function() aio.wait_fd(n:fd(), "x") end)
    assert.has_error(function() aio.wait_fd(n:fd(), "r", -1) end)
    assert.has_error(function() aio.wait_fd(-1, "r") end)
  end)
end)

describe("aio.notifier", function()
  it("is a flag", function()
    local n <close> = switch()
    assert.is_false(n:test_and_clear())
    n:set():set()
    assert.is_true(n:test_and_clear())
    assert.is_false(n:test_and_clear())
  end)

  it("calls its handler once per setting, with the flag cleared", function()
    local n <close> = switch()
    local calls, up = 0, nil
    n:handler(function(self)
      calls = calls + 1
      up = self:test_and_clear()
    end)
    n:set():set()
    eventually(function() return calls == 1 end)
    assert.is_false(up)
    tick(3)
    assert.equal(1, calls)
    n:set()
    eventually(function() return calls == 2 end)
    n:handler(nil)
    n:set()
    tick(3)
    assert.equal(2, calls)
    assert.is_true(n:test_and_clear())
  end)

  it("is anchored while it has a handler", function()
    local calls = 0
    local fd
    do
      local n = switch()
      n:handler(function(self)
        calls = calls + 1
        self:close()
      end)
      n:set()
      fd = n:fd()
      n = nil -- luacheck: ignore
    end
    collectgarbage()
    collectgarbage()
    eventually(function() return calls == 1 end)
    assert.is_number(fd)
  end)

  it("raises after it was closed", function()
    local n = assert(aio.notifier { name = "bell" })
    assert.matches("bell", tostring(n))
    n:close()
    n:close()
    assert.has_error(function() n:set() end)
    assert.has_error(function() n:fd() end)
    assert.has_error(function() n:handler(print) end)
  end)

  it("checks its arguments", function()
    local n <close> = switch()
    assert.has_error(function() n:handler(3) end)
    assert.has_error(function() aio.notifier(3) end)
    assert.has_error(function() aio.notifier { nmae = "x" } end)
  end)
end)
