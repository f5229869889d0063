--- aio.hist, aio.size, aio.errno, aio.errname.
local aio = require "aio"

describe("aio.hist", function()
  it("is empty at first", function()
    local h = aio.hist()
    assert.equal(0, h:count())
    assert.is_nil(h:percentile(50))
    assert.is_nil(h:mean())
    assert.is_nil(h:min())
    assert.equal("n=0", h:summary())
    assert.equal("x: n=0", h:summary("x"))
  end)

  it("knows small values exactly", function()
    local h = aio.hist()
    for i = 1, 100 do
      h:record(i)
    end
    assert.equal(100, #h)
    for p = 1, 100 do
      assert.equal(p, h:percentile(p))
    end
    assert.equal(1, h:percentile(0))
    assert.equal(50.5, h:mean())
    assert.near(28.866, h:stddev(), 0.001)
  end)

  it("knows any value within one percent", function()
    for exponent = 0, 62 do
      for _, factor in ipairs { 1, 1.001, 1.3, 1.7, 1.999 } do
        local value = math.floor(2.0 ^ exponent * factor)
        local h = aio.hist()
        h:record(value)
        h:record(math.maxinteger)
        local got = h:percentile(50)
        assert.is_true(math.abs(got - value) <= value * 0.01,
          ("%d -> %d"):format(value, got))
      end
    end
  end)

  it("agrees with sorting", function()
    local h = aio.hist()
    local values = {}
    local x = 12345
    for i = 1, 5000 do
      x = (x * 1103515245 + 12345) % 2147483648
      values[i] = x % 10 ^ (x % 9 + 1) // 1 | 0
      h:record(values[i])
    end
    table.sort(values)
    for _, p in ipairs { 0.1, 1, 10, 50, 90, 99, 99.9, 99.99 } do
      local exact = values[math.ceil(p * #values / 100 - 1e-9)]
      local got = h:percentile(p)
      assert.is_true(got >= exact and got - exact <= exact * 0.01,
        ("p%s: %d -> %d"):format(p, exact, got))
    end
    assert.equal(values[1], h:min())
    assert.equal(values[#values], h:max())
  end)

  it("merges as if all had been recorded in one", function()
    local a, b, both = aio.hist(), aio.hist(), aio.hist()
    for i = 1, 1000 do
      local value = i * i * 37
      both:record(value);
      (i % 3 == 0 and a or b):record(value)
    end
    assert.equal(a, a:merge(b))
    assert.equal(both:json(), a:json())
    assert.equal(both:hgrm(), a:hgrm())
    a:merge(a)
    assert.equal(2000, #a)
    a:merge(aio.hist())
    assert.equal(2000, #a)
  end)

  it("counts a value several times", function()
    local h = aio.hist()
    h:record(10, 99):record(1000):record(5, 0)
    assert.equal(100, #h)
    assert.equal(10, h:percentile(99))
    assert.equal(10, h:min())
    assert.equal(0, #h:reset())
    assert.is_nil(h:max())
  end)

  it("says it in one line", function()
    local h = aio.hist()
    h:record(1500, 98):record(20000000):record(3000000000)
    assert.matches("^read: n=100 mean=%S+ min=1.50us p50=1.50us p90=1.50us "
      .. "p99=%S+ p99.9=3.00s max=3.00s$", h:summary("read"))
    assert.matches("n=100", tostring(h))
  end)

  it("writes the form that HdrHistogram plotters read", function()
    local h = aio.hist()
    h:record(10):record(20):record(30):record(40)
    local text = h:hgrm()
    assert.matches("^%s+Value%s+Percentile%s+TotalCount%s+1/%(1%-Percentile%)",
      text)
    assert.matches("20%.000 0%.500000000000%s+2%s+2%.00\n", text)
    assert.matches("40%.000 1%.000000000000%s+4\n", text)
    assert.matches("#%[Max%s+=%s+40%.000, Total count%s+=%s+4%]", text)
  end)

  it("writes JSON", function()
    local h = aio.hist()
    h:record(10):record(10):record(200)
    local text = h:json()
    assert.matches('"count":3', text)
    assert.matches('"p50":10', text)
    assert.matches('"buckets":%[%[10,2%],%[200,1%]%]', text)
    local ok, cjson = pcall(require, "cjson")
    if ok then
      assert.equal(200, cjson.decode(text).max)
      assert.same({}, cjson.decode(aio.hist():json()).buckets)
    end
  end)

  it("rounds floats and refuses what is no duration", function()
    local h = aio.hist()
    h:record(1.6)
    assert.equal(2, h:max())
    assert.has_error(function() h:record(-1) end)
    assert.has_error(function() h:record(-0.6) end)
    assert.has_error(function() h:record(0 / 0) end)
    assert.has_error(function() h:record(1e300) end)
    assert.has_error(function() h:record("x") end)
    assert.has_error(function() h:record(1, -1) end)
    assert.has_error(function() h:percentile(101) end)
    assert.has_error(function() h:percentile(0 / 0) end)
    assert.has_error(function() h:merge({}) end)
    assert.equal(1, #h)
  end)
end)

describe("aio.size", function()
  it("reads binary units", function()
    assert.equal(512, aio.size("512"))
    assert.equal(4096, aio.size("4k"))
    assert.equal(4096, aio.size("4K"))
    assert.equal(1 << 20, aio.size("1M"))
    assert.equal(2 << 30, aio.size("2G"))
    assert.equal(17, aio.size(17))
    assert.equal("integer", math.type(aio.size("1M")))
  end)

  it("refuses anything else", function()
    for _, s in ipairs { "", "k", "4x", "4kk", "-1", "4 k k", "1e400" } do
      assert.has_error(function() aio.size(s) end)
    end
    assert.has_error(function() aio.size(-1) end)
    assert.has_error(function() aio.size(1.5) end)
    assert.has_error(function() aio.size(nil) end)
    assert.has_error(function() aio.size("99999999999G") end)
  end)
end)

describe("aio.errno", function()
  it("maps names to numbers and errname back", function()
    assert.equal(2, aio.errno.ENOENT)
    assert.equal(32, aio.errno.EPIPE)
    assert.equal(110, aio.errno.ETIMEDOUT)
    assert.equal(aio.errno.EAGAIN, aio.errno.EWOULDBLOCK)
    assert.equal(aio.errno.ENOTSUP, aio.errno.EOPNOTSUPP)
    assert.equal("ENOENT", (aio.errname(2)))
    assert.equal("No such file or directory", select(2, aio.errname(2)))
    for name, number in pairs(aio.errno) do
      assert.equal(number, aio.errno[aio.errname(number)])
      assert.matches("^E[%u%d]+$", name)
    end
  end)

  it("has no names for other numbers", function()
    assert.is_nil(aio.errname(0))
    assert.is_nil(aio.errname(-2))
    assert.is_nil(aio.errname(4095))
    assert.is_nil(aio.errname(1 << 40))
    assert.is_nil(aio.errno.E200)
  end)
end)
