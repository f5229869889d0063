--- aio.block.kind.file - a file or block device, on any engine of aio.file.
local aio = require "aio"
local block_flags = require "aio.block.flags"
local file = require "aio.file"
local make = require "aio.block.make"

local E <const> = aio.errno
local HOLE <const> = block_flags.extent.HOLE | block_flags.extent.ZERO
local NO_HOLE <const> = block_flags.request.NO_HOLE
local REQ_ONE <const> = block_flags.request.REQ_ONE
local EXTENTS_MAX <const> = 1024

local function pread(node, buf, off)
  local ok, message, errno = node.file:read_exact(buf, off)
  if ok then
    return true
  elseif errno == E.ENODATA then
    return nil, message .. "; the file has become shorter", E.EIO
  end
  return nil, message, errno
end

local function pwrite(node, buf, off)
  local ok, message, errno = node.file:write_all(buf, off)
  return ok and true, message, errno
end

local function flush(node)
  return node.file:fdatasync()
end

-- What the file system cannot do is emulated, or ignored where it is a hint.
local function or_unsupported(ok, message, errno)
  if not ok and (errno == E.EOPNOTSUPP or errno == E.ENODEV
    or errno == E.ENOSYS or errno == E.ENOTTY) then
    return nil, message, E.ENOTSUP
  end
  return ok, message, errno
end

local function trim(node, off, len)
  return or_unsupported(node.file:discard(off, len))
end

local function zero(node, off, len, flags)
  local f = node.file
  if flags & NO_HOLE == 0 then
    local ok, message, errno = or_unsupported(f:punch(off, len))
    if ok or errno ~= E.ENOTSUP then
      return ok, message, errno
    end
  end
  return or_unsupported(f:zero(off, len))
end

-- f:seek_data(off) or f:seek_hole(off), at most `stop`.
local function seek(f, what, off, stop)
  local at, message, errno = f[what](f, off)
  if at then
    return math.min(at, stop)
  elseif errno == E.ENXIO then
    return stop
  end
  return nil, message, errno
end

-- The extent that begins at off: a hole up to the next data, or data up to the
-- next hole.
local function find_extent(f, off, stop)
  local finish, message, errno = seek(f, "seek_data", off, stop)
  local flags = HOLE
  if finish == off then
    finish, message, errno = seek(f, "seek_hole", off, stop)
    flags = 0
  end
  if not finish then
    return nil, message, errno
  end
  return { offset = off, length = finish - off, flags = flags }
end

local function status(node, off, len, flags)
  local list, stop = {}, off + len
  repeat
    local extent, message, errno = find_extent(node.file, off, stop)
    if not extent then
      return nil, message, errno
    end
    list[#list + 1] = extent
    off = off + extent.length
  until off == stop or #list == EXTENTS_MAX or flags & REQ_ONE ~= 0
  return list
end

local function cache(node, off, len)
  return or_unsupported(node.file:advise("willneed", off, len))
end

local function device(options, f, size)
  return make.device {
    kind = "file", name = options.name or f.path, file = f,
    size = size // f.align * f.align, block_size = f.align,
    readonly = options.readonly, pread = pread, pwrite = pwrite, flush = flush,
    trim = trim, zero = zero, status = status, cache = cache,
    close = function(node) return node.file:close() end,
  }
end

-- The file's size, which is `wanted` when there is one: files grow to it, but
-- nothing is cut off.
local function settle_size(f, wanted)
  local size, message, errno = f:size()
  if not size or not wanted or size == wanted then
    return size, message, errno
  elseif size > wanted then
    return nil, ("EINVAL: %s: it has %d bytes, size=%d would cut it"):format(
      f.path, size, wanted), E.EINVAL
  end
  local ok
  ok, message, errno = f:truncate(wanted)
  return ok and wanted or nil, message, errno
end

local function open(options)
  if options.size and options.readonly then
    return nil, "EINVAL: file: either size or readonly expected, not both",
      E.EINVAL
  end
  local f, message, errno = file.open(options.path,
    options.readonly and "r" or "r+", {
      direct = options.direct, engine = options.engine,
      create = options.size and true or nil, sync = options.sync,
    })
  if not f then
    return nil, message, errno
  end
  local size
  size, message, errno = settle_size(f, options.size)
  if not size then
    f:close()
    return nil, message, errno
  end
  return device(options, f, size)
end

return {
  options = {
    path = "string", direct = "boolean", readonly = "boolean",
    engine = "string", size = "size", sync = "boolean",
  },
  argument = "path", example = "file:disk.img?direct=1", open = open,
}
