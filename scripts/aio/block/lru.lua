--- aio.block.lru - blocks in memory, the one used last in front.
--
-- A doubly linked ring through a head; entries are tables with `number`, `buf`,
-- `dirty` and `writing`.
local Lru = {}
Lru.__index = Lru

local function unlink(entry)
  entry.before.after, entry.after.before = entry.after, entry.before
end

local function link_first(head, entry)
  entry.before, entry.after = head, head.after
  head.after.before = entry
  head.after = entry
end

-- lru:get(number) -> entry or nil; it is the one used last now.
function Lru.get(lru, number)
  local entry = lru.entries[number]
  if entry and lru.head.after ~= entry then
    unlink(entry)
    link_first(lru.head, entry)
  end
  return entry
end

-- lru:add(number, buf) -> entry, clean
function Lru.add(lru, number, buf)
  local entry = { number = number, buf = buf, dirty = false, writing = 0 }
  lru.entries[number] = entry
  link_first(lru.head, entry)
  return entry
end

-- lru:drop(entry)
function Lru.drop(lru, entry)
  unlink(entry)
  lru.entries[entry.number] = nil
  entry.buf:close()
end

-- lru:last() -> the entry that was not used for the longest time, or nil
function Lru.last(lru)
  local entry = lru.head.before
  return entry ~= lru.head and entry or nil
end

-- lru:unsaved() -> sorted list of the numbers that are dirty or being written
function Lru.unsaved(lru)
  local list = {}
  for number, entry in pairs(lru.entries) do
    if entry.dirty or entry.writing > 0 then
      list[#list + 1] = number
    end
  end
  table.sort(list)
  return list
end

local function new()
  local head = {}
  head.before, head.after = head, head
  return setmetatable({ head = head, entries = {} }, Lru)
end

return { new = new }
