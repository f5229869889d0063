--- ctx:policy, and the policies that come with aioctl.
local aio = require "aio"
local host = require "support.host"

-- A context with a policy, polled until @done() or for a second.
local function run(ctx, done)
  local deadline = aio.now() + 1
  while not done() and aio.now() < deadline do
    ctx:poll(true)
  end
  assert(done(), "nothing has happened in a second")
end

-- Something that ends a blocking poll of @ctx after 0.2 ms, again and again.
local function beat(ctx)
  local timer
  timer = aio.timer {
    ctx = ctx,
    fn = function() timer:mod(aio.now() + 0.0002) end,
  }
  timer:mod(aio.now())
  return timer
end

-- Runs code in a fresh aioctl: its output, errors included, and status.
local function aioctl(code)
  return host.run(host.aioctl .. " -e " .. host.quote(code))
end

describe("ctx:policy", function()
  it("calls decide with what has happened since, and the settings", function()
    local ctx <close> = aio.context { max_batch = 3 }
    local timer <close> = beat(ctx)
    local deltas, knobs = {}, nil
    ctx:policy {
      every = 0.002,
      decide = function(delta, settings)
        deltas[#deltas + 1] = delta
        knobs = settings
      end,
    }
    run(ctx, function() return #deltas >= 3 end)
    local before = deltas[2]
    assert.is_true(before.seconds >= 0.002 and before.seconds < 1)
    assert.is_true(before.timers > 0 and before.iterations >= before.timers / 2)
    assert.is_true(before.cpu_ns > 0 and before.cpu_ns <= 1e9)
    assert.equal(3, knobs.max_batch)
    local total = ctx:stats().timers
    local sum = 0
    for _, delta in ipairs(deltas) do
      sum = sum + delta.timers
    end
    assert.is_true(sum <= total)
    assert.is_true(sum >= total - 2 - deltas[3].timers)
    assert.is_truthy(timer)
  end)

  it("applies what decide returns", function()
    local ctx <close> = aio.context {}
    local timer <close> = beat(ctx)
    local calls = 0
    ctx:policy {
      every = 0.001,
      decide = function()
        calls = calls + 1
        return { max_batch = 10 + calls, fdmon = "poll" }
      end,
    }
    run(ctx, function() return calls >= 2 end)
    ctx:poll(false)
    assert.equal(10 + calls, ctx:get().max_batch)
    assert.equal("poll", ctx:get().fdmon)
    assert.is_truthy(timer)
  end)

  it("asks poll_ns after each wait", function()
    local ctx <close> = aio.context {}
    local timer <close> = beat(ctx)
    local states = {}
    ctx:policy {
      set = { poll_max_ns = 50000, poll_grow = 3, poll_shrink = 4 },
      poll_ns = function(state)
        local copy = {}
        for k, v in pairs(state) do
          copy[k] = v
        end
        states[#states + 1] = copy
        return 20000
      end,
    }
    run(ctx, function() return #states >= 3 end)
    local state = states[3]
    assert.equal(50000, state.poll_max_ns)
    assert.equal(3, state.poll_grow)
    assert.equal(4, state.poll_shrink)
    assert.is_true(state.block_ns > 0)
    assert.is_boolean(state.hit)
    local one_cpu = ctx:stats().poll_ns == 0
    assert.equal(one_cpu and 0 or 20000, ctx:stats().poll_ns)
    assert.equal(one_cpu and 0 or 20000, state.poll_ns)
    assert.is_truthy(timer)
  end)

  it("tells poll_ns of waits that polling ended", function()
    local ctx <close> = aio.context {}
    local timer <close> = beat(ctx)
    local hits, waits = 0, 0
    ctx:policy {
      set = { poll_max_ns = 1000000 },
      poll_ns = function(state)
        hits = hits + (state.hit and 1 or 0)
        waits = waits + 1
        return state.poll_max_ns
      end,
    }
    run(ctx, function() return waits >= 20 end)
    local one_cpu = ctx:stats().poll_ns == 0
    assert.is_true(one_cpu or hits >= 10)
    assert.is_truthy(timer)
  end)

  it("gives back what it has changed, and nothing else, when removed",
    function()
      local ctx <close> = aio.context { max_batch = 5, poll_max_ns = 100 }
      ctx:policy { name = "p", set = { max_batch = 9, fdmon = "poll" } }
      assert.equal("p", ctx:policy())
      assert.equal(9, ctx:get().max_batch)
      ctx:set { poll_max_ns = 200 }
      assert.equal(ctx, ctx:policy(nil))
      assert.is_nil(ctx:policy())
      assert.equal(5, ctx:get().max_batch)
      assert.equal(200, ctx:get().poll_max_ns)
      ctx:policy(nil)
    end)

  it("replaces the policy before, which gives back first", function()
    local ctx <close> = aio.context {}
    ctx:policy { name = "one", set = { max_batch = 7, poll_grow = 3 } }
    ctx:policy { name = "two", set = { max_batch = 8 } }
    assert.equal("two", ctx:policy())
    assert.equal(8, ctx:get().max_batch)
    assert.equal(0, ctx:get().poll_grow)
    ctx:policy(nil)
    assert.equal(0, ctx:get().max_batch)
  end)

  it("keeps the policy that is there when a new one is refused", function()
    local ctx <close> = aio.context {}
    ctx:policy { name = "one", set = { max_batch = 7 } }
    assert.has_error(function() ctx:policy { name = "two" } end)
    assert.equal("one", ctx:policy())
    assert.equal(7, ctx:get().max_batch)
  end)

  it("shows itself among the handles and is gone with its context", function()
    local ctx = aio.context {}
    ctx:policy { name = "seen", set = { max_batch = 1 } }
    local found
    for _, h in ipairs(aio.handles()) do
      found = found or h.kind == "policy" and h
    end
    assert.equal("seen", found.name)
    assert.matches("policy 'seen', created at .*policy_spec.lua:%d+",
      found.description)
    assert.is_false(found.ref)
    ctx:close()
    for _, h in ipairs(aio.handles()) do
      assert.not_equal("policy", h.kind)
    end
    assert.has_error(function() ctx:policy {} end)
  end)

  it("does not keep its context from being collected", function()
    local gone = setmetatable({}, { __mode = "k" })
    do
      local ctx = aio.context {}
      ctx:policy { every = 0.001, decide = function() return ctx end }
      gone[ctx] = true
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(gone))
  end)

  it("may remove itself in decide and in poll_ns", function()
    local ctx <close> = aio.context {}
    local timer <close> = beat(ctx)
    local calls = 0
    ctx:policy {
      every = 0.001,
      decide = function()
        calls = calls + 1
        ctx:policy(nil)
        return { max_batch = 4 }
      end,
    }
    run(ctx, function() return calls == 1 end)
    assert.is_nil(ctx:policy())
    assert.equal(0, ctx:get().max_batch)
    ctx:policy {
      set = { poll_max_ns = 1000 },
      poll_ns = function()
        calls = calls + 1
        ctx:policy(nil)
        collectgarbage()
        return 5
      end,
    }
    run(ctx, function() return calls == 2 end)
    for _ = 1, 5 do
      ctx:poll(true)
    end
    assert.equal(2, calls)
    assert.is_truthy(timer)
  end)

  it("may poll its own context in poll_ns", function()
    local ctx <close> = aio.context {}
    local timer <close> = beat(ctx)
    local depth, deepest, calls = 0, 0, 0
    ctx:policy {
      set = { poll_max_ns = 1000 },
      poll_ns = function()
        depth = depth + 1
        calls = calls + 1
        deepest = math.max(deepest, depth)
        ctx:poll(true)
        depth = depth - 1
        return 500
      end,
    }
    run(ctx, function() return calls >= 3 end)
    assert.equal(1, deepest)
    ctx:policy(nil)
    assert.is_truthy(timer)
  end)

  it("may not park, and is named then", function()
    local output = aioctl [[
      local aio = require "aio"
      aio.context():policy{name = "sleepy", every = 0.001,
        decide = function() aio.sleep(1) end}
      aio.sleep(0.01)
    ]]
    assert.matches("policy 'sleepy', created at", output)
    assert.matches("cannot park in a callback", output)
  end)

  local CASES <const> = {
    ["raises in decide"] = { "decide = function() error('oops') end", "oops" },
    ["raises in poll_ns"] =
      { "poll_ns = function() error({}) end", "table: 0x" },
    ["returns no number from poll_ns"] =
      { "poll_ns = function() return {} end", "number of nanoseconds" },
    ["returns NaN from poll_ns"] =
      { "poll_ns = function() return 0/0 end", "number of nanoseconds" },
    ["returns no table from decide"] =
      { "decide = function() return 1 end", "table of settings, got number" },
    ["returns an unknown setting"] =
      { "decide = function() return {max_bach = 1} end",
        "unknown setting 'max_bach' %(did you mean 'max_batch'%?%)" },
    ["returns a setting out of range"] =
      { "decide = function() return {poll_max_ns = -1} end", "poll_max_ns" },
    ["returns an unknown monitor"] =
      { "decide = function() return {fdmon = 'kqueue'} end", "kqueue" },
  }
  for title, case in pairs(CASES) do
    it("removes a policy that " .. title .. ", with a warning", function()
      local output, status = aioctl(([[
        local aio = require "aio"
        local ctx = aio.context()
        ctx:policy{name = "bad", every = 0.001,
          set = {poll_max_ns = 5000, max_batch = 6}, %s}
        for i = 1, 200 do
          aio.sleep(0.0005)
          if not ctx:policy() then break end
        end
        print(ctx:policy(), ctx:get().max_batch, ctx:get().poll_max_ns)
      ]]):format(case[1]))
      assert.equal(0, status)
      assert.matches("aioctl: warning: a policy failed and was removed, " ..
        "the defaults are back %(policy 'bad', created at", output)
      assert.matches(case[2], output)
      assert.matches("nil\t0\t0", output)
      assert.equal(1, select(2, output:gsub("warning", "")))
    end)
  end

  it("does not keep a program running, nor hides a deadlock", function()
    local code = [[
      local aio = require "aio"
      aio.context():policy{every = 0.001, decide = function() end}
    ]]
    local _, status = aioctl(code)
    assert.equal(0, status)
    local output
    output, status = aioctl(code .. "aio.park()")
    assert.equal(3, status)
    assert.matches("deadlock", output)
  end)

  it("is interrupted by Ctrl-C like everything else", function()
    local output, status = aioctl [[
      local aio = require "aio"
      aio.context():policy{every = 0.001, decide = function()
        io.popen("kill -INT $PPID"):close()
        for i = 1, 1e9 do end
      end}
      aio.sleep(5)
    ]]
    assert.not_equal(0, status)
    assert.not_matches("policy failed", output)
  end)

  it("refuses wrong tables, by the field", function()
    local ctx <close> = aio.context {}
    local function refuses(what, pattern)
      local ok, err = pcall(ctx.policy, ctx, what)
      assert.is_false(ok)
      assert.matches(pattern, err)
      assert.is_nil(ctx:policy())
    end
    refuses(5, "table expected")
    refuses({}, "would do nothing")
    refuses({ decide = 1 }, "'decide' must be a function, got number")
    refuses({ poll_ns = "x" }, "'poll_ns' must be a function, got string")
    refuses({ name = 5, decide = print }, "'name' must be a string")
    refuses({ every = 0, decide = print }, "'every' must be a number")
    refuses({ every = 0 / 0, decide = print }, "'every' must be a number")
    refuses({ every = "1", decide = print }, "'every' must be a number")
    refuses({ evry = 1, decide = print }, "did you mean 'every'")
    refuses({ set = 1 }, "'set' must be a table")
    refuses({ set = { 1 } }, "unknown setting")
    refuses({ set = { max_batch = -1 } }, "max_batch")
    refuses({ set = { max_batch = 1, poll_grow = "x" } }, "poll_grow")
    refuses({ poll_ns = print }, "would never be called")
    assert.equal(0, ctx:get().max_batch)
  end)
end)

describe("aio.policy", function()
  it("has four policies, each of which a context takes", function()
    local names = {}
    for name in pairs(aio.policy) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "busy", "latency_target", "qemu", "sleep" }, names)
    assert.is_nil(aio.policy.nothing)
    for _, name in ipairs(names) do
      local policy = aio.policy[name]
      local ctx <close> = aio.context {}
      ctx:policy(type(policy) == "function" and policy() or policy)
      assert.equal(name, ctx:policy())
    end
  end)

  it("busy polls up to the limit and sleep never", function()
    assert.equal(7, aio.policy.busy.poll_ns { poll_max_ns = 7 })
    assert.equal(0, aio.policy.sleep.set.poll_max_ns)
    assert.is_nil(aio.policy.sleep.poll_ns)
  end)

  it("latency_target polls for the percentile of the last waits", function()
    local policy = aio.policy.latency_target { percentile = 50 }
    local ns
    for i = 1, 160 do
      ns = policy.poll_ns {
        poll_max_ns = 200000,
        block_ns = i % 2 == 0 and 10000 or 10000000,
      }
    end
    assert.equal(12500, ns)
    for _ = 1, 160 do
      ns = policy.poll_ns { poll_max_ns = 200000, block_ns = 10000000 }
    end
    assert.equal(0, ns) -- out of reach
    assert.has_error(function()
      aio.policy.latency_target { percentile = 101 }
    end)
    assert.has_error(function() aio.policy.latency_target { max_ns = 0 } end)
  end)
end)
