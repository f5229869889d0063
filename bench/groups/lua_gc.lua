-- lua_gc - how long a collection takes with many parked tasks
--
-- The peer is stock Lua with as many suspended coroutines, which hold the same
-- values.  What a task has besides is its handle; its C stack is not looked at.

local shell = require "lib.shell"

return function(env)
  local rows = {}
  local script = env.bench .. "/lua/gc.lua"
  for _, count in ipairs(env.smoke and { 1000 } or { 1000, 10000, 100000 }) do
    for _, mode in ipairs { "incremental", "generational" } do
      local pause = mode == "incremental" and "step" or "young"
      rows[#rows + 1] = {
        name = ("%d tasks, %s : coroutines"):format(count, mode),
        ours = function()
          return shell.json({ env.aioctl, script, "tasks", count, mode })
        end,
        peer = function()
          return shell.json({ "lua5.4", script, "coroutines", count, mode })
        end,
        metrics = {
          { key = pause, name = pause, unit = "us" },
          { key = "full", name = "full", unit = "us" },
        },
      }
    end
  end
  return rows
end
