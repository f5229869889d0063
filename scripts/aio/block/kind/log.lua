--- aio.block.kind.log - a record of every request that changes the child.
--
-- See aio.block.writelog; block.replay() applies a log to another node.
local make = require "aio.block.make"
local writelog = require "aio.block.writelog"

local function record(node, op, off, len, flags, buf, ok, message, errno)
  if not ok then
    return nil, message, errno
  end
  return node.log:append(op, off, len, flags, buf)
end

local methods = {
  fua = true,
  pwrite = function(node, buf, off, flags, next)
    return record(node, "pwrite", off, #buf, flags, buf, next(buf, off, flags))
  end,
  zero = function(node, off, len, flags, next)
    return record(node, "zero", off, len, flags, nil, next(off, len, flags))
  end,
  trim = function(node, off, len, flags, next)
    return record(node, "trim", off, len, flags, nil, next(off, len, flags))
  end,
  status = function(_, off, len, flags, next)
    return next(off, len, flags)
  end,
  cache = function(_, off, len, next)
    return next(off, len)
  end,
  flush = function(node, next)
    local ok, message, errno = record(node, "flush", 0, 0, 0, nil, next())
    if not ok then
      return nil, message, errno
    end
    return node.log:flush()
  end,
  close = function(node)
    return node.log:close()
  end,
}

return {
  options = { to = "string" }, children = { 1, 1 },
  example = "log:disk.img?to=write.log",
  open = function(options, children)
    local path = options.to or children[1].name .. ".log"
    local log, message, errno = writelog.create(path)
    if not log then
      return nil, message, errno
    end
    local spec = { kind = "log", name = options.name, log = log }
    for op, method in pairs(methods) do
      spec[op] = method
    end
    return make.filter(children[1], spec)
  end,
}
