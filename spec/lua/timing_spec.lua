--- ctx:set{timing = true} and --stats=json: how long callbacks hold the loop,
-- and how late they are.
local aio = require "aio"
local host = require "support.host"

local function aioctl(options, code)
  return host.run(("%s %s -e %s"):format(host.quote(host.aioctl), options,
    host.quote(code)))
end

describe("ctx:set{timing = true}", function()
  it("counts how long callbacks take, and how late they are", function()
    local ctx <close> = aio.context { timing = true }
    assert.is_true(ctx:get().timing)
    local second <close> = aio.timer { ctx = ctx, fn = function() end }
    local first <close> = aio.timer {
      ctx = ctx,
      fn = function()
        local till = aio.now() + 0.005
        repeat until aio.now() >= till
      end,
    }
    local now = aio.now()
    first:mod(now)
    second:mod(now + 0.0001)
    for _ = 1, 3 do
      ctx:poll(false)
    end
    local stats = ctx:stats()
    assert.equal(2, #stats.callback)
    assert.equal(2, #stats.lag)
    assert.is_true(stats.callback:percentile(100) >= 5000000)
    assert.is_true(stats.lag:percentile(100) >= 4000000)
    assert.equal(0, stats.timing_lost)
    assert.equal(0, stats.tasks)
  end)

  it("counts from the arming when a deadline has passed already", function()
    local ctx <close> = aio.context { timing = true }
    local timer <close> = aio.timer { ctx = ctx, fn = function() end }
    ctx:poll(false)
    local bh <close> = aio.bh(function() timer:mod(0) end, nil, ctx)
    bh:schedule()
    ctx:poll(false)
    ctx:poll(false)
    assert.equal(2, #ctx:stats().callback)
    assert.is_true(ctx:stats().lag:percentile(100) < 1e9)
  end)

  it("times the slices of tasks in the home context", function()
    local home = aio.context()
    home:set { timing = true }
    finally(function() home:set { timing = false } end)
    local before = home:stats()
    aio.spawn(function()
      local till = aio.now() + 0.003
      repeat until aio.now() >= till
    end)
    aio.sleep(0.001)
    local after = home:stats()
    assert.is_true(#after.callback > #before.callback)
    assert.is_true(after.callback:percentile(100) >= 3000000)
    assert.is_true(after.lag:percentile(100) >= 1000000) -- the sleeper
    assert.is_true(after.tasks >= 1)
  end)

  it("stops counting and keeps what was counted", function()
    local ctx <close> = aio.context {}
    assert.is_nil(ctx:stats().lag)
    ctx:set { timing = true }
    local bh <close> = aio.bh(function() end, nil, ctx)
    bh:schedule()
    ctx:poll(false)
    ctx:set { timing = false }
    assert.is_false(ctx:get().timing)
    bh:schedule()
    ctx:poll(false)
    assert.equal(1, #ctx:stats().callback)
    assert.has_error(function() ctx:set { timing = 1 } end)
  end)
end)

describe("--stats=json", function()
  it("prints one object with every counter and the times", function()
    local output, status = aioctl("--stats=json --fdmon=poll",
      "local aio = require 'aio' aio.sleep(0.001) aio.sleep(0.001)")
    assert.equal(0, status)
    local value = require "dkjson".decode(output)
    assert.equal("poll", value.fdmon)
    assert.equal(2, value.timers)
    assert.equal(0, value.in_flight)
    assert.is_true(value.blocked_ns > 0)
    assert.is_true(value.callback.count >= 2)
    assert.is_true(value.lag.max >= value.lag.p50)
  end)

  it("refuses another form", function()
    local output, status = aioctl("--stats=xml", "")
    assert.matches("%-%-stats: bad value 'xml' %(expected nothing, or json%)",
      output)
    assert.equal(1, status)
    output = aioctl("--stats", "require('aio').sleep(0.001)")
    assert.matches("fdmon=", output)
    assert.matches("\naioctl: lag +p50 [%d.]+ us", output)
  end)
end)
