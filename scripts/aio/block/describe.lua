--- aio.block.describe - nodes from a line of text or a table.
--
--   KIND:ARG,ARG...?OPTION=VALUE&...   or a path, which is file:PATH
--   { "KIND", ARG, ..., OPTION = VALUE }
--
-- An argument of a kind that stands on others is again a description; in text,
-- one with options or arguments of its own stands in brackets:
-- throttle:[file:disk.img?direct=1]?iops=100.  %XX is a byte, for names with
-- any of ,?&[]% in them.  A kind is a module aio.block.kind.KIND with
--
--   options   {name = type}      besides `name`, which all have
--   children  {least, most}      or nil: the argument is text (a path, a size)
--   argument  name of the option that the text is
--   open(options, children)      -> node; or nil, message, errno
--   describe_child(i, path, children, options) -> description: what a plain
--                                path means, where it is not file:PATH
local aio = require "aio"
local kinds = require "aio.block.kind"
local suggest = require "aio.cli.suggest"
local value_of = require "aio.block.value"
local Node = require("aio.block.node").class

local describe = {}

local E <const> = aio.errno

local function invalid(...)
  return nil, "EINVAL: " .. string.format(...), E.EINVAL
end

-- describe.kinds() -> sorted names
function describe.kinds()
  return { table.unpack(kinds) }
end

-- ---- text -> table --------------------------------------------------------

local function decode(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- Where the first of the bytes `stops` is outside of brackets, from `at` on.
local function find_outside(text, stops, at)
  local depth = 0
  for i = at, #text do
    local c = text:sub(i, i)
    if c == "[" then
      depth = depth + 1
    elseif c == "]" then
      depth = depth - 1
    elseif depth == 0 and stops:find(c, 1, true) then
      return i
    end
  end
  return #text + 1
end

local function split_args(text)
  local list, at = {}, 1
  while text ~= "" and at <= #text + 1 do
    local stop = find_outside(text, ",", at)
    list[#list + 1] = text:sub(at, stop - 1)
    at = stop + 1
  end
  return list
end

local function has_matching_brackets(text)
  local depth = 0
  for bracket in text:gmatch("[%[%]]") do
    depth = depth + (bracket == "[" and 1 or -1)
    if depth < 0 then
      return false
    end
  end
  return depth == 0
end

local function parse_options(desc, text)
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([%w_]+)=(.*)$")
    if not name then
      name, value = pair, "1"
    end
    if desc[name] ~= nil then
      return invalid("block.open: option '%s' is given twice", name)
    end
    desc[name] = decode(value)
  end
  return desc
end

local function without_brackets(text)
  return text:match("^%[(.*)%]$") or text
end

-- parse(text) -> { kind, args..., options }
local function parse(text)
  local stop = find_outside(text, "?", 1)
  local head, options = text:sub(1, stop - 1), text:sub(stop + 1)
  local kind, rest = head:match("^(%a[%w_]*):(.*)$")
  local desc = { kind or "file" }
  local known = kinds.find(desc[1])
  if known and not known.children then
    desc[2] = decode(kind and rest or head)
  elseif not has_matching_brackets(text) then
    return invalid("block.open: the brackets of '%s' do not match", text)
  else
    for i, arg in ipairs(split_args(rest)) do
      desc[i + 1] = without_brackets(arg)
    end
  end
  return parse_options(desc, options)
end

-- ---- table -> node --------------------------------------------------------

local function check_kind(desc)
  local name = desc[1]
  local kind = type(name) == "string" and kinds.find(name)
  if not kind then
    local nearest = suggest.nearest(tostring(name), kinds)
    return invalid("block.open: unknown kind '%s'%s (one of %s; for a path "
      .. "with a colon say file:PATH)", tostring(name),
      nearest and ", did you mean '" .. nearest .. "'?" or "",
      table.concat(kinds, " "))
  end
  return kind
end

-- Options of the description, each of its type.
local function read_options(kind, desc)
  local options = {}
  for name, value in pairs(desc) do
    if math.type(name) ~= "integer" then
      local wanted = name == "name" and "string" or kind.options[name]
      if not wanted then
        return invalid("block.open: %s: unknown option '%s'%s", desc[1],
          tostring(name), value_of.list(kind.options))
      end
      local read, message = value_of.read(wanted, value)
      if read == nil then
        return invalid("block.open: %s: option '%s': %s", desc[1], name,
          message)
      end
      options[name] = read
    end
  end
  return options
end

local function read_argument(kind, desc, options)
  if #desc > 2 then
    return invalid("block.open: %s: one argument expected, got %d", desc[1],
      #desc - 1)
  elseif desc[2] == nil or desc[2] == "" then
    if options[kind.argument] ~= nil then
      return options
    end
    return invalid("block.open: %s: %s expected, as in %s", desc[1],
      kind.argument, kind.example)
  end
  local read, message = value_of.read(kind.options[kind.argument], desc[2])
  if read == nil then
    return invalid("block.open: %s: %s", desc[1], message)
  end
  options[kind.argument] = read
  return options
end

local function close_opened(opened)
  for i = #opened, 1, -1 do
    opened[i]:close()
  end
end

-- opened: those that were not nodes before; it is what fails together.
local function open_child(kind, i, arg, children, options)
  if kind.describe_child and type(arg) == "string"
    and not arg:find("^%a[%w_]*:") and not arg:find("?", 1, true) then
    local message, errno
    arg, message, errno = kind.describe_child(i, arg, children, options)
    if not arg then
      return nil, message, errno
    end
  end
  return describe.open(arg)
end

local function open_children(kind, desc, opened, options)
  local least, most = kind.children[1], kind.children[2]
  local count = #desc - 1
  if count < least or count > most then
    return invalid("block.open: %s: %s expected, got %d, as in %s", desc[1],
      least == most and least .. " child" .. (least == 1 and "" or "ren")
        or ("at least %d children"):format(least), count, kind.example)
  end
  local children = {}
  for i = 2, #desc do
    local child, message, errno = open_child(kind, i - 1, desc[i], children,
      options)
    if not child then
      return nil, message, errno
    end
    if child ~= desc[i] then
      opened[#opened + 1] = child
    end
    children[#children + 1] = child
  end
  return children
end

local function build(desc)
  local kind, options, children, node, message, errno
  local opened <close> = setmetatable({}, { __close = close_opened })
  kind, message, errno = check_kind(desc)
  if not kind then
    return nil, message, errno
  end
  options, message, errno = read_options(kind, desc)
  if options and not kind.children then
    options, message, errno = read_argument(kind, desc, options)
  elseif options then
    children, message, errno = open_children(kind, desc, opened,
      options)
    options = children and options
  end
  if not options then
    return nil, message, errno
  end
  node, message, errno = kind.open(options, children)
  if not node then
    return nil, message, errno
  end
  for i in ipairs(opened) do
    opened[i] = nil -- the node's now
  end
  return node
end

-- describe.open(description) -> node; or nil, message, errno.
function describe.open(description)
  if getmetatable(description) == Node then
    return description
  elseif type(description) == "table" then
    return build(description)
  elseif type(description) ~= "string" then
    error(("block.open: a description (string, table or node) expected, got "
      .. "%s"):format(type(description)), 3)
  end
  local desc, message, errno = parse(description)
  if not desc then
    return nil, message, errno
  end
  return build(desc)
end

return describe
