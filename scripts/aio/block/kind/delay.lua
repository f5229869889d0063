--- aio.block.kind.delay - requests take longer than they need.
local aio = require "aio"
local before = require "aio.block.before"
local make = require "aio.block.make"

local function look(node, op)
  local sec = node[op .. "_delay"]
  if sec > 0 then
    aio.sleep(sec)
  end
  return true
end

return {
  options = { read = "seconds", write = "seconds", flush = "seconds",
    all = "seconds" },
  children = { 1, 1 }, example = "delay:disk.img?read=1ms&write=2ms",
  open = function(options, children)
    local all = options.all or 0
    local read, write = options.read or all, options.write or all
    local spec = before.methods(look)
    spec.kind, spec.name = "delay", options.name
    spec.pread_delay, spec.pwrite_delay = read, write
    spec.trim_delay, spec.zero_delay = write, write
    spec.status_delay, spec.cache_delay = all, all
    spec.flush_delay = options.flush or all
    return make.filter(children[1], spec)
  end,
}
