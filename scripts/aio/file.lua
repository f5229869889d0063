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

--- f:lines(keep?: boolean) -> fun(): string|nil
--
-- An iterator over lines, with their newline if `keep`. Raises read errors. It
-- reads ahead: do not mix it with `read`.
function file.methods.lines(f, keep)
  check.class(f, "aio.file")
  local lines = setmetatable(
    { file = f, keep = keep, rest = "", at = 1 }, Lines)
  return Lines.next, lines
end

-- ---- locks ----------------------------------------------------------

local Lock = {}
local lock_metatable = { __index = Lock, __name = "aio.filelock" }

--- lock:unlock() -> true!
-- lock:close() -> true!
--
-- End it, as closing the file does. May be called twice.
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

--- alias aio.LockMode = "shared"|"exclusive"

--- class aio.LockOptions
--
-- offset?: integer - of the range, 0 by default
-- length?: integer - of the range; 0, the default: to the end, wherever that
--     is
-- timeout?: number - seconds

--- class FileLock (lock)
--
-- A lock on a range of a file.

--- f:lock(mode: aio.LockMode, options?: number|aio.LockOptions) -> FileLock!
--
-- A lock, which keeps other files, of this program too, from an excluding
-- lock. Parks until it can be had; `nil, "timeout", ETIMEDOUT` after so many
-- seconds. Advisory: who does not ask is not held off.
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

--- class aio.CopyOptions
--
-- depth?: integer - requests in flight, 16
-- block?: aio.Size - bytes of each, `"1M"`
-- direct?: boolean - past the page cache, or not; by default where it works
-- engine?: aio.Engine
-- force?: boolean - write to a device that is in use

--- file.copy(from: string, to: string, options?: aio.CopyOptions) -> integer!
--
-- The number of bytes. As `aioctl copy` does it: with many requests in flight,
-- holes stay holes, and all is on the disk when it returns.
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
