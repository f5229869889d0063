--- aioctl copy - copies files and block devices.
local aio = require "aio"
local copy = require "aio.copy"
local options = require "aio.cli.options"
local Progress = require "aio.cli.progress"
local report = require "aio.cli.report"
local units = require "aio.cli.units"
local verify = require "aio.copy.verify"

local function direct_choice(o)
  if o.direct then
    return true
  elseif o.no_direct then
    return false
  end
  return nil
end

local function job_of(o, status)
  return {
    src = o.src, dst = o.dst, engine = o.engine, depth = o.depth,
    block = o.block, direct = direct_choice(o), force = o.force,
    status = status,
    log = function(message)
      if o.verbose then
        io.stderr:write("aioctl copy: ", message, "\n")
      end
    end,
  }
end

-- An error that the host prints as it is, without a traceback.  It still dies
-- of the signal that caused it.
local Interrupted = {}
function Interrupted.__tostring(self)
  return self.message
end

local function interrupted(o, step, status)
  return setmetatable({
    message = ("interrupted at %s of %s%s"):format(
      units.size(status.done), units.size(status.total),
      step.interrupted(o, status)),
  }, Interrupted)
end

-- Runs one step with a progress line.  When the user interrupts it, says how
-- far it came.
local function run_step(o, step)
  local status = { done = 0, total = 0 }
  local job = job_of(o, status)
  local progress <close> = Progress.start(o.progress, step.label, status)
  local results = table.pack(pcall(step.run, job))
  progress:stop()
  if results[1] then
    return table.unpack(results, 2, results.n)
  end
  if aio.is_cancelled(results[2]) then
    error(interrupted(o, step, status))
  end
  error(results[2], 0)
end

local COPY <const> = {
  label = "copy",
  run = copy.run,
  interrupted = function(o, status)
    return status.started and ("; %s is incomplete"):format(o.dst) or
      "; nothing was written"
  end,
}

local VERIFY <const> = {
  label = "verify",
  run = function(job)
    job.prefix = true
    return verify.run(job)
  end,
  interrupted = function(o)
    return ("; %s is complete but not verified"):format(o.dst)
  end,
}

local function check_copy(o)
  local status = {}
  local step = setmetatable({
    run = function(job)
      status = job.status
      return copy.run(job)
    end,
  }, { __index = COPY })
  local result, message = run_step(o, step)
  if not result then
    report.fail("copy", message .. (status.started and
      ("; %s is incomplete"):format(o.dst) or ""))
  end
  return result
end

local function check_verify(o, result)
  local verified, message = run_step(o, VERIFY)
  if not verified then
    report.fail("copy", "verify: " .. message)
  elseif verified.differs then
    report.fail("copy", ("verify: %s and %s differ at offset %d"):format(
      o.src, o.dst, verified.differs))
  end
  result.verified = true
  result.verify_seconds = verified.seconds
end

local KEYS <const> = {
  "src", "dst", "bytes", "data", "zeros", "holes", "seconds", "mb_per_second",
  "engine", "fdmon", "direct", "depth", "block", "verified", "read_ns",
  "write_ns", "p50", "p90", "p99", "p99_9", "max",
}

local function print_json(o, result)
  report.json({
    src = o.src, dst = o.dst, bytes = result.bytes, data = result.data,
    zeros = result.zeros, holes = result.holes, seconds = result.seconds,
    mb_per_second = result.rate / 1e6, engine = result.engine,
    fdmon = aio.context():get().fdmon, direct = result.direct,
    depth = o.depth, block = o.block, verified = result.verified or false,
    read_ns = report.percentiles(result.read),
    write_ns = report.percentiles(result.write),
  }, KEYS)
end

local function path_text(result)
  if result.src_direct and result.dst_direct then
    return "direct"
  elseif not result.src_direct and not result.dst_direct then
    return "page cache"
  end
  return result.src_direct and "direct read" or "direct write"
end

local function print_summary(o, result)
  print(("%s in %s: %s  (%s, %s, %s x %d)"):format(
    units.size(result.bytes), units.duration(result.seconds),
    units.rate(result.rate), result.engine, path_text(result),
    units.size(o.block), o.depth))
  local skipped = result.zeros + result.holes
  if skipped > 0 then
    print(("sparse: %s written, %s of holes and zeros not"):format(
      units.size(result.data), units.size(skipped)))
  end
  if result.data > 0 then
    print(report.latency_line("read", result.read))
    print(report.latency_line("write", result.write))
  end
  if result.verified then
    print(("verified in %s"):format(units.duration(result.verify_seconds)))
  end
end

-- Once, when the best engine was neither refused by the user nor by the file,
-- and the host has not said so already (of the monitor that shares its ring).
local function warn_fallback(o, result)
  if result.engine == "io_uring" or (o.engine or "auto") ~= "auto" or
    aio.context():get().fdmon_fallback then
    return
  end
  for _, row in ipairs(aio.probe().engines) do
    if row.name == "io_uring" and not row.usable then
      io.stderr:write(("aioctl copy: warning: went on with %s: %s\n"):format(
        result.engine, row.why))
    end
  end
end

local function main(...)
  local o = options.parse("copy", { ... })
  if o.fdmon then
    aio.context():set { fdmon = o.fdmon }
  end
  local result = check_copy(o)
  warn_fallback(o, result)
  if o.verify then
    check_verify(o, result)
  end
  result.rate = result.bytes / math.max(result.seconds, 1e-9)
  if o.json then
    print_json(o, result)
  else
    print_summary(o, result)
  end
end

main(...)
