-- aio.buf and its slices: bytes, ranges, checksums, closing, moving

local aio = require "aio"

describe("aio.buf", function()
  it("is zeroed and as long as asked", function()
    for _, size in ipairs { 1, 511, 4096, 1 << 20 } do
      local b = aio.buf(size)
      assert.equal(size, #b)
      assert.is_true(b:is_zero())
    end
  end)

  it("takes sizes as text and as options", function()
    assert.equal(4096, #aio.buf("4k"))
    assert.equal(1 << 20, #aio.buf { size = "1M", align = 512 })
  end)

  it("may be empty", function()
    local b = aio.buf(0)
    assert.equal(0, #b)
    assert.equal("", b:tostring())
    assert.is_true(b:is_zero())
  end)

  it("refuses sizes and options that make no sense", function()
    assert.error_matches(function() aio.buf(-1) end, "negative")
    assert.has_error(function() aio.buf("many") end)
    assert.has_error(function() aio.buf() end)
    assert.has_error(function() aio.buf {} end)
    assert.has_error(function() aio.buf { size = 1, align = 3 } end)
    assert.error_matches(function()
      aio.buf { size = 1, aling = 4096 }
    end, "align")
    assert.error_matches(function() aio.buf(1 << 60) end, "memory")
  end)

  it("sets, reads, fills and copies bytes at offsets from 0", function()
    local b = aio.buf(16)
    b:set(2, "hello")
    assert.equal("\0\0hello\0", b:tostring(0, 8))
    b:fill("x", 0, 2):fill(0x79, 7, 1)
    assert.equal("xxhelloy", b:tostring(0, 8))
    b:copy(8, b, 0, 8)
    assert.equal("xxhelloyxxhelloy", b:tostring())
    b:copy(1, b, 0, 15) -- overlaps
    assert.equal("xxxhelloyxxhello", b:tostring())
  end)

  it("checks every range", function()
    local b = aio.buf(8)
    for _, f in ipairs {
      function() b:set(5, "four") end,
      function() b:tostring(-1) end,
      function() b:tostring(0, 9) end,
      function() b:tostring(9) end,
      function() b:fill(0, 4, 5) end,
      function() b:slice(4, 5) end,
      function() b:slice(math.maxinteger, 1) end,
      function() b:copy(1, b) end,
      function() b:crc32c(0, math.maxinteger) end,
      function() b:pack(5, "<I4", 1) end,
      function() b:unpack(5, "<I4") end,
    } do
      assert.error_matches(f, "out of range")
    end
    assert.error_matches(function() b:fill(256) end, "byte")
  end)

  it("is kept by its slices, which need no finalizer", function()
    local seen = setmetatable({}, { __mode = "k" })
    local s
    do
      local b = aio.buf(8)
      b:set(0, "abcdefgh")
      seen[b] = true
      s = b:slice(2, 4):slice(1)
    end
    collectgarbage()
    collectgarbage()
    assert.is_not_nil(next(seen))
    assert.equal("def", s:tostring())
    assert.is_nil(getmetatable(s).__gc)
    assert.equal(3, #s)
    s:close()
    assert.error_matches(function() s:tostring() end, "closed")
    s = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)

  it("finds bytes and differences", function()
    local b = aio.buf(10000)
    b:set(7000, "needle")
    assert.equal(7000, b:find("needle"))
    assert.equal(7000, b:find("n"))
    assert.is_nil(b:find("needle", 7001))
    local c = b:clone()
    assert.is_true(b:equal(c))
    assert.is_nil(b:mismatch(c))
    c:set(9999, "!")
    assert.is_false(b:equal(c))
    assert.equal(9999, b:mismatch(c))
    assert.equal(5, aio.buf(5):mismatch(aio.buf(6)))
    assert.is_true(aio.buf(3):equal("\0\0\0"))
  end)

  it("sees a single byte that is not zero, wherever it is", function()
    for _, at in ipairs { 0, 1, 15, 16, 17, 4095, 99999 } do
      local b = aio.buf(100000)
      assert.is_true(b:is_zero())
      b:set(at, "\1")
      assert.is_false(b:is_zero())
      assert.is_true(b:is_zero(0, at))
      assert.is_true(b:is_zero(at + 1))
    end
  end)

  it("packs and unpacks like string.pack", function()
    local b = aio.buf(64)
    local fmt = "<i8 I2 s2 z d"
    local stop = b:pack(3, fmt, -5, 513, "text", "zero", 0.5)
    assert.equal(string.pack(fmt, -5, 513, "text", "zero", 0.5),
      b:tostring(3, stop - 3))
    local i, h, s, z, d, at = b:unpack(3, fmt)
    assert.same({ -5, 513, "text", "zero", 0.5 }, { i, h, s, z, d })
    assert.equal(stop, at)
    assert.same({ 513, 13 }, { b:unpack(11, "<I2") })
  end)

  describe("crc32c", function()
    -- RFC 3720, B.4
    local VECTORS <const> = {
      { ("\0"):rep(32), 0x8a9136aa },
      { ("\255"):rep(32), 0x62a8ab43 },
      { "123456789", 0xe3069283 },
      { "", 0 },
    }

    it("gives the published values", function()
      for _, v in ipairs(VECTORS) do
        local b = aio.buf(#v[1]):set(0, v[1])
        assert.equal(v[2], b:crc32c())
      end
    end)

    it("is the same in one go and in pieces, at any alignment", function()
      local b = aio.buf(50000)
      for i = 0, 49999 do
        b:fill((i * 7 + i // 251) % 256, i, 1)
      end
      local whole = b:crc32c(1)
      for _, cut in ipairs { 1, 7, 4096, 12287, 12288, 12289, 40000 } do
        local first = b:crc32c(1, cut)
        assert.equal(whole, b:crc32c(1 + cut, 49999 - cut, first))
      end
    end)
  end)

  it("is closed once and for all", function()
    local b = aio.buf(8)
    b:close()
    b:close()
    assert.is_true(b:is_closed())
    assert.error_matches(function() b:tostring() end, "closed")
    assert.error_matches(function() return #b end, "closed")
    assert.matches("closed", tostring(b))
    local kept
    do
      local c <close> = aio.buf(8)
      kept = c
    end
    assert.is_true(kept:is_closed())
  end)

  it("moves its memory to a new handle", function()
    local b = aio.buf(8):set(0, "contents")
    local s = b:slice(0, 4)
    local m = b:move()
    assert.equal("contents", m:tostring())
    assert.is_true(b:is_closed())
    assert.error_matches(function() s:tostring() end, "closed")
    assert.error_matches(function() m:slice(0, 1):move() end, "slice")
  end)

  describe("slice", function()
    it("shares memory with its buffer, also a slice of a slice", function()
      local b = aio.buf(16)
      local s = b:slice(4, 8)
      local t = s:slice(2)
      t:set(0, "abc")
      assert.equal(6, #t)
      assert.equal("abc", b:tostring(6, 3))
      assert.equal("abc", s:tostring(2, 3))
    end)

    it("keeps the memory alive", function()
      local s = aio.buf(1 << 20):fill(7):slice(1000, 4)
      collectgarbage()
      collectgarbage()
      assert.equal("\7\7\7\7", s:tostring())
    end)

    it("is of no use after its buffer is closed", function()
      local b = aio.buf(16)
      local s = b:slice(0, 4)
      b:close()
      assert.error_matches(function() s:set(0, "x") end, "closed")
    end)

    it("may be closed by itself", function()
      local b = aio.buf(16)
      local s = b:slice(0, 4)
      s:close()
      assert.error_matches(function() s:set(0, "x") end, "closed")
      b:set(0, "x")
    end)
  end)

  it("refuses what is no buffer", function()
    local b = aio.buf(4)
    assert.error_matches(function() b.set({}, 0, "x") end, "aio.buf")
    assert.error_matches(function() b:copy(0, "text") end, "aio.buf")
  end)

  it("frees what is collected", function()
    for _ = 1, 1100 do
      aio.buf(1 << 20):fill(1) -- more than the limit below in all
    end
    local rss = tonumber(io.open("/proc/self/statm"):read("a"):match(
      "%d+ (%d+)")) * 4096
    assert.is_true(rss < 1 << 30)
  end)
end)
