--- aioctl policy-lab - one workload under several loop policies.
--
-- The workload is a file that returns a function(lab): it works while
-- lab.running(), and calls lab.record(ns) for each operation. Each run is a
-- process of its own.
local aio = require "aio"
local options = require "aio.cli.options"
local page = require "aio.lab.page"
local policies = require "aio.lab.policies"
local report = require "aio.cli.report"
local runs = require "aio.lab.runs"

local FORMAT <const> = "%-16s %7s %8s %6s %6s %8s %8s %8s"

local function print_table(rows)
  print(FORMAT:format("policy", "ops/s", "CPU/op", "CPU", "sleeps", "p50",
    "p90", "p99"))
  for _, row in ipairs(rows) do
    local cells = page.cells(row)
    print((FORMAT:format(cells[1]:sub(1, 16), cells[2],
      table.unpack(cells, 3, 8)):gsub("%s+$", "")))
  end
end

local KEYS <const> = {
  "workload", "rounds", "seconds", "fdmon", "kernel", "policies", "policy",
  "ops_per_second", "cpu_ns_per_op", "cpu_percent", "sleeps_per_op",
  "hit_percent", "latency_ns",
}

local function write_page(path, text)
  local file, message = io.open(path, "w")
  if not file then
    report.fail("policy-lab", message)
  end
  local ok
  ok, message = file:write(text)
  ok = file:close() and ok
  if not ok then
    report.fail("policy-lab", ("%s: %s"):format(path, message or
      "cannot be written"))
  end
end

-- Before the runs, so that it is not only found after minutes.
local function check_files(o)
  local file, message = io.open(o.workload)
  if not file then
    report.fail("policy-lab", message)
  end
  file:close()
  if o.html then
    write_page(o.html, "")
  end
end

local function main(...)
  local o = options.parse("policy-lab", { ... }, { policies = policies.parse })
  check_files(o)
  local show = aio.isatty(2)
  local function tell(policy, round)
    aio.yield() -- where Ctrl-C is noticed
    if show then
      io.stderr:write(("\rround %d of %d: %s\27[K"):format(round, o.rounds,
        policy))
    end
  end
  local rows, message = runs.all {
    workload = o.workload, policies = o.policies, rounds = o.rounds,
    seconds = o.seconds, args = o.args, tell = tell,
  }
  if show then
    io.stderr:write("\r\27[K")
  end
  if not rows then
    report.fail("policy-lab", message)
  end
  local kernel = aio.probe().kernel
  local about = {
    workload = o.workload, rounds = o.rounds, seconds = o.seconds,
    fdmon = aio.context():get().fdmon,
    kernel = kernel.system .. " " .. kernel.release,
  }
  if o.html then
    write_page(o.html, page.render(about, rows))
  end
  if o.json then
    about.policies = rows
    report.json(about, KEYS)
  else
    print_table(rows)
  end
end

main(...)
