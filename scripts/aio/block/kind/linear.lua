--- aio.block.kind.linear - nodes one after the other.
local aio = require "aio"
local make = require "aio.block.make"
local pieces = require "aio.block.pieces"

-- Few children, so that looking at each is the fastest.
local function map(node, off, len)
  local starts = node.starts
  local i = #starts
  while starts[i] > off do
    i = i - 1
  end
  local child = node.children[i]
  local at = off - starts[i]
  return child, at, math.min(len, child.size - at)
end

return {
  options = {}, children = { 1, 1024 }, example = "linear:a.img,b.img",
  open = function(options, children)
    local spec = pieces.methods(map)
    spec.kind, spec.name, spec.children = "linear", options.name, children
    spec.block_size, spec.readonly = pieces.face(children)
    spec.starts, spec.size = {}, 0
    for i, child in ipairs(children) do
      spec.starts[i] = spec.size
      -- only whole blocks, so that no request has to be cut within one
      if child.size % spec.block_size.min ~= 0 then
        return nil, ("EINVAL: linear: the size of '%s', %d, is no multiple of "
          .. "the block size, %d"):format(child.name, child.size,
          spec.block_size.min), aio.errno.EINVAL
      end
      spec.size = spec.size + child.size
    end
    return make.device(spec)
  end,
}
