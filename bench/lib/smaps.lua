-- smaps - what the resident memory of this process consists of

local smaps = {}

local ARENA <const> = 64 << 20 -- where glibc's malloc puts those of threads

local function name_of(from, path)
  if path ~= "" then
    return path:match("[^/]+$")
  end
  return from % ARENA == 0 and "arenas of malloc" or "anonymous memory"
end

--- resident() -> KiB by the name of the mapping, those of one name together.
function smaps.resident()
  local kib, name = {}, nil
  for line in io.lines("/proc/self/smaps") do
    local from, path = line:match("^(%x+)%-%x+ %S+ %S+ %S+ %S+%s*(.-)$")
    if from then
      name = name_of(tonumber(from, 16), path)
    end
    local rss = line:match("^Rss:%s*(%d+)")
    if rss then
      kib[name] = (kib[name] or 0) + tonumber(rss)
    end
  end
  return kib
end

--- growth(before, after) -> list of lines, what is more by 64 KiB or more.
function smaps.growth(before, after)
  local list = {}
  for name, kib in pairs(after) do
    local more = kib - (before[name] or 0)
    if more >= 64 then
      list[#list + 1] = ("  %d KiB more of %s, %d KiB in all"):format(more,
        name, kib)
    end
  end
  table.sort(list)
  return list
end

return smaps
