-- core_file - the io_uring engine from C against a loop around liburing, and
-- against fio
--
-- The loop is all that io_uring can do: registered file, nothing but the ring.

local cases = require "lib.cases"
local reads = require "lib.reads"
local shell = require "lib.shell"

-- A side that reads the disk for as long as fio does.
local function disk(env, path, program, case)
  return function()
    local run = shell.json({ "env", "BENCH_FILE=" .. path,
      env.program(program), case, env.smoke and 10 or 3000 })
    return { iops = 1e9 / run.ns, cpu = run.cpu / 1e3 }
  end
end

return function(env)
  local path, make = reads.file(env)
  local function row(name, case, goal)
    return cases.row(env, name .. " : liburing", { "file", case },
      { "file_peer", "uring_" .. case }, goal)
  end
  local rows = {
    row("nop QD1", "nop_1"),
    row("nop QD32", "nop_32", "<=1.7"),
    row("/dev/zero QD1", "zero_1"),
    row("/dev/zero QD32", "zero_32", "<=1.43"),
  }
  local function add(depth, name, peer, iops, cpu)
    rows[#rows + 1] = {
      name = ("4k direct read from C QD%d : %s"):format(depth, name),
      idle = env.smoke and 0 or 0.5,
      prepare = make,
      ours = disk(env, path, "file", "read_" .. depth),
      peer = peer,
      needs = name == "fio fixed" and function()
        return not shell.has("fio") and "no fio" or nil
      end,
      metrics = {
        { key = "iops", unit = "IOPS", goal = iops },
        { key = "cpu", name = "CPU", unit = "us/read", goal = cpu },
      },
    }
  end
  for _, depth in ipairs(env.smoke and { 32 } or { 1, 32, 128 }) do
    add(depth, "liburing", disk(env, path, "file_peer",
      "uring_read_" .. depth), ">=0.95", "<=1.15")
    add(depth, "fio fixed", reads.fio(env, path, depth, reads.fixed),
      ">=0.95", "<=0.9")
  end
  return rows
end
