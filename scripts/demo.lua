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

-- Random enough: a block from the kernel, stamped with its number.
local function generate(path, size)
  local seed = assert(io.open("/dev/urandom", "rb"))
  local buf <close> = aio.buf(BLOCK)
  buf:set(0, seed:read(BLOCK))
  seed:close()
  local f <close> = assert(file.open(path, "w", { excl = true }))
  for off = 0, size - 1, BLOCK do
    for at = 0, BLOCK - 8, 4096 do
      buf:pack(at, "<i8", off + at)
    end
    local n = math.min(BLOCK, size - off)
    assert(f:write_all(n == BLOCK and buf or buf:slice(0, n), off))
  end
  assert(f:fsync())
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

local function show(engine, result, same)
  print(("\n%s: %s in %s, %s, %s, checksum %s"):format(engine,
    units.size(result.bytes), units.duration(result.seconds),
    units.rate(result.bytes / result.seconds),
    result.direct and "O_DIRECT" or "page cache",
    same and "correct" or "WRONG"))
  print("write latency, 1 MiB blocks, 16 in flight:")
  print(report.histogram(result.write))
end

local function try_engine(engine, paths, crc)
  local result, message = copy.run {
    src = paths.src, dst = paths.dst, engine = engine.name,
  }
  if not result then
    report.fail("demo", ("%s: %s"):format(engine.name, message))
  end
  local same = checksum(paths.dst) == crc
  local name = engine.name
  if result.engine ~= name then -- Linux AIO without O_DIRECT, say
    name = ("%s (fell back to %s here)"):format(name, result.engine)
  end
  show(name, result, same)
  assert(file.unlink(paths.dst))
  if not same then
    report.fail("demo", engine.name .. ": the copy differs from its source")
  end
end

local function tour(paths, size)
  print(("Making %s of test data in %s ..."):format(units.size(size),
    paths.src))
  generate(paths.src, size)
  local crc = checksum(paths.src)
  print(("Its CRC-32C is %08x.  Copying it with each engine."):format(crc))
  for _, engine in ipairs(aio.probe().engines) do
    if engine.usable then
      try_engine(engine, paths, crc)
    else
      print(("\n%s: not usable here: %s"):format(engine.name, engine.why))
    end
  end
end

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
  tour(paths, o.size + TAIL)
  io.write(NEXT)
end

main(...)
