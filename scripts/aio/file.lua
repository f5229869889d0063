--- aio.file - files without blocking the loop.
--
-- The class and the functions on paths are written in C (src/lua/lfile*.c);
-- this adds what needs no pointer: iteration over lines, waiting for locks,
-- copying whole files.
local aio = require "aio.core"
local check = require "aio.check"
local file = aio.file

local CHUNK <const> = 65536

local Lines = {}
Lines.__index = Lines

-- More data at the end of what is left over; false at the end of the file.
function Lines:fill()
  local more, message, errno = self.file:read(CHUNK)
  if not more then
    error(("%s"):format(message), errno and 0 or 1)
  end
  self.rest = self.rest:sub(self.at) .. more
  self.at = 1
  return more ~= ""
end

function Lines:next()
  local from = self.at
  while true do
    local stop = self.rest:find("\n", from, true)
    if stop then
      local line = self.rest:sub(self.at, stop - (self.keep and 0 or 1))
      self.at = stop + 1
      return line
    end
    from = #self.rest - self.at + 2 -- after what was searched already
    if not self:fill() then
      break
    end
  end
  local line = self.rest:sub(self.at)
  self.rest, self.at = "", 1
  return line ~= "" and line or nil
end

--- for line in f:lines([keep]) do: the lines from the file's position on,
-- without their newline unless keep is true.  Read errors are raised.
-- The position moves by chunks: do not mix with f:read().
function file.methods.lines(f, keep)
  check.class(f, "aio.file")
  local lines = setmetatable(
    { file = f, keep = keep, rest = "", at = 1 }, Lines)
  return Lines.next, lines
end

-- ---- locks ----------------------------------------------------------

local Lock = {}
local lock_metatable = { __index = Lock, __name = "aio.filelock" }

--- lock:unlock(), lock:close(): idempotent; nothing when the file is closed,
-- which has unlocked it.
function Lock:unlock()
  local f = self.file
  self.file = nil
  if f and f.fd >= 0 then
    return f:unlock(self.offset, self.length)
  end
  return true
end

Lock.close = Lock.unlock
lock_metatable.__close = Lock.unlock

-- The kernel tells nobody when a lock gets free: ask again, ever more rarely.
local FIRST_WAIT <const>, LONGEST_WAIT <const> = 0.001, 0.05

local function wait_for_lock(f, mode, offset, length, deadline)
  local pause = FIRST_WAIT
  while true do
    local got, message, errno = file.methods.try_lock(f, mode, offset, length)
    if got or got == nil then
      return got, message, errno
    end
    local left = deadline and deadline - aio.now() or pause
    if left <= 0 then
      return nil, "timeout", aio.errno.ETIMEDOUT
    end
    aio.sleep(math.min(pause, left))
    pause = math.min(pause * 2, LONGEST_WAIT)
  end
end

local LOCK_OPTIONS <const> = { offset = true, length = true, timeout = true }

local function lock_options(options)
  if type(options) ~= "table" then
    return { timeout = options }
  end
  for key in pairs(options) do
    if not LOCK_OPTIONS[key] then
      error(("unknown option '%s' (one of offset, length, timeout)"):format(
        tostring(key)), 3)
    end
  end
  return options
end

--- f:lock("shared" | "exclusive" [, sec | {offset=, length=, timeout=}])
-- -> lock: waits until no other file has a range locked that excludes this
-- one; lock:unlock() or the end of its <close> scope lets go. Advisory: who
-- does not ask is not held off. nil, "timeout", ETIMEDOUT.
function file.methods.lock(f, mode, options)
  options = lock_options(options)
  local sec = options.timeout
  check.is("seconds", sec, "lock: timeout")
  local offset, length = options.offset or 0, options.length or 0
  local got, message, errno = wait_for_lock(f, mode, offset, length,
    sec and aio.now() + sec)
  if not got then
    return nil, message, errno
  end
  return setmetatable({ file = f, offset = offset, length = length },
    lock_metatable)
end

-- ---- whole files ----------------------------------------------------

local COPY_OPTIONS <const> = {
  depth = true, block = true, direct = true, engine = true, force = true,
}

--- file.copy(from, to [, options]) -> bytes: as `aioctl copy` does it, with
-- many requests in flight and all on the disk before it returns. Options: depth
-- (16), block ("1M"), direct, engine, force.
function file.copy(from, to, options)
  options = check.is("table", options, "file.copy: options") or {}
  check.fields(options, { depth = "count" }, "file.copy")
  local job = { src = from, dst = to }
  if type(from) ~= "string" or type(to) ~= "string" then
    error("two paths expected: file.copy(from, to [, options])", 2)
  end
  for key, value in pairs(options) do
    if not COPY_OPTIONS[key] then
      error(("unknown option '%s' (one of block, depth, direct, engine, "
        .. "force)"):format(tostring(key)), 2)
    end
    job[key] = value
  end
  job.block = job.block and aio.size(job.block)
  if job.block == 0 then
    error("file.copy: option 'block': more than 0 bytes expected", 2)
  end
  local result, message, errno = require "aio.copy".run(job)
  if not result then
    return nil, message, errno
  end
  return result.bytes
end

return file
