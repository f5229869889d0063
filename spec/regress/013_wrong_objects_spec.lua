--- Methods called on objects of other classes, extreme offsets, lists that
-- change while they are read: each must raise, none may touch memory.
local aio = require "aio"
local sync = require "aio.sync"

describe("h:ref and h:unref", function()
  it("refuse what is no handle, however large", function()
    local bh <close> = aio.bh(print)
    local ok, lpeg = pcall(require, "lpeg")
    local wrong = {
      aio.hist(), aio.buf(1), aio.spawn(print), aio.context(), io.stdout, 1,
      "bh", {}, ok and lpeg.P(("x"):rep(4096)) or {},
    }
    for _, value in ipairs(wrong) do
      assert.error_matches(function() bh.unref(value) end,
        "aio handle expected")
      assert.error_matches(function() bh.ref(value) end, "aio handle expected")
    end
    assert.has_error(function() bh.unref() end)
    aio.yield()
  end)
end)

describe("an offset far out of range", function()
  it("raises and does not overflow", function()
    local buf <close> = aio.buf(100)
    for _, off in ipairs { math.mininteger, math.maxinteger, -1, 101 } do
      for _, call in ipairs { "slice", "tostring", "is_zero", "crc32c" } do
        assert.error_matches(function() buf[call](buf, off) end,
          "out of range: offset")
      end
      assert.error_matches(function() buf:fill(0, off) end, "out of range")
      assert.error_matches(function() buf:find("x", off) end, "out of range")
      assert.error_matches(function() buf:set(off, "x") end, "out of range")
      assert.error_matches(function() buf:copy(off, buf) end, "out of range")
      assert.error_matches(function() buf:copy(0, buf, off) end,
        "out of range")
      assert.error_matches(function() buf:pack(off, "i4", 1) end,
        "out of range")
      assert.error_matches(function() buf:unpack(off, "i4") end,
        "out of range")
    end
    assert.error_matches(function()
      buf:slice(1, math.maxinteger)
    end, "out of range")
  end)
end)

describe("a list of buffers", function()
  it("is read without metamethods, which could close them", function()
    local file = require "aio.file"
    local f <close> = assert(file.open("/dev/zero"))
    local first = aio.buf(4096)
    local sly = setmetatable({ first }, {
      __len = function() return 2 end,
      __index = function()
        first:close()
        return aio.buf(1)
      end,
    })
    assert.equal(4096, f:preadv(sly, 0))
    assert.is_false(first:is_closed())
    first:close()
  end)
end)

describe("aio.batch", function()
  it("takes true or false for link, and refuses other options", function()
    assert.error_matches(function()
      aio.batch(function() end, { lnk = true })
    end, "did you mean 'link'")
    for _, link in ipairs { true, false } do
      assert.equal(1, aio.batch(function() return 1 end, { link = link }))
    end
  end)
end)

describe("a mutex of a task that ended", function()
  it("does not belong to the task that got its memory", function()
    local mutex = sync.mutex()
    aio.spawn(function() mutex:lock() end):join()
    for _ = 1, 3 do -- ended tasks are used again
      local ok, message, code = aio.spawn(function()
        local done, why = pcall(mutex.unlock, mutex)
        assert.is_false(done)
        assert.matches("locked by another task", why)
        return mutex:lock(0.001)
      end):join()
      assert.is_nil(ok)
      assert.equal("timeout", message)
      assert.equal(aio.errno.ETIMEDOUT, code)
    end
  end)

  it("cannot be taken or given back in a callback", function()
    local mutex = sync.mutex()
    local results = {}
    aio.spawn(function()
      mutex:lock()
      aio.defer(function()
        results[1] = pcall(mutex.try_lock, mutex)
        results[2] = pcall(mutex.unlock, mutex)
      end)
      aio.yield()
      mutex:unlock()
    end):join()
    assert.same({ false, false }, results)
  end)
end)
