--- aio.wait_signal and aio.on_signal.
local aio = require "aio"

local pid = assert(tonumber(io.open("/proc/self/stat"):read("n")))

local function kill(name)
  assert(os.execute(("kill -%s %d"):format(name, pid)))
end

--- Waits until @done() is true, at most two seconds.
local function eventually(done)
  local deadline = aio.now() + 2
  while not done() do
    assert(aio.now() < deadline, "nothing happened for two seconds")
    aio.sleep(0.001)
  end
end

describe("aio.wait_signal", function()
  it("returns the name of the signal that came", function()
    local task = aio.spawn(aio.wait_signal, "USR2", "SIGHUP")
    aio.yield()
    kill("USR2")
    assert.equal("USR2", task:join(2))
    task = aio.spawn(aio.wait_signal, "usr2", "HUP")
    aio.yield()
    kill("HUP")
    assert.equal("HUP", task:join(2))
  end)

  it("remembers a signal that comes between two waits", function()
    assert.is_nil((aio.wait_signal("USR2", 0.001)))
    kill("USR2")
    kill("USR2")
    aio.sleep(0.001)
    assert.equal("USR2", aio.wait_signal("USR2", 2))
    assert.is_nil((aio.wait_signal("USR2", 0.001)))
  end)

  it("wakes everybody who waits for it", function()
    local one = aio.spawn(aio.wait_signal, "HUP")
    local two = aio.spawn(aio.wait_signal, "HUP", "USR2")
    aio.yield()
    kill("HUP")
    assert.equal("HUP", one:join(2))
    assert.equal("HUP", two:join(2))
  end)

  it("gives up after its time-out, or when cancelled", function()
    local got, err, code = aio.wait_signal("HUP", 0.002)
    assert.is_nil(got)
    assert.equal("timeout", err)
    assert.equal(aio.errno.ETIMEDOUT, code)
    local task = aio.spawn(aio.wait_signal, "HUP")
    aio.yield()
    task:cancel()
    assert.is_true(aio.is_cancelled(select(2, task:pjoin(2))))
  end)

  it("refuses unknown signals and those that cannot be caught", function()
    local function refuses(name, pattern)
      local ok, err = pcall(aio.wait_signal, name)
      assert.is_false(ok)
      assert.matches(pattern, err)
    end
    refuses("HUPP", "unknown signal 'HUPP' %(did you mean 'HUP'%?%)")
    refuses("SIGTREM", "did you mean 'TERM'")
    refuses("", "unknown")
    refuses("KILL", "cannot be caught")
    refuses("SIGSEGV", "cannot be handled")
    assert.has_error(function() aio.wait_signal() end)
    assert.has_error(function() aio.wait_signal(1) end)
    assert.has_error(function() aio.wait_signal("HUP", {}) end)
  end)

  it("leaves nothing blocked or ignored for children", function()
    local handler <close> = aio.on_signal("HUP", function() end)
    assert.is_truthy(handler)
    local out <close> = assert(io.popen("cat /proc/self/status"))
    local status = out:read("a")
    assert.matches("SigBlk:%s+0+\n", status)
    local ignored = tonumber(status:match("SigIgn:%s+(%x+)"), 16)
    assert.equal(0, ignored & 1)
  end)
end)

describe("aio.on_signal", function()
  it("runs a function in a task each time", function()
    local names = {}
    local handler <close> = aio.on_signal("SIGHUP", function(name)
      aio.sleep(0.0005) -- a task may park
      names[#names + 1] = name
    end)
    kill("HUP")
    eventually(function() return #names == 1 end)
    kill("HUP")
    eventually(function() return #names == 2 end)
    assert.same({ "HUP", "HUP" }, names)
    handler:close()
    handler:close()
  end)

  it("calls all its functions, in the order of their creation", function()
    local order = {}
    local function log(i)
      return aio.on_signal("USR2", function() order[#order + 1] = i end)
    end
    local one <close> = log(1)
    local two <close> = log(2)
    local three <close> = log(3)
    two:close()
    assert.is_truthy(one and three)
    kill("USR2")
    eventually(function() return #order == 2 end)
    assert.same({ 1, 3 }, order)
  end)

  it("stays until closed, referenced or not", function()
    local runs = 0
    local handlers = setmetatable({}, { __mode = "v" })
    handlers[1] = aio.on_signal("HUP", function() runs = runs + 1 end)
    collectgarbage()
    collectgarbage()
    kill("HUP")
    eventually(function() return runs == 1 end)
    handlers[1]:unref()
    handlers[1]:close()
  end)

  it("names itself in the errors of its function", function()
    local origin
    aio.on_error(function(_, _, where) origin = where end)
    finally(function() aio.on_error(nil) end)
    local handler <close> = aio.on_signal("HUP", function() error "oops" end)
    assert.is_truthy(handler)
    kill("HUP")
    eventually(function() return origin end)
    assert.matches("SIGHUP, on_signal at .*signal_spec.lua:%d+", origin)
  end)

  it("checks its arguments", function()
    assert.has_error(function() aio.on_signal("HUP") end)
    assert.has_error(function() aio.on_signal("HUP", 3) end)
    assert.has_error(function() aio.on_signal("NOPE", print) end)
    assert.has_error(function() aio.on_signal("STOP", print) end)
  end)
end)
