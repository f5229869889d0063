---@meta aio.block
-- Types of aio.block.

---@class aio.BlockFlags
---@field FUA integer
---@field NO_HOLE integer
---@field REQ_ONE integer
---@field FAST_ZERO integer

---@class aio.ExtentFlags
---@field HOLE integer
---@field ZERO integer

---@class aio.Extent
---@field offset integer
---@field length integer
---@field flags integer

---@class aio.BlockSize
---@field min integer
---@field preferred integer
---@field max integer

---@class aio.block
---@field flags aio.BlockFlags
---@field extent aio.ExtentFlags
---@field methods table<string, function>
local block = {}

---@class aio.NodeFields
---@field size integer
---@field block_size aio.BlockSize
---@field readonly boolean
---@field name string
---@field kind string
---@field can table<string, boolean>
---@field children Node[]

---@class Node: aio.NodeFields
local Node = {}

---@class Drain
local Drain = {}

---@alias aio.NodeMethod fun(self: Node, ...): true|nil, string?, integer?

---@class aio.NodeSpec
---@field size? integer|fun(self: Node): integer
---@field block_size? integer|aio.BlockSize
---@field name? string
---@field kind? string
---@field readonly? boolean
---@field fua? boolean
---@field children? Node[]
---@field pread? aio.NodeMethod
---@field pwrite? aio.NodeMethod
---@field flush? aio.NodeMethod
---@field trim? aio.NodeMethod
---@field zero? aio.NodeMethod
---@field status? fun(self: Node, ...): aio.Extent[]|nil, string?, integer?
---@field cache? aio.NodeMethod
---@field close? aio.NodeMethod
---@field replaced? fun(self: Node, index: integer)

---@param spec aio.NodeSpec
---@return Node
function block.device(spec) end

---@param child Node
---@param spec aio.NodeSpec
---@return Node
function block.filter(child, spec) end

---@param description string|table|Node
---@return Node|nil node
---@return string? message
---@return integer? errno
function block.open(description) end

---@return string[]
function block.kinds() end

---@param value any
---@return boolean
function block.is_node(value) end

---@param path string
---@param node Node
---@param upto? integer
---@return integer|nil count
---@return string? message
---@return integer? errno
function block.replay(path, node, upto) end

---@param path string
---@param fn fun(record: table): any
---@return integer|nil count
---@return string? message
---@return integer? errno
function block.records(path, fn) end

---@param what Buf|integer
---@param off integer
---@return true|string|nil, string?, integer?
function Node:pread(what, off) end

---@param what Buf|string
---@param off integer
---@param flags? integer
---@return true|nil, string?, integer?
function Node:pwrite(what, off, flags) end

---@return true|nil, string?, integer?
function Node:flush() end

---@param off integer
---@param len integer
---@param flags? integer
---@return true|nil, string?, integer?
function Node:trim(off, len, flags) end

---@param off integer
---@param len integer
---@param flags? integer
---@return true|nil, string?, integer?
function Node:zero(off, len, flags) end

---@param off integer
---@param len integer
---@param flags? integer
---@return aio.Extent[]|nil, string?, integer?
function Node:status(off, len, flags) end

---@param off integer
---@param len integer
---@return true|nil, string?, integer?
function Node:cache(off, len) end

---@return true|nil, string?, integer?
function Node:close() end

---@param fn fun(self: Node, ...): any
---@param ... any
---@return any
function Node:work(fn, ...) end

---@return Drain
function Node:drain() end

---@param new Node
---@param index? integer
---@return Node|nil old
---@return string? message
---@return integer? errno
function Node:replace(new, index) end

---@param make fun(child: Node): Node|nil, string?, integer?
---@param index? integer
---@return Node|nil new
---@return string? message
---@return integer? errno
function Node:insert(make, index) end

---@param index? integer
---@return true|nil, string?, integer?
function Node:remove(index) end

function Drain:close() end

return block
