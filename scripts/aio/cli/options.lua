--- aio.cli.options - the option parser of the commands.
--
-- lua-argparse, told what a command declares (aio.commands.copy, ...), with
-- converters for what storage commands take, errors in the form "aioctl copy:
-- ...", and exit status 1 for them.
local shared = require "aio.commands.shared"
local suggest = require "aio.cli.suggest"
local units = require "aio.cli.units"

local options = {}

-- It may be there and fail all the same: an interrupt ends require() too.
local function load_argparse()
  local ok, result = pcall(require, "argparse")
  if ok then
    return result
  elseif package.searchpath("argparse", package.path) then
    error(result, 0)
  end
  io.stderr:write("aioctl: the commands need the Lua module argparse ",
    "(Debian: apt install lua-argparse)\n")
  os.exit(1)
end

-- What the usage line calls an argument.
local function argument_name(argument)
  local name = argument._argname
  return type(name) == "table" and name[1] or name or argument._name
end

-- argparse does not say whose value a converter refuses.
local function name_in_errors(option, name)
  local convert = option._convert
  if type(convert) == "function" then
    option:convert(function(text)
      local value, message = convert(text)
      if value == nil then
        return nil, ("%s: %s"):format(name, message)
      end
      return value
    end)
  end
end

-- argparse calls arguments by their keys, and does not say which it wants.
local function explain(parser, message)
  local names = {}
  for i, argument in ipairs(parser._arguments) do
    names[i] = argument_name(argument)
    message = message:gsub("^(missing argument) '" .. argument._name .. "'$",
      "%1 " .. names[i])
  end
  if message == "too many arguments" then
    message = ("%s (%s expected)"):format(message,
      names[1] and table.concat(names, " ") or "none")
  end
  return message
end

--- Converter: one of words.  With forceable, also a word with "!" at its end.
function options.choice(words, forceable)
  return function(text)
    local plain = forceable and text:match("^(.*)!$") or text
    for _, word in ipairs(words) do
      if word == plain then
        return text
      end
    end
    local near = suggest.nearest(plain, words)
    return nil, ("'%s' is none of %s%s"):format(text,
      table.concat(words, ", "),
      near and ("\nDid you mean '%s'?"):format(near) or "")
  end
end

--- Converter: a size of at least min bytes.
function options.size(min)
  return function(text)
    local bytes, message = units.parse_size(text)
    if bytes and bytes < min then
      return nil, ("'%s' is too small (at least %s)"):format(
        text, units.size(min))
    end
    return bytes, message
  end
end

--- Converter: an integer from min to max.
function options.integer(min, max)
  return function(text)
    local n = math.tointeger(tonumber(text))
    if not n or n < min or n > max then
      return nil, ("'%s' is no number from %d to %d"):format(text, min, max)
    end
    return n
  end
end

--- Converter: a duration of at least least, at most most if that is given, in
-- seconds.
function options.seconds(least, most)
  local min = units.parse_duration(least)
  local max = most and units.parse_duration(most)
  return function(text)
    local value, message = units.parse_duration(text)
    if value and max and (value < min or value > max) then
      return nil, ("'%s' is not from %s to %s"):format(text, least, most)
    elseif value and value < min then
      return nil, ("'%s' is too short (at least %s)"):format(text, least)
    end
    return value, message
  end
end

-- ---- from a declaration to what it parses ----------------------------------

local function converter(kind, own)
  if kind then
    return own and own[kind[1]]
      or options[kind[1]](table.unpack(kind, 2))
  end
end

local function add_option(parser, option, own)
  local names = (option.short and "-" .. option.short .. " " or "") .. "--"
    .. option.name
  if not option.value then
    return parser:flag(names, option.text)
  end
  local result = parser:option(names, option.text):argname(option.value)
  if option.default then
    result:default(option.default)
  end
  local convert = converter(option.kind, own)
  return convert and result:convert(convert) or result
end

local function add_options(parser, command, own)
  local made = {}
  local list = shared.options_of(command)
  for _, option in ipairs(list) do
    made[option.name] = add_option(parser, option, own)
  end
  for _, option in ipairs(list) do
    if option.excludes then
      parser:mutex(made[option.name], made[option.excludes])
    end
  end
end

local function add_arguments(parser, command, own)
  for _, argument in ipairs(command.arguments or {}) do
    local result = parser:argument(argument[1], argument[3])
      :argname(argument[2])
    if argument.count then
      result:args(argument.count)
    end
    local convert = converter(argument.kind, own)
    if convert then
      result:convert(convert)
    end
  end
end

--- The parser of a declared command; own = {kind = converter} for kinds that
-- only this command has.
function options.parser(command, own)
  local parser = load_argparse()("aioctl " .. command.name, command.text)
  parser:usage_max_width(79)
  parser:help_max_width(79)
  add_arguments(parser, command, own)
  add_options(parser, command, own)
  return parser
end

--- Parses args as the command called name declares; on an error prints it with
-- a hint and exits with 1.
function options.parse(name, args, own)
  local parser = options.parser(require("aio.commands." .. name), own)
  for _, option in ipairs(parser._options) do
    name_in_errors(option, option._name)
  end
  for _, argument in ipairs(parser._arguments) do
    name_in_errors(argument, argument_name(argument))
  end
  local ok, result = parser:pparse(args)
  if ok then
    return result
  end
  name = parser._name
  io.stderr:write(("%s: %s\nTry '%s --help'.\n"):format(name,
    explain(parser, result), name))
  os.exit(1)
end

return options
