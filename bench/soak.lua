-- soak - everything at once for a long time, to see that nothing is left over
--
--   aioctl [--fdmon M] bench/soak.lua [SECONDS] [--rss FACTOR] [--every SEC]
--
-- Runs the work of lib/soakers.lua, each kind in a task of its own.  Every ten
-- seconds all stop at a gate; what the process holds is printed then.  Fails
-- when at the end it holds more descriptors, handles, tasks or anchors, or
-- FACTOR times (1.05) more memory, than after a fifth of the time; when some
-- work makes no progress; and when something raises.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local aio = require "aio"
local file = require "aio.file"
local smaps = require "lib.smaps"
local soakers = require "lib.soakers"
local sync = require "aio.sync"

local EXACT <const> = { "fds", "handles", "tasks", "anchors" }
local PATIENCE <const> = 30 -- seconds for all work to arrive at the gate
local SETTLE <const> = 200 -- looks, 10 ms apart, until the counts stand still

local function usage(message)
  io.stderr:write("soak: ", message, "\nusage: soak.lua [SECONDS] ",
    "[--rss FACTOR] [--every SEC]\n")
  os.exit(1)
end

local function parse(words)
  local options = { seconds = 600, rss = 1.05 }
  local i = 1
  while i <= #words do
    local name = words[i]:match("^%-%-(%a+)$")
    if name == "rss" or name == "every" then
      i = i + 1
    elseif words[i]:find("^%-") then
      usage("unknown option " .. words[i])
    end
    local value = tonumber(words[i])
    if not value or value <= 0 then
      usage(("%s: a positive number expected, got %s"):format(
        name and "--" .. name or "SECONDS", words[i] or "nothing"))
    end
    options[name or "seconds"] = value
    i = i + 1
  end
  options.every = options.every or math.min(10, options.seconds / 5)
  return options
end

-- ---- the gate -------------------------------------------------------------

local Gate = {}
Gate.__index = Gate

local function new_gate()
  local gate = setmetatable({ open = sync.event(), waiting = {} }, Gate)
  gate.open:set()
  return gate
end

function Gate:pass(name)
  self.waiting[name] = true
  self.open:wait()
  self.waiting[name] = nil
end

-- Waits until all work stands at the closed gate.
function Gate:close(work)
  self.open:clear()
  local deadline = aio.now() + PATIENCE
  for name, worker in pairs(work) do
    while not self.waiting[name] do
      if aio.now() > deadline then
        error(("%s has not come back for %d seconds; it stands in\n%s"):format(
          name, PATIENCE, worker.task:traceback()), 0)
      end
      aio.sleep(0.002)
    end
  end
end

-- ---- what the process holds -----------------------------------------------

local function status_number(key)
  for line in io.lines("/proc/self/status") do
    local number = line:match("^" .. key .. ":%s*(%d+)")
    if number then
      return tonumber(number)
    end
  end
end

local function counts()
  local stats = aio.stats()
  return {
    fds = #assert(file.readdir("/proc/self/fd")),
    handles = stats.handles, tasks = stats.tasks, anchors = stats.anchors,
  }
end

local function same(a, b)
  for _, key in ipairs(EXACT) do
    if a[key] ~= b[key] then
      return false
    end
  end
  return true
end

-- Garbage is collected and threads that were told to end have ended when two
-- looks agree.
local function sample()
  local now = counts()
  for _ = 1, SETTLE do
    local before = now
    collectgarbage()
    collectgarbage()
    aio.sleep(0.01)
    now = counts()
    if same(before, now) then
      break
    end
  end
  now.rss = status_number("VmRSS")
  now.threads = status_number("Threads")
  now.handle_list = aio.handles()
  now.resident = smaps.resident()
  return now
end

local function print_sample(options, seconds, now, rounds)
  print(("%6.0f s of %.0f  rss %8.1f MiB  fds %4d  handles %4d  tasks %3d  "
    .. "anchors %4d  threads %3d  rounds %d"):format(seconds, options.seconds,
    now.rss / 1024, now.fds, now.handles, now.tasks, now.anchors, now.threads,
    rounds))
  io.stdout:flush()
end

-- ---- the verdict ----------------------------------------------------------

local function count_by_description(list)
  local count = {}
  for _, handle in ipairs(list) do
    local what = handle.kind .. ", created at " .. handle.origin
    count[what] = (count[what] or 0) + 1
  end
  return count
end

local function add_handles(failures, first, last)
  local before = count_by_description(first.handle_list)
  for what, count in pairs(count_by_description(last.handle_list)) do
    local more = count - (before[what] or 0)
    if more > 0 then
      failures[#failures + 1] = ("  %d more of %s"):format(more, what)
    end
  end
end

local function judge(options, first, last)
  local failures = {}
  for _, key in ipairs(EXACT) do
    if last[key] ~= first[key] then
      failures[#failures + 1] = ("%s: %d at first, %d at the end"):format(key,
        first[key], last[key])
    end
  end
  add_handles(failures, first, last)
  if last.rss > first.rss * options.rss then
    failures[#failures + 1] = ("rss: %d KiB at first, %d KiB at the end, "
      .. "%.3f times as much (at most %.3f)"):format(first.rss, last.rss,
      last.rss / first.rss, options.rss)
    table.move(smaps.growth(first.resident, last.resident), 1, 99,
      #failures + 1, failures)
  end
  return failures
end

-- ---- the run --------------------------------------------------------------

local function start(group, gate, env)
  local work = {}
  for name, round in pairs(soakers.all(env)) do
    local worker = { rounds = 0, before = 0 }
    work[name] = worker
    worker.task = group:spawn(function()
      while true do
        gate:pass(name)
        round(env)
        worker.rounds = worker.rounds + 1
        aio.yield() -- not every round parks
      end
    end):name(name)
  end
  return work
end

-- Rounds since the last call, of all work; raises when some has done none.
local function progress(work)
  local sum = 0
  for name, worker in pairs(work) do
    local rounds = worker.rounds - worker.before
    if rounds == 0 then
      error(name .. " has done nothing since the last look", 0)
    end
    worker.before = worker.rounds
    sum = sum + rounds
  end
  return sum
end

local function watch(options, gate, work)
  local began, first = aio.now(), nil
  while true do
    aio.sleep(options.every)
    gate:close(work)
    local seconds = aio.now() - began
    local now = sample()
    print_sample(options, seconds, now, progress(work))
    if seconds >= options.seconds then
      return judge(options, first or now, now)
    elseif seconds >= options.seconds / 5 then
      first = first or now
    end
    gate.open:set()
  end
end

local function run(options)
  local env <close> = soakers.environment()
  print("soak: monitor " .. aio.context():get().fdmon .. ", engines "
    .. table.concat(env.engines, " ")
    .. (env.no_tls and ", no TLS: " .. env.no_tls or ", TLS"))
  return aio.group(function(group)
    local gate = new_gate()
    local failures = watch(options, gate, start(group, gate, env))
    group:cancel()
    return failures
  end)
end

local failures = run(parse(arg))
if #failures > 0 then
  io.stderr:write("soak: something is left over\n",
    table.concat(failures, "\n"), "\n")
  os.exit(1)
end
print "soak: ok"
