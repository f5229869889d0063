-- aio.iothread: threads, calls, and every order in which they may end.

local aio, sync = require "aio", require "aio.sync"
local host = require "support.host"

local TSAN <const> = os.getenv("TSAN_OPTIONS") ~= nil

describe("an iothread", function()
  it("has a name, a context and a VM of its own", function()
    local thread <close> = assert(aio.iothread("worker"))
    assert.equal("worker", thread:name())
    assert.equal("running", thread:status())
    assert.equal("aio.iothread 'worker'", tostring(thread))
    shared_global = 1 -- luacheck: ignore
    assert.is_nil(thread:call(function()
      return shared_global -- luacheck: ignore
    end):join())
    shared_global = nil -- luacheck: ignore
    assert.equal("worker", thread:call(function()
      local comm <close> = io.open("/proc/thread-self/comm")
      return comm:read("l")
    end):join())
  end)

  it("gets a name when it is given none, and refuses one in use", function()
    local a <close> = assert(aio.iothread())
    assert.is_truthy(a:name():find("^iothread%d+$"))
    local ok, err = pcall(aio.iothread, a:name())
    assert.is_false(ok)
    assert.is_truthy(err:find("there is one called"))
  end)

  it("takes the parameters of a context, and processors", function()
    local cpu = tonumber(host.read("/proc/self/status")
      :match("Cpus_allowed_list:%s*(%d+)"))
    local thread <close> = assert(aio.iothread("set", { poll_max_ns = 0,
      fdmon = "poll", max_batch = 7, thread_pool_max = 3, affinity = cpu }))
    local params, cpus = thread:call(function()
      local status <close> = io.open("/proc/thread-self/status")
      return aio.context():get(),
        status:read("a"):match("Cpus_allowed_list:%s*(%S+)")
    end):join()
    assert.equal(0, params.poll_max_ns)
    assert.equal("poll", params.fdmon)
    assert.equal(7, params.max_batch)
    assert.equal(3, params.thread_pool_max)
    assert.equal(tostring(cpu), cpus)
  end)

  it("refuses options that it does not know or understand", function()
    for message, options in pairs {
      ["did you mean 'affinity'"] = { afinity = 1 },
      ["option 'affinity'"] = { affinity = "all" },
      ["a list of 1 to"] = { affinity = {} },
      ["option 'poll_max_ns': an integer"] = { poll_max_ns = "1" },
      ["option 'init': a function"] = { init = 1 },
      ["bad argument #2 to 'iothread'"] = 1,
    } do
      local ok, err = pcall(aio.iothread, "bad", options)
      assert.is_false(ok)
      assert.is_truthy(err:find(message, 1, true), err)
    end
    local nothing, message, errno = aio.iothread("bad", { affinity = 1000 })
    assert.is_nil(nothing)
    assert.is_truthy(message:find("processor 1000", 1, true), message)
    assert.is_number(errno)
  end)

  it("runs its init first, a function or a module", function()
    local answer = 42
    local a <close> = aio.iothread("a", { init = function()
      aio.sleep(0.001)
      value = answer -- luacheck: ignore
    end })
    assert.equal(42, a:call(function()
      return value -- luacheck: ignore
    end):join())
    local b <close> = aio.iothread("b", { init = "aio.file" })
    assert.is_true(b:call(function()
      return package.loaded["aio.file"] ~= nil
    end):join())
  end)

  it("that fails in its init is closed, and the error raised", function()
    local ok, err = pcall(aio.iothread, "x", { init = function()
      error({ code = 7 })
    end })
    assert.is_false(ok)
    assert.same({ code = 7 }, err)
    ok, err = pcall(aio.iothread, "x", { init = "no.such.module" })
    assert.is_false(ok)
    assert.is_truthy(err:find("module 'no.such.module' not found", 1, true))
    aio.iothread("x"):close() -- the name is free again
  end)

  it("closes once, also from a callback, and refuses what comes then",
    function()
      local thread = aio.iothread("c")
      thread:close()
      thread:close()
      assert.equal("closed", thread:status())
      assert.has_error(function() thread:call(print) end, "iothread is closed")
      assert.has_error(function() thread:channel() end)
      assert.has_error(function() thread:context() end)
      assert.is_nil(thread:name())
      thread = aio.iothread("c")
      local slow = thread:call(function() aio.sleep(100) end)
      aio.defer(function() thread:close() end)
      assert.is_true(aio.is_cancelled(select(2, slow:pjoin())))
      assert.equal("closed", thread:status())
    end)

  it("may be closed by several tasks at once, and while calls are made",
    function()
      local thread = aio.iothread("many")
      aio.group(function(g)
        for _ = 1, 4 do
          g:spawn(function() thread:close() end)
        end
      end)
      thread = aio.iothread("many")
      local calls = {}
      for i = 1, 50 do
        calls[i] = thread:call(function() aio.sleep(100) end)
      end
      thread:close()
      for _, call in ipairs(calls) do
        assert.is_false((call:pjoin()))
        assert.equal("cancelled", call:status())
      end
    end)

  it("is closed when its handle is collected, but not while it works",
    function()
      local done = aio.iothread("gc"):call(function()
        aio.sleep(0.005)
        return "done"
      end)
      collectgarbage()
      collectgarbage()
      assert.equal("done", done:join())
      done = nil -- luacheck: ignore
      for _ = 1, 3 do collectgarbage() end
      aio.iothread("gc"):close() -- the name is free again
    end)

  it("ends while Lua code spins in it", function()
    if TSAN then
      pending("TSan holds signals back until the next system call")
      return
    end
    local thread = aio.iothread("spin")
    local spinning = thread:call(function() while true do end end)
    aio.sleep(0.005)
    local start = aio.now()
    thread:close()
    assert.is_true(aio.now() - start < 2)
    assert.is_false((spinning:pjoin()))
  end)

  it("lets a __close handler compute that it has begun", function()
    local thread = aio.iothread("computes")
    local log = sync.chan(4)
    local call = thread:call(function(c)
      local _ <close> = setmetatable({}, { __close = function()
        local start = os.clock()
        while os.clock() - start < 0.08 do end -- close() asks again meanwhile
        aio.sleep(0.001)
        c:put("closed")
      end })
      c:put("open")
      aio.sleep(100)
    end, log)
    assert.equal("open", log:get(5))
    thread:close()
    assert.equal("closed", log:get(5))
    assert.is_false((call:pjoin()))
  end)

  it("runs the __close handlers of what it cancels", function()
    local thread = aio.iothread("unwind")
    local log = sync.chan(4)
    local call = thread:call(function(c)
      local _ <close> = setmetatable({}, { __close = function()
        aio.sleep(0.001)
        c:put("closed")
      end })
      c:put("open")
      aio.sleep(100)
    end, log)
    assert.equal("open", log:get(5))
    thread:close()
    assert.equal("closed", log:get(5))
    assert.is_false((call:pjoin()))
  end)

  it("may have threads of its own", function()
    local outer <close> = aio.iothread("outer")
    assert.equal(3, outer:call(function()
      local inner <close> = aio.iothread("inner")
      return inner:call(function(x) return x + 1 end, 2):join()
    end):join())
    outer:call(function()
      left_open = aio.iothread("left open") -- luacheck: ignore
    end):join()
  end)
end)

describe("a call in an iothread", function()
  local thread

  before_each(function()
    thread = assert(aio.iothread("calls"))
    thread:call(aio.sleep, 0.001):join() -- its monitor is open from now on
  end)
  after_each(function() thread:close() end)

  it("is a task: it joins, has a status, a name, and times out", function()
    local call = thread:call(function(...)
      aio.sleep(0.005)
      return select("#", ...), ...
    end, 1, nil, 3, nil):name("mine")
    assert.equal("mine", call:name())
    assert.equal("timeout", select(2, call:join(0)))
    assert.same({ 4, 1, nil, 3 }, { call:join() })
    assert.equal("done", call:status())
    assert.same({ true, 4, 1, nil, 3 }, { call:pjoin() })
  end)

  it("begins before its caller parks", function()
    local seen = thread:channel(1)
    local call = thread:call(function(c) c:put("begun") end, seen)
    local deadline, value = aio.now() + 5, nil
    while not value and aio.now() < deadline do
      value = seen:try_get() -- never parks
    end
    assert.equal("begun", value)
    call:join()
  end)

  it("runs beside others in the same thread", function()
    local total = 0
    aio.group(function(g)
      for i = 1, 100 do
        g:spawn(function()
          local n = thread:call(function(x)
            aio.sleep(0.001)
            return x
          end, i):join()
          total = total + n
        end)
      end
    end)
    assert.equal(5050, total)
  end)

  it("fails with its error value, and has the thread's traceback", function()
    local call = thread:call(function()
      local function deep() error({ code = 5 }) end
      deep()
    end)
    local ok, err = call:pjoin()
    assert.is_false(ok)
    assert.same({ code = 5 }, err)
    assert.is_truthy(call:traceback():find("in local 'deep'", 1, true))
    assert.is_truthy(call:traceback():find("(in iothread 'calls')", 1, true))
    assert.equal("failed", call:status())
    ok, err = pcall(call.join, call)
    assert.is_false(ok)
    assert.same({ code = 5 }, err)
  end)

  it("fails with the text of an error that cannot cross", function()
    local _, err = thread:call(function()
      error(setmetatable({}, { __tostring = function() return "text" end }))
    end):pjoin()
    assert.equal("text", err)
  end)

  it("fails when its results cannot cross", function()
    local ok, err = thread:call(function()
      return 1, { coroutine.create(print) }
    end):pjoin()
    assert.is_false(ok)
    assert.equal("result 2[1]: a coroutine cannot be sent to another thread",
      err)
  end)

  it("is cancelled there when it is cancelled here", function()
    local gone = thread:channel(2)
    local call = thread:call(function(c)
      local _ <close> = setmetatable({}, { __close = function()
        c:put("unwound")
      end })
      c:put("begun")
      aio.sleep(100)
    end, gone)
    assert.equal("begun", gone:get(5))
    call:cancel()
    local ok, err = call:pjoin()
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    assert.equal("cancelled", call:status())
    assert.equal("unwound", gone:try_get()) -- it had ended there before
  end)

  it("never runs when it is cancelled before it began", function()
    local ran = thread:channel(1)
    local go = thread:channel(1)
    local busy = thread:call(function(c)
      repeat until c:try_get()
    end, go)
    local call = thread:call(function(c) c:put(1) end, ran)
    call:cancel()
    aio.yield() -- its task here passes it on
    go:put(true)
    assert.is_false((call:pjoin()))
    busy:join()
    assert.is_nil(ran:try_get())
  end)

  it("that ends in spite of its cancellation has ended well", function()
    local begun = thread:channel(1)
    local call = thread:call(function(c)
      c:put(1)
      pcall(aio.sleep, 100)
      return "anyway"
    end, begun)
    begun:get(5)
    call:cancel()
    assert.same({ true, "anyway" }, { call:pjoin() })
  end)

  it("may be waited for in a scope, and cancelled when that ends", function()
    local call
    assert.is_nil((aio.timeout(0.002, function()
      call = thread:call(aio.sleep, 100)
      call:join()
    end)))
    assert.is_false((call:cancel():pjoin()))
    local ok, err = pcall(aio.group, function(g)
      g:spawn(aio.sleep, 100)
      g:spawn(function() thread:call(error, "first", 0):join() end)
    end)
    assert.is_false(ok)
    assert.equal("first", err)
  end)

  it("raises at once for what is no function", function()
    assert.has_error(function() thread:call(5) end)
    assert.has_error(function() thread:call() end)
    assert.has_error(function() thread.call(aio.self(), print) end)
  end)
end)
