--- aio.cli.report - how commands tell what came out: text, JSON, errors.
local units = require "aio.cli.units"

local report = {}

--- Prints "aioctl copy: message" on stderr and exits with 1.
function report.fail(command, message)
  io.stderr:write(("aioctl %s: %s\n"):format(command, message))
  os.exit(1)
end

--- One JSON object on stdout, its keys in the order given.
function report.json(value, keys)
  local found, dkjson = pcall(require, "dkjson")
  if found then
    print(dkjson.encode(value, { indent = true, keyorder = keys }))
    return
  end
  local cjson
  found, cjson = pcall(require, "cjson")
  if not found then
    report.fail("json", "--json needs the Lua module dkjson or cjson " ..
      "(Debian: apt install lua-dkjson)")
  end
  print(cjson.encode(value))
end

local PERCENTILES <const> = { 50, 90, 99, 99.9, 100 }

--- Latencies of an aio.hist as a table of nanoseconds.
function report.percentiles(hist)
  local out = {}
  for _, p in ipairs(PERCENTILES) do
    local name = p == 100 and "max" or "p" .. ("%g"):format(p):gsub("%.", "_")
    out[name] = hist:percentile(p) or 0
  end
  return out
end

--- "read   p50 1.2 ms  p90 ...": the same as a line of text.
function report.latency_line(label, hist)
  local parts = { ("%-6s"):format(label) }
  for _, p in ipairs(PERCENTILES) do
    local name = p == 100 and "max" or ("p%g"):format(p)
    parts[#parts + 1] = ("%s %s"):format(
      name, units.duration((hist:percentile(p) or 0) / 1e9))
  end
  return table.concat(parts, "  ")
end

local STEPS <const> = { 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 100 }
local BAR <const> = 40

--- A text histogram: one line per percentile, bars in proportion to the time.
function report.histogram(hist)
  local lines = {}
  local max = math.max(hist:percentile(100) or 0, 1)
  for _, p in ipairs(STEPS) do
    local ns = hist:percentile(p) or 0
    lines[#lines + 1] = ("  %5.4g%%  %-10s %s"):format(p,
      units.duration(ns / 1e9),
      ("#"):rep(math.max(1, math.floor(BAR * ns / max + 0.5))))
  end
  return table.concat(lines, "\n")
end

return report
