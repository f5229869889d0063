--- aio.copy.verify - reads two files and finds the first difference.
--
-- Reads past the page cache: with O_DIRECT, else after dropping it.  What is a
-- hole in both files is not read.
local aio = require "aio"
local copy = require "aio.copy"
local Plan = require "aio.copy.plan"

local verify = {}

local function round_up(n, align)
  return (n + align - 1) // align * align
end

-- Bytes of f at off, at most len; short only at the end of the file.
local function read(f, buf, off, len)
  local want = math.min(round_up(len, f.align), #buf)
  local done = 0
  while done < len do
    local whole = done == 0 and want == #buf
    local n = copy.check(f:pread(
      whole and buf or buf:slice(done, want - done), off + done))
    done = done + n
    if n == 0 or done % f.align ~= 0 then
      break
    end
  end
  return math.min(done, len)
end

local function first_difference(a, b, n)
  local whole = n == #a
  local at = (whole and a or a:slice(0, n)):mismatch(
    whole and b or b:slice(0, n))
  return at
end

local function compare_block(job, bufs, off, len)
  local a, b = bufs[1], bufs[2]
  local n = read(job.files[1], a, off, len)
  local m = read(job.files[2], b, off, len)
  local at = first_difference(a, b, math.min(n, m))
  if not at and (n < len or m < len) then
    at = math.min(n, m)
  end
  if at and (not job.differs or off + at < job.differs) then
    job.differs = off + at
  end
  job.status.done = job.status.done + len
end

local function worker(job)
  local a <close> = job.pool:get()
  local b <close> = job.pool:get()
  local bufs = { a, b }
  -- Blocks come in order, so after a difference no earlier one is missed.
  while not job.differs do
    local off, len = job.plan:next()
    if not off then
      return
    end
    compare_block(job, bufs, off, len)
  end
end

local function compare_all(job, size)
  local align = math.max(job.files[1].align, job.files[2].align)
  local workers = math.max(1,
    math.min(job.depth, (size + job.block - 1) // job.block))
  local pool <close> = aio.bufpool {
    count = 2 * workers, size = round_up(job.block, align),
    align = math.max(4096, align), register = true,
  }
  job.pool = pool
  job.plan = Plan.new {
    files = job.files, size = size, block = job.block, align = align,
    on_hole = function(_, len) job.status.done = job.status.done + len end,
  }
  aio.group(function(g)
    for _ = 1, workers do
      g:spawn(worker, job)
    end
  end)
end

local function open_uncached(job, path)
  local f = copy.open(job, path, "r")
  if not f.direct then
    f:drop_cache()
  end
  return f
end

local function run(o)
  local job = {
    engine = o.engine, direct = o.direct,
    block = o.block or copy.BLOCK, depth = o.depth or copy.DEPTH,
    log = function() end, status = o.status or {},
  }
  local a <close> = open_uncached(job, o.src)
  local b <close> = open_uncached(job, o.dst)
  local longer, other = copy.check(a:size()), copy.check(b:size())
  local size = math.min(longer, other)
  job.files = { a, b }
  job.status.done, job.status.total = 0, size
  local start = aio.now()
  compare_all(job, size)
  if not job.differs and (other < longer or other > longer and not o.prefix)
  then
    job.differs = size
  end
  return { bytes = size, differs = job.differs, seconds = aio.now() - start }
end

--- verify.run{src=, dst=, prefix=, engine=, depth=, block=, direct=, status=}
-- -> {bytes=, seconds=, differs=}, or nil, message, errno.
--
-- differs is the offset of the first difference, or nil.  With prefix the
-- second may be longer than the first (a device).
function verify.run(o)
  return copy.catch(run, o)
end

return verify
