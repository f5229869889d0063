--- aio.block - block devices and graphs of them, written in Lua.
--
-- aio.block.node says what a node is and does.  Here is how they are made:
-- device() and filter() of methods, open() of a description (aio.block.describe)
-- with one file for each kind of node in aio/block/.
local describe = require "aio.block.describe"
local flags_of = require "aio.block.flags"
local Node = require "aio.block.node"
local make = require "aio.block.make"
require "aio.block.graph"

local block = {
  flags = flags_of.request, extent = flags_of.extent, methods = Node,
  device = make.device, filter = make.filter,
}

--- block.is_node(value) -> boolean
function block.is_node(value)
  return getmetatable(value) == Node
end

--- block.open(uri | table [, options]) -> node; or nil, message, errno.
function block.open(description, options)
  return describe.open(description, options)
end

--- block.kinds() -> sorted list of what open() knows.
function block.kinds()
  return describe.kinds()
end

return block
