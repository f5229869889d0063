--- aio.block.kind.quorum - what so many of the children agree on.
--
-- A read asks all good children and yields what `need` of them have; a child
-- that says something else is out until it is resynced.
local aio = require "aio"
local make = require "aio.block.make"
local pieces = require "aio.block.pieces"
local replicas = require "aio.block.replicas"

-- Groups of equal buffers: list of lists of indices.
local function count_votes(buffers)
  local groups = {}
  for i, buf in pairs(buffers) do
    local mine
    for _, group in ipairs(groups) do
      if buffers[group[1]]:equal(buf) then
        mine = group
        break
      end
    end
    if mine then
      mine[#mine + 1] = i
    else
      groups[#groups + 1] = { i }
    end
  end
  table.sort(groups, function(a, b) return #a > #b end)
  return groups
end

local function read_all(node, len, off)
  local buffers, message, errno = {}, nil, nil
  pieces.all(replicas.good(node), function(i)
    local buf = aio.buf(len)
    local ok, why, code = node.children[i]:pread(buf, off)
    if ok then
      buffers[i] = buf
    else
      message, errno = why, code
    end
    return true
  end)
  return buffers, message, errno
end

local function free(buffers)
  for _, buf in pairs(buffers) do
    buf:close()
  end
end

-- Writes are kept out of the range: children are compared at one moment.
local function pread(node, buf, off)
  local _ <close> = node.ranges:lock(off, #buf)
  local buffers, message, errno = read_all(node, #buf, off)
  local groups = count_votes(buffers)
  local winner = groups[1]
  if not winner or #winner < node.need then
    free(buffers)
    return nil, message or ("EIO: no %d children agree"):format(node.need),
      errno or aio.errno.EIO
  end
  buf:copy(0, buffers[winner[1]])
  for i = 2, #groups do
    for _, child in ipairs(groups[i]) do
      replicas.drop(node, child, "it has other data than the others")
    end
  end
  free(buffers)
  return true
end

return {
  options = { need = "count", stale = "count" }, children = { 1, 64 },
  example = "quorum:a.img,b.img,c.img?need=2",
  open = function(options, children)
    local need = options.need or #children // 2 + 1
    if need > #children or need * 2 <= #children then
      return nil, ("EINVAL: quorum: need: more than half of %d children "
        .. "expected, got %d"):format(#children, need), aio.errno.EINVAL
    end
    local spec, message, errno = replicas.spec("quorum", options, children,
      need)
    if not spec then
      return nil, message, errno
    end
    spec.pread = pread
    return make.device(spec)
  end,
}
