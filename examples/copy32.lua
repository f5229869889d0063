-- copy32 - copies a file with 32 requests in flight
--
-- The pool has 32 buffers, and taking one from an empty pool waits: that
-- alone bounds the queue depth.  `aioctl copy` is this with the care that
-- real files need.
--
-- Output:
--   copied 4194304 bytes, 64 blocks of 64 KiB
--   identical

local aio = require "aio"
local file = require "aio.file"

local BLOCK = 64 * 1024

local function copy(from, to)
  local source <close> = assert(file.open(from, "r"))
  local target <close> = assert(file.open(to, "w"))
  local pool <close> = aio.bufpool { count = 32, size = BLOCK }
  local size, blocks = assert(source:size()), 0
  aio.group(function(g)
    for offset = 0, size - 1, BLOCK do
      local buf = pool:get()
      blocks = blocks + 1
      g:spawn(function()
        local n = assert(source:pread(buf, offset))
        assert(target:write_all(buf:slice(0, n), offset))
        buf:close() -- back into the pool
      end)
    end
  end)
  assert(target:fsync())
  return size, blocks
end

local function contents(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read("a")
end

local from, to = os.tmpname(), os.tmpname()
local f = assert(io.open(from, "wb"))
for i = 1, 64 do
  f:write(string.char(32 + i):rep(BLOCK))
end
f:close()

local size, blocks = copy(from, to)
print(("copied %d bytes, %d blocks of 64 KiB"):format(size, blocks))
print(contents(from) == contents(to) and "identical" or "different")
os.remove(from)
os.remove(to)
