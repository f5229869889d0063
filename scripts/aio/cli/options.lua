--- aio.cli.options - the option parser of the commands.
--
-- lua-argparse with converters for what storage commands take, errors in the
-- form "aioctl copy: ...", and exit status 1 for them.
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

--- A parser for the command called name.
function options.parser(name, description)
  local parser = load_argparse()("aioctl " .. name, description)
  parser:usage_max_width(79)
  parser:help_max_width(79)
  return parser
end

-- argparse does not say whose value a converter refuses.
local function name_in_errors(option)
  local convert = option._convert
  if type(convert) == "function" then
    option:convert(function(text)
      local value, message = convert(text)
      if value == nil then
        return nil, ("%s: %s"):format(option._name, message)
      end
      return value
    end)
  end
end

--- Parses args; on an error prints it with a hint and exits with 1.
function options.parse(parser, args)
  for _, option in ipairs(parser._options) do
    name_in_errors(option)
  end
  local ok, result = parser:pparse(args)
  if ok then
    return result
  end
  local name = parser._name
  io.stderr:write(("%s: %s\nTry '%s --help'.\n"):format(name, result, name))
  os.exit(1)
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
      near and (" (did you mean '%s'?)"):format(near) or "")
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

options.ENGINES = { "auto", "io_uring", "linux_aio", "threads" }
options.FDMONS = { "auto", "io_uring", "epoll", "poll" }

--- Adds --engine and --fdmon.
function options.add_backends(parser)
  parser:option("--engine",
      "how files are read and written: " ..
      table.concat(options.ENGINES, ", ") .. "; '!' at the end: or fail")
    :argname("ENGINE"):convert(options.choice(options.ENGINES, true))
  parser:option("--fdmon",
      "how the loop waits: " .. table.concat(options.FDMONS, ", "))
    :argname("MONITOR"):convert(options.choice(options.FDMONS, true))
end

--- Adds --NAME with auto, always or never.
function options.add_when(parser, name, description)
  parser:option("--" .. name, description):argname("WHEN"):default("auto")
    :convert(options.choice({ "auto", "always", "never" }))
end

return options
