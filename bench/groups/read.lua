-- read - 4 KiB O_DIRECT random reads from Lua tasks against fio
--
-- Both sides read the same file for the same time; CPU is what each process
-- says of its own reading phase (fio: its job, ours: os.clock()).

local reads = require "lib.reads"
local shell = require "lib.shell"

local function ours(env, path, depth)
  return function()
    local result = shell.json({ env.aioctl, env.bench .. "/lua/randread.lua",
      path, depth, env.smoke and 0.2 or 3 })
    return { iops = result.iops, cpu = result.cpu_us }
  end
end

return function(env)
  local path, make = reads.file(env)
  local function needs()
    if not shell.has("fio") then
      return "no fio"
    end
    make()
    return nil
  end
  local function row(depth, name, extra)
    return {
      name = ("%s QD%d"):format(name, depth),
      needs = needs,
      idle = env.smoke and 0 or 0.5,
      ours = ours(env, path, depth),
      peer = reads.fio(env, path, depth, extra),
      metrics = {
        { key = "iops", unit = "IOPS", goal = ">=0.95" },
        { key = "cpu", name = "CPU", unit = "us/read", goal = "<=1.0" },
      },
    }
  end
  local rows = { row(32, "4k direct read : fio fixed", reads.fixed) }
  if not env.smoke then
    table.insert(rows, 1, row(1, "4k direct read : fio", {}))
    table.insert(rows, 2, row(32, "4k direct read : fio", {}))
    table.insert(rows, row(128, "4k direct read : fio fixed", reads.fixed))
  end
  return rows
end
