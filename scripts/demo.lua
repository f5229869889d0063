--- aioctl demo - a guided tour: one file, copied with each engine.
--
-- Makes a file of random data in the current folder (or --dir), copies it with
-- every usable engine, checks each copy by checksum, shows how long the reads
-- and writes took, and removes what it made.
local aio = require "aio"
local copy = require "aio.copy"
local file = require "aio.file"
local options = require "aio.cli.options"
local report = require "aio.cli.report"
local units = require "aio.cli.units"

local BLOCK <const> = 1 << 20
local TAIL <const> = 777 -- odd, so that the copies show what they do with it

-- An error that the host prints as it is; what was made is removed on its way.
local Failure = {}
function Failure.__tostring(failure)
  return failure.message
end

local function fail(message)
  error(setmetatable({ message = message }, Failure))
end

local function check(ok, message)
  return ok or fail(message)
end

-- Random enough: a block from the kernel, stamped with its number.
local function generate(path, size)
  local seed = assert(io.open("/dev/urandom", "rb"))
  local buf <close> = aio.buf(BLOCK)
  buf:set(0, seed:read(BLOCK))
  seed:close()
  local f <close> = check(file.open(path, "w", { excl = true }))
  for off = 0, size - 1, BLOCK do
    for at = 0, BLOCK - 8, 4096 do
      buf:pack(at, "<i8", off + at)
    end
    local n = math.min(BLOCK, size - off)
    check(f:write_all(n == BLOCK and buf or buf:slice(0, n), off))
  end
  check(f:fsync())
end

local function checksum(path)
  local f <close> = assert(file.open(path, "r"))
  assert(f:drop_cache())
  local buf <close> = aio.buf(BLOCK)
  local off, crc = 0, 0
  while true do
    local n = assert(f:pread(buf, off))
    if n == 0 then
      return crc
    end
    crc = buf:crc32c(0, n, crc)
    off = off + n
  end
end

-- What one engine did, as --json tells it.
local function figures(engine, result, same)
  return {
    name = engine, usable = true, engine = result.engine,
    direct = result.direct, seconds = result.seconds,
    mb_per_second = result.bytes / result.seconds / 1e6, correct = same,
    write_ns = report.percentiles(result.write),
  }
end

local function show(engine, result, same)
  print(("\n%s: %s in %s, %s, %s, checksum %s"):format(engine,
    units.size(result.bytes), units.duration(result.seconds),
    units.rate(result.bytes / result.seconds),
    result.direct and "O_DIRECT" or "page cache",
    same and "correct" or "WRONG"))
  print("write latency, 1 MiB blocks, 16 in flight:")
  print(report.histogram(result.write))
end

local function try_engine(engine, paths, crc, quiet)
  local result, message = copy.run {
    src = paths.src, dst = paths.dst, engine = engine.name,
  }
  if not result then
    fail(("%s: %s"):format(engine.name, message))
  end
  local same = checksum(paths.dst) == crc
  local name = engine.name
  if result.engine ~= name then -- Linux AIO without O_DIRECT, say
    name = ("%s (fell back to %s here)"):format(name, result.engine)
  end
  if not quiet then
    show(name, result, same)
  end
  check(file.unlink(paths.dst))
  if not same then
    fail(engine.name .. ": the copy differs from its source")
  end
  return figures(engine.name, result, same)
end

local function tour(paths, size, quiet)
  local say = quiet and function() end or print
  say(("Making %s of test data in %s ..."):format(units.size(size),
    paths.src))
  generate(paths.src, size)
  local crc, engines = checksum(paths.src), {}
  say(("Its CRC-32C is %08x.  Copying it with each engine."):format(crc))
  for i, engine in ipairs(aio.probe().engines) do
    if engine.usable then
      engines[i] = try_engine(engine, paths, crc, quiet)
    else
      engines[i] = engine
      say(("\n%s: not usable here: %s"):format(engine.name, engine.why))
    end
  end
  return { bytes = size, crc32c = crc, engines = engines }
end

local KEYS <const> = {
  "bytes", "crc32c", "engines", "name", "usable", "why", "engine", "direct",
  "seconds", "mb_per_second", "correct", "write_ns", "p50", "p90", "p99",
  "p99_9", "max",
}

local NEXT <const> = [[

What to try next:
  aioctl info                        what works on this machine, and why not
  aioctl copy --verify SRC DST       copy a file or a block device
  aioctl copy --help                 depth, block size, engine, JSON
  aioctl -e 'aio = require "aio"; aio.sleep(0.1); print(aio.now())'
  ls examples/                       short scripts that run as they are
]]

local function main(...)
  local o = options.parse("demo", { ... })
  local base = ("%s/aioctl-demo-%d"):format(o.dir, aio.now_ns())
  local paths = { src = base .. ".src", dst = base .. ".dst" }
  local _ <close> = setmetatable({}, { __close = function()
    os.remove(paths.src)
    os.remove(paths.dst)
  end })
  local results = tour(paths, o.size + TAIL, o.json)
  if o.json then
    report.json(results, KEYS)
  else
    io.write(NEXT)
  end
end

main(...)
