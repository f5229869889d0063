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

-- @mean: of all that time, as our side's figure is; else the best moment.
local function raw(env, path, case, milliseconds, mean)
  return function()
    local run = shell.json({ "env", "BENCH_FILE=" .. path,
      env.program("file_peer"), "uring_" .. case,
      milliseconds or env.milliseconds, mean })
    run.iops = 1e9 / run.ns
    run.cpu_us = run.cpu / 1e3
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

-- Rows against luv, whose reads need aligned memory past the page cache.
local function luv_direct(env, path, depth)
  return function()
    return shell.json({ "env", "UV_THREADPOOL_SIZE=" .. depth,
      "LD_PRELOAD=" .. env.program("aligned_malloc"), "lua5.4",
      env.bench .. "/lua/luv_reads.lua", "direct", depth,
      env.smoke and 0.05 or 1, path })
  end
end

local function no_fio()
  return not shell.has("fio") and "no fio" or nil
end

-- Page cache: what answers at once.
local function add_cached(rows, env, path, make)
  local hot = { prepare = make }
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
  local function against_fio(name, goal, extra)
    rows[#rows + 1] = row("hot QD32 : " .. name, script(env, path, "hot", 32),
      reads.fio(env, path, 32, extra), goal, { prepare = make, needs = no_fio })
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
  against_fio("fio fixed", ">=1.3", reads.hot_fixed)
  against_fio("fio fixed, no clocks, batches", ">=1.0", reads.hot_batch)
end

local function direct_row(env, path, make, name, ours, peer, metrics, more)
  local e = {
    name = name,
    prepare = make,
    idle = env.smoke and 0 or 0.5,
    ours = script(env, path, ours[1], ours[2]),
    peer = peer,
    metrics = metrics,
    needs = no_fio,
  }
  for key, value in pairs(more or {}) do
    e[key] = value
  end
  return e
end

local function iops(goal)
  return { key = "iops", unit = "1/s", goal = goal }
end

local function cpu(goal)
  return { key = "cpu_us", name = "CPU", unit = "us", goal = goal }
end

-- The disk.  0.98 is less than the spread of a few rounds: hence fifteen.
local function add_disk(rows, env, path, make)
  local long = env.smoke and 10 or 1000
  local function add(...)
    rows[#rows + 1] = direct_row(env, path, make, ...)
  end
  for _, depth in ipairs(env.smoke and { 32 } or { 1, 8, 32, 128 }) do
    local what = { "direct", depth }
    local name = ("direct QD%d : "):format(depth)
    add(name .. "fio fixed", what, reads.fio(env, path, depth, reads.fixed),
      { iops(">=0.98"), cpu("<=1.0") }, { rounds = 15 })
    add(name .. "liburing", what, raw(env, path, "read_" .. depth, long,
      "mean"),
      { iops(), cpu("<=1.15") })
  end
  add("direct QD32 : luv", { "direct", 32 }, luv_direct(env, path, 32),
    { iops(">=1.4"), cpu("<=0.25") }, { needs = has_luv })
  for _, depth in ipairs(env.smoke and {} or { 1, 8 }) do
    add(("direct, polling QD%d : fio"):format(depth), { "polling", depth },
      reads.fio(env, path, depth, {}), {
        iops(depth == 1 and ">=1.25" or ">=1.05"),
        { key = "p50", name = "p50", unit = "ns",
          goal = depth == 1 and "<=0.8" or nil },
      })
  end
  local large = { "large", 16 }
  add("1 MiB direct QD16 : liburing", large, raw(env, path, "large_16", long,
    "mean"),
    { iops(), cpu("<=1.1") })
  add("1 MiB direct QD16 : fio", large,
    reads.fio(env, path, 16, reads.large), { iops(">=0.95"), cpu("<=0.35") },
    { idle = env.smoke and 0 or 2 })
end

return function(env)
  local path, make = reads.file(env)
  local rows = {}
  add_cached(rows, env, path, make)
  add_disk(rows, env, path, make)
  return rows
end
