--- aio.block - block devices and graphs of them, written in Lua.
--
-- aio.block.node says what a node is and does.  Here is how they are made:
-- device() and filter() of methods, open() of a description, with a file for
-- each kind of node in aio/block/kind/.
local describe = require "aio.block.describe"
local flags_of = require "aio.block.flags"
local Node = require("aio.block.node").class
local make = require "aio.block.make"
local writelog = require "aio.block.writelog"
require "aio.block.graph"

--- block.flags: table<string, integer>
--
-- Bits of requests: `FUA` (on stable storage when it returns), `NO_HOLE`
-- (`zero` keeps the range allocated), `FAST_ZERO` (`ENOTSUP` rather than
-- writing zeros), `REQ_ONE` (one extent is enough).

--- block.extent: table<string, integer>
--
-- Bits of extents: `HOLE`, `ZERO`.

--- block.methods: table<string, function>
--
-- The methods of nodes, for adding to them.

local block = {
  flags = flags_of.request, extent = flags_of.extent, methods = Node,
  device = make.device, filter = make.filter,
}

--- block.is_node(value: any) -> boolean
function block.is_node(value)
  return getmetatable(value) == Node
end

--- block.open(description: string|table|Node) -> Node!
--
-- Text: `KIND:ARG,...?OPTION=VALUE&...`, where arguments are descriptions
-- again, in brackets when they have commas or options of their own; a path
-- alone is a file, `%2C` a comma. A table: `{"KIND", ARG, ..., OPTION =
-- VALUE}`, where arguments may be nodes too. Each kind has the option `name`.
function block.open(description)
  return describe.open(description)
end

--- block.replay(path: string, node: Node, upto?: integer) -> integer!
--
-- Applies the records of a log, the first `upto` at most, to a node: what a
-- disk would have had if it had died there. How many there were.
function block.replay(path, node, upto)
  if not block.is_node(node) then
    error("block.replay: a node expected, got " .. type(node), 2)
  end
  if upto ~= nil and math.type(upto) ~= "integer" then
    error("block.replay: upto: an integer expected, got " .. type(upto), 2)
  end
  return writelog.replay(path, node, upto)
end

--- block.records(path: string, fn: fun(record: table): any) -> integer!
--
-- Calls `fn(record)` for each record of a log: `number`, `op`, `off`, `len`,
-- `flags`, `ns`, `data` (a buffer). Ends early when it returns `false`.
function block.records(path, fn)
  if type(fn) ~= "function" then
    error("block.records: a function expected, got " .. type(fn), 2)
  end
  return writelog.each(path, fn)
end

--- block.kinds() -> string[]
--
-- What `block.open` knows.
function block.kinds()
  return describe.kinds()
end

return block
