--- aio.block.kind.mem - a disk in memory that takes what was written to it.
--
-- Pages come into being when something other than zeros is asked to be kept in
-- them, and are freed by trim and zero; what has no page reads as zeros.
local aio = require "aio"
local block_flags = require "aio.block.flags"
local make = require "aio.block.make"

local PAGE <const> = 64 << 10
local SHIFT <const> = 16
local HOLE <const> = block_flags.extent.HOLE | block_flags.extent.ZERO
local NO_HOLE <const> = block_flags.request.NO_HOLE

-- The part of [off, off + len) in one page: page number, offset in it, length.
local function part(off, len)
  local at = off & PAGE - 1
  return off >> SHIFT, at, math.min(len, PAGE - at)
end

local function pread(node, buf, off)
  local pages, done, len = node.pages, 0, #buf
  while done < len do
    local number, at, n = part(off + done, len - done)
    local page = pages[number]
    if page then
      buf:copy(done, page, at, n)
    else
      buf:fill(0, done, n)
    end
    done = done + n
  end
  return true
end

local function pwrite(node, buf, off)
  local pages, done, len = node.pages, 0, #buf
  while done < len do
    local number, at, n = part(off + done, len - done)
    local page = pages[number]
    if not page then
      page = aio.buf(PAGE)
      pages[number] = page
    end
    page:copy(at, buf, done, n)
    done = done + n
  end
  return true
end

-- Pages that lie in the range as a whole are freed: by number where the range
-- is small, else by looking at those that exist.
local function free_pages(pages, first, past)
  if past - first < 4096 then
    for number = first, past - 1 do
      pages[number] = nil
    end
    return
  end
  for number in pairs(pages) do
    if number >= first and number < past then
      pages[number] = nil
    end
  end
end

local function clear(page, at, n)
  if page and n > 0 then
    page:fill(0, at, n)
  end
end

local function trim(node, off, len)
  local pages, stop = node.pages, off + len
  local first, past = (off + PAGE - 1) >> SHIFT, stop >> SHIFT
  if first > past then -- within one page
    clear(pages[past], off & PAGE - 1, len)
    return true
  end
  clear(pages[first - 1], off & PAGE - 1, (first << SHIFT) - off)
  free_pages(pages, first, past)
  clear(pages[past], 0, stop & PAGE - 1)
  return true
end

local function zero(node, off, len, flags)
  if flags & NO_HOLE == 0 then
    return trim(node, off, len)
  end
  local pages = node.pages
  while len > 0 do
    local number, at, n = part(off, len)
    if pages[number] then
      clear(pages[number], at, n)
    else
      pages[number] = aio.buf(PAGE)
    end
    off, len = off + n, len - n
  end
  return true
end

-- As much as an answer needs; the rest is asked for from there on.
local EXTENTS_MAX <const> = 1024
local PAGES_MAX <const> = 65536 -- looked at, as others wait meanwhile

local function status(node, off, len)
  local pages, list = node.pages, {}
  local last
  len = math.min(len, PAGES_MAX * PAGE)
  while len > 0 do
    local number, _, n = part(off, len)
    local flags = pages[number] and 0 or HOLE
    if last and last.flags == flags then
      last.length = last.length + n
    elseif #list == EXTENTS_MAX then
      break
    else
      last = { offset = off, length = n, flags = flags }
      list[#list + 1] = last
    end
    off, len = off + n, len - n
  end
  return list
end

return {
  options = { size = "size" }, argument = "size", example = "mem:256M",
  open = function(options)
    return make.device {
      kind = "mem", name = options.name, size = options.size, fua = true,
      pages = {}, pread = pread, pwrite = pwrite, trim = trim, zero = zero,
      status = status,
      flush = function() return true end,
      cache = function() return true end,
      close = function(node)
        node.pages = {}
        return true
      end,
    }
  end,
}
