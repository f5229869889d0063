--- aio.block.kind.verify - remembers a checksum of each block that is written
-- and compares what is read.
--
-- A block is compared when its last write has returned before the read began
-- and none has begun until it ended: what overlaps in time may yield either.
-- Blocks that were written in part or not at all are not known and not
-- compared.
local aio = require "aio"
local make = require "aio.block.make"

local E <const> = aio.errno
local BLOCK <const> = 4096

-- The whole blocks in [off, off + len): first number, number behind the last.
local function whole(node, off, len)
  local block = node.block
  return (off + block - 1) // block, (off + len) // block
end

-- All blocks the range touches.
local function touched(node, off, len)
  return off // node.block, (off + len + node.block - 1) // node.block
end

-- A write begins: what it touches is unknown until it has ended, and afterwards
-- when another was under way at the same time.
local function begin_write(node, off, len)
  local sums, epochs, writers = node.sums, node.epochs, node.writers
  local first, past = touched(node, off, len)
  node.epoch = node.epoch + 1
  for number = first, past - 1 do
    sums[number] = nil
    epochs[number] = node.epoch
    writers[number] = (writers[number] or 0) + 1
  end
  return node.epoch
end

-- It has ended: sum_of(number) of those blocks that it has written alone.
local function end_write(node, off, len, epoch, sum_of)
  local sums, epochs, writers = node.sums, node.epochs, node.writers
  local first, past = touched(node, off, len)
  local first_whole, past_whole = whole(node, off, len)
  for number = first, past - 1 do
    local left = writers[number] - 1
    writers[number] = left > 0 and left or nil
    if left > 0 then
      epochs[number] = -1 -- so that none of those that are left counts
    elseif epochs[number] == epoch and sum_of and number >= first_whole
      and number < past_whole then
      sums[number] = sum_of(number)
    end
    if left == 0 and not sums[number] then
      epochs[number] = nil
    end
  end
end

-- Runs next() between both, however it ends.
local function write(node, off, len, sum_of, next)
  local epoch, good = begin_write(node, off, len), false
  local _ <close> = setmetatable({}, { __close = function()
    end_write(node, off, len, epoch, good and sum_of)
  end })
  local ok, message, errno = next()
  good = ok
  return ok, message, errno
end

local methods = { fua = true }

function methods.pwrite(node, buf, off, flags, next)
  local block, len = node.block, #buf
  return write(node, off, len, function(number)
    return buf:crc32c(number * block - off, block)
  end, function() return next(buf, off, flags) end)
end

function methods.zero(node, off, len, flags, next)
  return write(node, off, len, function() return node.zero_sum end,
    function() return next(off, len, flags) end)
end

function methods.trim(node, off, len, flags, next)
  return write(node, off, len, nil, function() return next(off, len, flags) end)
end

-- number -> checksum, epoch of what a read that begins now must yield.
local function expectations(node, first, past)
  local sums, epochs = {}, {}
  for number = first, past - 1 do
    sums[number], epochs[number] = node.sums[number], node.epochs[number]
  end
  return sums, epochs
end

local function mismatch(number, block, expected, got)
  return nil, ("EIO: the block of %d bytes at %d is not what was written: "
    .. "crc32c expected %08x, got %08x"):format(block, number * block, expected,
    got), E.EIO
end

function methods.pread(node, buf, off, next)
  local block = node.block
  local first, past = whole(node, off, #buf)
  local sums, epochs = expectations(node, first, past)
  local ok, message, errno = next(buf, off)
  if not ok then
    return nil, message, errno
  end
  for number, expected in pairs(sums) do
    if node.epochs[number] == epochs[number] then
      local got = buf:crc32c(number * block - off, block)
      if got ~= expected then
        return mismatch(number, block, expected, got)
      end
      node.verified = node.verified + 1
    end
  end
  return true
end

function methods.status(_, off, len, flags, next)
  return next(off, len, flags)
end

function methods.cache(_, off, len, next)
  return next(off, len)
end

return {
  options = { block = "size" }, children = { 1, 1 },
  example = "verify:disk.img?block=4k",
  open = function(options, children)
    local spec = { kind = "verify", name = options.name,
      block = options.block or BLOCK, sums = {}, epochs = {}, writers = {},
      epoch = 0, verified = 0 }
    if spec.block < 512 or spec.block & spec.block - 1 ~= 0 then
      return nil, ("EINVAL: verify: block: a power of 2 from 512 on expected, "
        .. "got %d"):format(spec.block), E.EINVAL
    end
    spec.zero_sum = aio.buf(spec.block):crc32c()
    for op, method in pairs(methods) do
      spec[op] = method
    end
    return make.filter(children[1], spec)
  end,
}
