-- expect - compares real output with the output a document shows
--
-- A figure written N in the expected text matches any number, and a line "..."
-- matches any number of lines; a tab is shown as two spaces.  Everything else
-- must be equal.

local expect = {}

local function pattern_of(line)
  local escaped = line:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0")
  escaped = escaped:gsub("%f[%w]N%f[%W]", "%%d[%%d.,]*")
  return "^" .. escaped .. "$"
end

local function split(text)
  local lines = {}
  for line in (text .. "\n"):gsub("\n+$", "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

-- matches from expected[i] and actual[j] on
local function matches(expected, i, actual, j)
  while i <= #expected do
    if expected[i] == "..." then
      for k = j, #actual + 1 do
        if matches(expected, i + 1, actual, k) then
          return true
        end
      end
      return false
    end
    if not actual[j] or not actual[j]:find(pattern_of(expected[i])) then
      return false
    end
    i, j = i + 1, j + 1
  end
  return j > #actual
end

-- output(expected, actual) -> true, or false and a message with both
function expect.output(expected, actual)
  local shown = actual:gsub("\t", "  ")
  if matches(split(expected), 1, split(shown), 1) then
    return true
  end
  return false, ("expected:\n%s\ngot:\n%s"):format(expected, actual)
end

-- The text with each figure, and the unit of each time, replaced by #.  How
-- many spaces a column has left depends on the figures.
local function without_figures(text)
  return (text:gsub("%d[%d.,]*", "#"):gsub("# [num]?s%f[%W]", "# s")
    :gsub("[ \t]+", " "))
end

-- shape(expected, actual): the same, where only the figures may differ
function expect.shape(expected, actual)
  return expect.output(without_figures(expected), without_figures(actual))
end

return expect
