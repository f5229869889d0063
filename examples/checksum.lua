-- checksum - CRC-32C of every file below a folder, eight at a time
--
--   aioctl examples/checksum.lua [FOLDER]
--
-- A task per file, in a group that runs at most eight: however large the tree,
-- memory stays the same.  Without a folder it makes a small one.
--
-- Output:
--   00000000  empty
--   e3069283  sub/digits
--   8a9136aa  sub/zeros
--   3 files

local aio = require "aio"
local file = require "aio.file"

local root, made = arg[1], nil
if not root then
  root, made = os.tmpname(), {}
  os.remove(root)
  assert(file.mkdir(root) and file.mkdir(root .. "/sub"))
  for name, text in pairs { empty = "", ["sub/digits"] = "123456789",
    ["sub/zeros"] = ("\0"):rep(32) } do
    local f <close> = assert(file.open(root .. "/" .. name, "w"))
    assert(f:write_all(text, 0))
    made[#made + 1] = root .. "/" .. name
  end
end

local sums = {}
aio.group(function(g)
  local function sum(name)
    local f <close> = assert(file.open(root .. "/" .. name))
    local buf <close> = aio.buf("256k")
    local offset, crc = 0, 0
    repeat
      local n = assert(f:pread(buf, offset))
      offset, crc = offset + n, buf:crc32c(0, n, crc)
    until n == 0
    sums[#sums + 1] = ("%08x  %s"):format(crc, name)
  end
  local function walk(folder)
    for _, name in ipairs(assert(file.readdir(root .. "/" .. folder))) do
      local path = folder == "" and name or folder .. "/" .. name
      local kind = assert(file.lstat(root .. "/" .. path)).type
      if kind == "directory" then walk(path) end
      if kind == "file" then g:spawn(sum, path) end -- waits while eight run
    end
  end
  walk("")
end, { limit = 8 })

table.sort(sums, function(a, b) return a:sub(11) < b:sub(11) end)
print(table.concat(sums, "\n"))
print(#sums .. " files")
for _, path in ipairs(made or {}) do file.unlink(path) end
if made then assert(file.rmdir(root .. "/sub") and file.rmdir(root)) end
