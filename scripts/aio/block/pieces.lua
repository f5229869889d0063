--- aio.block.pieces - one request as several, at once.
local aio = require "aio"

local pieces = {}

-- all(list, fn) -> true when fn(item) was for each; else the first failure.
-- More than one run at the same time, and all have ended when it returns.
function pieces.all(list, fn)
  if #list == 1 then
    return fn(list[1])
  end
  local failed, message, errno = false, nil, nil
  aio.group(function(group)
    for _, item in ipairs(list) do
      group:spawn(function()
        local ok, why, code = fn(item)
        if not ok and not failed then
          failed, message, errno = true, why, code
        end
      end)
    end
  end)
  if failed then
    return nil, message, errno
  end
  return true
end

-- map(off, len) -> child, offset in it, length of the part that lies there.
-- Calls fn(child, offset, length, done) for each part of the range.
local function spread(off, len, map, fn)
  local child, at, n = map(off, len)
  if n == len then
    return fn(child, at, n, 0)
  end
  local list, done = {}, 0
  while done < len do
    child, at, n = map(off + done, len - done)
    list[#list + 1] = { child = child, at = at, n = n, done = done }
    done = done + n
  end
  return pieces.all(list, function(part)
    return fn(part.child, part.at, part.n, part.done)
  end)
end

local function slice(buf, done, n)
  return n == #buf and buf or buf:slice(done, n)
end

-- Of the first part only: an answer may be short.
local function status(off, len, flags, map)
  local child, at, n = map(off, len)
  local list, message, errno = child:status(at, n, flags)
  if not list then
    return nil, message, errno
  end
  for _, extent in ipairs(list) do
    extent.offset = extent.offset - at + off
  end
  return list
end

-- methods(map) -> methods of a node whose ranges lie in its children.
-- map(node, off, len) -> child, offset, length.
function pieces.methods(map)
  local function mapper(node)
    return function(off, len) return map(node, off, len) end
  end
  local methods = { fua = true }
  function methods.pread(node, buf, off)
    return spread(off, #buf, mapper(node), function(child, at, n, done)
      return child:pread(slice(buf, done, n), at)
    end)
  end
  function methods.pwrite(node, buf, off, flags)
    return spread(off, #buf, mapper(node), function(child, at, n, done)
      return child:pwrite(slice(buf, done, n), at, flags)
    end)
  end
  for _, op in ipairs { "trim", "zero", "cache" } do
    methods[op] = function(node, off, len, flags)
      return spread(off, len, mapper(node), function(child, at, n)
        return child[op](child, at, n, flags)
      end)
    end
  end
  function methods.status(node, off, len, flags)
    return status(off, len, flags, mapper(node))
  end
  function methods.flush(node)
    return pieces.all(node.children, function(child) return child:flush() end)
  end
  return methods
end

-- face(children) -> {block_size=, readonly=, fua=...} that all can keep to.
function pieces.face(children)
  local min, preferred, max = 1, 1, math.maxinteger
  local readonly = false
  for _, child in ipairs(children) do
    min = math.max(min, child.block_size.min)
    preferred = math.max(preferred, child.block_size.preferred)
    max = math.min(max, child.block_size.max)
    readonly = readonly or child.readonly
  end
  return { min = min, preferred = preferred, max = max }, readonly
end

return pieces
