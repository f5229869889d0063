--- aio.block.replicas - the same on several children: mirror and quorum.
--
-- A write goes to every child that is not out, and succeeds when `need` good
-- ones have taken it; those that have not are out from then on, before it
-- returns, so that what was acknowledged is never missing where it is read.
-- When fewer have taken it the write fails and nobody is out.  A write that is
-- cancelled is finished first: the children stay the same.
--
-- resync(i) brings a child back while requests go on.  It gets every new write
-- from the start ("syncing"), and the rest range by range.  Each write holds
-- its range shared, the copy of a range holds it alone: what it reads cannot be
-- overtaken by what it writes.
local aio = require "aio"
local pieces = require "aio.block.pieces"
local ranges = require "aio.block.ranges"
local block_flags = require "aio.block.flags"

local replicas = {}

local E <const> = aio.errno
local CHUNK <const> = 1 << 20 -- that writes may have to wait for
local FAST_ZERO <const> = block_flags.request.FAST_ZERO
local ZERO <const> = block_flags.extent.ZERO

-- Indices of the children in one of the states.
local function select_in(node, state, other)
  local list = {}
  for i = 1, #node.children do
    if node.states[i] == state or node.states[i] == other then
      list[#list + 1] = i
    end
  end
  return list
end

-- good(node) -> indices of the children that may be read.
function replicas.good(node)
  return select_in(node, "good")
end

-- drop(node, i, message): the child is out until it is resynced.
function replicas.drop(node, i, message)
  node.states[i], node.reasons[i] = "failed", message
end

local function too_few(node, good, message, errno)
  if message then
    return nil, message, errno
  end
  local _, reason = next(node.reasons)
  return nil, ("EIO: %d good children are needed, %d are left%s"):format(
    node.need, good, reason and "; one has failed: " .. reason or ""), E.EIO
end

-- fn(child) on all that are not out.
local function on_all(node, fn)
  local good, failures, message, errno = 0, {}, nil, nil
  pieces.all(select_in(node, "good", "syncing"), function(i)
    local ok, why, code = fn(node.children[i])
    if not ok then
      failures[i] = why
      if node.states[i] == "good" then
        message, errno = why, code
      end
    elseif node.states[i] == "good" then
      good = good + 1
    end
    return true
  end)
  if good < node.need then
    return too_few(node, good, message, errno)
  end
  for i, why in pairs(failures) do
    replicas.drop(node, i, why)
  end
  return true
end

local function write(node, off, len, fn)
  local _ <close> = node.ranges:shared(off, len)
  return aio.shield(on_all, node, fn)
end

-- ---- resync ---------------------------------------------------------------

local function is_zero(child, off, len)
  local list = child:status(off, len)
  return list and list[1].flags & ZERO ~= 0 and list[1].length == len
end

local function copy_range(node, i, off, buf)
  local _ <close> = node.ranges:lock(off, #buf)
  local source = node.children[replicas.good(node)[1]]
  local target = node.children[i]
  if not source then
    return too_few(node, 0)
  elseif is_zero(source, off, #buf) then
    return target:zero(off, #buf)
  end
  local ok, message, errno = source:pread(buf, off)
  if ok then
    ok, message, errno = target:pwrite(buf, off)
  end
  return ok, message, errno
end

local function copy_all(node, i, progress)
  local buf <close> = aio.buf(CHUNK)
  local off = 0
  while off < node.size do
    local n = math.min(CHUNK, node.size - off)
    local ok, message, errno = node:work(copy_range, i, off,
      n == CHUNK and buf or buf:slice(0, n))
    if not ok then
      return nil, message, errno
    elseif node.states[i] ~= "syncing" then
      return nil, node.reasons[i] or "EIO: the child was replaced", E.EIO
    end
    off = off + n
    if progress then
      progress(off, node.size)
    end
    aio.yield() -- children in memory do not park
  end
  return node:work(function() return node.children[i]:flush() end)
end

-- node:resync(i [, progress]) -> true: child i has what the others have.
local function resync(node, i, progress)
  if not node.children[i] then
    error(("resync: the node '%s' has no child %s"):format(node.name,
      tostring(i)), 2)
  elseif node.states[i] == "good" then
    return true
  elseif node.states[i] == "syncing" then
    return nil, "EBUSY: this child is being resynced", E.EBUSY
  end
  node.states[i] = "syncing"
  local _ <close> = setmetatable({}, { __close = function()
    if node.states[i] == "syncing" then -- failed or cancelled
      replicas.drop(node, i, "its resync was not finished")
    end
  end })
  local ok, message, errno = copy_all(node, i, progress)
  if not ok then
    return nil, message, errno
  elseif node.states[i] == "syncing" then
    node.states[i], node.reasons[i] = "good", nil
  end
  return true
end

-- ---- the node -------------------------------------------------------------

local function status(node, off, len, flags)
  local child = node.children[replicas.good(node)[1]]
  if not child then
    return too_few(node, 0)
  end
  return child:status(off, len, flags)
end

-- spec(kind, options, children, need) -> table for make.device(), but pread.
function replicas.spec(kind, options, children, need)
  local spec = { kind = kind, name = options.name, children = children,
    need = need, states = {}, reasons = {}, ranges = ranges.new(), fua = true,
    resync = resync, status = status, size = children[1].size }
  spec.block_size, spec.readonly = pieces.face(children)
  for i, child in ipairs(children) do
    spec.states[i] = "good"
    if child.size ~= spec.size then
      return nil, ("EINVAL: %s: the size of '%s' is %d, of '%s' %d"):format(
        kind, child.name, child.size, children[1].name, spec.size), E.EINVAL
    end
  end
  if options.stale then
    if not children[options.stale] or #children == 1 then
      return nil, ("EINVAL: %s: stale: there is no child %d beside others")
        :format(kind, options.stale), E.EINVAL
    end
    replicas.drop(spec, options.stale, "it has not been synced yet")
  end
  return replicas.add_methods(spec)
end

-- A child that cannot do it fast does it slowly: only where none can is it
-- refused, else the one would be out for what it was never able to do.
local function zero_child(child, off, len, flags)
  local ok, message, errno = child:zero(off, len, flags)
  if not ok and errno == E.ENOTSUP and flags & FAST_ZERO ~= 0 then
    return child:zero(off, len, flags & ~FAST_ZERO)
  end
  return ok, message, errno
end

local function zero(node, off, len, flags)
  local fast = flags & FAST_ZERO == 0
  for _, child in ipairs(node.children) do
    fast = fast or child.can.fast_zero
  end
  if not fast then
    return nil, "ENOTSUP: zeros would have to be written", E.ENOTSUP
  end
  return write(node, off, len, function(child)
    return zero_child(child, off, len, flags)
  end)
end

function replicas.add_methods(spec)
  spec.zero = zero
  function spec.pwrite(node, buf, off, flags)
    return write(node, off, #buf, function(child)
      return child:pwrite(buf, off, flags)
    end)
  end
  function spec.trim(node, off, len, flags)
    return write(node, off, len, function(child)
      return child:trim(off, len, flags)
    end)
  end
  function spec.flush(node)
    return aio.shield(on_all, node, function(child) return child:flush() end)
  end
  function spec.replaced(node, i)
    replicas.drop(node, i, "it was replaced and has not been synced yet")
  end
  return spec
end

return replicas
