--- aio.block.kind.stripe - chunks dealt out to nodes in turn.
local aio = require "aio"
local make = require "aio.block.make"
local pieces = require "aio.block.pieces"

local function map(node, off, len)
  local chunk, children = node.chunk, node.children
  local number, at = off // chunk, off % chunk
  local child = children[number % #children + 1]
  return child, number // #children * chunk + at, math.min(len, chunk - at)
end

local function smallest(children)
  local size = math.maxinteger
  for _, child in ipairs(children) do
    size = math.min(size, child.size)
  end
  return size
end

return {
  options = { chunk = "size" }, children = { 1, 1024 },
  example = "stripe:a.img,b.img?chunk=64k",
  open = function(options, children)
    local spec = pieces.methods(map)
    spec.kind, spec.name, spec.children = "stripe", options.name, children
    spec.block_size, spec.readonly = pieces.face(children)
    spec.chunk = options.chunk or 64 << 10
    if spec.chunk == 0 or spec.chunk % spec.block_size.min ~= 0 then
      return nil, ("EINVAL: stripe: chunk: a multiple of the block size, %d, "
        .. "expected, got %d"):format(spec.block_size.min, spec.chunk),
        aio.errno.EINVAL
    end
    spec.size = smallest(children) // spec.chunk * spec.chunk * #children
    return make.device(spec)
  end,
}
