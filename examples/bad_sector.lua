-- bad_sector - a RAM disk with a bad sector, and a mirror that heals it
--
--   aioctl examples/bad_sector.lua
--
-- The disk is a device in a dozen lines of Lua. One of its sectors cannot be
-- read until it has been written again, as real disks have them. A mirror reads
-- such a sector from its other half, and a filter writes it back.
--
-- Output:
--   EIO: the sector is bad (node 'old disk': pread of 512 bytes at 1024)
--   read 2048 sectors through the mirror, 1 of them healed
--   the old disk alone: sector 2
local aio = require "aio"
local block = require "aio.block"

local SECTOR <const> = 512
local function ram_disk(name, size)
  local data = aio.buf(size)
  return block.device {
    name = name, size = size, block_size = SECTOR, bad = {},
    pread = function(self, buf, off)
      for at = off, off + #buf - 1, SECTOR do
        if self.bad[at // SECTOR] then
          return nil, "EIO: the sector is bad", aio.errno.EIO
        end
      end
      buf:copy(0, data, off, #buf)
      return true
    end,
    pwrite = function(self, buf, off)
      for at = off, off + #buf - 1, SECTOR do
        self.bad[at // SECTOR] = nil -- a disk puts another one in its place
      end
      data:copy(off, buf)
      return true
    end,
  }
end

local old, new = ram_disk("old disk", 1 << 20), ram_disk("new disk", 1 << 20)
local healed = 0
local healing = block.filter(old, {
  pread = function(_, buf, off, next)
    if next(buf, off) then return true end
    healed = healed + 1
    return new:pread(buf, off) and old:pwrite(buf, off)
  end,
})
local mirror <close> = assert(block.open { "mirror", healing, new })
for n = 0, mirror.size // SECTOR - 1 do
  assert(mirror:pwrite(("c512"):pack("sector " .. n), n * SECTOR))
end
old.bad[2] = true
print((select(2, old:pread(SECTOR, 2 * SECTOR))))
for n = 0, 2 * mirror.size // SECTOR - 1 do -- each half has every second one
  assert(mirror:pread(SECTOR, n // 2 * SECTOR))
end
print(("read %d sectors through the mirror, %d of them healed"):format(
  mirror.size // SECTOR, healed))
print("the old disk alone: " .. old:pread(SECTOR, 2 * SECTOR):match("^%Z+"))
