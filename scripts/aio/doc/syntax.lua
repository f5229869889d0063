--- aio.doc.syntax - the first lines of a doc comment, which declare something.
--
--   chan:put(v: any, sec?: aio.Wait) -> true!       a function or method
--   #chan -> integer                                what # gives
--   aio.version: string                             a field
--   class Chan (chan)                               objects, called chan
--   class aio.RunOptions: aio.ProcessOptions        a table, and its base
--   alias aio.Clock = "realtime"|"host"             a name for a type
--
-- Types are those of the Lua language server.  "T!" is T, or nil, a message
-- and an errno; a return value may have a name after its type.
local syntax = {}

-- ---- types: each scan takes a position and returns the one behind --------

local scan_type

local function scan_balanced(s, at)
  return s:match("^%b()()", at) or s:match("^%b{}()", at)
    or s:match("^%b<>()", at) or s:match('^"[^"]*"()', at)
end

-- fun(...) with what it returns
local function scan_function(s, at)
  local stop = s:match("^fun%b()()", at)
  if not stop then
    return nil
  end
  local returns = s:match("^: ?()", stop)
  if not returns then
    return stop
  end
  stop = scan_type(s, returns)
  return stop and (s:match("^ %.%.%.()", stop) or stop)
end

local function scan_name(s, at)
  local stop = s:match("^[%a_][%w_.]*%*?()", at)
  return stop and (s:match("^%b<>()", stop) or stop)
end

local function scan_one(s, at)
  local stop = scan_function(s, at) or scan_balanced(s, at)
    or scan_name(s, at)
  while stop and s:find("^%[%]", stop) do
    stop = stop + 2
  end
  return stop and (s:match("^%?()", stop) or stop)
end

function scan_type(s, at)
  local stop = scan_one(s, at)
  while stop and s:find("^|", stop) do
    stop = scan_one(s, stop + 1)
  end
  return stop
end

--- The names that a type uses: calls visit(name) for each.
function syntax.type_names(text, visit)
  text = text:gsub('"[^"]*"', ""):gsub("([{(,] ?)[%w_]+%??:", "%1")
  for name in text:gmatch("[%a_][%w_.]*%*?") do
    if name ~= "fun" then
      visit((name:gsub("%.+$", "")))
    end
  end
end

-- ---- functions -----------------------------------------------------------

-- "v: any, sec?: aio.Wait, ..." -> list of {name=, optional=, type=}
local function parse_params(text)
  local list, at = {}, 1
  while at <= #text do
    local name, optional, stop = text:match("^([%a_][%w_]*)(%??): ()", at)
    if not name then
      name, stop = text:match("^(%.%.%.)()", at)
      assert(name, "a parameter is 'name: type' or '...'")
      stop = text:match("^: ()", stop) or stop
    end
    local last = scan_type(text, stop) or stop
    assert(last > stop or name == "...", "no type of " .. name)
    list[#list + 1] = {
      name = name, optional = optional == "?",
      type = last > stop and text:sub(stop, last - 1) or "any",
    }
    at = text:match("^, ()", last) or last
    assert(at > last or last > #text, "'" .. text:sub(last) .. "' is left")
  end
  return list
end

-- "true!" or "number limit, number burst" -> list of {type=, name=, fails=}
local function parse_returns(text)
  local list, at = {}, 1
  while at <= #text do
    local last = assert(scan_type(text, at), "a type expected after ->")
    local value = { type = text:sub(at, last - 1) }
    local fails = text:match("^!()", last)
    value.fails = fails and true or nil
    last = fails or last
    local name, stop = text:match("^ ([%w_.]+)()", last)
    value.name = name
    list[#list + 1] = value
    last = stop or last
    at = text:match("^, ()", last) or last
    assert(at > last or last > #text, "'" .. text:sub(last) .. "' is left")
  end
  return list
end

local function parse_function(line)
  local owner, mark, name, params, rest =
    line:match("^([%l_]+)([.:])([%w_]+)(%b())(.*)$")
  if not owner then
    return nil
  end
  assert(rest == "" or rest:find("^ %-> "), "'" .. rest .. "' is left")
  return {
    kind = "function", owner = owner, name = name, method = mark == ":",
    params = parse_params(params:sub(2, -2)),
    returns = parse_returns(rest:sub(5)),
  }
end

local function parse_length(line)
  local owner, type = line:match("^#(%l+) %-> (.*)$")
  return owner and { kind = "length", owner = owner, name = "#", params = {},
    returns = parse_returns(type) }
end

local function parse_field(line)
  local owner, name, type = line:match("^([%l_]+)%.([%w_]+): (.*)$")
  return owner and { kind = "field", owner = owner, name = name, type = type }
end

local function parse_class(line)
  local name, rest = line:match("^class ([%a.]+)(.*)$")
  if not name then
    return nil
  end
  local word, base = rest:match("^ %((%l+)%)$"), rest:match("^: ([%a.]+)$")
  assert(word or base or rest == "", "'" .. rest .. "' is left")
  return { kind = "class", name = name, word = word, base = base, fields = {} }
end

local function parse_alias(line)
  local name, type = line:match("^alias ([%a.]+) = (.*)$")
  return name and { kind = "alias", name = name, type = type }
end

--- What a line declares; nil for prose.  Raises where it is neither.
function syntax.declaration(line)
  local entry = parse_class(line) or parse_alias(line) or parse_function(line)
    or parse_length(line) or parse_field(line)
  local type = entry and entry.type
  assert(not type or scan_type(type, 1) == #type + 1,
    type and "'" .. type .. "' is no type")
  return entry
end

--- "name?: type - text" -> {name=, optional=, type=, text=}; nil for others.
function syntax.field(line)
  local name, optional, at = line:match("^([%w_]+)(%??): ()")
  if not name then
    name, at = line:match("^(%[%l+%]): ()")
  end
  local stop = name and scan_type(line, at)
  local text = stop and (line:match("^ %- (.*)$", stop)
    or stop > #line and "")
  return text and { name = name, optional = optional == "?",
    type = line:sub(at, stop - 1), text = text }
end

return syntax
