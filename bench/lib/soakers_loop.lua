-- soakers_loop - rounds of the soak: waiting for each other, figures, policies

local aio = require "aio"
local soaking = require "lib.soaking"
local sync = require "aio.sync"

local cancelled <const>, timed_out <const> = soaking.cancelled,
  soaking.timed_out

local rounds = {}

function rounds.conditions()
  local mutex, cond, latch = sync.mutex(), sync.cond(), sync.latch(5)
  local ready = false
  for _ = 1, 5 do
    aio.spawn(function()
      local _ <close> = mutex:guard()
      while not ready do
        cond:wait(mutex)
      end
      latch:count_down()
    end)
  end
  aio.yield()
  timed_out(latch:wait(0))
  cancelled(latch.wait, latch)
  cancelled(function()
    local _ <close> = mutex:guard()
    cond:wait(mutex)
  end)
  ready = true
  cond:broadcast()
  assert(latch:wait(5))
  local rate = sync.rate(2000, 1)
  assert(rate:take() and rate:take())
  cancelled(rate.take, rate, 1)
  local rwlock = sync.rwlock()
  local _ <close> = rwlock:rdguard()
  cancelled(rwlock.wrlock, rwlock)
  assert(rwlock:upgrade())
end

function rounds.histograms()
  local hist, other = aio.hist(), aio.hist()
  for ns = 1, 1000000, 10000 do
    hist:record(ns)
    other:record(ns, 2)
  end
  assert(hist:merge(other):count() == 300)
  assert(#hist:hgrm() > 0 and #hist:json() > 0)
end

-- ---- policies -------------------------------------------------------------

-- poll(ctx, done): its loop runs until done(); a timer always ends its waits.
local function poll(ctx, done)
  local deadline = aio.now() + 5
  while not done() do
    assert(aio.now() < deadline, "the context does nothing")
    ctx:poll(true)
  end
end

function rounds.policies(env)
  local ctx <close> = aio.context { timing = true }
  local beats, decided = 0, 0
  local beat <close> = aio.timer { ctx = ctx, fn = function(timer)
    beats = beats + 1
    timer:mod(aio.now() + 0.0002)
  end }
  beat:mod(aio.now())
  local mine = {
    name = "soak", every = 0.001, set = { poll_max_ns = 20000 },
    decide = function(delta, knobs)
      decided = decided + 1
      return { max_batch = knobs.max_batch % 8 + delta.timers % 2 + 1 }
    end,
    poll_ns = function(state) return state.poll_max_ns // 2 end,
  }
  for _, monitor in ipairs(env.monitors) do
    for _, policy in ipairs { aio.policy.qemu, aio.policy.sleep,
      aio.policy.busy, aio.policy.latency_target { percentile = 50 }, mine } do
      local before = beats
      assert(ctx:set { fdmon = monitor }):policy(policy)
      poll(ctx, function() return beats > before + 2 end)
    end
    local before = decided
    poll(ctx, function() return decided > before + 1 end)
  end
  assert(ctx:policy(nil):get().poll_max_ns == 0)
  assert(ctx:stats().callback:count() > 0)
end

return rounds
