--- aio.block.kind.trace - says what is asked of a node, and what came of it.
--
-- One call of `call` with a table for each request that has ended, or a line to
-- the file `to`, or to stderr.
local aio = require "aio"
local make = require "aio.block.make"

local function line_of(event)
  return ("%.6f %s %s off=%d len=%d flags=%d us=%.1f %s\n"):format(
    event.start, event.node, event.op, event.off, event.len, event.flags,
    event.sec * 1e6, event.ok and "ok" or event.message)
end

local function report(node, op, off, len, flags, start, ok, message, errno)
  node.call {
    node = node.name, op = op, off = off, len = len, flags = flags,
    start = start, sec = aio.now() - start, ok = ok and true or false,
    message = message, errno = errno,
  }
  return ok, message, errno
end

local methods = { fua = true }

function methods.pread(node, buf, off, next)
  return report(node, "pread", off, #buf, 0, aio.now(), next(buf, off))
end

function methods.pwrite(node, buf, off, flags, next)
  return report(node, "pwrite", off, #buf, flags, aio.now(),
    next(buf, off, flags))
end

function methods.flush(node, next)
  return report(node, "flush", 0, 0, 0, aio.now(), next())
end

function methods.cache(node, off, len, next)
  return report(node, "cache", off, len, 0, aio.now(), next(off, len))
end

for _, op in ipairs { "trim", "zero", "status" } do
  methods[op] = function(node, off, len, flags, next)
    return report(node, op, off, len, flags, aio.now(), next(off, len, flags))
  end
end

local function open(options, children)
  local spec = { kind = "trace", name = options.name, call = options.call }
  local stream = io.stderr
  if options.to then
    local message, errno
    stream, message, errno = io.open(options.to, "a")
    if not stream then
      return nil, message, errno
    end
    stream:setvbuf("line")
    spec.close = function() return stream:close() end
  end
  spec.call = spec.call or function(event)
    stream:write(line_of(event))
  end
  for op, method in pairs(methods) do
    spec[op] = method
  end
  return make.filter(children[1], spec)
end

return {
  options = { to = "string", call = "function" }, children = { 1, 1 },
  example = "trace:disk.img?to=trace.log", open = open,
}
