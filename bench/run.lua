-- run - the benchmarks: ours and a peer side by side, in one run
--
--   aioctl bench/run.lua [GROUP ...] [--smoke] [--rounds N] [--list]
--                        [--only PATTERN]
--
-- A part of a group is a group too: lua_net is what is in groups/lua_net.lua.
-- Prints name, ours, peer, ratio, goal and ok or SHORT, and writes
-- build/bench/GROUP.json.  --smoke: one short round of each, which only shows
-- that it runs.  Exit status 1 if something failed to run; a goal that was
-- missed is said, not punished: figures belong to quiet machines.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local cjson = require "cjson"
local experiment = require "lib.experiment"
local shell = require "lib.shell"

local GROUPS <const> = { "core", "lua", "startup", "read", "copy" }
local FORMAT = "%-44s %12s %12s %8s %8s  %s\n"

local function usage(message)
  io.stderr:write("bench: ", message, "\nusage: run.lua [GROUP ...] ",
    "[--smoke] [--rounds N] [--list] [--only PATTERN]\ngroups: ",
    table.concat(GROUPS, " "), "\n")
  os.exit(1)
end

local function is_group(word)
  return word:match("^[%w_]+$") and
    package.searchpath("groups." .. word, package.path) ~= nil
end

local function parse(words)
  local options = { groups = {} }
  local i = 1
  while i <= #words do
    local word = words[i]
    if word == "--smoke" then
      options.smoke = true
    elseif word == "--list" then
      options.list = true
    elseif word == "--rounds" then
      i = i + 1
      options.rounds = math.tointeger(tonumber(words[i] or ""))
      if not options.rounds or options.rounds < 1 then
        usage("--rounds wants a positive number")
      end
    elseif word == "--only" then
      i = i + 1
      options.only = words[i] or usage("--only wants a pattern")
    elseif is_group(word) then
      table.insert(options.groups, word)
    else
      usage("unknown group or option " .. word)
    end
    i = i + 1
  end
  if #options.groups == 0 then
    options.groups = GROUPS
  end
  return options
end

-- What the groups need to know of this run.
local function environment(options)
  local root = here .. "/.."
  local build = os.getenv("AIOCTL_BUILD") or root .. "/build/release"
  local env = {
    root = root,
    bench = here,
    smoke = options.smoke,
    aioctl = build .. "/aioctl",
    data = build .. "/bench/data",
    out = root .. "/build/bench",
    milliseconds = options.smoke and 10 or 200,
  }
  function env.program(name)
    return build .. "/bench/bench_" .. name
  end
  -- A side that runs one case of a program of bench/c.
  -- @prefix: words before it, as of taskset.
  function env.case(program, name, prefix)
    local words = { table.unpack(prefix or {}) }
    table.move({ env.program(program), name, env.milliseconds }, 1, 3,
      #words + 1, words)
    return function()
      return shell.json(words)
    end
  end
  shell.output({ "mkdir", "-p", env.out, env.data })
  return env
end

local function figure(x)
  if not x then
    return "-"
  end
  local size = math.abs(x)
  return (size >= 1000 and "%.0f" or size >= 10 and "%.1f" or "%.3f"):format(x)
end

local function print_row(row)
  if row.why then
    io.write(("%-44s %s: %s\n"):format(row.name, row.verdict, row.why))
    return
  end
  local unit = row.unit and " [" .. row.unit .. "]" or ""
  io.write(FORMAT:format(row.name .. unit, figure(row.ours), figure(row.peer),
    figure(row.ratio), row.goal or "-", row.verdict))
end

local function run_group(name, env, options)
  local rows = {}
  for _, e in ipairs(require("groups." .. name)(env)) do
    local wanted = not options.only or e.name:find(options.only)
    for _, row in ipairs(wanted and experiment.run(e, options) or {}) do
      print_row(row)
      io.flush()
      rows[#rows + 1] = row
    end
  end
  if options.only then
    return rows
  end
  local file = assert(io.open(env.out .. "/" .. name .. ".json", "w"))
  file:write(cjson.encode({ group = name, smoke = options.smoke or false,
    time = os.time(), rows = rows }), "\n")
  file:close()
  return rows
end

local function main(options)
  if options.list then
    print(table.concat(GROUPS, "\n"))
    return true
  end
  local env = environment(options)
  local all_ran = true
  io.write(FORMAT:format("name", "ours", "peer", "ratio", "goal", ""))
  for _, name in ipairs(options.groups) do
    for _, row in ipairs(run_group(name, env, options)) do
      all_ran = all_ran and row.verdict ~= "FAILED"
    end
  end
  return all_ran
end

os.exit(main(parse(arg)) and 0 or 1, true)
