-- What crosses from one thread to another, and what is refused.

local aio, file = require "aio", require "aio.file"

describe("a value for another thread", function()
  local thread

  before_each(function()
    thread = assert(aio.iothread())
  end)

  after_each(function()
    thread:close()
  end)

  -- There and back again.
  local function echo(...)
    return thread:call(function(...) return ... end, ...):join()
  end

  it("is a copy of plain data", function()
    assert.same(table.pack(nil, true, false, 1, -2.5, math.mininteger, "a\0b",
      "", nil), table.pack(echo(nil, true, false, 1, -2.5, math.mininteger,
      "a\0b", "", nil)))
    local original = { 1, 2, { x = { y = "z" }, [2.5] = true }, [true] = 0 }
    local copy = echo(original)
    assert.same(original, copy)
    assert.is_not_equal(original, copy)
    local huge = ("0123456789abcdef"):rep(1 << 17)
    assert.is_true(echo(huge) == huge)
  end)

  it("keeps its circles, and what occurs twice", function()
    local list = { name = "a" }
    list.self, list.pair = list, { list, { 1 } }
    list.pair[3] = list.pair[2]
    local copy = echo(list)
    assert.equal(copy, copy.self)
    assert.equal(copy, copy.pair[1])
    assert.equal(copy.pair[2], copy.pair[3])
    local a, b = echo(list, list)
    assert.equal(a, b)
  end)

  it("may be a function with its upvalues", function()
    local factor, limits = 3, { 10 }
    local function scale(x) return math.min(x * factor, limits[1]) end
    assert.equal(9, thread:call(scale, 3):join())
    assert.equal(10, thread:call(scale, 9):join())
    assert.equal(6, echo(scale)(2))
  end)

  it("may be a function that calls itself", function()
    local function fact(n) return n < 2 and 1 or n * fact(n - 1) end
    assert.equal(3628800, thread:call(fact, 10):join())
  end)

  it("keeps upvalues that functions share, apart from the sender's",
    function()
      local n = 0
      local function up() n = n + 1 end
      assert.equal(2, thread:call(function() up() up() return n end):join())
      assert.equal(0, n)
    end)

  it("finds the globals, libraries and aio of the thread it is in", function()
    local format, sleep = string.format, aio.sleep
    assert.equal("7", thread:call(function()
      sleep(0)
      aio.yield()
      return format("%d", 7)
    end):join())
    assert.is_true(thread:call(function(s)
      return s == string and file.stat("/") ~= nil
    end, string):join())
    assert.equal("3", thread:call(tostring, 3):join())
  end)

  it("is refused with its path when it cannot cross", function()
    local co = coroutine.create(print)
    local refused = {
      ["arg 1.foo[3]: a coroutine cannot be sent to another thread"] =
        { { foo = { 1, 2, co } } },
      ["arg 2[\"a b\"][true].x: a userdata (FILE*) cannot be sent"] =
        { 1, { ["a b"] = { [true] = { x = io.stdout } } } },
      ["arg 1, a key of it: a coroutine cannot"] = { { [co] = 1 } },
      ["arg 1: a table with a metatable cannot"] = { setmetatable({}, {}) },
      ["arg 1: a userdata (aio.task) cannot"] = { aio.self() },
      ["arg 1: a userdata (aio.iothread) cannot"] = { thread },
      ["arg 1: a C function cannot"] = { coroutine.wrap(print) },
    }
    for message, args in pairs(refused) do
      local ok, err = pcall(thread.call, thread, print, table.unpack(args))
      assert.is_false(ok)
      assert.equal(message, err:sub(1, #message))
    end
  end)

  it("is refused by the name of its upvalue", function()
    local config = { out = io.stdout }
    local ok, err = pcall(thread.call, thread, function() return config end)
    assert.is_false(ok)
    assert.equal("the function, upvalue 'config'.out: a userdata (FILE*) "
      .. "cannot be sent to another thread (make or require it inside the "
      .. "function)", err)
    local nested = function() return function() return config end end
    ok, err = pcall(echo, nested)
    assert.is_false(ok)
    assert.is_truthy(err:find("arg 1, upvalue 'config'.out", 1, true))
  end)

  it("is refused when it is nested too deeply", function()
    local deep = {}
    for _ = 1, 1000 do deep = { deep } end
    local ok, err = pcall(echo, deep)
    assert.is_false(ok)
    assert.is_truthy(err:find("nested too deeply"))
    local flat = {}
    for _ = 1, 300 do flat = { flat } end
    assert.is_table(echo(flat))
  end)

  it("leaves everything with the sender when another one is refused",
    function()
      local buf = aio.buf(10):set(0, "here")
      assert.is_false(pcall(thread.call, thread, print, buf, io.stdout))
      assert.equal("here", buf:tostring(0, 4))
      local f <close> = assert(file.open("/dev/null"))
      assert.is_false(pcall(thread.call, thread, print, f, io.stdout))
    end)
end)

describe("a buffer for another thread", function()
  local thread

  before_each(function() thread = assert(aio.iothread()) end)
  after_each(function() thread:close() end)

  it("moves, and comes back with what was written to it", function()
    local buf = aio.buf { size = 1 << 20, register = true }
    local slice = buf:set(0, "ping"):slice(0, 4)
    local said, back = thread:call(function(b)
      local text = b:tostring(0, 4)
      return text, b:set(0, "pong")
    end, buf):join()
    assert.equal("ping", said)
    assert.equal("pong", back:tostring(0, 4))
    assert.equal(1 << 20, #back)
    assert.has_error(function() buf:tostring() end)
    assert.has_error(function() slice:tostring() end)
    assert.is_true(buf:is_closed())
    back:close()
  end)

  it("arrives once when it is sent twice in one message", function()
    local buf = aio.buf(9)
    local a, b = thread:call(function(x, y)
      return x == y, x
    end, buf, buf):join()
    assert.is_true(a)
    b:close()
  end)

  it("is refused when it is not a whole one of its own", function()
    local pool <close> = aio.bufpool { count = 1, size = 512 }
    local pooled <close> = pool:get()
    local closed = aio.buf(1)
    closed:close()
    local whole = aio.buf(8)
    for reason, buf in pairs {
      ["a slice of a buffer cannot be sent"] = whole:slice(0, 4),
      ["a pooled buffer cannot be sent"] = pooled,
      ["a closed buffer cannot be sent"] = closed,
    } do
      local ok, err = pcall(thread.call, thread, print, buf)
      assert.is_false(ok)
      assert.is_truthy(err:find(reason, 1, true), err)
    end
    whole:close()
  end)

  it("is refused while an operation uses it", function()
    local zero = assert(file.open("/dev/zero", "r", { engine = "threads" }))
    local buf = aio.buf(64 << 20)
    local reader = aio.spawn(function() return zero:pread(buf, 0) end)
    aio.yield()
    local ok, err = pcall(thread.call, thread, print, buf)
    reader:join()
    zero:close()
    assert.is_false(ok)
    assert.is_truthy(err:find("in flight", 1, true), err)
    buf:close()
  end)
end)

describe("an object for another thread", function()
  local thread

  before_each(function() thread = assert(aio.iothread()) end)
  after_each(function() thread:close() end)

  it("may be a file, which both have then", function()
    local f = assert(file.open("/etc/passwd", "r"))
    local text = f:pread(20, 0)
    local there = thread:call(function(g)
      local bytes = g:pread(20, 0)
      g:close()
      return bytes
    end, f)
    f:close()
    assert.equal(text, there:join())
    local ok, err = pcall(thread.call, thread, print, f)
    assert.is_false(ok)
    assert.is_truthy(err:find("a closed file", 1, true))
  end)

  it("may be a waker, which ends the park of its task", function()
    thread:call(function(wake)
      aio.sleep(0.002)
      wake()
      wake()
    end, aio.self():waker()):join()
    assert.is_true(aio.park(5))
    assert.is_nil((aio.park(0)))
  end)

  it("may be a waker that comes home, or whose task has ended", function()
    local mine = thread:call(function(w) return w end, aio.self():waker())
      :join()
    mine()
    assert.is_true(aio.park(1))
    local task = aio.spawn(function() end)
    local wake = task:waker()
    task:join()
    thread:call(function(w) w() end, wake):join()
  end)

  it("may be a proxy of a bottom half, from any thread, until it is closed",
    function()
      local n = 0
      local bh = aio.bh(function() n = n + 1 end)
      local proxy = bh:remote()
      local kept = aio.sync.chan(1)
      thread:call(function(p) p:schedule():close() end, proxy):join()
      proxy:close()
      for _ = 1, 50 do
        if n > 0 then break end
        aio.sleep(0.001)
      end
      assert.equal(1, n)
      proxy = bh:remote()
      local closing = thread:call(function(p, c)
        c:get()
        p:schedule()
      end, proxy, kept)
      bh:close()
      kept:put(true)
      local ok, err = closing:pjoin()
      assert.is_false(ok)
      assert.is_truthy(err:find("its bh is closed", 1, true))
      proxy:close()
      assert.has_error(function() proxy:schedule() end, "remote bh is closed")
    end)

  it("lets a bottom half be collected when its last proxy elsewhere is gone",
    function()
      local weak = setmetatable({}, { __mode = "k" })
      do
        local bh = aio.bh(function() end)
        weak[bh] = true
        local proxy <close> = bh:remote()
        thread:call(function(p) p:close() end, proxy):join()
      end
      thread:call(function() collectgarbage() end):join()
      for _ = 1, 50 do
        collectgarbage()
        collectgarbage()
        if not next(weak) then break end
        aio.sleep(0.001)
      end
      assert.is_nil(next(weak))
    end)

  it("may be a context, of which only notify and get work elsewhere",
    function()
      local ctx = thread:context()
      assert.equal(ctx, ctx:notify())
      assert.is_string(ctx:get().fdmon)
      for _, name in ipairs { "poll", "set", "stats", "acquire" } do
        local ok, err = pcall(ctx[name], ctx, {})
        assert.is_false(ok)
        assert.is_truthy(err:find("wrong thread", 1, true), err)
      end
      local ok, err = pcall(aio.bh, print, "x", ctx)
      assert.is_false(ok)
      assert.is_truthy(err:find("wrong thread", 1, true))
      assert.is_true(thread:call(function(c)
        return c == aio.context() and c:stats().iterations > 0
      end, ctx):join())
      assert.is_true(thread:call(function(c)
        return c:notify() == c and not pcall(c.poll, c)
      end, aio.context()):join())
      ctx:close()
      assert.has_error(function() ctx:notify() end, "context is closed")
    end)
end)
