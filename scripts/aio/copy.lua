--- aio.copy - copies a file or block device with many requests in flight.
--
-- Each of `depth` tasks draws a block from one plan, reads it, and writes it,
-- with a buffer of its own.  With O_DIRECT the bytes after the last multiple of
-- the alignment go through a second, buffered descriptor at the end.  Success
-- is only reported after fsync.
--
-- Operational errors come back as nil, message, errno; a cancel is raised.
local aio = require "aio"
local file = require "aio.file"
local Plan = require "aio.copy.plan"
local units = require "aio.cli.units"

local copy = {}

copy.BLOCK = 1 << 20
copy.DEPTH = 16

-- Errors travel as tables through tasks and groups, unchanged.
local Failure = {}
Failure.__index = Failure
function Failure.__tostring(failure)
  return failure.message
end

local function fail(message, errno)
  error(setmetatable({ message = message, errno = errno or aio.errno.EINVAL },
    Failure), 0)
end

-- assert() for calls that return nil, message, errno.
local function check(value, message, errno)
  if value == nil then
    fail(message, errno)
  end
  return value
end

copy.fail, copy.check = fail, check

--- Runs fn(...) and turns a failure raised by fail() into nil, message, errno.
function copy.catch(fn, ...)
  local function pass(ok, value, ...)
    if ok then
      return value, ...
    end
    if type(value) == "table" and value.message then
      return nil, value.message, value.errno
    end
    error(value, 0)
  end
  return pass(pcall(fn, ...))
end

-- ---- what is copied where -------------------------------------------

local NOUN <const> = {
  directory = "a directory", fifo = "a pipe", char = "a character device",
  socket = "a socket", link = "a link", other = "no regular file",
}

-- What the kernel makes up while it is read (in /proc, say) has no size: a
-- copy of "0 bytes" would pass for one of all there is.
local function check_empty(path)
  local f <close> = check(file.open(path, "r"))
  if check(f:pread(1, 0)) ~= "" then
    fail(("%s has no size but data: read it with cat"):format(path),
      aio.errno.EINVAL)
  end
end

local function check_source(path)
  if path == "-" then
    fail("the source must be a file or a block device, not standard input\n"
      .. "(write './-' for a file of that name)")
  end
  local st = check(file.stat(path))
  if st.type ~= "file" and st.type ~= "block" then
    local errno = st.type == "directory" and aio.errno.EISDIR or nil
    fail(("%s is %s: the source must be a file or a block device"):format(
      path, NOUN[st.type]), errno)
  end
  if st.type == "file" and st.size == 0 then
    check_empty(path)
  end
  return st
end

local function same_file(a, b)
  if a.type == "block" and b.type == "block" then
    return a.rdev == b.rdev
  end
  return a.dev == b.dev and a.ino == b.ino
end

-- The destination's stat table, or nil when it does not exist yet.
local function check_destination(path, src)
  if path == "-" then
    fail("the destination must be a file or a device, not standard output\n"
      .. "(write './-' for a file of that name)")
  end
  local st, message, errno = file.stat(path)
  if not st then
    return errno ~= aio.errno.ENOENT and fail(message, errno) or nil
  end
  if same_file(st, src) then
    fail(("%s is the source itself"):format(path))
  end
  if st.type == "directory" then
    fail(("%s is a directory: name the file to write"):format(path),
      aio.errno.EISDIR)
  elseif st.type == "fifo" or st.type == "socket" then
    fail(("%s is %s: the destination must be a file or a device"):format(
      path, NOUN[st.type]))
  end
  return st
end

-- ---- opening --------------------------------------------------------

local function direct_option(direct)
  if direct == nil then
    return "try"
  end
  return direct
end

-- Opens path; without O_DIRECT where that is impossible and was not insisted
-- upon, and says so.
local function open(job, path, mode, more)
  local o = {
    engine = job.engine,
    direct = direct_option(job.direct),
  }
  for key, value in pairs(more or {}) do
    o[key] = value
  end
  local f = check(file.open(path, mode, o))
  if f.direct and job.block % f.align ~= 0 then
    if job.direct then
      fail(("--block %d: O_DIRECT on %s needs a multiple of %d"):format(
        job.block, path, f.align))
    end
    f:close()
    o.direct = false
    f = check(file.open(path, mode == "w" and "r+" or mode, o))
  end
  if not f.direct and job.direct ~= false then
    job.log(path .. ": no O_DIRECT here, going through the page cache")
  end
  if f.fallback then
    job.log(("%s: engine %s: %s"):format(path, f.engine, f.fallback))
  end
  return f
end

copy.open = open

local function open_destination(job, st)
  if st and st.type == "block" then
    -- O_EXCL on a device: refused (EBUSY) while it is mounted or in use.
    local f = check(open(job, job.dst, "r+", { excl = not job.force }))
    local room = check(f:size())
    if room < job.size then
      fail(("%s holds %s, the source has %s"):format(job.dst,
        units.size(room), units.size(job.size)), aio.errno.ENOSPC)
    end
    return f
  end
  -- Ours to read and write until it is complete: it may be opened once more.
  return open(job, job.dst, "w", { perm = job.src_stat.perm & 511 | 384 })
end

-- ---- moving blocks --------------------------------------------------

local function shrank(job, off)
  fail(("%s shrank during the copy: it ends before offset %d of %d"):format(
    job.src, off, job.size), aio.errno.ENODATA)
end

local function round_up(n, align)
  return (n + align - 1) // align * align
end

-- Reads len bytes at off into buf, asking for whole sectors.
local function read_block(job, buf, off, len)
  local want = round_up(len, job.src_file.align)
  local part = want == #buf and buf or buf:slice(0, want)
  local n, message, errno
  if want == len then
    n, message, errno = job.src_file:read_exact(part, off)
  else
    n, message, errno = job.src_file:pread(part, off)
  end
  if n and n < len or errno == aio.errno.ENODATA then
    shrank(job, off + (n or 0))
  end
  check(n, message, errno)
end

local function write_block(job, buf, off, len)
  local whole = len - len % job.dst_file.align
  if whole > 0 then
    local part = whole == #buf and buf or buf:slice(0, whole)
    check(job.dst_file:write_all(part, off))
  end
  if whole < len then
    job.tail = { off + whole, buf:tostring(whole, len - whole) }
  end
end

-- Makes [off, off + len) of the destination read as zeros.
local function zero_range(job, off, len)
  if job.fresh then
    return -- a new file reads as zeros where nothing was written
  end
  local align = job.dst_file.align
  local whole = len - len % align
  if whole > 0 and not job.dst_file:zero(off, whole) then
    local zeros <close> = aio.buf(math.min(whole, copy.BLOCK))
    for at = 0, whole - 1, #zeros do
      local n = math.min(#zeros, whole - at)
      check(job.dst_file:write_all(
        n == #zeros and zeros or zeros:slice(0, n), off + at))
    end
  end
  if whole < len then
    job.tail = { off + whole, ("\0"):rep(len - whole) }
  end
end

local function copy_block(job, buf, off, len)
  local now_ns = aio.now_ns
  local start = now_ns()
  read_block(job, buf, off, len)
  local middle = now_ns()
  job.read:record(middle - start)
  if job.sparse and buf:is_zero(0, len) then
    zero_range(job, off, len)
    job.zeros = job.zeros + len
  else
    write_block(job, buf, off, len)
    job.write:record(now_ns() - middle)
    job.data = job.data + len
  end
  job.status.done = job.status.done + len
end

local function worker(job)
  local buf <close> = job.pool:get()
  local plan = job.plan
  while true do
    local off, len = plan:next()
    if not off then
      return
    end
    copy_block(job, buf, off, len)
  end
end

-- The last, odd bytes: only after all direct writes, since the page cache
-- reads the rest of their page from the disk.  On any engine: Linux AIO does
-- no buffered I/O.
local function write_tail(job)
  if job.tail then
    local f <close> = check(file.open(job.dst, "r+", { engine = "auto" }))
    check(f:write_all(job.tail[2], job.tail[1]))
    check(f:fsync())
  end
end

local function finish(job)
  write_tail(job)
  if check(job.src_file:size()) < job.size then
    shrank(job, check(job.src_file:size()))
  end
  if job.fresh or job.device then
    check(job.dst_file:fsync())
  end
  if job.fresh then
    local ok, message = job.dst_file:chmod(job.src_stat.perm & 511)
    if not ok then
      job.log(message)
    end
  end
  check(job.dst_file:close())
end

-- ---- the job --------------------------------------------------------

local function move_all(job)
  local align = math.max(job.src_file.align, job.dst_file.align)
  local block = math.max(align, math.min(job.block, round_up(job.size, align)))
  local workers = math.max(1,
    math.min(job.depth, (job.size + block - 1) // block))
  local pool <close> = aio.bufpool {
    count = workers,
    size = round_up(block, align),
    align = math.max(4096, align),
    register = true,
  }
  job.pool = pool
  job.plan = Plan.new {
    files = { job.src_file },
    size = job.size,
    block = block,
    align = align,
    on_hole = function(off, len)
      zero_range(job, off, len)
      job.holes = job.holes + len
      job.status.done = job.status.done + len
    end,
  }
  aio.group(function(g)
    for _ = 1, workers do
      g:spawn(worker, job)
    end
  end)
end

local function prepare(o)
  local src_stat = check_source(o.src)
  local dst_stat = check_destination(o.dst, src_stat)
  local dst_type = dst_stat and dst_stat.type or "file"
  return dst_stat, {
    src = o.src, dst = o.dst, engine = o.engine, direct = o.direct,
    force = o.force,
    block = o.block or copy.BLOCK, depth = o.depth or copy.DEPTH,
    log = o.log or function() end,
    status = o.status or {},
    src_stat = src_stat, size = src_stat.size,
    fresh = dst_type == "file", device = dst_type == "block",
    sparse = dst_type ~= "char",
    data = 0, zeros = 0, holes = 0,
    read = aio.hist(), write = aio.hist(),
  }
end

local function run(o)
  local dst_stat, job = prepare(o)
  local start = aio.now()
  local src <close> = open(job, job.src, "r")
  local dst <close> = open_destination(job, dst_stat)
  job.src_file, job.dst_file = src, dst
  job.status.started = true
  job.status.done, job.status.total = 0, job.size
  if job.fresh then
    check(dst:truncate(job.size))
  end
  move_all(job)
  finish(job)
  return {
    bytes = job.size, data = job.data, zeros = job.zeros, holes = job.holes,
    seconds = aio.now() - start,
    read = job.read, write = job.write,
    engine = src.engine, direct = src.direct and dst.direct,
    src_direct = src.direct, dst_direct = dst.direct,
  }
end

--- copy.run{src=, dst=, engine=, depth=, block=, direct=, force=, log=,
-- status=} -> result, or nil, message, errno.
--
-- direct: true insists on O_DIRECT, false avoids it, nil tries.  log(message)
-- is told what was fallen back from.  status gets done, total (bytes) and
-- started (whether the destination was touched) while the copy runs.
function copy.run(o)
  return copy.catch(run, o)
end

return copy
