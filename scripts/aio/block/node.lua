--- aio.block.node - the checked face of a block device.
--
-- Whoever uses a node calls its face; whoever writes one provides methods that
-- may rely on what the face has checked: the range lies within the size, offset
-- and length are aligned, the node is writable, flags are known and apply.
--
--   fields   size, readonly, name, kind
--            block_size = {min=, preferred=, max=}
--            can = {flush=, fua=, trim=, zero=, fast_zero=, cache=, status=}:
--            true for what is more than emulation
--   methods  pread(buf, off)          buf filled; or (count, off) -> string
--            pwrite(buf, off, flags)  a buffer or string; flags: 0 by default
--            flush()                  covers the writes that have returned
--            trim(off, len, flags)
--            zero(off, len, flags)
--            status(off, len, flags)  -> list of {offset=, length=, flags=}:
--                                     from off on, without gaps, at least one,
--                                     may end before off + len
--            cache(off, len)
--            close()                  waits for what is in flight
--
-- All may park and are meant to be called by many tasks at once.  They return
-- true (status its list, pread(count) its string), or nil, message, errno,
-- where the message says which node, what, and where.  flags are the bits of
-- aio.block.flags.  trim and zero take any length; 0 is fine everywhere.
--
-- The rule that keeps changes of the graph right: a request is counted in
-- node.in_flight from the moment it has passed the gate (node.held) until its
-- method has returned or raised.  While a node is held and nothing is in flight
-- in it, nothing is in flight below it on its behalf either.
local aio = require "aio"
local emulate = require "aio.block.emulate"
local failure = require "aio.block.failure"
local flags_of = require "aio.block.flags"

local FUA <const> = flags_of.request.FUA
local ZERO_FLAGS <const> = FUA | flags_of.request.NO_HOLE
  | flags_of.request.FAST_ZERO
local REQ_ONE <const> = flags_of.request.REQ_ONE
local E <const> = aio.errno

local math_type, type = math.type, type

--- class aio.BlockSize
--
-- min: integer - what offsets and lengths must be multiples of
-- preferred: integer
-- max: integer - bytes of one `pread` or `pwrite`

--- class aio.Extent
--
-- offset: integer
-- length: integer
-- flags: integer - of `block.extent`

--- class Node (node)
--
-- A disk. All of its methods park, and many tasks may call them at once. What
-- fails is `nil, message, errno`, where the message names node, operation,
-- offset and length.
--
-- size: integer
-- block_size: aio.BlockSize
-- readonly: boolean
-- name: string
-- kind: string
-- children: Node[]
-- can: table<string, boolean> - what is more than emulation: `flush`, `fua`,
--     `trim`, `zero`, `fast_zero`, `cache`, `status`
local Node = {}
Node.__index = Node
Node.__name = "aio.node"

local Ticket = {}

-- The end of a request, also of one that raises or is cancelled.
function Ticket.__close(ticket)
  local node = ticket.node
  local left = node.in_flight - 1
  node.in_flight = left
  if left == 0 and node.idle then
    node.idle:set()
    node.idle = nil
  end
end

-- Requests wait here while the node is held: in a drain, or for good.
local function pass_gate(node, op)
  if node.closed then
    error(("%s: the node '%s' is closed"):format(op, node.name), 4)
  end
  while node.held do
    node.held:wait()
    if node.closed then
      return nil, failure.text(node, op, "ESHUTDOWN",
        "closed while the request waited"), E.ESHUTDOWN
    end
  end
  return true
end

local function run(node, op, off, len, method, a, b, c)
  if node.held then
    local ok, message, errno = pass_gate(node, op)
    if not ok then
      return nil, message, errno
    end
  end
  node.in_flight = node.in_flight + 1
  local _ <close> = node.ticket
  local ok, message, errno = method(node, a, b, c)
  if ok == true then
    return true
  end
  return failure.result(node, op, off, len, ok, message, errno)
end

local function check_range(op, off, len)
  if math_type(off) ~= "integer" then
    error(("%s: offset: an integer expected, got %s"):format(op,
      type(off) == "number" and off or type(off)), 3)
  elseif math_type(len) ~= "integer" then
    error(("%s: length: an integer expected, got %s"):format(op,
      type(len) == "number" and len or type(len)), 3)
  end
end

local function check_flags(op, flags)
  if math_type(flags) ~= "integer" then
    error(("%s: flags: bits of aio.block.flags expected, got %s"):format(op,
      type(flags)), 3)
  end
end

-- ---- data -----------------------------------------------------------------

local function read_string(node, count, off)
  check_range("pread", off, count)
  if count == 0 and off >= 0 and off <= node.size then
    return ""
  elseif count < 0 or count > node.size - off or off < 0
    or count > node.max_length then
    return failure.refuse(node, "pread", off, count)
  end
  local buf <close> = aio.buf(count)
  local ok, message, errno = node:pread(buf, off)
  if not ok then
    return nil, message, errno
  end
  return buf:tostring()
end

--- node:pread(buf: Buf|integer, off: integer) -> string|true!
--
-- Fills a buffer or slice; a string when it is a count.
function Node.pread(node, buf, off)
  if type(buf) ~= "userdata" then
    return read_string(node, buf, off)
  end
  local len = #buf
  if math_type(off) ~= "integer" then
    check_range("pread", off, len)
  end
  if off < 0 or len > node.size - off or (off | len) & node.align_mask ~= 0
    or len > node.max_length then
    return failure.refuse(node, "pread", off, len)
  end
  if len == 0 then
    return true
  end
  return run(node, "pread", off, len, node.impl.pread, buf, off)
end

local function to_buffer(text)
  if type(text) ~= "string" then
    error("pwrite: a buffer or string expected, got " .. type(text), 3)
  end
  return aio.buf(math.max(#text, 1)):slice(0, #text):set(0, text)
end

--- node:pwrite(buf: Buf|string, off: integer, flags?: integer) -> true!
function Node.pwrite(node, buf, off, flags)
  if type(buf) ~= "userdata" then
    buf = to_buffer(buf)
  end
  local len = #buf
  if math_type(off) ~= "integer" then
    check_range("pwrite", off, len)
  end
  if node.readonly or off < 0 or len > node.size - off
    or (off | len) & node.align_mask ~= 0 or len > node.max_length then
    return failure.refuse(node, "pwrite", off, len)
  end
  local method = node.impl.pwrite
  if flags and flags ~= 0 then
    check_flags("pwrite", flags)
    if flags ~= FUA then
      return failure.flags(node, "pwrite", off, len, flags)
    end
    method = node.impl.pwrite_fua
  end
  if len == 0 then
    return true
  end
  return run(node, "pwrite", off, len, method, buf, off, flags or 0)
end

--- node:flush() -> true!
--
-- What had been written when it was called is on stable storage.
function Node.flush(node)
  return run(node, "flush", nil, nil, node.impl.flush)
end

-- ---- ranges ---------------------------------------------------------------

local function is_bad_range(node, off, len)
  return off < 0 or len < 0 or len > node.size - off
    or (off | len) & node.align_mask ~= 0
end

--- node:trim(off: integer, len: integer, flags?: integer) -> true!
--
-- Nobody cares what is there.
function Node.trim(node, off, len, flags)
  flags = flags or 0
  check_range("trim", off, len)
  check_flags("trim", flags)
  if node.readonly or is_bad_range(node, off, len) then
    return failure.refuse(node, "trim", off, len)
  elseif flags & ~FUA ~= 0 then
    return failure.flags(node, "trim", off, len, flags)
  elseif len == 0 then
    return true
  end
  local impl = node.impl
  return run(node, "trim", off, len, flags == 0 and impl.trim or impl.trim_fua,
    off, len, flags)
end

--- node:zero(off: integer, len: integer, flags?: integer) -> true!
--
-- It reads as zeros.
function Node.zero(node, off, len, flags)
  flags = flags or 0
  check_range("zero", off, len)
  check_flags("zero", flags)
  if node.readonly or is_bad_range(node, off, len) then
    return failure.refuse(node, "zero", off, len)
  elseif flags & ~ZERO_FLAGS ~= 0 then
    return failure.flags(node, "zero", off, len, flags)
  elseif len == 0 then
    return true
  end
  local impl = node.impl
  return run(node, "zero", off, len,
    flags & FUA == 0 and impl.zero or impl.zero_fua, off, len, flags)
end

-- Of what the method found: contiguous from off on, clipped to the request.
local function tidy_extents(node, found, off, len, flags)
  local list, at, stop = {}, off, off + len
  for _, extent in ipairs(found) do
    local begin = extent.offset or at
    local finish = math.min(begin + extent.length, stop)
    if begin > at or finish <= at then
      error(("node '%s': status: extent of %d bytes at %d, one from %d on "
        .. "expected"):format(node.name, extent.length, begin, at), 0)
    end
    list[#list + 1] = { offset = at, length = finish - at,
      flags = extent.flags or 0 }
    at = finish
    if at == stop or flags & REQ_ONE ~= 0 then
      break
    end
  end
  if #list == 0 then
    error(("node '%s': status: no extents"):format(node.name), 0)
  end
  return list
end

--- node:status(off: integer, len: integer, flags?: integer) -> aio.Extent[]!
--
-- Without gaps from `off` on; it may end before the range does.
function Node.status(node, off, len, flags)
  flags = flags or 0
  check_range("status", off, len)
  check_flags("status", flags)
  if is_bad_range(node, off, len) then
    return failure.refuse(node, "status", off, len)
  elseif flags & ~REQ_ONE ~= 0 then
    return failure.flags(node, "status", off, len, flags)
  elseif len == 0 then
    return {}
  end
  local list
  local ok, message, errno = run(node, "status", off, len, function()
    local found, why, code = node.impl.status(node, off, len, flags)
    list = found and tidy_extents(node, found, off, len, flags)
    return list and true, why, code
  end)
  return ok and list or nil, message, errno
end

--- node:cache(off: integer, len: integer) -> true!
--
-- It will be read soon.
function Node.cache(node, off, len)
  check_range("cache", off, len)
  if is_bad_range(node, off, len) then
    return failure.refuse(node, "cache", off, len)
  elseif len == 0 then
    return true
  end
  return run(node, "cache", off, len, node.impl.cache, off, len)
end

-- ---- making and closing ---------------------------------------------------

-- make(fields, impl, children) -> node.  impl has a function for each method;
-- fields of the writer's own (the methods' state) are found in the node.
local function make(fields, impl, children)
  local node = setmetatable(fields, Node)
  node.impl = emulate.complete(impl)
  node.align_mask = node.block_size.min - 1
  node.max_length = node.block_size.max
  node.in_flight, node.holds, node.parents = 0, 0, 0
  node.ticket = setmetatable({ node = node }, Ticket)
  node.children = children or {}
  for _, child in ipairs(node.children) do
    child.parents = child.parents + 1
  end
  node.child = node.children[1]
  return node
end

--- node:work(fn: fun(node: Node, ...: any): any ..., ...: any) -> any ...
--
-- Calls `fn(node, ...)`. For what a node does in the background: it counts as a
-- request, which drains and `close` wait for.
function Node.work(node, fn, ...)
  if node.held then
    local ok, message, errno = pass_gate(node, "work")
    if not ok then
      return nil, message, errno
    end
  end
  node.in_flight = node.in_flight + 1
  local _ <close> = node.ticket
  return fn(node, ...)
end

function Node.__tostring(node)
  return ("block node '%s' (%s, %d bytes%s)"):format(node.name, node.kind,
    node.size, node.closed and ", closed" or "")
end

return { class = Node, make = make }
