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
reads.large = { "--bs=1m" }
-- From the page cache, which fio would empty first.
reads.hot_fixed = { "--direct=0", "--invalidate=0", "--fixedbufs",
  "--registerfiles" }
reads.hot_batch = { "--direct=0", "--invalidate=0", "--fixedbufs",
  "--registerfiles", "--gtod_reduce=1", "--iodepth_batch_submit=32",
  "--iodepth_batch_complete_min=1", "--iodepth_batch_complete_max=32" }

-- A side: IOPS and CPU microseconds per read out of fio's JSON report.
function reads.fio(env, path, depth, extra)
  local seconds = env.smoke and 1 or 3
  return function()
    local words = { "fio", "--name=r", "--filename=" .. path,
      "--rw=randread", "--bs=4k", "--direct=1", "--ioengine=io_uring",
      "--iodepth=" .. depth, "--runtime=" .. seconds, "--time_based",
      "--norandommap", "--thread", "--lat_percentiles=1",
      "--output-format=json" }
    table.move(extra, 1, #extra, #words + 1, words) -- the last one counts
    local job = shell.json(words).jobs[1]
    local cpu = (job.usr_cpu + job.sys_cpu) / 100 * job.read.runtime * 1e3
    local latency = job.read.lat_ns
    return {
      iops = job.read.iops,
      cpu = cpu / job.read.total_ios,
      cpu_us = cpu / job.read.total_ios,
      p50 = latency.percentile and latency.percentile["50.000000"] or nil,
    }
  end
end

return reads
