--- aio.lab.child - one run of a workload under one policy, as a process.
--
--   aioctl -m aio.lab.child WORKLOAD.lua POLICY SECONDS [ARGS...]
--
-- Writes to descriptor 3 what aio.lab.runs reads: one "key value" per line,
-- times in nanoseconds. Standard output stays the workload's.
local aio = require "aio"
local policies = require "aio.lab.policies"
local runs = require "aio.lab.runs"

local WARM_UP <const> = 0.2 -- of the time, before anything is counted

-- The mistake is the user's: no traceback through us.
local function fail(message)
  io.stderr:write("aioctl policy-lab: ", message, "\n")
  os.exit(1)
end

local function load_workload(path)
  local chunk, message = loadfile(path)
  local workload = (chunk or fail(message))()
  if type(workload) ~= "function" then
    local kind = type(workload)
    fail(("%s returns %s, not a function(lab)"):format(path,
      kind == "nil" and "nothing" or "a " .. kind))
  end
  return workload
end

-- What the workload is given.
local function new_lab(seconds, args)
  local warm = aio.now() + WARM_UP * seconds
  local finish = math.huge
  local lab = { args = args, hist = aio.hist() }

  function lab.running()
    local now = aio.now()
    if not lab.began and now >= warm then
      finish = now + seconds
      lab.began, lab.cpu = now, os.clock()
      lab.stats = aio.context():stats()
      lab.hist:reset()
    end
    return now < finish
  end

  function lab.record(ns)
    lab.hist:record(ns)
  end

  return lab
end

local function results(lab)
  local wall, cpu = aio.now() - lab.began, os.clock() - lab.cpu
  local now, out = aio.context():stats(), {}
  for _, key in ipairs { "polls", "poll_hits", "blocked", "iterations" } do
    out[key] = now[key] - lab.stats[key]
  end
  out.ops = lab.hist:count()
  out.wall_ns = math.floor(wall * 1e9)
  out.cpu_ns = math.floor(cpu * 1e9)
  for _, p in ipairs(runs.PERCENTILES) do
    out["p" .. p] = lab.hist:percentile(p) or 0
  end
  return out
end

local function main(path, policy_name, seconds, ...)
  local found = assert(policies.find(policy_name))
  local workload = load_workload(path)
  if found.policy then
    aio.context():policy(found.policy)
  end
  local lab = new_lab(tonumber(seconds), { ... })
  workload(lab)
  if not lab.began or lab.hist:count() == 0 then
    fail(path .. ": nothing was recorded: loop while lab.running(), and "
      .. "call lab.record(ns) for each operation")
  elseif found.policy and not aio.context():policy() then
    fail(("the policy %s was removed during the run"):format(policy_name))
  end
  local out = assert(io.open("/dev/fd/3", "w"))
  for key, value in pairs(results(lab)) do
    out:write(("%s %d\n"):format(key, value))
  end
  out:close()
  aio.exit(0) -- whatever the workload has left running
end

main(...)
