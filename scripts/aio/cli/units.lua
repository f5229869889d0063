--- aio.cli.units - sizes and durations, as typed and as printed.
local units = {}

local SIZES <const> = { k = 10, m = 20, g = 30, t = 40 }
local DURATIONS <const> =
  { ns = 1e-9, us = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600 }

--- "4k" -> 4096.  Returns nil and a message when it is no size.
function units.parse_size(text)
  local digits, unit = text:lower():match("^(%d+%.?%d*)([kmgt]?)i?b?$")
  local number = tonumber(digits)
  local bytes = number and number * (1 << (SIZES[unit] or 0))
  if not bytes or bytes ~= math.floor(bytes) or bytes >= 2 ^ 63 then
    return nil, ("'%s' is no size (say 4096, 64k, 1M or 2G)"):format(text)
  end
  return math.tointeger(bytes)
end

--- "10ms" -> 0.01 seconds.  A number without a unit means seconds.
function units.parse_duration(text)
  local digits, unit = text:match("^(%d+%.?%d*)(%a*)$")
  local scale = DURATIONS[unit == "" and "s" or unit]
  if not digits or not scale then
    return nil, ("'%s' is no duration (say 10ms, 1.5s, 2m)"):format(text)
  end
  return tonumber(digits) * scale
end

--- 1073741824 -> "1 GiB"
function units.size(bytes)
  local names = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" }
  local i = 1
  while bytes >= 1024 and i < #names do
    bytes = bytes / 1024
    i = i + 1
  end
  if i == 1 then
    return ("%d %s"):format(bytes, bytes == 1 and "byte" or "bytes")
  end
  local text = ("%.1f"):format(bytes):gsub("%.0$", "")
  return text .. " " .. names[i]
end

--- Bytes per second -> "812 MB/s" (decimal, as disks are sold)
function units.rate(bytes_per_second)
  return ("%.0f MB/s"):format(bytes_per_second / 1e6)
end

--- 0.00123 s -> "1.23 ms"
function units.duration(seconds)
  if seconds < 1e-3 then
    return ("%.1f us"):format(seconds * 1e6)
  elseif seconds < 1 then
    return ("%.2f ms"):format(seconds * 1e3)
  elseif seconds < 100 then
    return ("%.2f s"):format(seconds)
  end
  local total = math.floor(seconds + 0.5)
  if total < 3600 then
    return ("%d:%02d"):format(total // 60, total % 60)
  end
  return ("%d:%02d:%02d"):format(
    total // 3600, total // 60 % 60, total % 60)
end

return units
