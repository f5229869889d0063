-- Tasks: spawn, join, cancel, status, names, tracebacks.
local aio = require "aio"

local function forever()
  aio.park()
end

describe("aio.spawn", function()
  it("schedules and does not run at once, in order", function()
    local log = {}
    for i = 1, 3 do
      aio.spawn(function(x) log[#log + 1] = x end, i)
    end
    assert.are.same({}, log)
    aio.yield()
    assert.are.same({ 1, 2, 3 }, log)
  end)

  it("refuses what cannot be called", function()
    local ok, err = pcall(aio.spawn, 1)
    assert.is_false(ok)
    assert.matches("bad argument #1 to '.*spawn' %(function expected", err)
    local callable = setmetatable({}, { __call = function(_, x) return x end })
    assert.are.equal(5, aio.spawn(callable, 5):join())
  end)

  it("does not mix up the tasks it recycles", function()
    for i = 1, 2000 do
      local t = aio.spawn(function(...) return ... end, i, nil, "x")
      local a, b, c = t:join()
      assert.are.equal(i, a)
      assert.is_nil(b)
      assert.are.equal("x", c)
    end
  end)
end)

describe("task:join", function()
  it("returns all results, again and again", function()
    local t = aio.spawn(function() return 1, nil, 3, nil end)
    for _ = 1, 2 do
      assert.are.same({ n = 4, 1, nil, 3, nil }, table.pack(t:join()))
    end
    assert.are.same({ n = 0 }, table.pack(aio.spawn(function() end):join()))
  end)

  it("raises the very error value", function()
    local value = { "any" }
    local t = aio.spawn(function() error(value) end)
    for _ = 1, 2 do
      local ok, err = pcall(t.join, t)
      assert.is_false(ok)
      assert.are.equal(value, err)
    end
    local ok, err = t:pjoin()
    assert.is_false(ok)
    assert.are.equal(value, err)
    ok, err = aio.spawn(function() error() end):pjoin()
    assert.is_false(ok)
    assert.is_nil(err)
  end)

  it("gives up after a time and may be tried again", function()
    local t = aio.spawn(function()
      aio.sleep(0.02)
      return "late"
    end)
    local ok, message, code = t:join(0.001)
    assert.is_nil(ok)
    assert.are.equal("timeout", message)
    assert.are.equal(aio.errno.ETIMEDOUT, code)
    assert.are.equal("late", t:join(10))
  end)

  it("refuses to join oneself", function()
    local _, err = aio.spawn(function() aio.self():join() end):pjoin()
    assert.matches("cannot join itself", err)
  end)

  it("serves several joiners in order", function()
    local log = {}
    local t = aio.spawn(function()
      aio.sleep(0.002)
      return "r"
    end)
    local joiners = {}
    for i = 1, 3 do
      joiners[i] = aio.spawn(function()
        local result = t:join()
        log[#log + 1] = result .. i
      end)
    end
    for i = 1, 3 do joiners[i]:join() end
    assert.are.same({ "r1", "r2", "r3" }, log)
  end)
end)

describe("task:cancel", function()
  it("raises once at the park point and runs the handlers", function()
    local log = {}
    local t = aio.spawn(function()
      local _ <close> = setmetatable({}, { __close = function()
        aio.sleep(0.001)
        log[#log + 1] = "cleaned up"
      end })
      aio.sleep(100)
    end)
    aio.yield()
    assert.are.equal("parked", t:status())
    t:cancel()
    local ok, err = t:pjoin()
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    assert.are.equal("cancelled", t:status())
    assert.are.same({ "cleaned up" }, log)
  end)

  it("is remembered until the task parks", function()
    local reached
    local t = aio.spawn(function()
      aio.self():cancel()
      reached = true
      aio.yield()
      reached = "too far"
    end)
    t:pjoin()
    assert.is_true(reached)
  end)

  it("keeps a task that has not started from ever running", function()
    local ran = false
    local t = aio.spawn(function() ran = true end)
    t:cancel()
    local ok, err = t:pjoin()
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    assert.is_false(ran)
  end)

  it("is delivered once per request", function()
    local caught = 0
    local t = aio.spawn(function()
      for _ = 1, 2 do
        local ok, err = pcall(aio.sleep, 100)
        caught = caught + (not ok and aio.is_cancelled(err) and 1 or 0)
      end
      aio.sleep(0)
      return "went on"
    end)
    aio.yield()
    t:cancel()
    t:cancel() -- the same request, not delivered yet
    aio.yield()
    aio.yield()
    assert.are.equal(1, caught)
    t:cancel()
    assert.are.equal("went on", t:join())
    assert.are.equal(2, caught)
  end)

  it("does nothing to an ended task", function()
    local t = aio.spawn(function() return 1 end)
    t:join()
    assert.are.equal(t, t:cancel())
    assert.are.equal(1, t:join())
    assert.are.equal("done", t:status())
  end)

  it("fails the joiner with an error that is not its own", function()
    local child = aio.spawn(forever)
    local parent = aio.spawn(function() child:join() end)
    aio.yield()
    child:cancel()
    local ok, err = parent:pjoin()
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    assert.are.equal("failed", parent:status())
  end)
end)

describe("a task", function()
  it("tells its state", function()
    local t
    t = aio.spawn(function()
      assert(t:status() == "running")
      aio.yield()
      error("x")
    end)
    assert.are.equal("ready", t:status())
    t:pjoin()
    assert.are.equal("failed", t:status())
    assert.are.equal("done", (function()
      local u = aio.spawn(function() end)
      u:join()
      return u:status()
    end)())
  end)

  it("knows its name and where it was created", function()
    local t = aio.spawn(forever)
    assert.matches("created at .*task_spec.lua:%d+", t:name())
    assert.are.equal(t, t:name("worker"))
    assert.are.equal("worker", t:name())
    assert.matches("worker", tostring(t))
    t:cancel()
    t:pjoin()
    assert.are.equal("worker", t:name())
  end)

  it("shows where it stands, also inside coroutines of its own", function()
    local function innermost()
      aio.park()
      return 1
    end
    local t = aio.spawn(function()
      coroutine.wrap(function()
        local co = coroutine.create(function() return innermost() + 1 end)
        coroutine.resume(co)
      end)()
    end)
    aio.yield()
    local text = t:traceback()
    assert.matches("park", text)
    assert.matches("innermost", text)
    local _, called = text:gsub("called from", "")
    assert.are.equal(2, called)
    t:cancel()
    t:pjoin()
  end)

  it("keeps the traceback of its error", function()
    local function culprit() error("x") end
    local t = aio.spawn(function() culprit() end)
    t:pjoin()
    assert.matches("culprit", t:traceback())
  end)

  it("is itself, and in the list while it lives", function()
    local t
    t = aio.spawn(function() return aio.self() == t end)
    local found = false
    for _, other in ipairs(aio.tasks()) do found = found or other == t end
    assert.is_true(found)
    assert.is_true(t:join())
    for _, other in ipairs(aio.tasks()) do assert.are_not.equal(t, other) end
  end)

  it("is garbage once it has ended", function()
    local weak = setmetatable({}, { __mode = "k" })
    for _ = 1, 10 do weak[aio.spawn(function() end)] = true end
    aio.yield()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)

describe("time", function()
  it("passes while sleeping, for many at once", function()
    local start = aio.now()
    local tasks = {}
    for i = 1, 100 do tasks[i] = aio.spawn(aio.sleep, 0.005) end
    for i = 1, 100 do tasks[i]:join() end
    local took = aio.now() - start
    assert.is_true(took >= 0.005)
    assert.is_true(took < 0.4)
  end)

  it("starts and repeats tasks", function()
    local log = {}
    local late = aio.after(0.002, function(x) log[#log + 1] = x end, "after")
    assert.are.same({}, log)
    late:join()
    assert.are.same({ "after" }, log)
    local beats = 0
    local beat
    beat = aio.every(0.001, function()
      beats = beats + 1
      if beats == 3 then beat:cancel() end
    end)
    assert.is_false((beat:pjoin(10)))
    assert.are.equal(3, beats)
    local never = aio.after(100, function() log[#log + 1] = "never" end)
    never:cancel()
    never:pjoin()
    assert.are.same({ "after" }, log)
  end)

  it("refuses senseless durations", function()
    for _, bad in ipairs { -1, 0 / 0, "1", {} } do
      assert.is_false((pcall(aio.sleep, bad)))
    end
  end)
end)

describe("require", function()
  after_each(function()
    for _, name in ipairs { "vm_spec_a", "vm_spec_b" } do
      package.preload[name], package.loaded[name] = nil, nil
    end
  end)

  it("loads a module that parks only once", function()
    local loads = 0
    package.preload.vm_spec_a = function()
      loads = loads + 1
      aio.sleep(0.002)
      return { loads }
    end
    local tasks = {}
    for i = 1, 5 do tasks[i] = aio.spawn(require, "vm_spec_a") end
    local first = tasks[1]:join()
    for i = 2, 5 do assert.are.equal(first, (tasks[i]:join())) end
    assert.are.equal(1, loads)
  end)

  it("lets the next one try when loading failed", function()
    local loads = 0
    package.preload.vm_spec_a = function()
      loads = loads + 1
      aio.yield()
      if loads == 1 then error("first fails") end
      return "ok"
    end
    local one = aio.spawn(require, "vm_spec_a")
    local two = aio.spawn(require, "vm_spec_a")
    local ok, err = one:pjoin()
    assert.is_false(ok)
    assert.matches("first fails", err)
    assert.are.equal("ok", (two:join()))
  end)

  it("tells tasks that wait for each other's modules", function()
    package.preload.vm_spec_a = function()
      aio.yield()
      return require "vm_spec_b"
    end
    package.preload.vm_spec_b = function()
      aio.yield()
      return require "vm_spec_a"
    end
    local one = aio.spawn(require, "vm_spec_a")
    local two = aio.spawn(require, "vm_spec_b")
    local _, err1 = one:pjoin(10)
    local _, err2 = two:pjoin(10)
    assert.matches("circular require", tostring(err1) .. tostring(err2))
  end)
end)
