-- lua_task - Lua tasks against the coroutines of stock Lua, luv and cqueues
--
-- Ours goes through the loop's ready queue.  resume+yield is lua_resume() and
-- lua_yield() called from C in a tight loop, with no loop at all; luv and
-- cqueues resume their coroutines from their loops.
--
-- spawn+finish starts tasks a hundred at a time and lets them end; spawn+join
-- also waits for each.  The peers of both create a coroutine and run it to its
-- end, or give the function to one that stays (recycled).
--
-- The memory of a sleeping task is compared with what it may be, not with
-- something else that was measured.

local shell = require "lib.shell"

local LIMIT <const> = { rss = 6 * 1024, all = 8.5 * 1024 } -- bytes

local function needs(module)
  return function()
    local ok = pcall(shell.output, { "lua5.4", "-e",
      ("require %q"):format(module) })
    return not ok and "no " .. module .. " for lua5.4" or nil
  end
end

local function ours(env, mode, tasks)
  local script = env.bench .. "/lua/task.lua"
  return function()
    return shell.json({ env.aioctl, script, mode, tasks, env.milliseconds })
  end
end

local function row(env, name, mode, tasks, peer, goal)
  return {
    name = name,
    ours = ours(env, mode, tasks),
    peer = env.case("lua", peer),
    metrics = { { key = "ns", unit = "ns", goal = goal } },
  }
end

-- Against another loop's.
local function loop_row(env, name, peer, goal)
  return {
    name = name,
    needs = needs(peer),
    ours = ours(env, "yield", 100),
    peer = function()
      return shell.json({ "lua5.4", env.bench .. "/lua/task_peer.lua", peer,
        100, env.milliseconds })
    end,
    metrics = { { key = "ns", unit = "ns", goal = goal } },
  }
end

local function memory_row(env)
  return {
    name = "sleeping task : its limit",
    ours = ours(env, "memory", env.smoke and 1000 or 100000),
    peer = function() return LIMIT end,
    rounds = 2,
    metrics = {
      { key = "rss", name = "resident", unit = "bytes", goal = "<=1.0" },
      { key = "all", name = "and page tables", unit = "bytes",
        goal = "<=1.0" },
    },
  }
end

return function(env)
  return {
    row(env, "yield, 1 task : resume+yield in C", "yield", 1,
      "resume_yield", "<=1.0"),
    row(env, "yield, 100 tasks : resume+yield in C", "yield", 100,
      "resume_yield_100", "<=0.75"),
    row(env, "yield, 100 tasks : coroutine.wrap", "yield", 100, "wrap",
      "<=1.0"),
    loop_row(env, "yield, 100 tasks : luv, coroutine per idle", "luv",
      "<=0.556"),
    loop_row(env, "yield, 100 tasks : cqueues, poll(0)", "cqueues", "<=0.25"),
    row(env, "waker+park, 2 tasks : resume+yield in C", "park", 2,
      "resume_yield", "<=1.0"),
    row(env, "waker+park, 2 tasks : the same calls in Lua", "park", 2,
      "wake_yield", "<=1.0"),
    row(env, "spawn+finish : coroutine.create+resume", "finish", 100, "spawn",
      "<=0.5"),
    row(env, "spawn+finish : recycled coroutine+pcall", "finish", 100,
      "recycled", "<=2.0"),
    row(env, "spawn+join : coroutine.create+resume", "spawn", 1, "spawn",
      "<=2.0"),
    row(env, "spawn+join : recycled coroutine+pcall", "spawn", 1, "recycled",
      "<=2.0"),
    memory_row(env),
  }
end
