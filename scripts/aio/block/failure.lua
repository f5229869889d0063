--- aio.block.failure - what is said when a request fails.
--
-- A message names the node, the operation, and where, once: the node closest to
-- the cause is the one that is named, those above pass it on.
local aio = require "aio"

local E <const> = aio.errno

local failure = {}

local MARK <const> = " (node '"

local function place(node, op, off, len)
  if not off then
    return ("%s%s': %s)"):format(MARK, node.name, op)
  end
  return ("%s%s': %s of %d bytes at %d)"):format(MARK, node.name, op, len, off)
end

local function describe(errno)
  local name, description = aio.errname(errno)
  return name and name .. ": " .. description or "error " .. errno
end

-- text(node, op, name, reason [, off, len]) -> message
function failure.text(node, op, name, reason, off, len)
  return name .. ": " .. reason .. place(node, op, off, len)
end

local function refusal(node, op, off, len)
  if node.readonly and (op == "pwrite" or op == "zero" or op == "trim") then
    return "EPERM", "the node is read-only"
  elseif off < 0 or len < 0 or len > node.size - off then
    return op == "pwrite" and "ENOSPC" or "EINVAL",
      ("beyond the end, the size is %d"):format(node.size)
  elseif (off | len) & node.align_mask ~= 0 then
    return "EINVAL", ("%s is no multiple of the block size, %d"):format(
      off & node.align_mask ~= 0 and "the offset" or "the length",
      node.block_size.min)
  end
  return "EINVAL", ("more than the %d bytes that one request may have"):format(
    node.max_length)
end

-- refuse(node, op, off, len) -> nil, message, errno: why the face said no.
function failure.refuse(node, op, off, len)
  local name, reason = refusal(node, op, off, len)
  return nil, failure.text(node, op, name, reason, off, len), E[name]
end

-- flags(node, op, off, len, flags) -> nil, message, errno
function failure.flags(node, op, off, len, flags)
  return nil, failure.text(node, op, "EINVAL",
    ("flags %#x are unknown or do not apply"):format(flags), off, len), E.EINVAL
end

-- result(node, op, off, len, ok, message, errno): of a method that has not
-- returned true.  A count, as files return it, is true when it is all.
function failure.result(node, op, off, len, ok, message, errno)
  if math.type(ok) == "integer" then
    if ok == len then
      return true
    end
    errno = E.EIO
    message = ("EIO: only %d bytes were transferred"):format(ok)
  elseif ok then
    return nil, failure.text(node, op, "EIO", ("the method returned a %s, "
      .. "not true or nil, message, errno"):format(type(ok)), off, len), E.EIO
  elseif message == nil and errno == nil then
    return nil, failure.text(node, op, "EIO", "the method returned nothing, "
      .. "not true or nil, message, errno", off, len), E.EIO
  end
  errno = math.type(errno) == "integer" and errno ~= 0 and errno or E.EIO
  message = message == nil and describe(errno) or tostring(message)
  if not message:find(MARK, 1, true) then
    message = message .. place(node, op, off, len)
  end
  return nil, message, errno
end

return failure
