--- aio.file - files without blocking the loop.
--
-- The class and the functions on paths are written in C (src/lua/lfile*.c);
-- this adds what needs no pointer: iteration over lines.
local file = require "aio.core".file

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
  local lines = setmetatable(
    { file = f, keep = keep, rest = "", at = 1 }, Lines)
  return Lines.next, lines
end

return file
