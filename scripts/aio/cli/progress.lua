--- aio.cli.progress - one line on stderr that is rewritten as work proceeds.
--
-- The line only ever goes to a terminal (or where the user insists), never
-- into a log by accident, and is wiped before anything else is printed.
local aio = require "aio"
local units = require "aio.cli.units"

local Progress = {}
Progress.__index = Progress

local INTERVAL <const> = 0.2 -- seconds between two lines
local WINDOW <const> = 15    -- samples the rate is taken over: 3 s

--- when: "auto" (a terminal), "always" or "never".
-- status: a table whose done and total (bytes) are read at each line.
function Progress.start(when, label, status)
  local self = setmetatable({
    label = label,
    status = status,
    samples = {},
    shown = when == "always" or when == "auto" and aio.isatty(2),
  }, Progress)
  if self.shown then
    self.ticker = aio.every(INTERVAL, function() self:draw() end)
  end
  return self
end

-- Bytes per second over the window, 0 before there are two samples.
function Progress:rate(now)
  local samples = self.samples
  samples[#samples + 1] = { now, self.status.done }
  if #samples > WINDOW then
    table.remove(samples, 1)
  end
  local first = samples[1]
  local seconds = now - first[1]
  return seconds > 0 and (self.status.done - first[2]) / seconds or 0
end

--- The text of the line at this moment.
function Progress:line(now)
  local done, total = self.status.done, self.status.total
  local rate = self:rate(now)
  local percent = total > 0 and 100 * done // total or 100
  local text = ("%s %3d%%  %s of %s  %s"):format(self.label, percent,
    units.size(done), units.size(total), units.rate(rate))
  if rate > 0 and done < total then
    text = text .. "  ETA " .. units.duration((total - done) / rate)
  end
  return text
end

function Progress:draw()
  if (self.status.total or 0) == 0 then
    return -- not under way yet, or nothing to do
  end
  io.stderr:write("\r", self:line(aio.now()), "\27[K")
end

--- Wipes the line and stops; idempotent.
function Progress:stop()
  if self.ticker then
    self.ticker:cancel()
    self.ticker = nil
  end
  if self.shown then
    self:draw()
    self.shown = false
    io.stderr:write("\r\27[K")
  end
end

Progress.__close = Progress.stop

return Progress
