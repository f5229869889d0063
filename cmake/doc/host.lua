--- doc.host - the options of the program itself, from the tables in C.
--
-- src/lua/host/longopt.c has one row for each long option, with the text of the
-- manual page in the comment before it; help.c those that stock Lua has too.
local host = {}

-- "a" "b" -> ab; NULL -> nil; true, false
local function fields(row)
  local list = {}
  row = row:gsub('"%s+"', "")
  for field in row:gmatch('%s*("[^"]*"),?') do
    list[#list + 1] = field:sub(2, -2)
  end
  local name, value, env = row:match('^%s*("[%w-]+"),%s*([^,]+),%s*([^,]+),')
  assert(name, "no row of host_long_options: " .. row)
  local at = 1 + (value ~= "NULL" and 1 or 0) + (env ~= "NULL" and 1 or 0)
  return {
    name = name:sub(2, -2), value = value ~= "NULL" and value:sub(2, -2) or nil,
    env = env ~= "NULL" and env:sub(2, -2) or nil, text = list[at + 1],
  }
end

-- What a shell can offer after an option.
local function words(option)
  local value = option.value or ""
  if value:find("^%[=") then
    return { value:match("^%[=(.-)%]$") }
  elseif value:find("|", 1, true) then
    local list = {}
    for word in value:gmatch("[^|]+") do
      list[#list + 1] = word
    end
    return list
  end
  local list = {}
  for word in option.text:match("^[%l_, ]+"):gmatch("[%l_]+") do
    list[#list + 1] = word
  end
  return list[1] == "auto" and list or nil
end

--- The long options: {name=, value=, env=, text=, long=, words=}.
function host.long_options(text)
  local body = assert(text:match("host_long_options%[%] = {\n(.-)\n};"),
    "no host_long_options")
  local list = {}
  for comment, row in (body .. "\n"):gmatch("/%*%*(.-)%*/%s*(%b{})") do
    local option = fields(row:sub(2, -2))
    option.words = words(option)
    option.long = comment:gsub("%s+%*%s+", " "):gsub("^%s+", "")
      :gsub("%s+$", "")
    list[#list + 1] = option
  end
  local rows = select(2, body:gsub("\n    {%\"", ""))
  assert(#list == rows, "an option without a comment for the manual page")
  return list
end

--- Those of stock Lua: {name=, value=, text=}.
function host.short_options(text)
  local body = assert(text:match("lua_options%[%] =\n(.-);\n"),
    "no lua_options")
  local list = {}
  for line in body:gmatch('"  ([^\n]*)\\n"') do
    local name, value, what = line:match("^(%-%-?%a?) ?(%S*) +(%S.*)$")
    list[#list + 1] = { name = name, value = value ~= "" and value or nil,
      text = what }
  end
  return list
end

return host
