-- Threads from callbacks, which may not wait; names, and errors of init.

local aio, host = require "aio", require "support.host"

-- Runs @fn in a bottom half; its results.
local function in_callback(fn)
  return aio.await(function(done)
    aio.bh(function() done(pcall(fn)) end, "the callback"):schedule()
  end)
end

describe("in a callback", function()
  it("aio.iothread is refused, and says which callback it is", function()
    local ok, err = in_callback(function() return aio.iothread("late") end)
    assert.is_false(ok)
    assert.is_truthy(err:find("bh 'the callback'", 1, true), err)
    aio.iothread("late"):close() -- the name was not taken
  end)

  it("a call begins, and a task waits for it", function()
    local thread <close> = assert(aio.iothread("cb"))
    local ok, call = in_callback(function()
      return thread:call(function() return "done" end)
    end)
    assert.is_true(ok)
    assert.equal("done", call:join(5))
  end)

  it("close() returns at once; the thread ends meanwhile", function()
    local thread = assert(aio.iothread("cb"))
    local call = thread:call(function()
      local _ <close> = setmetatable({}, { __close = function()
        aio.sleep(0.02)
      end })
      aio.sleep(100)
    end)
    aio.sleep(0.002)
    local start = aio.now()
    local ok, took = in_callback(function()
      thread:close()
      thread:close()
      return aio.now() - start
    end)
    assert.is_true(ok)
    assert.is_true(took < 0.015, took)
    assert.equal("closed", thread:status())
    assert.has_error(function() thread:call(print) end)
    assert.is_false((call:pjoin(5)))
    thread:close() -- waits for the end
    aio.iothread("cb"):close()
  end)
end)

describe("aio.iothread", function()
  it("takes names of up to 255 bytes", function()
    local long = ("n"):rep(255)
    local thread = assert(aio.iothread(long))
    assert.equal(long, thread:name())
    thread:close()
    for _, name in ipairs { "", ("n"):rep(256), "a\0b" } do
      local ok, err = pcall(aio.iothread, name)
      assert.is_false(ok)
      assert.is_truthy(err:find("bad argument #1 to 'iothread'", 1, true), err)
    end
  end)

  it("says which processors it cannot have", function()
    local thread, message, errno = aio.iothread("far", { affinity = 1023 })
    assert.is_nil(thread)
    assert.is_truthy(message:find("processor 1023", 1, true), message)
    assert.equal(aio.errno.EINVAL, errno)
    for cpu, what in pairs { [1024] = "processor 1024, must be from 0 to 1023",
      [1 << 30] = "processor 1073741824", [-1] = "option 'affinity'",
      [1 << 31] = "option 'affinity'", [0.5] = "option 'affinity'" } do
      local ok, err = pcall(aio.iothread, "far", { affinity = { cpu } })
      assert.is_false(ok)
      assert.is_truthy(err:find(what, 1, true), err)
    end
    aio.iothread("far"):close()
  end)

  it("raises the error of its init as it is", function()
    local task = aio.spawn(aio.iothread, "x", { init = function()
      error({ code = 9 })
    end })
    local ok, err = task:pjoin(5)
    assert.is_false(ok)
    assert.same({ code = 9 }, err)
    aio.iothread("x"):close()
  end)

  it("can be cancelled while its init runs, and is closed then", function()
    local task = aio.spawn(aio.iothread, "x", { init = function()
      aio.sleep(100)
    end })
    aio.sleep(0.005)
    task:cancel()
    local ok, err = task:pjoin(5)
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    aio.iothread("x"):close()
  end)

  it("says so when the system makes no more threads", function()
    if os.getenv("TSAN_OPTIONS") or os.getenv("ASAN_OPTIONS") then
      pending("sanitizers reserve more address space than the limit")
      return
    end
    local output = host.run("ulimit -v 400000; " .. host.aioctl .. [[ -e '
      local aio = require "aio"
      local threads, message, errno = {}
      for i = 1, 1000 do
        threads[i], message, errno = aio.iothread("t" .. i)
        if not threads[i] then break end
      end
      print(#threads > 0, message, math.type(errno))
      for _, t in ipairs(threads) do t:close() end']])
    assert.is_truthy(output:find("^true\t[^\t]+\tinteger\n"), output)
  end)
end)
