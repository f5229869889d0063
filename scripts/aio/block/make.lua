--- aio.block.make - a node from methods and fields.
--
-- device() stands alone, or on children that its methods use; filter() has one
-- child, whose size it takes over, and each of its methods gets `next`, the
-- child's same method, as the last argument.
--
-- What a filter leaves out goes to the child, but for one rule: a filter that
-- changes where or what it reads or writes must not be bypassed.  So where it
-- has a pwrite, zero and trim are not passed on but emulated with it, and where
-- it has a pread or pwrite, status is "all data" and cache reads.
local check = require "aio.check"
local nodes = require "aio.block.node"

local make = {}

local Node <const> = nodes.class

local METHODS <const> = { "pread", "pwrite", "flush", "trim", "zero", "status",
  "cache" }
local IS_METHOD <const> = { close = true, replaced = true }
for _, op in ipairs(METHODS) do
  IS_METHOD[op] = true
end

-- Fields of the face.
local RESERVED <const> = {
  impl = true, align_mask = true, max_length = true, in_flight = true,
  holds = true, held = true, parents = true, ticket = true, child = true,
  idle = true, closed = true, can = true,
}

local PREFERRED <const> = 4096

local function is_power_of_2(n)
  return math.type(n) == "integer" and n > 0 and n & (n - 1) == 0
end

local function block_size(value, call)
  if math.type(value) == "integer" then
    value = { min = value }
  elseif type(value) ~= "table" then
    error(("%s: block_size: an integer or {min=, preferred=, max=} expected, "
      .. "got %s"):format(call, type(value)), 4)
  end
  local min = value.min or 1
  local preferred = value.preferred or math.max(min, PREFERRED)
  local max = value.max or math.maxinteger
  if not is_power_of_2(min) or min > 65536 then
    error(("%s: block_size: a power of 2 up to 65536 expected, got %s"):format(
      call, tostring(min)), 4)
  elseif not is_power_of_2(preferred) or preferred < min
    or math.type(max) ~= "integer" or max < preferred then
    error(("%s: block_size: min <= preferred (a power of 2) <= max expected")
      :format(call), 4)
  end
  return { min = min, preferred = preferred, max = max }
end

local function check_spec(spec, call)
  if type(spec) ~= "table" then
    error(("%s: a table expected, got %s"):format(call, type(spec)), 4)
  end
  for op in pairs(IS_METHOD) do
    if spec[op] ~= nil and type(spec[op]) ~= "function" then
      error(("%s: %s: a function expected, got %s"):format(call, op,
        type(spec[op])), 4)
    end
  end
  for name in pairs(spec) do
    if not IS_METHOD[name] and (Node[name] ~= nil or RESERVED[name]) then
      error(("%s: field '%s': nodes have one of this name"):format(call,
        tostring(name)), 4)
    end
  end
  check.fields(spec, { name = "string", readonly = "boolean" }, call, 4)
end

-- The writer's own fields become the node's; methods go to impl.
local function split(spec)
  local fields, impl = {}, { fua = spec.fua }
  for name, value in pairs(spec) do
    if IS_METHOD[name] then
      impl[name] = value
    else
      fields[name] = value
    end
  end
  return fields, impl
end

local function find_size(fields, call)
  local size = fields.size
  if type(size) == "function" then
    size = size(fields)
  end
  if math.type(size) ~= "integer" or size < 0 then
    error(("%s: size: a number of bytes expected, got %s"):format(call,
      type(size) == "number" and size or type(size)), 4)
  end
  local min = fields.block_size.min
  if size % min ~= 0 then
    error(("%s: size: %d is no multiple of the block size, %d"):format(call,
      size, min), 4)
  end
  return size
end

local function can_of(impl)
  return {
    write = impl.pwrite ~= nil, flush = impl.flush ~= nil,
    fua = impl.fua == true, trim = impl.trim ~= nil, zero = impl.zero ~= nil,
    fast_zero = impl.zero ~= nil, cache = impl.cache ~= nil,
    status = impl.status ~= nil,
  }
end

local function is_open(node)
  return getmetatable(node) == Node and not node.closed
end

--- block.device(spec: table) -> Node
--
-- Made of the methods `pread(self, buf, off)`, `pwrite(self, buf, off, flags)`,
-- `flush(self)`, `trim(self, off, len, flags)`, `zero(self, off, len, flags)`,
-- `status(self, off, len, flags)`, `cache(self, off, len)`, `close(self)`, of
-- which only `pread` must be there. They return `true` or `nil, message, errno`
-- (one of both will do) and may park. `size` is a number or `function(self)`;
-- `block_size` a power of 2 or a table; `readonly`, `name`; `children`, nodes
-- that it owns. Other fields of the table are found in `self`, the node.
function make.device(spec)
  check_spec(spec, "block.device")
  if not spec.pread then
    error("block.device: pread: a function expected, got nil", 2)
  end
  local fields, impl = split(spec)
  fields.kind = spec.kind or "device"
  fields.name = spec.name or fields.kind
  fields.block_size = block_size(spec.block_size or 1, "block.device")
  fields.size = find_size(fields, "block.device")
  fields.readonly = spec.readonly or not spec.pwrite
  for _, child in ipairs(spec.children or {}) do
    if not is_open(child) then
      error("block.device: children: open nodes expected", 2)
    end
  end
  fields.can = can_of(impl)
  return nodes.make(fields, impl, spec.children)
end

-- ---- filters --------------------------------------------------------------

-- next(...) of one method: the child may be replaced between requests.
local function next_of(node, op)
  return function(...)
    local child = node.child
    return child[op](child, ...)
  end
end

-- Fixed arguments, so that `next` is the last one whatever was left out.
local BIND <const> = {
  pread = function(method, next)
    return function(node, buf, off) return method(node, buf, off, next) end
  end,
  flush = function(method, next)
    return function(node) return method(node, next) end
  end,
  cache = function(method, next)
    return function(node, off, len) return method(node, off, len, next) end
  end,
  pwrite = function(method, next)
    return function(node, a, b, flags)
      return method(node, a, b, flags, next)
    end
  end,
}
BIND.trim, BIND.zero, BIND.status = BIND.pwrite, BIND.pwrite, BIND.pwrite

local PASS <const> = {
  pread = function(node, buf, off) return node.child:pread(buf, off) end,
  pwrite = function(node, buf, off, flags)
    return node.child:pwrite(buf, off, flags)
  end,
  flush = function(node) return node.child:flush() end,
  trim = function(node, off, len, flags)
    return node.child:trim(off, len, flags)
  end,
  zero = function(node, off, len, flags)
    return node.child:zero(off, len, flags)
  end,
  status = function(node, off, len, flags)
    return node.child:status(off, len, flags)
  end,
  cache = function(node, off, len) return node.child:cache(off, len) end,
}

-- Which methods the filter's own ones would be bypassed by.
local function is_passed(op, impl)
  local reads, writes = impl.pread ~= nil, impl.pwrite ~= nil
  if op == "zero" or op == "trim" then
    return not writes
  elseif op == "status" or op == "cache" then
    return not reads and not writes
  end
  return true
end

local function bind(node, impl)
  local bound, passed = { fua = impl.fua, close = impl.close,
    replaced = impl.replaced }, {}
  for _, op in ipairs(METHODS) do
    if impl[op] then
      bound[op] = BIND[op](impl[op], next_of(node, op))
    elseif is_passed(op, impl) then
      bound[op], passed[op] = PASS[op], true
    end
  end
  if passed.pwrite and bound.fua == nil then
    bound.fua = not impl.zero and not impl.trim and not impl.flush
  end
  return bound, passed
end

-- What is passed on is as good as the child's.
local function can_of_filter(bound, passed, child)
  local can = can_of(bound)
  for op in pairs(passed) do
    if op ~= "pread" and op ~= "pwrite" then
      can[op] = child.can[op]
    end
  end
  can.write = not child.readonly
  can.fast_zero = can.zero and child.can.fast_zero
  can.fua = bound.fua and child.can.fua or false
  return can
end

--- block.filter(child: Node, spec: table) -> Node
--
-- Stands on the child, which it owns. Its methods get a last argument `next`,
-- the child's method of the same name: `pread(self, buf, off, next)`,
-- `pwrite(self, buf, off, flags, next)`, `flush(self, next)`. Size, block size
-- and `readonly` are the child's unless given.
function make.filter(child, spec)
  if not is_open(child) then
    error(("block.filter: an open node expected, got %s"):format(
      getmetatable(child) == Node and "a closed one" or type(child)), 2)
  end
  check_spec(spec, "block.filter")
  local fields, impl = split(spec)
  fields.kind = spec.kind or "filter"
  fields.name = spec.name or fields.kind
  fields.block_size = block_size(spec.block_size or child.block_size,
    "block.filter")
  fields.child = child
  fields.size = fields.size or child.size
  fields.size = find_size(fields, "block.filter")
  if fields.readonly == nil then
    fields.readonly = child.readonly
  end
  local bound, passed = bind(fields, impl)
  fields.can = can_of_filter(bound, passed, child)
  return nodes.make(fields, bound, { child })
end

return make
