-- The benchmarks' arithmetic: medians, verdicts, rounds.  Whether they run is
-- the test bench.smoke.

package.path = "bench/?.lua;" .. package.path

local experiment = require "lib.experiment"
local stats = require "lib.stats"

describe("a verdict", function()
  it("takes the median of the rounds", function()
    assert.equal(2, stats.median { 9, 1, 2 })
    assert.equal(1.5, stats.median { 2, 1 })
  end)

  it("is ok when the goal is met and SHORT when it is not", function()
    assert.equal("ok", stats.verdict({ 1, 1, 1 }, ">=0.95"))
    assert.equal("SHORT", stats.verdict({ 0.9, 0.9, 0.9 }, ">=0.95"))
    assert.equal("ok", stats.verdict({ 0.5, 0.5 }, "<=0.5"))
    assert.equal("SHORT", stats.verdict({ 0.6, 0.6 }, "<=0.5"))
    assert.equal("-", stats.verdict({ 0.6 }, nil))
  end)

  it("is SHORT only when the better quartile misses too", function()
    assert.equal("ok", stats.verdict({ 0.8, 0.9, 0.9, 1.1, 1.2 }, ">=0.95"))
    assert.equal("SHORT", stats.verdict({ 0.8, 0.8, 0.9, 0.9, 1.2 },
      ">=0.95"))
  end)
end)

describe("an experiment", function()
  local metrics = { { key = "ns", unit = "ns", goal = "<=0.5" } }

  it("runs its sides in turns and judges the ratio of each round", function()
    local order = {}
    local function side(name, ns)
      return function()
        order[#order + 1] = name
        return { ns = ns }
      end
    end
    local rows = experiment.run({ name = "x", metrics = metrics, rounds = 2,
      ours = side("ours", 1), peer = side("peer", 4) }, {})
    assert.same({ "ours", "peer", "peer", "ours" }, order)
    assert.equal(0.25, rows[1].ratio)
    assert.equal("ok", rows[1].verdict)
  end)

  it("that raises is FAILED, with the message", function()
    local function broken()
      error("no disk", 0)
    end
    local rows = experiment.run({ name = "x", metrics = metrics,
      ours = broken, peer = broken }, {})
    assert.equal("FAILED", rows[1].verdict)
    assert.equal("no disk", rows[1].why)
  end)

  it("whose peer is missing is skipped, saying why", function()
    local rows = experiment.run({ name = "x", metrics = metrics,
      needs = function() return "no fio" end }, {})
    assert.equal("skip", rows[1].verdict)
    assert.equal("no fio", rows[1].why)
  end)
end)
