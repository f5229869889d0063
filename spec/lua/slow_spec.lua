--- --slow: what holds the loop too long, and where it stands.
local host = require "support.host"

local function aioctl(options, code)
  return host.run(("%s %s -e %s"):format(host.quote(host.aioctl), options,
    host.quote(code)))
end

-- Lua code that spins for a number of milliseconds of CPU time: on a machine
-- that is busy the guard gets its turns as well.
local SPIN <const> = [[
local aio = require "aio"
local function spin(ms)
  local till = os.clock() + ms / 1000
  while os.clock() < till do end
end
]]

describe("--slow", function()
  it("names a callback that holds the loop, and shows where it stands",
    function()
      local output, status = aioctl("--slow=10ms", SPIN .. [[
        local t <close> = aio.timer{name = "hog", fn = function() spin(150) end}
        t:mod(aio.now())
        aio.sleep(0.02)
      ]])
      assert.equal(0, status)
      local ms = output:match("aioctl: slow: timer 'hog', created at " ..
        "%(command line%):6 has held the loop for (%d+) ms\n")
      assert.is_truthy(ms, output)
      assert.is_true(tonumber(ms) >= 10)
      assert.matches("stack traceback:\n.*%(command line%):4: in", output)
      assert.matches("aioctl: slow: that took %d+ ms in all", output)
      -- Once; the system may keep other slices from running as long.
      assert.equal(1, select(2, output:gsub("'hog'[^\n]* has held", "")))
    end)

  it("names a task, also in a coroutine of its own", function()
    local output = aioctl("--slow=10ms", SPIN .. [[
      aio.spawn(function()
        coroutine.wrap(function() spin(100) end)()
      end):name("worker"):join()
    ]])
    assert.matches("slow: task 'worker', created at %(command line%):6 has " ..
      "held the loop for %d+ ms", output)
    assert.matches("%(command line%):4: in", output)
  end)

  it("names what holds the loop of another thread, and the thread", function()
    local output, status = aioctl("--slow=10ms", SPIN .. [[
      local thread <close> = assert(aio.iothread("hogger"))
      thread:call(function()
        local aio = require "aio"
        local t <close> = aio.timer{name = "hog", fn = function()
          local till = os.clock() + 0.2
          while os.clock() < till do end
        end}
        t:mod(aio.now())
        aio.sleep(0.02)
      end):join()
    ]])
    assert.equal(0, status, output)
    assert.matches("aioctl: slow: timer 'hog', created at .- in thread " ..
      "'[^']*hogger' has held the loop for %d+ ms\nstack traceback:", output)
  end)

  it("tells of a slice that was in C when its time had passed", function()
    local output = aioctl("--slow=10ms", SPIN .. [[
      aio.spawn(function() os.execute("sleep 0.1") end):join()
    ]])
    assert.matches("slow: task created at", output)
  end)

  it("says nothing of slices that are short, however many", function()
    local output = aioctl("--slow=500ms", SPIN .. [[
      for _ = 1, 300 do spin(2) aio.yield() end
      aio.sleep(0.6)
    ]])
    assert.equal("", output)
  end)

  it("leaves a debug hook in place", function()
    local output = aioctl("--slow=10ms", SPIN .. [[
      local calls = 0
      debug.sethook(function() calls = calls + 1 end, "", 1000)
      spin(100)
      local before = calls
      spin(5)
      print(before > 0 and calls > before)
    ]])
    assert.matches("has held the loop", output)
    assert.matches("true", output)
  end)

  it("does not keep Ctrl-C from ending a spin", function()
    local output, status = aioctl("--slow=10ms", SPIN .. [[
      local pid = io.open("/proc/self/stat"):read("a"):match("^%d+")
      io.popen("(sleep 0.1; kill -INT " .. pid .. ") >/dev/null 2>&1 &")
      while true do end
    ]])
    assert.equal(130, status)
    assert.matches("has held the loop", output)
  end)

  it("is set by AIOCTL_SLOW, and refuses what is no time", function()
    local output = host.run(("AIOCTL_SLOW=10ms %s -e %s"):format(
      host.quote(host.aioctl), host.quote(SPIN .. "spin(100)")))
    assert.matches("slow: main task has held", output)
    local status
    output, status = aioctl("--slow=often", "")
    assert.matches("%-%-slow: bad value 'often'", output)
    assert.equal(1, status)
    output, status = aioctl("--slow 0", "")
    assert.equal("", output)
    assert.equal(0, status)
  end)
end)
