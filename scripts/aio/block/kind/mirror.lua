--- aio.block.kind.mirror - the same on every child; one is enough.
--
-- Reads go to the good children in turn, and on to the next when one fails.
local aio = require "aio"
local make = require "aio.block.make"
local replicas = require "aio.block.replicas"

local function pread(node, buf, off)
  local list = replicas.good(node)
  local message, errno = "EIO: no good child is left", aio.errno.EIO
  for _ = 1, #list do
    node.turn = node.turn % #list + 1
    local child = node.children[list[node.turn]]
    local ok
    ok, message, errno = child:pread(buf, off)
    if ok then
      return true
    end
  end
  return nil, message, errno
end

return {
  options = { stale = "count" }, children = { 1, 64 },
  example = "mirror:a.img,b.img",
  open = function(options, children)
    local spec, message, errno = replicas.spec("mirror", options, children, 1)
    if not spec then
      return nil, message, errno
    end
    spec.pread, spec.turn = pread, 0
    return make.device(spec)
  end,
}
