--- aio.copy.plan - which blocks of a file hold data.
--
-- Many tasks draw from one plan.  It asks the file system for one extent of
-- data at a time, so a file with a million holes needs no more memory than one
-- with none.  Asking parks; the mutex lets one task at a time do it.
local aio = require "aio"

local Plan = {}
Plan.__index = Plan

--- files: where an extent of data in any of them counts as data.
-- size: where to end; block: bytes per piece; align: extents are widened to
-- multiples of it; on_hole(off, len), if given, is told what is skipped.
function Plan.new(plan)
  return setmetatable({
    files = plan.files,
    size = plan.size,
    block = plan.block,
    align = plan.align,
    on_hole = plan.on_hole,
    at = 0,        -- everything before was handed out or is a hole
    extent_end = 0,
    lock = aio.sync.mutex(),
  }, Plan)
end

local function fail(message, errno)
  error({ message = message, errno = errno }, 0)
end

-- The first extent of data in f at or after pos, or nil.
local function next_extent(f, pos, size)
  local errno = aio.errno
  local first, message, err = f:seek_data(pos)
  if not first then
    if err == errno.ENXIO then
      return nil
    elseif err == errno.EINVAL or err == errno.EOPNOTSUPP then
      return pos, size -- no notion of holes: it is all data
    end
    fail(message, err)
  end
  if first >= size then
    return nil
  end
  return first, math.min(f:seek_hole(first) or size, size)
end

function Plan:advance()
  local from = self.extent_end
  local first, last
  for _, f in ipairs(self.files) do
    local a, b = next_extent(f, from, self.size)
    if a and (not first or a < first) then
      first, last = a, b
    end
  end
  first, last = first or self.size, last or self.size
  local align = self.align
  local at = math.max(first // align * align, from)
  if self.on_hole and at > from then
    self.on_hole(from, at - from)
  end
  self.at = at
  self.extent_end = math.min((last + align - 1) // align * align, self.size)
end

--- The next piece: offset, length; nil when there is no more.
function Plan:next()
  while self.at >= self.extent_end do
    if self.extent_end >= self.size then
      return nil
    end
    self.lock:lock()
    local ok, err = true, nil
    if self.at >= self.extent_end and self.extent_end < self.size then
      ok, err = pcall(self.advance, self)
    end
    self.lock:unlock()
    if not ok then
      error(err, 0)
    end
  end
  local off = self.at
  local len = math.min(self.block, self.extent_end - off)
  self.at = off + len
  return off, len
end

return Plan
