--- aio.block.kind.cow - a base that is only read, and an overlay of what was
-- written over it.
--
-- The overlay has the same offsets as the base; behind the data, at a multiple
-- of 4096, stand a header and a bitmap of the clusters it has.  A cluster is
-- copied up when it is first written in part.  What keeps this right after a
-- crash: a bit reaches the disk only when its cluster is there, so flush()
-- means flush the data, write the bits, flush again.
local aio = require "aio"
local block_flags = require "aio.block.flags"
local bitmap = require "aio.block.bitmap"
local file = require "aio.file"
local make = require "aio.block.make"
local pieces = require "aio.block.pieces"
local ranges = require "aio.block.ranges"
local sync = require "aio.sync"

local CLUSTER <const> = 64 << 10
local FUA <const> = block_flags.request.FUA
local ZERO <const> = block_flags.extent.ZERO

-- [off, off + len) by runs of clusters that are all in the overlay or all not:
-- fn(at, n, in_overlay).
local function each_run(node, off, len, fn)
  local stop = off + len
  while off < stop do
    local number = off // CLUSTER
    local state = node.map:get(number)
    repeat
      number = number + 1
    until number * CLUSTER >= stop or node.map:get(number) ~= state
    local n = math.min(number * CLUSTER, stop) - off
    local ok, message, errno = fn(off, n, state)
    if not ok then
      return nil, message, errno
    end
    off = off + n
  end
  return true
end

local function base_of(node)
  return node.children[1]
end

local function overlay_of(node)
  return node.children[2]
end

local function pread(node, buf, off)
  return each_run(node, off, #buf, function(at, n, in_overlay)
    local child = in_overlay and overlay_of(node) or base_of(node)
    return child:pread(n == #buf and buf or buf:slice(at - off, n), at)
  end)
end

-- Copies the cluster up and lets change(buf) write into the copy.
local function copy_up(node, number, change)
  local start = number * CLUSTER
  local len = math.min(CLUSTER, node.size - start)
  local buf <close> = aio.buf(len)
  local ok, message, errno = base_of(node):pread(buf, start)
  if not ok then
    return nil, message, errno
  end
  change(buf, start)
  ok, message, errno = overlay_of(node):pwrite(buf, start)
  if ok then
    node.map:set(number)
  end
  return ok, message, errno
end

-- Into clusters that are there: plain.  Else by cluster, whole or copied up.
-- write(at, n) writes to the overlay, change(buf, start, at, n) into a copy.
local function write_new(node, off, len, write, change)
  while len > 0 do
    local number = off // CLUSTER
    local start = number * CLUSTER
    local n = math.min(start + CLUSTER - off, len)
    local ok, message, errno
    if n == math.min(CLUSTER, node.size - start) then
      ok, message, errno = write(off, n)
      if ok then
        node.map:set(number)
      end
    else
      local at = off
      ok, message, errno = copy_up(node, number, function(buf)
        change(buf, start, at, n)
      end)
    end
    if not ok then
      return nil, message, errno
    end
    off, len = off + n, len - n
  end
  return true
end

-- Writers of a cluster that is not there yet go one after the other; its range
-- is looked at again when it is this one's turn.
local function write_range(node, off, len, write, change)
  return each_run(node, off, len, function(at, n, in_overlay)
    if in_overlay then
      return write(at, n)
    end
    local first = at // CLUSTER * CLUSTER
    local _ <close> = node.ranges:lock(first,
      (at + n + CLUSTER - 1) // CLUSTER * CLUSTER - first)
    return each_run(node, at, n, function(from, count, there)
      if there then
        return write(from, count)
      end
      return write_new(node, from, count, write, change)
    end)
  end)
end

local function pwrite(node, buf, off)
  return write_range(node, off, #buf, function(at, n)
    return overlay_of(node):pwrite(n == #buf and buf
      or buf:slice(at - off, n), at)
  end, function(copy, start, at, n)
    copy:copy(at - start, buf, at - off, n)
  end)
end

-- Holes of the overlay read as zeros where the bitmap has the cluster.
local function zero(node, off, len, flags)
  return write_range(node, off, len, function(at, n)
    return overlay_of(node):zero(at, n, flags & ~FUA)
  end, function(copy, start, at, n)
    copy:fill(0, at - start, n)
  end)
end

-- Flushes go one after the other: the bits that another one is saving are not
-- on the disk yet.
local function flush(node)
  local overlay = overlay_of(node)
  local _ <close> = node.flushing:guard()
  local blocks = node.map:snapshot()
  local ok, message, errno = overlay:flush()
  if not blocks then
    return ok, message, errno
  elseif not ok then
    node.map:restore(blocks)
    return nil, message, errno
  end
  ok, message, errno = node.map:save(blocks, overlay)
  if ok then
    ok, message, errno = overlay:flush()
  end
  if not ok then
    node.map:restore(blocks)
  end
  return ok, message, errno
end

local function status(node, off, len, flags)
  local list = {}
  local ok, message, errno = each_run(node, off, len, function(at, n, there)
    local child = there and overlay_of(node) or base_of(node)
    while n > 0 do
      local found, why, code = child:status(at, n, flags)
      if not found then
        return nil, why, code
      end
      for _, extent in ipairs(found) do
        extent.flags = extent.flags & ZERO -- in the overlay nothing is a hole
        list[#list + 1] = extent
        at, n = at + extent.length, n - extent.length
      end
    end
    return true
  end)
  return ok and list, message, errno
end

-- ---- commit ---------------------------------------------------------------

local function copy_down(node, number, buf)
  local start = number * CLUSTER
  local n = math.min(CLUSTER, node.size - start)
  local part = n == CLUSTER and buf or buf:slice(0, n)
  local ok, message, errno = overlay_of(node):pread(part, start)
  if ok then
    ok, message, errno = base_of(node):pwrite(part, start)
  end
  return ok, message, errno
end

-- node:commit() -> true: the base has what was written, the overlay nothing.
-- Requests wait meanwhile.  When it fails or the power does, nothing is lost.
local function commit(node)
  local _ <close> = node:drain()
  local buf <close> = aio.buf(CLUSTER)
  for _, number in ipairs(node.map:numbers()) do
    local ok, message, errno = copy_down(node, number, buf)
    if not ok then
      return nil, message, errno
    end
  end
  local ok, message, errno = base_of(node):flush()
  if not ok then
    return nil, message, errno
  end
  node.map:clear()
  return flush(node)
end

-- node:allocated() -> bytes that the overlay has.
local function allocated(node)
  return #node.map:numbers() * CLUSTER
end

-- ---- open -----------------------------------------------------------------

local function map_start(size)
  return (size + 4095) // 4096 * 4096
end

local function overlay_size(size)
  return map_start(size) + bitmap.bytes(size, CLUSTER)
end

-- Plain paths: the base is only read unless it is to be committed to, the
-- overlay comes into being with the right size.
local function describe_child(i, path, children, options)
  if i == 1 then
    return { "file", path, readonly = not options.commit }
  end
  local needed = overlay_size(children[1].size)
  local st = file.stat(path)
  if st and st.type == "file" and st.size ~= 0 and st.size ~= needed then
    return nil, ("EINVAL: cow: '%s' has %d bytes; an overlay of '%s' has %d")
      :format(path, st.size, children[1].name, needed), aio.errno.EINVAL
  end
  return { "file", path, size = needed }
end

local function open(options, children)
  local base, overlay = children[1], children[2]
  if overlay.size < overlay_size(base.size) then
    return nil, ("EINVAL: cow: an overlay of '%s' needs %d bytes, '%s' has %d")
      :format(base.name, overlay_size(base.size), overlay.name, overlay.size),
      aio.errno.EINVAL
  end
  local map, message, errno = bitmap.load(overlay, map_start(base.size),
    base.size, CLUSTER)
  if not map then
    return nil, message, errno
  end
  return make.device {
    kind = "cow", name = options.name, children = children, size = base.size,
    block_size = pieces.face(children), readonly = overlay.readonly,
    map = map, ranges = ranges.new(), flushing = sync.mutex(),
    pread = pread, pwrite = pwrite, zero = zero, flush = flush,
    status = status, commit = commit, allocated = allocated,
    close = function(node) return overlay.readonly or flush(node) end,
  }
end

return {
  options = { commit = "boolean" }, children = { 2, 2 },
  example = "cow:base.img,overlay.img", open = open,
  describe_child = describe_child,
}
