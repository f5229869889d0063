-- aio.repl.pretty - a value as a person wants to see it
--
-- Tables are shown as constructors, as far as they fit; what has a __tostring
-- or a __name says it itself.  Strings inside are quoted, a result that is a
-- string is not.

local DEPTH <const> = 4
local ITEMS <const> = 60 -- of one table
local WIDTH <const> = 78

local key_order = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then
    return (key_order[ta] or 9) < (key_order[tb] or 9)
  end
  if ta == "number" or ta == "string" then
    return a < b
  end
  return tostring(a) < tostring(b)
end

local function quote(s)
  return (("%q"):format(s):gsub("\\\n", "\\n"):gsub("\r", "\\r"))
end

-- The keys that do not belong to the list 1 .. n, in order.
local function other_keys(t, n)
  local keys = {}
  for key in next, t do
    if math.type(key) ~= "integer" or key < 1 or key > n then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, before)
  return keys
end

local function list_length(t)
  local n = 0
  while rawget(t, n + 1) ~= nil do
    n = n + 1
  end
  return n
end

local show

local function key_text(key, path)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then
    return key .. " = "
  end
  return "[" .. show(key, path, DEPTH, WIDTH) .. "] = "
end

local function items_of(t, path, depth, width)
  local items = {}
  local n = list_length(t)
  local keys = other_keys(t, n)
  for i = 1, math.min(n, ITEMS) do
    items[#items + 1] = show(rawget(t, i), path, depth + 1, width - 2)
  end
  for i = 1, math.min(#keys, ITEMS - #items) do
    local key = key_text(keys[i], path)
    items[#items + 1] = key .. show(rawget(t, keys[i]), path, depth + 1,
      width - 2 - #key)
  end
  local left = n + #keys - #items
  if left > 0 then
    items[#items + 1] = ("... %d more"):format(left)
  end
  return items
end

local function show_table(t, path, depth, width)
  if path[t] then
    return "<cycle>"
  end
  if next(t) == nil then
    return "{}"
  end
  if depth >= DEPTH then
    return "{...}"
  end
  path[t] = true
  local items = items_of(t, path, depth, width)
  path[t] = nil
  local line = "{ " .. table.concat(items, ", ") .. " }"
  if #line <= width and not line:find("\n", 1, true) then
    return line
  end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(items, ",\n" .. indent) .. "\n" ..
    ("  "):rep(depth) .. "}"
end

local function speaks_for_itself(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and
    (rawget(meta, "__tostring") ~= nil or rawget(meta, "__name") ~= nil)
end

local function function_text(f)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then
    return tostring(f)
  end
  return ("%s (%s:%d)"):format(tostring(f), info.short_src, info.linedefined)
end

function show(value, path, depth, width)
  local kind = type(value)
  if kind == "string" then
    return quote(value)
  elseif kind == "function" then
    return function_text(value)
  elseif kind == "table" and not speaks_for_itself(value) then
    return show_table(value, path, depth, width)
  end
  return tostring(value)
end

-- pretty(value) -> text; more than one line only for tables
return function(value)
  if type(value) == "string" then
    return value
  end
  return show(value, {}, 0, WIDTH)
end
