--- aio.check - arguments of what is written in Lua.
--
-- Each check raises in the name of the caller's caller (level 3) unless told
-- otherwise, says what was expected and what came, and returns the value.
local check = {}

local function describe(value)
  local kind = type(value)
  return kind == "number" and tostring(value)
    or kind == "string" and ("%q"):format(value) or kind
end

-- kind -> what it is called, what tells it
local KINDS <const> = {
  seconds = { "non-negative seconds", function(value)
    return math.type(value) ~= nil and value >= 0 -- nor NaN
  end },
  count = { "a positive integer", function(value)
    local n = math.type(value) == "integer" and value or 0
    return n > 0 and n < 1 << 31
  end },
  permissions = { "permissions, 0 to 4095 (octal 7777),", function(value)
    return math.type(value) == "integer" and value >= 0 and value <= 4095
  end },
  boolean = { "a boolean", function(value)
    return type(value) == "boolean"
  end },
  string = { "a string without zeros", function(value)
    return type(value) == "string" and not value:find("\0", 1, true)
  end },
  table = { "a table", function(value) return type(value) == "table" end },
  family = { '"ipv4" or "ipv6"', function(value)
    return value == "ipv4" or value == "ipv6"
  end },
  ["socket type"] = { '"stream", "datagram" or "seqpacket"', function(value)
    return value == "stream" or value == "datagram" or value == "seqpacket"
  end },
  input = { "a string, a buffer or a list of these", function(value)
    local kind = type(value)
    return kind == "string" or kind == "userdata"
      or kind == "table" and value[1] ~= nil
  end },
}

--- is(kind, value, what [, level]): nil is what was left out.
function check.is(kind, value, what, level)
  local rule = KINDS[kind]
  if value ~= nil and not rule[2](value) then
    error(("%s: %s expected, got %s"):format(what, rule[1], describe(value)),
      level or 3)
  end
  return value
end

--- fields(table, {name = kind}, call [, level]): of those that are given.
function check.fields(values, kinds, call, level)
  for name, kind in pairs(kinds) do
    check.is(kind, values[name], ("%s: option '%s'"):format(call, name),
      (level or 3) + 1)
  end
  return values
end

--- seconds(value, what): a number, or {timeout=}; nil for no limit.
function check.seconds(value, what)
  if type(value) == "table" then
    value = value.timeout
  end
  return check.is("seconds", value, what, 4)
end

--- class(value, name): is it an object of this class?
function check.class(value, name)
  local class = getmetatable(value)
  if type(class) ~= "table" or class.__name ~= name then
    error(("%s expected, got %s"):format(name, describe(value)), 3)
  end
  return value
end

return check
