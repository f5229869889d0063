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

local block = {
  flags = flags_of.request, extent = flags_of.extent, methods = Node,
  device = make.device, filter = make.filter,
}

--- block.is_node(value) -> boolean
function block.is_node(value)
  return getmetatable(value) == Node
end

--- block.open(uri | table) -> node; or nil, message, errno.
function block.open(description)
  return describe.open(description)
end

--- block.replay(path, node [, upto]) -> how many records of the log were
-- applied to the node, the first `upto` at most; nil, message, errno.
function block.replay(path, node, upto)
  if not block.is_node(node) then
    error("block.replay: a node expected, got " .. type(node), 2)
  end
  return writelog.replay(path, node, upto)
end

--- block.records(path, fn) -> how many records a log has; fn(record) for each.
function block.records(path, fn)
  return writelog.each(path, fn)
end

--- block.kinds() -> sorted list of what open() knows.
function block.kinds()
  return describe.kinds()
end

return block
