--- aio.block.before - filters that look at every request before it goes on.
local before = {}

-- methods(look) -> methods for block.filter().  look(node, op, off, len, what)
-- returns true and the request goes on, or nil, message, errno.  what: the
-- buffer of a pread or pwrite.  It may park.
function before.methods(look)
  local methods = {}
  for _, op in ipairs { "pread", "pwrite" } do
    methods[op] = function(node, buf, off, ...)
      local ok, message, errno = look(node, op, off, #buf, buf)
      if not ok then
        return nil, message, errno
      end
      return before.go_on(buf, off, ...)
    end
  end
  for _, op in ipairs { "trim", "zero", "status", "cache" } do
    methods[op] = function(node, off, len, ...)
      local ok, message, errno = look(node, op, off, len)
      if not ok then
        return nil, message, errno
      end
      return before.go_on(off, len, ...)
    end
  end
  function methods.flush(node, next)
    local ok, message, errno = look(node, "flush", 0, 0)
    if not ok then
      return nil, message, errno
    end
    return next()
  end
  methods.fua = true -- flags are passed on
  return methods
end

-- go_on(a, b, [flags,] next): with or without flags, as the method has them.
function before.go_on(a, b, flags, next)
  if next then
    return next(a, b, flags)
  end
  return flags(a, b)
end

return before
