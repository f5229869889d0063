-- reads - random reads of 4 KiB: the file, and fio as the peer

local shell = require "lib.shell"

local reads = {}

-- Random data, on the disk; made when it is not there yet.
function reads.make_file(path, size)
  if shell.exists(path .. "." .. size) then
    return
  end
  shell.output({ "dd", "if=/dev/urandom", "of=" .. path, "bs=1M",
    "count=" .. (size >> 20), "conv=fsync", "status=none" })
  assert(io.open(path .. "." .. size, "w")):close()
end

-- The path of this run's file, and a function that makes it.
function reads.file(env)
  local path = env.data .. (env.smoke and "/read-smoke" or "/read")
  return path, function()
    reads.make_file(path, (env.smoke and 16 or 1024) << 20)
  end
end

reads.fixed = { "--fixedbufs", "--registerfiles" }

-- A side: IOPS and CPU microseconds per read out of fio's JSON report.
function reads.fio(env, path, depth, extra)
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

return reads
