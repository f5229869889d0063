--- aio.block.ranges - which parts of a node are being worked on.
--
-- lock(off, len) waits until no range that is held overlaps, and holds this one
-- until the lock is closed.  With shared(...) ranges may overlap each other,
-- but not one that is held alone.  Whoever waits is tried again in order of
-- arrival when any range is let go.
local sync = require "aio.sync"

local Ranges = {}
Ranges.__index = Ranges

local Lock = {}
Lock.__index = Lock

local function excludes(a, b)
  return a.off < b.stop and b.off < a.stop and not (a.shared and b.shared)
end

-- Is anything before this one in the queue, held or waiting, in its way?
-- Waiting ones count, so that nobody is overtaken for ever.
local function is_free(ranges, lock)
  local other = ranges.first
  while other ~= lock do
    if excludes(other, lock) then
      return false
    end
    other = other.after
  end
  return true
end

local function append(ranges, lock)
  local last = ranges.last
  lock.before = last
  if last then
    last.after = lock
  else
    ranges.first = lock
  end
  ranges.last = lock
end

-- lock:close(): idempotent.
function Lock.close(lock)
  local ranges, before, after = lock.ranges, lock.before, lock.after
  if not ranges then
    return
  end
  lock.ranges = nil
  if before then before.after = after else ranges.first = after end
  if after then after.before = before else ranges.last = before end
  while after do -- what stood behind it may go now
    if after.event and is_free(ranges, after) then
      after.event:set()
      after.event = nil
    end
    after = after.after
  end
end

Lock.__close = Lock.close

local function take(ranges, off, len, shared)
  local lock = setmetatable({ ranges = ranges, off = off, stop = off + len,
    shared = shared }, Lock)
  append(ranges, lock)
  if not is_free(ranges, lock) then
    lock.event = sync.event()
    local ok, err = pcall(lock.event.wait, lock.event)
    if not ok then
      lock:close()
      error(err, 0)
    end
  end
  return lock
end

function Ranges.lock(ranges, off, len)
  return take(ranges, off, len, false)
end

function Ranges.shared(ranges, off, len)
  return take(ranges, off, len, true)
end

local function new()
  return setmetatable({}, Ranges)
end

return { new = new }
