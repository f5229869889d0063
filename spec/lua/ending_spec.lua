-- How programs end: os.exit, uncaught errors, deadlock, interrupts.
local host = require "support.host"

local function run(code, before)
  local path = os.tmpname()
  finally(function() os.remove(path) end)
  local file = assert(io.open(path, "w"))
  file:write('local aio = require "aio"\n', code)
  file:close()
  return host.run((before or "") .. host.quote(host.aioctl) .. " " .. path)
end

describe("os.exit ends the program with its status", function()
  local places = {
    ["main"] = "os.exit(7)",
    ["a pcall"] = "pcall(os.exit, 7)",
    ["a task"] = "aio.spawn(function() pcall(os.exit, 7) end) aio.sleep(100)",
    ["a coroutine"] = "coroutine.wrap(function() os.exit(7) end)()",
    ["a coroutine in a task"] = [[
      aio.spawn(function() coroutine.wrap(function() os.exit(7) end)() end)
      aio.sleep(100)]],
    ["a callback"] =
      "aio.bh(function() pcall(os.exit, 7) end):schedule() aio.sleep(100)",
    ["a sort comparator"] =
      "table.sort({ 2, 1 }, function() os.exit(7) end)",
    ["aio.exit"] = "pcall(aio.exit, 7)",
  }
  for name, code in pairs(places) do
    it("from " .. name, function()
      local out, status = run(code .. ' print "went on"')
      assert.are.equal(7, status, out)
      assert.are.equal("", out)
    end)
  end

  it("and runs the handlers of other tasks", function()
    local out, status = run [[
      aio.spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          aio.sleep(0.001)
          print "closed"
        end })
        aio.sleep(100)
      end)
      aio.yield()
      os.exit(3)]]
    assert.are.equal("closed\n", out)
    assert.are.equal(3, status)
  end)

  it("and runs the handlers of the task that called it", function()
    local out, status = run [[
      aio.spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          aio.sleep(0.001)
          print "closed"
        end })
        os.exit(true, true)
      end)
      aio.sleep(100)]]
    assert.are.equal("closed\n", out)
    assert.are.equal(0, status)
  end)

  it("within bounded time", function()
    local _, status = run [[
      aio.spawn(function() while true do pcall(aio.sleep, 100) end end)
      aio.yield()
      os.exit(4)]]
    assert.are.equal(4, status)
  end)
end)

describe("an error that nobody receives", function()
  it("ends the program and tells everything", function()
    local out, status = run [[
      local function culprit() error "boom" end
      aio.spawn(function() culprit() end):name("bad")
      aio.sleep(100)]]
    assert.are.equal(1, status)
    assert.matches("boom", out)
    assert.matches("culprit", out)
    assert.matches("task 'bad', created at .*:3", out)
  end)

  it("in a callback names the callback", function()
    local out, status = run [[
      aio.bh(function() error "boom" end, "hook"):schedule()
      aio.sleep(100)]]
    assert.are.equal(1, status)
    assert.matches("boom", out)
    assert.matches("bh 'hook', created at .*:2", out)
  end)

  it("counts at the end although the handle is kept", function()
    local out, status = run [[
      KEPT = aio.spawn(error, "kept", 0)
      aio.sleep(0.001)]]
    assert.are.equal(1, status)
    assert.matches("kept", out)
  end)

  it("goes to aio.on_error", function()
    local out, status = run [[
      aio.on_error(function(err, traceback, origin)
        print(err.code, type(traceback), origin:match("^task"))
        aio.on_error(nil)
      end)
      aio.spawn(error, { code = 5 })
      aio.sleep(0.02)
      print "went on"]]
    assert.are.equal("5\tstring\ttask\nwent on\n", out)
    assert.are.equal(0, status)
  end)

  it("is not one that was joined, or a cancellation", function()
    local out, status = run [[
      local t = aio.spawn(error, "x")
      t:pjoin()
      local u = aio.spawn(aio.sleep, 100)
      aio.yield()
      u:cancel()
      t, u = nil, nil
      aio.sleep(0.01)
      collectgarbage()
      print "fine"]]
    assert.are.equal("fine\n", out)
    assert.are.equal(0, status)
  end)
end)

describe("deadlock", function()
  it("is reported with every parked task", function()
    local out, status = run [[
      local function stuck() aio.park() end
      aio.spawn(function() stuck() end):name("waiter")
      aio.park()]]
    assert.are.equal(3, status)
    assert.matches("deadlock", out)
    assert.matches("task 'waiter', created at .*:3", out)
    assert.matches("stuck", out)
    assert.matches("main task", out)
  end)

  it("is not where time can help", function()
    local out, status = run [[
      local t = aio.spawn(function() return aio.park(0.005) end)
      print(t:join())]]
    assert.are.equal("nil\ttimeout\t110\n", out)
    assert.are.equal(0, status)
  end)

  it("is not the end of a program whose tasks are all unref'd", function()
    local _, status = run "aio.spawn(aio.park):unref() aio.yield()"
    assert.are.equal(0, status)
  end)
end)

describe("an interrupt", function()
  -- The program asks for it when it is ready, and has gone on when it comes.
  -- Not by os.execute(): system() ignores INT while it waits.
  local PRELUDE = [[
    local function interrupt_soon()
      io.popen("(sleep 0.02; kill -INT $PPID) >/dev/null 2>&1 &"):close()
    end
    local _ <close> = setmetatable({}, { __close = function()
      io.write "cleaned up\n"
    end })
  ]]

  for name, code in pairs {
    ["sleeps"] = "aio.sleep(1000)",
    ["spins"] = "while true do end",
    ["spins in a coroutine"] =
      "coroutine.wrap(function() while true do end end)()",
    ["yields for ever"] = "while true do aio.yield() end",
  } do
    it("cancels a main task that " .. name, function()
      local out = run(PRELUDE .. "interrupt_soon() " .. code)
      assert.matches("cleaned up", out)
    end)
  end

  it("reaches another task that spins", function()
    local out = run(PRELUDE .. [[
      aio.spawn(function()
        interrupt_soon()
        while true do end
      end)
      aio.sleep(1000)]])
    assert.matches("cleaned up", out)
  end)
end)
