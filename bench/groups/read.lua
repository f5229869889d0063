-- read - 4 KiB O_DIRECT random reads from Lua tasks against fio
--
-- Both sides read the same file for the same time; CPU is what each process
-- says of its own reading phase (fio: its job, ours: os.clock()).

local shell = require "lib.shell"

local function make_file(path, size)
  if shell.exists(path .. "." .. size) then
    return
  end
  shell.output({ "dd", "if=/dev/urandom", "of=" .. path, "bs=1M",
    "count=" .. (size >> 20), "conv=fsync", "status=none" })
  assert(io.open(path .. "." .. size, "w")):close()
end

-- IOPS and CPU microseconds per read out of fio's JSON report.
local function fio(env, path, depth, extra)
  local seconds = env.smoke and 1 or 3
  return function()
    local words = { "fio", "--name=r", "--filename=" .. path,
      "--rw=randread", "--bs=4k", "--direct=1", "--ioengine=io_uring",
      "--iodepth=" .. depth, "--runtime=" .. seconds, "--time_based",
      "--norandommap", "--thread", "--output-format=json" }
    table.move(extra, 1, #extra, #words + 1, words)
    local job = shell.json(words).jobs[1]
    local cpu = (job.usr_cpu + job.sys_cpu) / 100 * job.read.runtime * 1e3
    return { iops = job.read.iops, cpu = cpu / job.read.total_ios }
  end
end

local function ours(env, path, depth)
  return function()
    local result = shell.json({ env.aioctl, env.bench .. "/lua/randread.lua",
      path, depth, env.smoke and 0.2 or 3 })
    return { iops = result.iops, cpu = result.cpu_us }
  end
end

return function(env)
  local path = env.data .. "/read"
  local size = (env.smoke and 16 or 1024) << 20
  if env.smoke then
    path = path .. "-smoke"
  end
  local function needs()
    if not shell.has("fio") then
      return "no fio"
    end
    make_file(path, size)
    return nil
  end
  local function row(depth, name, extra)
    return {
      name = ("%s QD%d"):format(name, depth),
      needs = needs,
      idle = env.smoke and 0 or 0.5,
      ours = ours(env, path, depth),
      peer = fio(env, path, depth, extra),
      metrics = {
        { key = "iops", unit = "IOPS", goal = ">=0.95" },
        { key = "cpu", name = "CPU", unit = "us/read", goal = "<=1.0" },
      },
    }
  end
  local fixed = { "--fixedbufs", "--registerfiles" }
  local rows = { row(32, "4k direct read : fio fixed", fixed) }
  if not env.smoke then
    table.insert(rows, 1, row(1, "4k direct read : fio", {}))
    table.insert(rows, 2, row(32, "4k direct read : fio", {}))
    table.insert(rows, row(128, "4k direct read : fio fixed", fixed))
  end
  return rows
end
