-- startup - the time from exec to exit of an empty script

local shell = require "lib.shell"

local function timed(env, ...)
  local words = { env.program("measure"), env.smoke and 3 or 20, ... }
  return function()
    local run = shell.json(words)
    return { wall = run.wall * 1e3 }
  end
end

return function(env)
  local empty = env.data .. "/empty.lua"
  assert(io.open(empty, "w")):close()
  local function row(name, goal, needs, ...)
    return {
      name = name,
      needs = needs,
      ours = timed(env, env.aioctl, empty),
      peer = timed(env, ...),
      metrics = { { key = "wall", unit = "ms", goal = goal } },
    }
  end
  local function needs_luv()
    local ok = pcall(shell.output, { "lua5.4", "-e", 'require "luv"' })
    return not ok and "no luv for lua5.4 (lua-luv)" or nil
  end
  return {
    row("empty script : lua5.4 -e ''", "<=1.35", nil, "lua5.4", "-e", ""),
    row("empty script : lua5.4 with luv", "<=0.95", needs_luv, "lua5.4",
      "-e", 'require "luv".run()'),
  }
end
