-- lua_task - Lua tasks against the coroutines of stock Lua
--
-- Ours goes through the loop's ready queue; the peer is lua_resume() and
-- lua_yield() called from C in a tight loop, with no loop at all.

local shell = require "lib.shell"

local function row(env, name, mode, tasks, peer, goal)
  local script = env.bench .. "/lua/task.lua"
  return {
    name = name,
    ours = function()
      return shell.json({ env.aioctl, script, mode, tasks,
        env.milliseconds })
    end,
    peer = env.case("lua", peer),
    metrics = { { key = "ns", unit = "ns", goal = goal } },
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
    row(env, "waker+park, 2 tasks : resume+yield in C", "park", 2,
      "resume_yield", "<=1.0"),
    row(env, "waker+park, 2 tasks : the same calls in Lua", "park", 2,
      "wake_yield", "<=1.0"),
    row(env, "spawn+join : coroutine.create+resume", "spawn", 1, "spawn",
      "<=2.0"),
    row(env, "spawn+join : recycled coroutine+pcall", "spawn", 1, "recycled",
      "<=2.0"),
  }
end
