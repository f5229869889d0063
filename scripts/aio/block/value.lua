--- aio.block.value - values of options, typed as text or given in Lua.
local units = require "aio.cli.units"

local value = {}

local function wrong(what, got)
  return nil, ("%s expected, got %s"):format(what, type(got) == "string"
    and ("'%s'"):format(got) or tostring(got))
end

local BOOLEANS <const> = {
  ["1"] = true, yes = true, on = true, ["true"] = true,
  ["0"] = false, no = false, off = false, ["false"] = false,
}

local readers = {}

function readers.string(given)
  if type(given) ~= "string" or given:find("\0", 1, true) then
    return wrong("a string without zeros", given)
  end
  return given
end

function readers.size(given)
  local size = given
  if type(given) == "string" then
    size = units.parse_size(given)
  end
  if math.type(size) ~= "integer" or size < 0 then
    return wrong("a size (4096, 64k, 1M, 2G)", given)
  end
  return size
end

function readers.seconds(given)
  local sec = given
  if type(given) == "string" then
    sec = units.parse_duration(given)
  end
  if not math.type(sec) or not (sec >= 0 and sec < math.huge) then
    return wrong("a duration (10ms, 1.5s; seconds as a number)", given)
  end
  return sec
end

function readers.number(given)
  local number = tonumber(given)
  if not number or not (number >= 0 and number < math.huge) then
    return wrong("a number that is not negative", given)
  end
  return number
end

function readers.integer(given)
  local number = math.tointeger(tonumber(given))
  if not number or number < 0 then
    return wrong("an integer that is not negative", given)
  end
  return number
end

function readers.count(given)
  local number = readers.integer(given)
  if not number or number == 0 then
    return wrong("a positive integer", given)
  end
  return number
end

readers["function"] = function(given)
  if type(given) ~= "function" then
    return wrong("a function", given)
  end
  return given
end

function readers.file(given)
  if type(given) == "string" then
    return readers.string(given)
  elseif type(given) ~= "userdata" then
    return wrong("a path or an open file", given)
  end
  return given
end

local function read_boolean(given)
  if type(given) == "boolean" then
    return given
  end
  return BOOLEANS[given]
end

local function read_choice(choices, given)
  for _, choice in ipairs(choices) do
    if choice == given then
      return given
    end
  end
  return wrong("one of " .. table.concat(choices, ", "), given)
end

-- read(wanted, given) -> value; or nil, message.  wanted: a type's name, or a
-- list of words.
function value.read(wanted, given)
  if type(wanted) == "table" then
    return read_choice(wanted, given)
  elseif wanted == "boolean" then
    local read = read_boolean(given)
    if read == nil then
      return wrong("yes or no", given)
    end
    return read
  end
  return readers[wanted](given)
end

-- list(options) -> " (one of a, b)", for messages
function value.list(options)
  local names = { "name" }
  for name in pairs(options) do
    names[#names + 1] = name
  end
  table.sort(names)
  return " (one of " .. table.concat(names, ", ") .. ")"
end

return value
