-- Programs with iothreads: every order in which both may end.

local host = require "support.host"

-- Runs a script in a program of its own -> everything it prints, status.
local function run(script)
  return host.run(host.quote(host.aioctl) .. " -e " .. host.quote(script))
end

describe("a program with iothreads", function()
  it("ends although they are open and idle", function()
    local out, status = run([[
      local aio = require "aio"
      a, b = aio.iothread("a"), aio.iothread("b")
      a:call(function() aio.spawn(function() aio.sleep(100) end) end):join()
      print("end of main")]])
    assert.equal("end of main\n", out)
    assert.equal(0, status)
  end)

  it("waits for calls in flight", function()
    local out, status = run([[
      local aio = require "aio"
      aio.iothread("a"):call(function()
        aio.sleep(0.01)
        print("done")
      end)]])
    assert.equal("done\n", out)
    assert.equal(0, status)
  end)

  it("does not wait for calls that are unref'd", function()
    local _, status = run([[
      local aio = require "aio"
      t = aio.iothread("a")
      t:call(function() aio.sleep(100) end):unref()]])
    assert.equal(0, status)
  end)

  it("ends with status 1 and the thread's traceback when nobody joins a "
    .. "call that failed", function()
    local out, status = run([[
      local aio = require "aio"
      local t = aio.iothread("a")
      t:call(function() error("lost") end)
      aio.sleep(20)]])
    assert.equal(1, status)
    assert.is_truthy(out:find("lost", 1, true), out)
    assert.is_truthy(out:find("(in iothread 'a')", 1, true), out)
  end)

  it("hears of errors that nobody in the thread receives", function()
    local script = [[
      local aio = require "aio"
      %s
      local t = aio.iothread("a")
      t:call(function()
        aio.spawn(function() error("stray") end)
        aio.defer(function() error({}) end)
      end):join()
      aio.sleep(%s)]]
    local out, status = run(script:format("", "20"))
    assert.equal(1, status)
    assert.is_truthy(out:find("stray", 1, true), out)
    assert.is_truthy(out:find("in iothread 'a'", 1, true), out)
    out, status = run(script:format([[aio.on_error(function(err, trace, origin)
      print(type(err), trace and "trace", origin:match("iothread .*"))
    end)]], "0.05"))
    assert.equal(0, status)
    assert.is_truthy(out:find("string\ttrace\tiothread 'a'", 1, true), out)
    assert.is_truthy(out:find("table\ttrace\tiothread 'a'", 1, true), out)
  end)

  it("ends with the status that os.exit asks for in a thread", function()
    for _, how in ipairs { "os.exit(7)", "aio.exit(7)",
      "aio.defer(function() os.exit(7) end) aio.sleep(50)" } do
      local out, status = run(([[
        local aio = require "aio"
        local t = aio.iothread("a")
        local _ <close> = setmetatable({}, { __close = function()
          print("unwound")
        end })
        t:call(function() %s end):join()
        print("not reached")]]):format(how))
      assert.equal(7, status, how)
      assert.equal("unwound\n", out)
    end
  end)

  it("is no deadlock while a thread may wake the main task", function()
    local out, status = run([[
      local aio = require "aio"
      local t = aio.iothread("a")
      local c = t:channel()
      t:call(function(c)
        aio.spawn(function() aio.sleep(0.02) c:put("woken") end)
      end, c):join()
      print(c:get())]])
    assert.equal("woken\n", out)
    assert.equal(0, status)
  end)

  it("is a deadlock once threads are closed, ended or unref'd", function()
    for _, how in ipairs { "t:close()", "t:unref()",
      "t:call(aio.stop):pjoin()" } do
      local out, status = run(([[
        local aio = require "aio"
        local t = aio.iothread("a")
        local c = t:channel()
        %s
        c:get()]]):format(how))
      assert.equal(3, status, how)
      assert.is_truthy(out:find("deadlock", 1, true), out)
    end
  end)

  it("ends by an error in main while threads are busy", function()
    local out, status = run([[
      local aio = require "aio"
      local t = aio.iothread("a")
      for _ = 1, 20 do
        t:call(function() aio.sleep(100) end)
      end
      aio.sleep(0.01)
      error("main fails")]])
    assert.equal(1, status)
    assert.is_truthy(out:find("main fails", 1, true), out)
  end)

  it("ends by Ctrl-C while threads are busy", function()
    local out, status = run([[
      local aio = require "aio"
      local t = aio.iothread("a")
      for _ = 1, 5 do
        t:call(function() aio.sleep(100) end)
      end
      aio.after(0.02, function() io.popen("kill -INT $PPID"):close() end)
      t:call(aio.sleep, 100):join()]])
    assert.is_true(status == 130 or status == 2, out .. tostring(status))
  end)
end)
