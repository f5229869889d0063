-- luas - sides that are Lua programs of bench/lua, ours or under lua5.4

local shell = require "lib.shell"

local luas = {}

-- side(words) -> a side that runs the command, whose output is its figures
function luas.side(words)
  return function()
    return shell.json(words)
  end
end

-- ours(env, script, ...) -> the words of a command; stock(...): under lua5.4
function luas.ours(env, script, ...)
  return { env.aioctl, ("%s/lua/%s.lua"):format(env.bench, script), ... }
end

function luas.stock(env, script, ...)
  return { "lua5.4", ("%s/lua/%s.lua"):format(env.bench, script), ... }
end

-- needs(module) -> the field needs of an experiment
function luas.needs(module)
  return function()
    local ok = pcall(shell.output, { "lua5.4", "-l", module, "-e", "" })
    return not ok and ("no %s for lua5.4"):format(module) or nil
  end
end

return luas
