--- aio.block.kind.offset - a part of another node.
local aio = require "aio"
local make = require "aio.block.make"

local function move(extents, by)
  for _, extent in ipairs(extents) do
    extent.offset = extent.offset + by
  end
  return extents
end

local methods = {
  fua = true,
  pread = function(node, buf, off, next)
    return next(buf, off + node.start)
  end,
  pwrite = function(node, buf, off, flags, next)
    return next(buf, off + node.start, flags)
  end,
  trim = function(node, off, len, flags, next)
    return next(off + node.start, len, flags)
  end,
  zero = function(node, off, len, flags, next)
    return next(off + node.start, len, flags)
  end,
  cache = function(node, off, len, next)
    return next(off + node.start, len)
  end,
  status = function(node, off, len, flags, next)
    local list, message, errno = next(off + node.start, len, flags)
    return list and move(list, -node.start), message, errno
  end,
}

local function open(options, children)
  local child = children[1]
  local start = options.start or 0
  local length = options.length or math.max(child.size - start, 0)
  if start > child.size or length > child.size - start then
    return nil, ("EINVAL: offset: start %d and length %d reach beyond the end "
      .. "of '%s', %d"):format(start, length, child.name, child.size),
      aio.errno.EINVAL
  elseif (start | length) & child.block_size.min - 1 ~= 0 then
    return nil, ("EINVAL: offset: start %d and length %d must be multiples of "
      .. "the block size of '%s', %d"):format(start, length, child.name,
      child.block_size.min), aio.errno.EINVAL
  end
  local spec = { kind = "offset", name = options.name, size = length,
    start = start }
  for op, method in pairs(methods) do
    spec[op] = method
  end
  return make.filter(child, spec)
end

return {
  options = { start = "size", length = "size" }, children = { 1, 1 },
  example = "offset:disk.img?start=1M&length=64M", open = open,
}
