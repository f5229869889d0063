-- experiment - two sides, measured in turns
--
-- An experiment is {name=, ours=f, peer=f, metrics={{key=, unit=, goal=}…},
-- rounds=n, idle=sec, prepare=f}.  ours() and peer() return a table with a
-- number per metric key.  Each round runs both, in an order that alternates,
-- each after the same idle time; what is judged is the ratio ours / peer of
-- each round, so that a slow minute of the machine hits both.

local shell = require "lib.shell"
local stats = require "lib.stats"

local experiment = {}

local function idle(seconds)
  if seconds and seconds > 0 then
    shell.output({ "sleep", seconds })
  end
end

local function measure(e, side)
  if e.prepare then
    e.prepare(side)
  end
  idle(e.idle)
  return e[side]()
end

local function rounds(e, count)
  local ours, peer = {}, {}
  for i = 1, count do
    local first = i % 2 == 1
    if not first then
      peer[i] = measure(e, "peer")
    end
    ours[i] = measure(e, "ours")
    if first then
      peer[i] = measure(e, "peer")
    end
  end
  return ours, peer
end

local function column(results, key)
  local list = {}
  for i, result in ipairs(results) do
    list[i] = assert(tonumber(result[key]), "no figure for " .. key)
  end
  return list
end

-- judge(metric, ours, peer) -> one row of the report
function experiment.judge(name, metric, ours, peer)
  local mine, theirs = column(ours, metric.key), column(peer, metric.key)
  local ratios = {}
  for i = 1, #mine do
    ratios[i] = mine[i] / theirs[i]
  end
  return {
    name = name,
    unit = metric.unit,
    ours = stats.median(mine),
    peer = stats.median(theirs),
    ratio = stats.median(ratios),
    goal = metric.goal,
    verdict = stats.verdict(ratios, metric.goal),
    rounds = { ours = mine, peer = theirs },
  }
end

-- run(e, options) -> rows; a side that fails gives one row with its error.
function experiment.run(e, options)
  local missing = e.needs and e.needs()
  if missing then
    return { { name = e.name, verdict = "skip", why = missing } }
  end
  local count = options.rounds or (options.smoke and 1) or e.rounds or 5
  local ok, ours, peer = pcall(rounds, e, count)
  if not ok then
    return { { name = e.name, verdict = "FAILED", why = ours } }
  end
  local rows = {}
  for i, metric in ipairs(e.metrics) do
    local name = metric.name and e.name .. ", " .. metric.name or e.name
    rows[i] = experiment.judge(name, metric, ours, peer)
  end
  return rows
end

return experiment
