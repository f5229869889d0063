--- block - devices and checks that the specs of aio.block share.
local aio = require "aio"
local assert = require "luassert"
local block = require "aio.block"

local support = {}

--- fails(errno, text, nil, message, errno): the results of a call.
function support.fails(errno, text, ok, message, code)
  assert.is_nil(ok)
  assert.truthy(message:find(text, 1, true), message)
  assert.equal(errno, code)
end

--- raises(text, fn, ...)
function support.raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(tostring(err):find(text, 1, true), tostring(err))
end

--- recorder([fields]) -> device of 64 KiB, list of the calls of its methods.
-- A field that is false takes that method away.
function support.recorder(fields)
  local data, calls = aio.buf(65536), {}
  local function note(...)
    calls[#calls + 1] = table.concat({ ... }, " ")
    return true
  end
  local spec = {
    name = "rec", size = 65536,
    pread = function(_, buf, off)
      buf:copy(0, data, off, #buf)
      return note("pread", off, #buf)
    end,
    pwrite = function(_, buf, off, bits)
      data:copy(off, buf)
      return note("pwrite", off, #buf, bits)
    end,
    flush = function() return note("flush") end,
  }
  for name, value in pairs(fields or {}) do
    spec[name] = value or nil
  end
  return block.device(spec), calls
end

--- folder() -> path of an empty one; remove(folder) with what is in it.
function support.folder()
  local path = os.tmpname()
  os.remove(path)
  assert(aio.file.mkdir(path))
  return path
end

function support.remove(folder)
  for _, name in ipairs(assert(aio.file.readdir(folder))) do
    assert(aio.file.unlink(folder .. "/" .. name))
  end
  assert(aio.file.rmdir(folder))
end

--- fill(node, seed): every block of 512 bytes says where it is.
function support.fill(node, seed)
  local list = {}
  for i = 0, node.size // 512 - 1 do
    list[#list + 1] = ("<I8I8"):pack(seed, i):rep(32)
  end
  assert(node:pwrite(table.concat(list), 0))
end

return support
