-- lua_threads - reaching another thread, against luv, libuv and bare eventfds
--
-- The peers of wake, call and chan are C without any Lua (bench/c/wake_peer.c):
-- what the wake-up of a thread costs at least.  "2 CPUs" pins the two threads
-- to two processors, "1 CPU" to one, on both sides: where the kernel puts them
-- makes a factor of five.  The goals of wake are those of a bottom half in C.
--
-- offload and luv do the same: the code of a function is kept on both sides,
-- its argument is copied to a Lua state of a worker, and its result back to the
-- loop.  Ours then resumes a task, luv calls a callback.
--
-- The last row is one pipeline in two threads against the same in one: its
-- speed-up on two processors.

local shell = require "lib.shell"

local ONE <const> = { "taskset", "-c", "0" }

local function needs_luv()
  local ok = pcall(shell.output, { "lua5.4", "-e", 'require "luv"' })
  return not ok and "no luv for lua5.4 (lua-luv)" or nil
end

local function two_processors()
  local count = io.popen("nproc"):read("n")
  return (count or 1) < 2 and "needs two processors" or nil
end

local function command(prefix, ...)
  local words = { table.unpack(prefix or {}) }
  table.move({ ... }, 1, select("#", ...), #words + 1, words)
  return function()
    return shell.json(words)
  end
end

local function add_wakes(env, row, ours)
  local function wake(what, cpus, mode, raw, uv)
    local side = ours(mode, 1, ONE, cpus - 1)
    local needs = cpus == 2 and two_processors or nil
    local name = ("%s, %d CPU%s : "):format(what, cpus, cpus > 1 and "s" or "")
    local suffix = ("_%dcpu"):format(cpus)
    if raw then
      row(name .. "eventfd+epoll in C", side,
        env.case("wake_peer", "epoll" .. suffix), raw, needs)
    end
    row(name .. "uv_async in C", side, env.case("wake_peer", "uv" .. suffix),
      uv, needs)
  end
  wake("waker there and back", 2, "wake", "<=1.03", "<=1.0")
  wake("waker there and back", 1, "wake", "<=1.18", "<=0.125")
  row("waker there and back, polling : uv_async in C",
    ours("wake_polling", 1), env.case("wake_peer", "uv_2cpu"), "<=0.125",
    two_processors)
  wake("call and join", 2, "call", nil, "<=1.2")
  wake("value there and back", 2, "chan", nil, "<=1.2")
  row("call and join, 64 at a time : uv_async in C", ours("call", 64),
    env.case("wake_peer", "uv_2cpu"), "<=0.5", two_processors)
end

return function(env)
  local rows = {}
  local function ours(mode, depth, prefix, affinity)
    return command(prefix, env.aioctl, env.bench .. "/lua/threads.lua", mode,
      depth, env.milliseconds, affinity)
  end
  local function row(name, mine, peer, goal, needs)
    rows[#rows + 1] = {
      name = name,
      needs = needs,
      ours = mine,
      peer = peer,
      metrics = { { key = "ns", unit = "ns", goal = goal } },
    }
  end
  local function offload(name, depth, goal, prefix)
    row("offload" .. name .. " : luv new_work",
      ours("offload", depth, prefix), command(prefix, "lua5.4",
        env.bench .. "/lua/threads_luv.lua", depth, env.milliseconds), goal,
      needs_luv)
  end
  add_wakes(env, row, ours)
  offload("", 1, "<=1.0")
  offload(", 64 at a time", 64, "<=1.0")
  offload(", 1 CPU", 1, "<=0.67", ONE)
  offload(", 64 at a time, 1 CPU", 64, "<=0.67", ONE)
  row("pipeline of two stages, 2 threads : 1 thread", ours("pipe2", 16),
    ours("pipe1", 16), "<=0.7", two_processors)
  return rows
end
