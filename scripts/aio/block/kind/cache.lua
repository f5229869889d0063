--- aio.block.kind.cache - blocks of the child in memory.
--
-- "writethrough" (the default) writes to the child and then into the blocks
-- that are there.  "writeback" writes into blocks only; they go to the child
-- when they must make room, at flush() and at close().  flush() writes what is
-- dirty, then flushes the child, so the order that it gives is kept.  A block
-- whose writing fails stays dirty and is tried again.
--
-- Blocks that are there are read and changed without waiting, so nothing comes
-- in between.  Filling a block, writing it back and what concerns the child
-- holds the block's number in `ranges`.  What is written back is a copy: the
-- block may be changed meanwhile, and is dirty again then.  Who holds a number
-- waits for the child only, never for another number: no deadlock.
local aio = require "aio"
local lrus = require "aio.block.lru"
local make = require "aio.block.make"
local ranges = require "aio.block.ranges"

local BLOCK <const> = 64 << 10
local SIZE <const> = 64 << 20
local WRITERS <const> = 16 -- blocks that a flush writes at a time

local function write_back(node, number)
  local _ <close> = node.ranges:lock(number, 1)
  local entry = node.lru.entries[number]
  if not entry or not entry.dirty then
    return true
  end
  entry.dirty, entry.writing = false, 1
  local copy <close> = entry.buf:clone()
  local done = false
  local _ <close> = setmetatable({}, { __close = function()
    entry.writing = 0
    entry.dirty = entry.dirty or not done -- also when it is cancelled
  end })
  local ok, message, errno = node.child:pwrite(copy, number * node.block)
  done = ok
  return ok, message, errno
end

-- Room for one more block, counted as taken; false: the oldest cannot be saved.
local function take_room(node)
  node.cached = node.cached + 1
  while node.cached > node.limit do
    local entry = node.lru:last()
    if not entry then
      break -- all are being filled
    elseif not entry.dirty and entry.writing == 0 then
      node.lru:drop(entry)
      node.cached = node.cached - 1
    elseif not write_back(node, entry.number) then
      node.lru:get(entry.number)
      node.cached = node.cached - 1
      return false
    end
  end
  return true
end

local Room = {}

function Room.__close(room)
  if room.taken then
    room.node.cached = room.node.cached - 1
  end
end

-- use(entry) on the block that is not there yet: read, unless all of it will be
-- written (`fresh`).  Where there is no room for it, bypass().
local function with_new(node, number, fresh, use, bypass)
  local room <close> = setmetatable({ node = node }, Room)
  room.taken = take_room(node) -- before its number is held: it may wait
  local _ <close> = node.ranges:lock(number, 1)
  local entry = node.lru:get(number)
  if entry then
    return use(entry)
  elseif not room.taken then
    return bypass()
  end
  node.misses = node.misses + 1
  local start = number * node.block
  local buf = aio.buf(math.min(node.block, node.size - start))
  if not fresh then
    local ok, message, errno = node.child:pread(buf, start)
    if not ok then
      return nil, message, errno
    end
  end
  room.taken = false -- the block has it
  return use(node.lru:add(number, buf))
end

-- fn(number, at, n, done) for each block of the range: at in the block, n
-- bytes.
local function each_block(node, off, len, fn)
  local done = 0
  while done < len do
    local number, at = (off + done) // node.block, (off + done) % node.block
    local n = math.min(node.block - at, len - done)
    local ok, message, errno = fn(number, at, n, done)
    if not ok then
      return nil, message, errno
    end
    done = done + n
  end
  return true
end

local function pread(node, buf, off)
  return each_block(node, off, #buf, function(number, at, n, done)
    local function use(entry)
      buf:copy(done, entry.buf, at, n)
      return true
    end
    local entry = node.lru:get(number)
    if entry then
      node.hits = node.hits + 1
      return use(entry)
    end
    return with_new(node, number, false, use, function()
      return node.child:pread(buf:slice(done, n), off + done)
    end)
  end)
end

local function pwrite_back(node, buf, off)
  return each_block(node, off, #buf, function(number, at, n, done)
    local function use(entry)
      entry.buf:copy(at, buf, done, n)
      entry.dirty = true
      return true
    end
    local entry = node.lru:get(number)
    if entry then
      node.hits = node.hits + 1
      return use(entry)
    end
    local whole = math.min(node.block, node.size - number * node.block)
    return with_new(node, number, n == whole, use, function()
      return node.child:pwrite(buf:slice(done, n), off + done)
    end)
  end)
end

-- fn(entry, number) for the blocks from `first` on, before `past`.
local function each_entry(node, first, past, fn)
  local entries = node.lru.entries
  if past - first <= 256 then
    for number = first, past - 1 do
      if entries[number] then
        fn(entries[number], number)
      end
    end
    return
  end
  for number, entry in pairs(entries) do
    if number >= first and number < past then
      fn(entry, number)
    end
  end
end

-- Holds the blocks of the range, asks the child, then fn(entry, at, n, done)
-- for those that are there; when the child fails nobody knows what it has, so
-- they are dropped, but for what is dirty.
local function through(node, off, len, ask, fn)
  local first, past = off // node.block, (off + len - 1) // node.block + 1
  local _ <close> = node.ranges:lock(first, past - first)
  local ok, message, errno = ask()
  each_entry(node, first, past, function(entry, number)
    local start = number * node.block
    local from = math.max(start, off)
    local stop = math.min(start + #entry.buf, off + len)
    if ok then
      fn(entry, from - start, stop - from, from - off)
    elseif not entry.dirty then
      node.lru:drop(entry)
      node.cached = node.cached - 1
    end
  end)
  return ok, message, errno
end

local function pwrite_through(node, buf, off, flags, next)
  return through(node, off, #buf, function() return next(buf, off, flags) end,
    function(entry, at, n, done) entry.buf:copy(at, buf, done, n) end)
end

local function zero(node, off, len, flags, next)
  return through(node, off, len, function() return next(off, len, flags) end,
    function(entry, at, n) entry.buf:fill(0, at, n) end)
end

local function flush(node, next)
  local message, errno
  aio.group(function(group)
    for _, number in ipairs(node.lru:unsaved()) do
      group:spawn(function()
        local ok, why, code = write_back(node, number)
        if not ok and not message then
          message, errno = why, code
        end
      end)
    end
  end, { limit = WRITERS })
  if message then
    return nil, message, errno
  end
  return next()
end

-- The child does not know of what is dirty.
local function status(node, off, len, flags, next)
  if #node.lru:unsaved() > 0 then
    return { { offset = off, length = len, flags = 0 } }
  end
  return next(off, len, flags)
end

-- Another child may have other data.
local function drop_clean(node)
  for _, entry in pairs(node.lru.entries) do
    if not entry.dirty then
      node.lru:drop(entry)
      node.cached = node.cached - 1
    end
  end
end

local function open(options, children)
  local mode = options.mode or "writethrough"
  local block = options.block or BLOCK
  local min = children[1].block_size.min
  if block < 512 or block & block - 1 ~= 0 or block < min then
    return nil, ("EINVAL: cache: block: a power of 2 from %d on expected, got "
      .. "%d"):format(math.max(512, min), block), aio.errno.EINVAL
  end
  local through_mode = mode == "writethrough"
  return make.filter(children[1], {
    kind = "cache", name = options.name, mode = mode, block = block,
    limit = math.max((options.size or SIZE) // block, 1), cached = 0,
    hits = 0, misses = 0, lru = lrus.new(), ranges = ranges.new(),
    fua = through_mode, pread = pread, zero = zero,
    pwrite = through_mode and pwrite_through or pwrite_back,
    flush = not through_mode and flush or nil, status = status,
    trim = function(_, off, len, flags, next) return next(off, len, flags) end,
    replaced = drop_clean,
    close = function(node)
      return node.readonly or flush(node, function() return true end)
    end,
  })
end

return {
  options = { mode = { "writethrough", "writeback" }, size = "size",
    block = "size" },
  children = { 1, 1 }, example = "cache:disk.img?mode=writeback&size=64M",
  open = open,
}
