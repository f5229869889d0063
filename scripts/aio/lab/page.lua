--- aio.lab.page - the results of the policy lab as a page.
local html = require "aio.report.html"
local runs = require "aio.lab.runs"
local svg = require "aio.report.svg"
local units = require "aio.cli.units"

local page = {}

local SHOWN <const> = { 50, 90, 99 }

local function time(ns)
  return units.duration(ns / 1e9)
end

-- Ticks are round numbers: "20 us", not "20.0 us".
local function tick(ns)
  local unit, scale = "us", 1e3
  if ns >= 999999 then
    unit, scale = "ms", 1e6
  end
  return ("%g %s"):format(tonumber(("%.4g"):format(ns / scale)), unit)
end

local function against_cpu(rows)
  local series = {}
  for i, row in ipairs(rows) do
    local points = {}
    for n, p in ipairs(SHOWN) do
      local ns = row.latency_ns["p" .. p]
      points[n] = {
        x = row.cpu_ns_per_op, y = ns, label = "p" .. p,
        title = ("p%g %s, CPU time %s"):format(p, time(ns),
          time(row.cpu_ns_per_op)),
      }
    end
    series[i] = { name = row.policy, points = points }
  end
  return svg.chart {
    description = "Latency of each policy, p50, p90 and p99, against its CPU "
      .. "time per operation. Low and left is better.",
    x = { label = "CPU time per operation", format = tick, log = true },
    y = { label = "latency", format = tick, log = true },
    series = series,
  }
end

-- Percentiles by how many of them are missed: 1 in 2, 1 in 10, ...
local function distribution(rows)
  local series = {}
  local ticks, names = {}, {}
  for _, p in ipairs(runs.PERCENTILES) do
    if p >= 50 and p < 100 then
      local x = 1 / (1 - p / 100)
      ticks[#ticks + 1] = x
      names[x] = ("p%g"):format(p)
    end
  end
  for i, row in ipairs(rows) do
    local points = {}
    for n, x in ipairs(ticks) do
      local ns = row.latency_ns[names[x]]
      points[n] = { x = x, y = ns, title = names[x] .. " " .. time(ns) }
    end
    series[i] = { name = row.policy, points = points }
  end
  return svg.chart {
    description = "Latency by percentile for each policy.",
    x = {
      label = "percentile of operations", log = true, ticks = ticks,
      format = function(x) return names[x] end,
    },
    y = { label = "latency", format = tick, log = true },
    series = series,
  }
end

--- The cells of a row, in the order of page.HEADINGS.
function page.cells(row)
  local cells = {
    row.policy, ("%.0f"):format(row.ops_per_second), time(row.cpu_ns_per_op),
    ("%.0f %%"):format(row.cpu_percent), ("%.2f"):format(row.sleeps_per_op),
  }
  for _, p in ipairs { 50, 90, 99, 99.9 } do
    cells[#cells + 1] = time(row.latency_ns["p" .. p])
  end
  return cells
end

page.HEADINGS = {
  "policy", "ops/s", "CPU/op", "CPU", "sleeps/op", "p50", "p90", "p99", "p99.9",
}

--- about: { workload =, rounds =, seconds =, kernel =, fdmon = }
function page.render(about, rows)
  local cells = {}
  for i, row in ipairs(rows) do
    cells[i] = page.cells(row)
  end
  return html.page("Loop policies under " .. about.workload, {
    html.note(("%d %s of %g s per policy, in rotated order; medians. "
      .. "Monitor %s, %s."):format(about.rounds,
      about.rounds == 1 and "round" or "rounds", about.seconds, about.fdmon,
      about.kernel)),
    html.table(page.HEADINGS, cells),
    html.heading("Latency against CPU time"),
    html.note("Each policy at the CPU time that an operation costs, with its "
      .. "p50, p90 and p99. Low and left is better."),
    against_cpu(rows),
    html.heading("Latency by percentile"),
    distribution(rows),
  })
end

return page
