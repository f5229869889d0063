--- aio.block.kind.throttle - so many requests and bytes a second, in order.
--
-- Bytes are those that pread and pwrite move; trim, zero and flush are requests
-- only.  limits() changes what holds while requests run.
local aio = require "aio"
local before = require "aio.block.before"
local make = require "aio.block.make"
local sync = require "aio.sync"

local COUNTED <const> = { pread = true, pwrite = true }
local LIMITED <const> = { pread = true, pwrite = true, trim = true,
  zero = true, flush = true }

local function look(node, op, _, len)
  if not LIMITED[op] then
    return true
  end
  if node.requests_rate then
    node.requests_rate:take()
  end
  if node.bytes_rate and COUNTED[op] then
    node.bytes_rate:take(len)
  end
  return true
end

local function make_rate(limit, burst)
  return limit and limit > 0 and sync.rate(limit, burst) or nil
end

-- node:limits{iops=, bytes=, burst=, burst_bytes=}: 0 or nothing is no limit.
local function limits(node, options)
  node.requests_rate = make_rate(options.iops, options.burst)
  node.bytes_rate = make_rate(options.bytes, options.burst_bytes)
end

return {
  options = { iops = "number", bytes = "size", burst = "count",
    burst_bytes = "size" },
  children = { 1, 1 }, example = "throttle:disk.img?iops=1000&bytes=10M",
  open = function(options, children)
    if options.burst_bytes == 0 then
      return nil, "EINVAL: throttle: burst_bytes: more than 0 expected",
        aio.errno.EINVAL
    end
    local spec = before.methods(look)
    spec.kind, spec.name, spec.limits = "throttle", options.name, limits
    limits(spec, options)
    return make.filter(children[1], spec)
  end,
}
