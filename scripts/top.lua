--- aioctl top - what a running aioctl is doing, asked through its socket.
local aio = require "aio"
local control = require "aio.control"
local net = require "aio.net"
local options = require "aio.cli.options"
local report = require "aio.cli.report"
local units = require "aio.cli.units"

local CLEAR <const> = "\27[H\27[2J"
local TASKS_SHOWN <const> = 15

local function fail(...)
  report.fail("top", (...):format(select(2, ...)))
end

-- ---- asking ---------------------------------------------------------------

-- Who made the socket file decides what we are told: only its owner may.
local function check_owner(path, pid)
  local socket, process = aio.file.stat(path), aio.file.stat("/proc/" .. pid)
  if not process then
    fail("there is no process %d", pid)
  end
  if socket.uid ~= process.uid then
    fail("%s belongs to user %d, process %d to user %d", path, socket.uid, pid,
      process.uid)
  end
end

local function connect(pid)
  for _, folder in ipairs(control.folders()) do
    local path = control.path(folder, pid)
    if aio.file.stat(path) then
      check_owner(path, pid)
      local sock, message = net.dial("unix:" .. path, { timeout = 2 })
      return sock or fail("%s", message)
    end
  end
  fail(aio.file.stat("/proc/" .. pid) and
    "process %d has no control socket: start it with aioctl --control" or
    "there is no process %d", pid)
end

local ANSWER_SECONDS <const> = 5

local function ask(sock, request)
  assert(sock:send(request .. "\n"))
  local line, message = sock:recv_line { timeout = ANSWER_SECONDS,
    max = 64 << 20 }
  if not line then
    fail(message == "timeout" and "no answer within %d seconds: its loop is "
      .. "busy with one callback or task" or "the program has ended",
      ANSWER_SECONDS)
  end
  local answer = require "cjson".decode(line)
  return answer.error and fail("%s", answer.error) or answer
end

-- ---- showing --------------------------------------------------------------

local function clip(text)
  text = text:gsub("%c", " ")
  return #text > 79 and text:sub(1, 76) .. "..." or text
end

local function per_second(now, before, key)
  local seconds = now.now - before.now
  local delta = (now.stats[key] or 0) - (before.stats[key] or 0)
  return seconds > 0 and delta / seconds or 0
end

local function rate(value)
  return (value >= 10 and "%.0f/s" or "%.1f/s"):format(value)
end

local function loop_lines(now, before)
  local function r(key)
    return rate(per_second(now, before, key))
  end
  local idle = per_second(now, before, "blocked_ns") / 1e9
  return {
    ("loop     %5.1f %% busy, %s turns, fdmon %s"):format(
      100 * math.max(0, 1 - idle), r "iterations", now.fdmon),
    ("runs     bhs %s, fds %s, timers %s, coroutines %s"):format(r "bhs",
      r "fds", r "timers", r "coroutines"),
    ("files    %s submitted, %s completed, %d in flight"):format(
      r "submitted", r "completed", now.stats.in_flight or 0),
    ("memory   %s resident, %s in Lua"):format(
      units.size((now.rss_kib or 0) * 1024),
      units.size(math.floor(now.lua_kib * 1024))),
  }
end

local function task_lines(tasks)
  local count, lines = {}, {}
  for i, task in ipairs(tasks) do
    count[task.status] = (count[task.status] or 0) + 1
    if i <= TASKS_SHOWN then
      lines[i] = ("  %-8s %s"):format(task.status, task.name or "?")
    end
  end
  local parts = {}
  for status, n in pairs(count) do
    parts[#parts + 1] = ("%d %s"):format(n, status)
  end
  table.sort(parts)
  table.insert(lines, 1, ("tasks    %d: %s"):format(#tasks,
    table.concat(parts, ", ")))
  if #tasks > TASKS_SHOWN then
    lines[#lines + 1] = ("  ... and %d more"):format(#tasks - TASKS_SHOWN)
  end
  return lines
end

local function handle_lines(handles)
  local lines = {}
  for i, handle in ipairs(handles) do
    if i > TASKS_SHOWN then
      lines[i] = ("  ... and %d more"):format(#handles - TASKS_SHOWN)
      break
    end
    lines[i] = ("  %-8s %s"):format(handle.armed and "armed" or "idle",
      handle.description)
  end
  table.insert(lines, 1, ("handles  %d"):format(#handles))
  return lines
end

local function show(now, before)
  local lines = { ("%s, process %d, up %s"):format(now.script, now.pid,
    units.duration(now.up)) }
  for _, part in ipairs { loop_lines(now, before), task_lines(now.tasks),
    handle_lines(now.handles) } do
    table.move(part, 1, #part, #lines + 1, lines)
  end
  for i, line in ipairs(lines) do
    lines[i] = clip(line)
  end
  io.write(aio.isatty(1) and CLEAR or "", table.concat(lines, "\n"), "\n")
  io.flush()
end

local function show_tracebacks(now)
  for _, task in ipairs(now.tasks) do
    print(("%s (%s)\n%s"):format(task.name or "?", task.status,
      task.traceback or ""))
  end
end

local KEYS <const> = { "pid", "script", "up", "now", "fdmon", "rss_kib",
  "lua_kib", "stats", "tasks", "handles" }

local function watch(sock, o)
  local before = ask(sock, "report")
  for _ = 1, o.count or math.huge do
    aio.sleep(o.interval)
    local now = ask(sock, "report")
    show(now, before)
    before = now
  end
end

local o = options.parse("top", { ... })
local sock <close> = connect(o.pid)
if o.json then
  report.json(ask(sock, "report"), KEYS)
elseif o.tracebacks then
  show_tracebacks(ask(sock, "traceback"))
else
  watch(sock, o)
end
