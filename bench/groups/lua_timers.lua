-- lua_timers - timers of Lua, and sleeping tasks, against luv and cqueues
--
-- re-arm: a pending timer, chosen at random, gets another deadline.  arm+fire:
-- timers are armed in random order of deadlines, then fire in one turn of the
-- loop.  sleep: each task sleeps again and again for less than the others run.

local luas = require "lib.luas"

return function(env)
  local rows = {}
  local function add(name, mode, count, peer, goal, module)
    rows[#rows + 1] = {
      name = name,
      needs = luas.needs(module),
      ours = luas.side(luas.ours(env, "timers", mode, count,
        env.milliseconds)),
      peer = luas.side(peer),
      metrics = { { key = "ns", unit = "ns", goal = goal } },
    }
  end
  local function against_luv(text, count, rearm, arm_fire)
    local function row(name, mode, goal)
      add(("timer %s, %s : luv"):format(name, text), mode, count, luas.stock(
        env, "timers_luv", mode, count, env.milliseconds), goal, "luv")
    end
    row("re-arm", "rearm", rearm)
    row("arm+fire", "arm_fire", arm_fire)
  end
  local function against_cqueues(text, count)
    add("sleep, " .. text .. " : cqueues", "sleep", count, luas.stock(env,
      "timers_cqueues", count, env.milliseconds), "<=0.333", "cqueues")
  end
  against_luv("100", 100, "<=0.667", "<=0.5")
  against_cqueues("100 tasks", 100)
  if not env.smoke then
    against_luv("10,000", 10000, "<=0.5", "<=0.333")
    against_luv("1 M", 1000000, "<=0.625", "<=0.2")
    against_cqueues("10,000 tasks", 10000)
  end
  return rows
end
