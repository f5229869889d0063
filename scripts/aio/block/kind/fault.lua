--- aio.block.kind.fault - requests fail as it was told.
--
-- A request matches when its operation is one of `ops` and it touches `length`
-- bytes from `start` on.  Of those that match, the `nth` fails (or each nth
-- with `every`), or each with `probability`, or all; no more than `count`.  A
-- torn write has written its first `torn` bytes when it fails.
local aio = require "aio"
local before = require "aio.block.before"
local make = require "aio.block.make"

local OPS <const> = { pread = true, pwrite = true, trim = true, zero = true,
  flush = true, status = true, cache = true }

local function matches(node, op, off, len)
  if not node.ops[op] then
    return false
  end
  return op == "flush"
    or off < node.stop and off + len > node.start
end

-- A generator of the node's own (xorshift64*): a seed repeats a run.
local function random(node)
  local x = node.random_state
  x = x ~ x >> 12
  x = x ~ x << 25
  x = x ~ x >> 27
  node.random_state = x
  return (x * 0x2545F4914F6CDD1D >> 11) / (1 << 53)
end

local function is_due(node)
  node.matched = node.matched + 1
  if node.failed >= node.count then
    return false
  elseif node.nth then
    return node.matched == node.nth
      or node.every and node.matched % node.nth == 0
  elseif node.probability then
    return random(node) < node.probability
  end
  return true
end

local function tear(node, buf, off)
  local n = math.min(node.torn, #buf) // node.block_size.min
    * node.block_size.min
  if n > 0 then
    node.child:pwrite(buf:slice(0, n), off)
  end
end

local function look(node, op, off, len, buf)
  if not matches(node, op, off, len) or not is_due(node) then
    return true
  end
  node.failed = node.failed + 1
  if op == "pwrite" and node.torn then
    tear(node, buf, off)
  end
  return nil, nil, node.errno
end

local function read_ops(text)
  local ops = {}
  for op in (text or "pread pwrite trim zero flush"):gmatch("[^%s+]+") do
    if not OPS[op] then
      return nil, ("EINVAL: fault: ops: unknown operation '%s'"):format(op),
        aio.errno.EINVAL
    end
    ops[op] = true
  end
  return ops
end

local function open(options, children)
  local ops, message, errno = read_ops(options.ops)
  local code = aio.errno[options.errno or "EIO"]
  if not ops then
    return nil, message, errno
  elseif not code then
    return nil, ("EINVAL: fault: unknown errno '%s'"):format(options.errno),
      aio.errno.EINVAL
  end
  local spec = before.methods(look)
  spec.kind, spec.name, spec.ops, spec.errno = "fault", options.name, ops, code
  spec.start = options.start or 0
  spec.stop = options.length and spec.start + options.length or math.maxinteger
  spec.nth, spec.every, spec.torn = options.nth, options.every, options.torn
  spec.probability = options.probability
  spec.count = options.count or math.maxinteger
  spec.matched, spec.failed = 0, 0
  spec.random_state = (options.seed or 0) ~ 0x9E3779B97F4A7C15
  return make.filter(children[1], spec)
end

return {
  options = {
    ops = "string", errno = "string", start = "size", length = "size",
    nth = "count", every = "boolean", probability = "number", count = "count",
    torn = "size", seed = "integer",
  },
  children = { 1, 1 },
  example = "fault:disk.img?ops=pread&start=1M&length=512&errno=EIO",
  open = open,
}
