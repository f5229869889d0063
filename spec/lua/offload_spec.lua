-- aio.offload: pure functions on the thread pool.

local aio = require "aio"

describe("aio.offload", function()
  it("runs a function in another thread and returns its results", function()
    local base = 10
    local id, sum, list = aio.offload(function(n)
      local total = base
      for i = 1, n do total = total + i end
      local comm <close> = io.open("/proc/thread-self/comm")
      return comm:read("l"), total, { n, { n } }
    end, 100)
    assert.equal("aio-worker", id)
    assert.equal(5060, sum)
    assert.same({ 100, { 100 } }, list)
    assert.equal(0, select("#", aio.offload(function() end)))
    assert.same({ nil, 1, nil }, { aio.offload(function()
      return nil, 1, nil
    end) })
  end)

  it("copies big strings and deep tables", function()
    local big = ("x"):rep(3 << 20)
    assert.equal(#big * 2, #aio.offload(function(s) return s .. s end, big))
    local deep = {}
    for i = 1, 200 do deep = { deep, i } end
    assert.same(deep, (aio.offload(function(t) return t end, deep)))
  end)

  it("lets the loop go on, and runs on several threads", function()
    local turns, done = 0, false
    local ticker = aio.spawn(function()
      while not done do
        turns = turns + 1
        aio.sleep(0.0005)
      end
    end)
    aio.offload(function()
      local stop = os.clock() + 0.01
      repeat until os.clock() >= stop
    end)
    done = true
    ticker:join()
    assert.is_true(turns > 1)
    local sum = 0
    aio.group(function(g)
      for i = 1, 64 do
        g:spawn(function()
          local square = aio.offload(function(n) return n * n end, i)
          sum = sum + square
        end)
      end
    end)
    assert.equal(64 * 65 * 129 // 6, sum)
  end)

  it("raises the function's error, the same value", function()
    local ok, err = pcall(aio.offload, function() error({ code = 1 }) end)
    assert.is_false(ok)
    assert.same({ code = 1 }, err)
    local task = aio.spawn(aio.offload, function()
      local function inside() error("text") end
      inside()
    end)
    ok, err = task:pjoin()
    assert.is_false(ok)
    assert.is_truthy(err:find("text", 1, true))
    assert.is_truthy(task:traceback():find("'inside'", 1, true))
    assert.is_truthy(task:traceback():find("(in aio.offload)", 1, true))
    ok, err = pcall(aio.offload, function()
      error(setmetatable({}, { __tostring = function() return "told" end }))
    end)
    assert.is_false(ok)
    assert.equal("told", err)
  end)

  it("refuses what cannot cross, either way", function()
    local out = io.stdout
    for message, call in pairs {
      ["the function, upvalue 'out': a userdata"] = { function()
        return out
      end },
      ["arg 2: a coroutine cannot"] = { print, 1, coroutine.create(print) },
      ["result 1: a userdata (FILE*) cannot"] = { function()
        return io.stdout
      end },
      ["function expected"] = {},
    } do
      local ok, err = pcall(aio.offload, table.unpack(call))
      assert.is_false(ok)
      assert.is_truthy(err:find(message, 1, true), err)
    end
  end)

  it("may work on a buffer, which moves there and back", function()
    local buf = aio.buf(1 << 16):fill(7)
    local crc, back = aio.offload(function(b)
      b:fill(9, 0, 1)
      return b:crc32c(), b
    end, buf)
    assert.is_true(buf:is_closed())
    assert.equal("\9\7", back:tostring(0, 2))
    assert.equal(crc, back:crc32c())
    back:close()
  end)

  it("has no loop there, and says so", function()
    for _, use in ipairs {
      function() require("aio").sleep(1) end,
      function() return require("aio").spawn end,
      function() require "aio.sync" end,
      function() require "aio.file" end,
    } do
      local ok, value = pcall(aio.offload, use)
      assert.is_true(not ok or value == nil)
    end
    local chan = aio.sync.chan(1)
    local ok, err = pcall(aio.offload, function(c) c:put(1) end, chan)
    assert.is_false(ok)
    assert.is_truthy(err:find("aio.offload", 1, true), err)
  end)

  it("returns at once when it is cancelled; what runs goes on", function()
    local went_on
    for _ = 1, 20 do -- on a busy machine the work may end first
      local task = aio.spawn(aio.offload, function()
        local stop = os.clock() + 0.015
        repeat until os.clock() >= stop
        return ("x"):rep(1000)
      end)
      aio.sleep(0.003)
      local from = aio.now()
      task:cancel()
      local ok, err = task:pjoin()
      went_on = not ok and aio.now() - from < 0.008
      if went_on then
        assert.is_true(aio.is_cancelled(err))
        break
      end
    end
    assert.is_true(went_on)
    assert.is_nil((aio.timeout(0.002, aio.offload, function()
      local stop = os.clock() + 0.01
      repeat until os.clock() >= stop
    end)))
  end)

  it("works in the thread pool of an iothread, too", function()
    local thread <close> = aio.iothread("off")
    assert.equal(25, thread:call(function()
      return aio.offload(function(x) return x * x end, 5)
    end):join())
  end)

  it("raises in a callback", function()
    local ok, err
    aio.defer(function() ok, err = pcall(aio.offload, print) end)
    aio.sleep(0.001)
    assert.is_false(ok)
    assert.is_truthy(err:find("callback", 1, true))
  end)
end)
