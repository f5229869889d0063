--- A generic for passes the last value to its iterator, and chan:iter() took it
-- for a number of seconds: strings raised, numbers became timeouts.
local aio = require "aio"
local sync = require "aio.sync"

describe("for v in chan:iter()", function()
  it("carries values of every type", function()
    local chan = sync.chan(4)
    local values = { "text", 0.001, { timeout = 0.001 }, true }
    for _, v in ipairs(values) do
      chan:put(v)
    end
    chan:close()
    local got = {}
    for v in chan:iter() do
      got[#got + 1] = v
    end
    assert.same(values, got)
  end)

  it("waits longer than the value before it", function()
    local chan = sync.chan()
    local producer = aio.spawn(function()
      chan:put(0.001)
      aio.sleep(0.01)
      chan:put("second")
      chan:close()
    end)
    local got = {}
    for v in chan:iter() do
      got[#got + 1] = v
    end
    producer:join()
    assert.same({ 0.001, "second" }, got)
  end)
end)
