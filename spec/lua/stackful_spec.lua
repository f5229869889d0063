-- Tasks park anywhere: in every place where Lua calls back from C, with many
-- tasks, some of them cancelled, while the collector runs in each of its modes.
local aio = require "aio"

local pause -- what the places call; set by run()
local modules = 0 -- how many were required under a name of their own

--- Each place parks inside some C function of Lua and returns what it should.
local places = {
  ["a sort comparator"] = function()
    local list = { 5, 3, 4, 1, 2 }
    table.sort(list, function(a, b)
      pause()
      return a < b
    end)
    return table.concat(list), "12345"
  end,
  ["a gsub callback"] = function()
    return (string.gsub("abc", ".", function(c)
      pause()
      return c:upper()
    end)), "ABC"
  end,
  ["__index"] = function()
    local t = setmetatable({}, {
      __index = function(_, key)
        pause()
        return key .. "!"
      end,
    })
    return t.x, "x!"
  end,
  ["arithmetic, comparison and concatenation"] = function()
    local mt = {}
    function mt.__add() pause() return 7 end
    function mt.__lt() pause() return true end
    function mt.__concat() pause() return "c" end
    function mt.__call() pause() return "called" end
    local o = setmetatable({}, mt)
    return (o + 1) .. tostring(o < o) .. (o .. "") .. o(), "7trueccalled"
  end,
  ["__close on normal exit"] = function()
    local log = {}
    do
      local _ <close> = setmetatable({}, {
        __close = function()
          pause()
          log[#log + 1] = "closed"
        end,
      })
    end
    return log[1], "closed"
  end,
  ["__close on error exit"] = function()
    local log = {}
    local ok, err = pcall(function()
      local _ <close> = setmetatable({}, {
        __close = function(_, e)
          pause()
          log[#log + 1] = "closed by " .. e
        end,
      })
      error("boom", 0)
    end)
    return tostring(ok) .. err .. log[1], "falseboomclosed by boom"
  end,
  ["coroutine.wrap"] = function()
    local sum = 0
    for i in coroutine.wrap(function()
      for i = 1, 3 do
        pause()
        coroutine.yield(i)
      end
    end) do
      sum = sum + i
    end
    return sum, 6
  end,
  ["wrap in wrap in sort in pcall"] = function()
    local inner = coroutine.wrap(function()
      return coroutine.wrap(function()
        local list = { 2, 1 }
        assert(pcall(table.sort, list, function(a, b)
          pause()
          return a < b
        end))
        return list[1]
      end)()
    end)
    return inner(), 1
  end,
  ["pcall and xpcall handlers"] = function()
    local _, message = xpcall(error, function(e)
      pause()
      return e .. " handled"
    end, "e")
    return message, "e handled"
  end,
  ["a load reader"] = function()
    local parts, i = { "return ", "4", "2" }, 0
    return load(function()
      i = i + 1
      pause()
      return parts[i]
    end)(), 42
  end,
  ["tostring and string.format"] = function()
    local o = setmetatable({}, {
      __tostring = function()
        pause()
        return "obj"
      end,
    })
    return tostring(o) .. string.format("%s", o), "objobj"
  end,
  ["table functions with metamethods"] = function()
    local o = setmetatable({}, {
      __index = function(_, i)
        pause()
        return "v" .. i
      end,
      __len = function()
        pause()
        return 2
      end,
    })
    return table.concat(o, ","), "v1,v2"
  end,
  ["pairs"] = function()
    local n = 0
    for _ in pairs(setmetatable({}, {
      __pairs = function()
        pause()
        return function(_, k)
          pause()
          return k == nil and 1 or nil
        end
      end,
    })) do
      n = n + 1
    end
    return n, 1
  end,
  ["require"] = function()
    modules = modules + 1 -- a table's address would come back after a gc
    local name = "stackful_spec_" .. modules
    package.preload[name] = function(given)
      pause()
      return given == name and "loaded"
    end
    local value = require(name)
    package.loaded[name], package.preload[name] = nil, nil
    return value, "loaded"
  end,
}

local function shuffle_pause(i)
  local modes = {
    aio.yield,
    function() aio.sleep(0.0001 * (i % 5)) end,
    function()
      local wake = aio.self():waker()
      local helper = aio.spawn(function() wake() end)
      aio.park()
      helper:join()
    end,
  }
  return modes[i % #modes + 1]
end

--- Runs every place @rounds times at once and cancels each tenth task.
local function run(rounds)
  local tasks, n = {}, 0
  pause = function()
    n = n + 1
    shuffle_pause(n)()
  end
  for round = 1, rounds do
    for name, place in pairs(places) do
      local task = aio.spawn(function()
        local got, want = place()
        assert(got == want, name .. ": " .. tostring(got))
        return true
      end)
      tasks[#tasks + 1] = { name = name, task = task,
        cancel = (#tasks + round) % 10 == 0 }
    end
  end
  aio.yield()
  for _, entry in ipairs(tasks) do
    if entry.cancel then entry.task:cancel() end
  end
  local cancelled = 0
  for _, entry in ipairs(tasks) do
    local ok, err = entry.task:pjoin(60)
    if not ok then
      assert.is_true(entry.cancel, entry.name .. ": " .. tostring(err))
      cancelled = cancelled + 1
    end
  end
  return cancelled
end

local CHUNK = os.getenv("AIOCTL_SPEC_ROUNDS") or 20

describe("a task with a C stack of its own", function()
  for name, place in pairs(places) do
    it("parks inside " .. name, function()
      pause = aio.yield
      local got, want = place()
      assert.are.equal(want, got)
    end)
  end

  describe("parks while the collector", function()
    after_each(function()
      collectgarbage("incremental", 200, 100)
      collectgarbage("restart")
    end)

    it("runs incrementally", function()
      collectgarbage("incremental", 100, 200)
      assert.is_true(run(CHUNK) > 0)
    end)

    it("runs in generations", function()
      collectgarbage("generational")
      assert.is_true(run(CHUNK) > 0)
    end)

    it("runs at every opportunity", function()
      collectgarbage("incremental", 0, 1000)
      assert.is_true(run(3) > 0)
    end)

    it("is called by hand between the parks", function()
      local churn = aio.spawn(function()
        while true do
          collectgarbage()
          aio.yield()
        end
      end)
      run(2)
      churn:cancel()
      assert.is_false((churn:pjoin()))
    end)
  end)

  it("recurses as deep as stock Lua allows and reports the rest", function()
    local function deep(n)
      return n == 0 and 0 or select(2, pcall(deep, n - 1)) + 1
    end
    local ok, err = aio.spawn(deep, 100):pjoin()
    assert.is_true(ok, err)
    local function endless() return (string.gsub("a", ".", endless)) end
    ok, err = aio.spawn(endless):pjoin()
    assert.is_false(ok)
    assert.matches("overflow", err)
  end)
end)

describe("parking is refused", function()
  it("in a finalizer", function()
    local err
    do
      setmetatable({}, { __gc = function()
        err = select(2, pcall(aio.sleep, 0))
      end })
    end
    collectgarbage()
    collectgarbage()
    assert.matches("finalizer", err)
  end)

  it("although the script stopped the collector it is allowed", function()
    collectgarbage("stop")
    finally(function() collectgarbage("restart") end)
    assert.has_no_error(function() aio.yield() end)
  end)

  it("in a callback, which is named", function()
    local err
    local bh = aio.bh(function() err = select(2, pcall(aio.sleep, 0)) end,
      "named")
    bh:schedule()
    aio.sleep(0.001)
    assert.matches("bh 'named', created at .*stackful_spec", err)
    local ok
    bh = aio.bh(function()
      ok, err = coroutine.resume(coroutine.create(aio.yield))
    end)
    bh:schedule()
    aio.sleep(0.001)
    assert.is_false(ok)
    assert.matches("callback", err)
  end)
end)

describe("the coroutine library in a task", function()
  local function in_task(fn)
    return aio.spawn(fn):join()
  end

  it("says the task's thread is not main and cannot yield", function()
    local thread, is_main = in_task(coroutine.running)
    assert.are.equal("thread", type(thread))
    assert.is_false(is_main)
    assert.is_false(in_task(coroutine.isyieldable))
    local ok, err = in_task(function() return pcall(coroutine.yield) end)
    assert.is_false(ok)
    assert.are.equal("attempt to yield from outside a coroutine", err)
  end)

  it("gives a thread that was seen to nobody else", function()
    local first = in_task(function() return (coroutine.running()) end)
    for _ = 1, 20 do
      assert.are_not.equal(first,
        in_task(function() return (coroutine.running()) end))
    end
  end)

  it("leaves no hook behind", function()
    in_task(function() debug.sethook(function() end, "", 1000000) end)
    for _ = 1, 5 do
      assert.is_nil(in_task(function() return (debug.gethook()) end))
    end
  end)

  it("keeps stock Lua's messages", function()
    local co = coroutine.create(function() end)
    coroutine.resume(co)
    assert.are.same({ false, "cannot resume dead coroutine" },
      { coroutine.resume(co) })
    assert.are.same({ true }, { coroutine.close(co) })
    local _, err = pcall(coroutine.resume, 1)
    assert.matches("bad argument #1 to '.*resume' %(coroutine expected", err)
    _, err = pcall(coroutine.close, coroutine.running())
    assert.matches("cannot close a running coroutine", err)
    local deep = coroutine.wrap(function() error("deep", 1) end)
    _, err = pcall(function() return (deep()) end)
    assert.matches("stackful_spec.lua:%d+: .*stackful_spec.lua:%d+: deep", err)
    local o = {}
    _, err = pcall(coroutine.wrap(function() error(o) end))
    assert.are.equal(o, err)
  end)

  it("runs __close handlers that park when a coroutine is closed", function()
    local log = {}
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = function()
        aio.sleep(0.001)
        log[#log + 1] = "closed"
      end })
      coroutine.yield(1)
    end)
    coroutine.resume(co)
    assert.is_true(coroutine.close(co))
    assert.are.same({ "closed" }, log)
  end)

  it("refuses to close a chain that would overflow the C stack", function()
    local ok, err = aio.spawn(function()
      local function link(n)
        local co = coroutine.create(function()
          local _ <close> = setmetatable({}, { __close = function()
            if n > 0 then
              local ok, e = coroutine.close(link(n - 1))
              if not ok then error(e, 0) end
            end
          end })
          coroutine.yield()
        end)
        coroutine.resume(co)
        return co
      end
      local ok, e = coroutine.close(link(20000))
      if not ok then error(e, 0) end
    end):pjoin()
    assert.is_false(ok)
    assert.matches("overflow", err)
  end)
end)
