--- aio.lab.runs - runs of a workload in child processes, and their medians.
local runs = {}

runs.PERCENTILES = { 1, 10, 25, 50, 75, 90, 95, 99, 99.9, 100 }

local GRACE <const> = 20 -- seconds a run may take longer than it was told to

local function quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

-- This very program, also where it is not in PATH.
local function own_path()
  local stat = assert(io.open("/proc/self/stat"))
  local pid = stat:read("a"):match("^%d+")
  stat:close()
  return ("/proc/%s/exe"):format(pid)
end

local function command(job, policy)
  local words = {
    quote(own_path()), quote("--timeout=" .. job.seconds * 2 + GRACE),
    "-m", "aio.lab.child", quote(job.workload), quote(policy),
    quote(job.seconds),
  }
  for _, word in ipairs(job.args) do
    words[#words + 1] = quote(word)
  end
  -- The results go to the pipe, what the workload prints to where errors go.
  return "exec 3>&1 1>&2; exec " .. table.concat(words, " ") .. " </dev/null"
end

--- One run -> table of numbers; or nil and a message.
function runs.one(job, policy)
  local pipe = assert(io.popen(command(job, policy), "r"))
  local text = pipe:read("a") or ""
  local ok, kind, code = pipe:close()
  local result, count = {}, 0
  for key, value in text:gmatch("(%S+) (%-?%d+)\n") do
    result[key], count = tonumber(value), count + 1
  end
  if not ok or count == 0 then
    return nil, ("%s under policy %s ended with %s %s"):format(job.workload,
      policy, kind == "signal" and "signal" or "status", code)
  end
  return result
end

local function median(values)
  table.sort(values)
  local n = #values
  return n % 2 == 1 and values[n // 2 + 1]
    or (values[n // 2] + values[n // 2 + 1]) / 2
end

-- The runs of one policy as one row of figures.
local function summarize(name, results)
  local function over(fn)
    local values = {}
    for i, r in ipairs(results) do
      values[i] = fn(r)
    end
    return median(values)
  end
  local row = {
    policy = name:match("[^/]+$"),
    rounds = #results,
    ops_per_second = over(function(r) return r.ops / r.wall_ns * 1e9 end),
    cpu_ns_per_op = over(function(r) return r.cpu_ns / r.ops end),
    cpu_percent = over(function(r) return 100 * r.cpu_ns / r.wall_ns end),
    sleeps_per_op = over(function(r) return r.blocked / r.ops end),
    hit_percent = over(function(r)
      return r.polls > 0 and 100 * r.poll_hits / r.polls or 0
    end),
    latency_ns = {},
  }
  for _, p in ipairs(runs.PERCENTILES) do
    row.latency_ns["p" .. p] = over(function(r) return r["p" .. p] end)
  end
  return row
end

--- All rounds, the order of the policies rotated from one to the next.
-- job: { workload =, policies = list, rounds =, seconds =, args = list,
-- tell = function(policy, round) }. A list of rows; or nil and a message.
function runs.all(job)
  local results = {}
  for round = 1, job.rounds do
    for i = 1, #job.policies do
      local at = (i + round - 2) % #job.policies + 1
      local policy = job.policies[at]
      job.tell(policy, round)
      local result, message = runs.one(job, policy)
      if not result then
        return nil, message
      end
      results[at] = results[at] or {}
      table.insert(results[at], result)
    end
  end
  local rows = {}
  for at, name in ipairs(job.policies) do
    rows[at] = summarize(name, results[at])
  end
  return rows
end

return runs
