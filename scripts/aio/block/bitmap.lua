--- aio.block.bitmap - a set of numbers that is kept on a node.
--
-- A header of one block, then the bits, in blocks of 4096 bytes of which those
-- that changed are written.  What is written is a snapshot: take it, make
-- durable what the bits stand for, then save it.
local aio = require "aio"

local Bitmap = {}
Bitmap.__index = Bitmap

local BLOCK <const> = 4096
local BITS <const> = BLOCK * 8
local MAGIC <const> = "aioctlbm"
local HEADER <const> = "<c8I8I8" -- magic, size of the node, bytes of a bit

-- bytes(size, unit) -> how many the header and bits take.
local function bytes(size, unit)
  local count = (size + unit - 1) // unit
  return BLOCK + (count + BITS - 1) // BITS * BLOCK
end

function Bitmap.get(map, number)
  return map.present[number] ~= nil
end

function Bitmap.set(map, number)
  if not map.present[number] then
    map.present[number] = true
    map.dirty[number // BITS] = true
  end
end

-- map:clear(): nothing is in it.
function Bitmap.clear(map)
  for number in pairs(map.present) do
    map.dirty[number // BITS] = true
  end
  map.present = {}
end

-- map:numbers() -> sorted list
function Bitmap.numbers(map)
  local list = {}
  for number in pairs(map.present) do
    list[#list + 1] = number
  end
  table.sort(list)
  return list
end

local function encode(present, block)
  local list, first = {}, block * BITS
  for i = 0, BLOCK - 1 do
    local byte, at = 0, first + i * 8
    for bit = 0, 7 do
      if present[at + bit] then
        byte = byte | 1 << bit
      end
    end
    list[i + 1] = string.char(byte)
  end
  return table.concat(list)
end

-- map:snapshot() -> {offset = text}, or nil when there is nothing to save.
function Bitmap.snapshot(map)
  if next(map.dirty) == nil and map.has_header then
    return nil
  end
  local blocks = { [0] = HEADER:pack(MAGIC, map.size, map.unit)
    .. ("\0"):rep(BLOCK - HEADER:packsize()) }
  for block in pairs(map.dirty) do
    blocks[(block + 1) * BLOCK] = encode(map.present, block)
  end
  map.dirty, map.has_header = {}, true
  return blocks
end

-- map:save(blocks, node) -> true; on failure they count as changed again.
function Bitmap.save(map, blocks, node)
  for off, text in pairs(blocks) do
    local ok, message, errno = node:pwrite(text, map.start + off)
    if not ok then
      map:restore(blocks)
      return nil, message, errno
    end
  end
  return true
end

-- map:restore(blocks): what the snapshot has was not saved.
function Bitmap.restore(map, blocks)
  for off in pairs(blocks) do
    if off > 0 then
      map.dirty[off // BLOCK - 1] = true
    else
      map.has_header = false
    end
  end
end

local function decode(map, block, text)
  for i = 1, #text do
    local byte = text:byte(i)
    local at = block * BITS + (i - 1) * 8
    for bit = 0, byte ~= 0 and 7 or -1 do
      if byte & 1 << bit ~= 0 then
        map.present[at + bit] = true
      end
    end
  end
end

local function invalid(map, ...)
  return nil, ("EINVAL: '%s': %s"):format(map.node.name, (...)),
    aio.errno.EINVAL
end

local function load_header(map)
  local text, message, errno = map.node:pread(BLOCK, map.start)
  if not text then
    return nil, message, errno
  elseif not text:find("[^\0]") then
    return "new"
  end
  local magic, size, unit = HEADER:unpack(text)
  if magic ~= MAGIC then
    return invalid(map, "no bitmap where one should be; not an overlay")
  elseif size ~= map.size or unit ~= map.unit then
    return invalid(map, ("it belongs to a base of %d bytes, not %d"):format(
      size, map.size))
  end
  map.has_header = true
  return "old"
end

-- load(node, start, size, unit) -> map: what is on the node from start on, or
-- an empty one where there are only zeros.
local function load(node, start, size, unit)
  local map = setmetatable({ node = node, start = start, size = size,
    unit = unit, present = {}, dirty = {}, has_header = false }, Bitmap)
  local kind, message, errno = load_header(map)
  if not kind then
    return nil, message, errno
  end
  local blocks = kind == "old" and (bytes(size, unit) - BLOCK) // BLOCK or 0
  for block = 0, blocks - 1 do
    local text
    text, message, errno = node:pread(BLOCK, start + (block + 1) * BLOCK)
    if not text then
      return nil, message, errno
    end
    decode(map, block, text)
  end
  return map
end

return { load = load, bytes = bytes }
