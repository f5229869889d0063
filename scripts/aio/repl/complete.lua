-- aio.repl.complete - names and fields that a line could go on with
--
-- Only looks: no function of the script is called, so that pressing a key
-- cannot do anything.  An __index that is a function ends the search.

local complete = {}

local KEYWORDS <const> = { "and", "break", "do", "else", "elseif", "end",
  "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or",
  "repeat", "return", "then", "true", "until", "while" }

local DEPTH <const> = 16 -- of __index chains

local is_keyword = {}
for _, word in ipairs(KEYWORDS) do
  is_keyword[word] = true
end

-- What @value is asked for a field: itself, then its chain of __index tables.
local function holders(value)
  local list = {}
  for _ = 1, DEPTH do
    if type(value) == "table" then
      list[#list + 1] = value
    end
    local meta = debug.getmetatable(value)
    local index = type(meta) == "table" and rawget(meta, "__index")
    if type(index) ~= "table" then
      return list
    end
    value = index
  end
  return list
end

local function field(value, name)
  for _, holder in ipairs(holders(value)) do
    local found = rawget(holder, name)
    if found ~= nil then
      return found
    end
  end
end

-- The value that @path, names with dots between them, leads to.
local function follow(path)
  local value = _G
  for name in path:gmatch("[^.]+") do
    value = field(value, name)
    if value == nil then
      return nil
    end
  end
  return value
end

-- "a.b:c" -> the value of a.b, ":", "c"; a lone name is a field of _G.  The
-- field of a call or of a literal is nobody's: nil.
local function split(text)
  local stem = text:match("[%a_]?[%w_]*$")
  local before = text:sub(1, #text - #stem)
  local joint = before:match("[.:]$")
  if not joint or before:find("..", -2, true) then
    return stem ~= "" and _G or nil, "", stem
  end
  local path = before:sub(1, -2):match("[%a_][%w_.]*$")
  if not path or path:find("..", 1, true) or
    before:sub(1, -2 - #path):find("[%w.:%)%]\"']$") then
    return nil
  end
  return follow(path), joint, stem
end

local function add_names(names, seen, holder, stem, joint)
  for name, value in next, holder do
    if type(name) == "string" and name:find("^[%a_][%w_]*$") and
      not is_keyword[name] and name:sub(1, #stem) == stem and
      not seen[name] and (joint ~= ":" or type(value) == "function") and
      (name:sub(1, 2) ~= "__" or stem:sub(1, 1) == "_") then
      seen[name] = true
      names[#names + 1] = name
    end
  end
end

local function common_prefix(names)
  local prefix = names[1] or ""
  for _, name in ipairs(names) do
    while name:sub(1, #prefix) ~= prefix do
      prefix = prefix:sub(1, -2)
    end
  end
  return prefix
end

-- line(text up to the cursor) -> what to insert, the candidates
function complete.line(text)
  local value, joint, stem = split(text)
  if text:find("^%s*$") then
    return "  ", {} -- a tab at the start of a line indents
  end
  if value == nil then
    return "", {}
  end
  local names, seen = {}, {}
  for _, holder in ipairs(holders(value)) do
    add_names(names, seen, holder, stem, joint)
  end
  if joint == "" then
    for _, word in ipairs(KEYWORDS) do
      if word:sub(1, #stem) == stem and not seen[word] then
        names[#names + 1] = word
      end
    end
  end
  table.sort(names)
  return common_prefix(names):sub(#stem + 1), names
end

return complete
