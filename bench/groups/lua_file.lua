-- lua_file - file requests from Lua tasks against bare liburing, fio and luv
--
-- What answers at once (page cache, /dev/zero, nop) shows what Lua adds; the
-- disk shows whether that matters.

local reads = require "lib.reads"
local shell = require "lib.shell"

local function script(env, path, what, depth)
  return function()
    return shell.json({ env.aioctl, env.bench .. "/lua/reads.lua", what, depth,
      env.smoke and 0.05 or 1, path })
  end
end

local function raw(env, path, case)
  return function()
    local run = shell.json({ "env", "BENCH_FILE=" .. path,
      env.program("file_peer"), "uring_" .. case, env.milliseconds })
    run.iops = 1e9 / run.ns
    return run
  end
end

local function luv(env, path, what, depth)
  return function()
    return shell.json({ "lua5.4", env.bench .. "/lua/luv_reads.lua", what,
      depth, env.smoke and 0.05 or 1, path })
  end
end

local function has_luv()
  local ok = pcall(shell.output, { "lua5.4", "-e", "require 'luv'" })
  return not ok and "no lua5.4 with luv (lua-luv)" or nil
end

local function row(name, ours, peer, goal, more)
  local e = { name = name, ours = ours, peer = peer,
    metrics = { { key = "iops", unit = "1/s", goal = goal } } }
  for key, value in pairs(more or {}) do
    e[key] = value
  end
  return e
end

return function(env)
  local path, make = reads.file(env)
  local hot = { prepare = make }
  local rows = {}
  local function against_raw(what, case, depth, goal)
    rows[#rows + 1] = row(("%s QD%d : liburing"):format(what, depth),
      script(env, path, what, depth), raw(env, path, case .. "_" .. depth),
      goal, hot)
  end
  local function against_luv(what, depth, goal)
    rows[#rows + 1] = row(("%s QD%d : luv"):format(what, depth),
      script(env, path, what, depth), luv(env, path, what, depth), goal,
      { prepare = make, needs = has_luv })
  end
  against_raw("nop", "nop", 32, ">=0.40")
  against_raw("zero", "zero", 32, ">=0.7")
  against_luv("zero", 32, ">=7")
  for _, depth in ipairs(env.smoke and { 32 } or { 1, 8, 32, 128 }) do
    against_raw("hot", "hot", depth, depth == 32 and ">=0.85" or nil)
  end
  rows[#rows + 1] = row("hot, a string each QD32 : liburing",
    script(env, path, "string", 32), raw(env, path, "hot_32"), ">=0.65", hot)
  against_luv("hot", 1)
  against_luv("hot", 32, ">=2.3")
  for _, depth in ipairs(env.smoke and {} or { 1, 8 }) do
    rows[#rows + 1] = row(("direct, polling QD%d : fio"):format(depth),
      script(env, path, "polling", depth), reads.fio(env, path, depth, {}),
      depth == 1 and ">=1.25" or ">=1.05",
      { prepare = make, idle = 0.5, needs = function()
        return not shell.has("fio") and "no fio" or nil
      end })
  end
  return rows
end
