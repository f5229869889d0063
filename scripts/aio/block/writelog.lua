--- aio.block.writelog - what was written to a node, in a file, in order.
--
-- Each record is a header of 64 bytes, then for a pwrite its data:
--   magic, number, op, flags, offset, length, nanoseconds, crc32c of the data,
--   crc32c of the header before it
-- Records stand in the order in which requests ended, so the first n of them
-- are what a disk may hold when it dies: a flush stands behind every write that
-- had returned when it began.  Reading stops at the first record that is not
-- whole; what comes behind it was being written when the program ended.
local aio = require "aio"
local file = require "aio.file"

local writelog = {}

local E <const> = aio.errno
local HEADER <const> = "<c8I8I4I4I8I8I8I4"
local SIZE <const> = 64
local CRC_AT <const> = HEADER:packsize()
local MAGIC <const> = "aiolog01"
local OPS <const> = { "pwrite", "zero", "trim", "flush" }
local CODES <const> = { pwrite = 1, zero = 2, trim = 3, flush = 4 }

local Log = {}
Log.__index = Log

-- create(path) -> log that writes to a new or emptied file.
function writelog.create(path)
  local f, message, errno = file.open(path, "w")
  if not f then
    return nil, message, errno
  end
  return setmetatable({ file = f, tail = 0, count = 0 }, Log)
end

-- log:append(op, off, len, flags [, buf]) -> true when the record is in the
-- file.  After a failure nothing can be appended: a gap would hide the rest.
function Log.append(log, op, off, len, flags, buf)
  if log.broken then
    return nil, "EIO: the log has a gap, an earlier record failed: "
      .. log.broken, E.EIO
  end
  log.count = log.count + 1
  local at = log.tail
  log.tail = at + SIZE + (buf and len or 0)
  local header <close> = aio.buf(SIZE)
  header:pack(0, HEADER, MAGIC, log.count, CODES[op], flags, off, len,
    aio.now_ns(), buf and buf:crc32c() or 0)
  header:pack(CRC_AT, "<I4", header:crc32c(0, CRC_AT))
  local ok, message, errno = log.file:write_all(buf and { header, buf }
    or header, at)
  if not ok then
    log.broken = message
    return nil, message, errno
  end
  return true
end

-- log:flush() -> true
function Log.flush(log)
  return log.file:fdatasync()
end

-- log:close() -> true
function Log.close(log)
  return log.file:close()
end

-- ---- reading --------------------------------------------------------------

-- The record at `at`; nil where there is none; its data read into a buffer.
local function read_record(f, at, header)
  local n, message, errno = f:pread(header, at)
  if not n then
    return nil, message, errno
  elseif n < SIZE then
    return nil
  end
  local magic, number, code, flags, off, len, ns, crc = header:unpack(0, HEADER)
  if magic ~= MAGIC or not OPS[code]
    or header:unpack(CRC_AT, "<I4") ~= header:crc32c(0, CRC_AT) then
    return nil
  end
  local record = { number = number, op = OPS[code], flags = flags, off = off,
    len = len, ns = ns, crc = crc, size = SIZE }
  if record.op == "pwrite" then
    record.size = SIZE + len
    record.data = aio.buf(math.max(len, 1)):slice(0, len)
    n, message, errno = f:read_exact(record.data, at + SIZE)
    if not n and errno ~= E.ENODATA then
      return nil, message, errno
    elseif not n or record.data:crc32c() ~= crc then
      return nil
    end
  end
  return record
end

-- each(path, fn) -> how many records there are; fn(record) is called for each:
-- number, op, flags, off, len, ns, data (a buffer).  It ends early when fn
-- returns false, or nil and an error, which is then returned.
function writelog.each(path, fn)
  local f <close>, message, errno = file.open(path, "r")
  if not f then
    return nil, message, errno
  end
  local header <close> = aio.buf(SIZE)
  local at, count = 0, 0
  while true do
    local record
    record, message, errno = read_record(f, at, header)
    if not record and message then
      return nil, message, errno
    elseif not record then
      return count
    end
    local go_on
    go_on, message, errno = fn(record)
    if go_on == nil and message then
      return nil, message, errno
    elseif go_on == false then
      return count
    end
    at, count = at + record.size, count + 1
  end
end

local function apply(node, record)
  if record.op == "pwrite" then
    return node:pwrite(record.data, record.off)
  elseif record.op == "flush" then
    return node:flush()
  end
  return node[record.op](node, record.off, record.len)
end

-- replay(path, node [, upto]) -> how many records were applied, `upto` at
-- most.
function writelog.replay(path, node, upto)
  local count, message, errno = writelog.each(path, function(record)
    if upto and record.number > upto then
      return false
    end
    return apply(node, record)
  end)
  if not count then
    return nil, message, errno
  end
  return count
end

return writelog
