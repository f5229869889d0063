--- doc.serialize - a value of tables, strings, numbers, booleans as Lua text.
local value_text

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do
    if math.type(key) ~= "integer" then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys)
  return keys
end

local function table_text(t)
  local out = {}
  for i, value in ipairs(t) do
    out[i] = value_text(value)
  end
  for _, key in ipairs(sorted_keys(t)) do
    out[#out + 1] = ("%s=%s"):format(key, value_text(t[key]))
  end
  return "{" .. table.concat(out, ",") .. "}"
end

function value_text(value)
  if type(value) == "table" then
    return table_text(value)
  end
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

--- A Lua chunk that returns value.
return function(value)
  return "--- made by the build from the doc comments of the sources\nreturn "
    .. value_text(value) .. "\n"
end
