--- aio.block.emulate - what a node does that its writer has not provided.
--
-- zero by writing zeros, trim by nothing (it is a hint), FUA by a flush behind,
-- flush by nothing (such a node keeps nothing back), cache by reading, status
-- as all data.  A method that answers ENOTSUP is treated as if it were absent.
local aio = require "aio"
local flags_of = require "aio.block.flags"

local emulate = {}

local E <const> = aio.errno
local FUA <const> = flags_of.request.FUA
local FAST_ZERO <const> = flags_of.request.FAST_ZERO

-- Larger pieces would not be faster, and hold up other requests.
local PIECE <const> = 256 << 10

local zeros -- only read from, so that all requests share it

local function each_piece(off, len, fn)
  while len > 0 do
    local n = math.min(len, PIECE)
    local ok, message, errno = fn(off, n)
    if ok ~= true and ok ~= n then
      return ok, message, errno
    end
    off, len = off + n, len - n
  end
  return true
end

-- zero(node, off, len, flags): through the node's own pwrite.
function emulate.zero(node, off, len, flags)
  if flags & FAST_ZERO ~= 0 then
    return nil, "ENOTSUP: zeros would have to be written", E.ENOTSUP
  end
  zeros = zeros or aio.buf(PIECE)
  return each_piece(off, len, function(at, n)
    return node.impl.pwrite(node, n == PIECE and zeros or zeros:slice(0, n), at,
      0)
  end)
end

-- cache(node, off, len): reads it and forgets what it read.
function emulate.cache(node, off, len)
  local buf <close> = aio.buf(math.min(len, PIECE))
  return each_piece(off, len, function(at, n)
    return node.impl.pread(node, n == #buf and buf or buf:slice(0, n), at)
  end)
end

function emulate.nothing()
  return true
end

function emulate.status(_, off, len)
  return { { offset = off, length = len, flags = 0 } }
end

local function refuse_write()
  return nil, "EPERM: the node cannot be written", E.EPERM
end

-- Calls method; where that answers ENOTSUP, instead.
local function or_else(method, instead)
  if not method then
    return instead
  end
  return function(node, off, len, flags)
    local ok, message, errno = method(node, off, len, flags)
    if ok == nil and errno == E.ENOTSUP then
      return instead(node, off, len, flags)
    end
    return ok, message, errno
  end
end

-- FUA for methods that do not know it: without it, then a flush.
local function flushing(method, flush)
  return function(node, a, b, flags)
    local ok, message, errno = method(node, a, b, flags & ~FUA)
    if not ok then
      return ok, message, errno
    end
    local flushed
    flushed, message, errno = flush(node)
    if flushed ~= true then
      return flushed, message, errno
    end
    return ok
  end
end

-- complete(impl) -> impl with a function for every method.  impl.fua: its
-- writing methods know FUA; impl.pwrite's flags are otherwise always 0.
function emulate.complete(impl)
  impl.pwrite = impl.pwrite or refuse_write
  impl.flush = impl.flush or emulate.nothing
  impl.zero = or_else(impl.zero, emulate.zero)
  impl.trim = or_else(impl.trim, emulate.nothing)
  impl.cache = or_else(impl.cache, emulate.cache)
  impl.status = impl.status or emulate.status
  for _, op in ipairs { "pwrite", "zero", "trim" } do
    impl[op .. "_fua"] = impl.fua and impl[op]
      or flushing(impl[op], impl.flush)
  end
  return impl
end

return emulate
