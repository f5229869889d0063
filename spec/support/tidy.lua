-- tidy - the house rules that a program can check
--
-- A rule is a function (path, text, add); it calls add(line, message) for each
-- violation.  Rules look at nothing but their arguments, so that the spec can
-- feed them made-up files.  tidy.rules is the table of all of them.

local luatokens = require "support.luatokens"

local tidy = { rules = {} }
local rules = tidy.rules

local FILE_LINES_MAX = 450
local C_FUNCTION_LINES_MAX = 60
local LUA_FUNCTION_LINES_MAX = 40
local COLUMNS_MAX = 80

-- Lower layers first: a file includes its own layer or one before it.
local LAYERS = { base = 1, coro = 2, loop = 3, sync = 4, engine = 5 }

local function is_c(path)
  return path:find("%.[chS]$") ~= nil
end

local function is_lua(path)
  return path:find("%.lua$") ~= nil
end

local function is_shell(path)
  return path == "dev" or path == ".ci/run" or path:find("%.sh$") ~= nil
end

local function is_code(path)
  return is_c(path) or is_lua(path) or is_shell(path)
    or path:find("%.cmake$") ~= nil or path:find("CMakeLists%.txt$") ~= nil
end

-- Calls visit(number, line) for each line.
local function each_line(text, visit)
  local number = 0
  for line in (text:find("\n$") and text or text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    visit(number, line)
  end
  return number
end

local function columns(line)
  return utf8.len(line) or #line
end

-- C text with comments and string contents blanked; line numbers stay.
function tidy.strip_c(text)
  local function blank(s)
    return (s:gsub("[^\n]", " "))
  end
  local out, i = {}, 1
  while i <= #text do
    local stop
    if text:find("^/%*", i) then
      stop = select(2, text:find("*/", i + 2, true)) or #text
      out[#out + 1] = blank(text:sub(i, stop))
    elseif text:find("^//", i) then
      stop = (text:find("\n", i, true) or #text + 1) - 1
      out[#out + 1] = blank(text:sub(i, stop))
    elseif text:find('^"', i) then
      stop = i + 1
      while stop <= #text and not text:find('^["\n]', stop) do
        stop = stop + (text:find("^\\", stop) and 2 or 1)
      end
      out[#out + 1] = '"' .. blank(text:sub(i + 1, stop - 1)) .. '"'
    else
      stop = text:find("^'", i) and text:match("^'\\?.[^'\n]*'()", i)
      stop = (stop or (text:match("^[^/\"']+()", i) or i + 1)) - 1
      out[#out + 1] = text:sub(i, stop)
    end
    i = stop + 1
  end
  return table.concat(out)
end

-- Lines of doc comments: what is described there would otherwise be described
-- elsewhere.
local function doc_lines(path, text)
  local open = is_lua(path) and "^%-%-%- " or "^%s*/%*%*%s"
  local count, inside = 0, false
  each_line(text, function(_, line)
    inside = inside or line:find(open) or line:find("^/%*%*$")
    count = count + (inside and 1 or 0)
    if is_lua(path) then
      inside = inside and line:find("^%-%-")
    else
      inside = inside and not line:find("*/", 1, true)
    end
  end)
  return count
end

function rules.file_length(path, text, add)
  if is_code(path) then
    local lines = each_line(text, function() end) - doc_lines(path, text)
    if lines > FILE_LINES_MAX then
      add(lines, ("%d lines, the limit is %d"):format(lines, FILE_LINES_MAX))
    end
  end
end

function rules.columns(path, text, add)
  if not is_code(path) then
    return
  end
  each_line(text, function(number, line)
    if columns(line) > COLUMNS_MAX then
      add(number, ("%d columns, the limit is %d"):format(columns(line),
        COLUMNS_MAX))
    end
  end)
end

function rules.white_space(path, text, add)
  if not is_code(path) and not path:find("%.md$") then
    return
  end
  each_line(text, function(number, line)
    if line:find("[ \t\r]$") then
      add(number, "white space at the end of the line")
    elseif line:find("\t", 1, true) then
      add(number, "a tab")
    end
  end)
  if text ~= "" and not text:find("\n$") then
    add(1, "no newline at the end of the file")
  end
end

-- Every file says what it is; C files by name: "bh.c - bottom halves".
function rules.header_comment(path, text, add)
  text = text:gsub("^#![^\n]*\n", "")
  if is_c(path) then
    local name = path:match("[^/]+$")
    local said = text:match("^/%*\n %* ([%w_./-]+) %- %S")
    if not said or said:match("[^/]+$") ~= name then
      add(1, ("must open with /* and ' * %s - what it is'"):format(name))
    end
  elseif is_lua(path) and not text:find("^%-%-+ ?%S") then
    add(1, "must open with a comment saying what it is")
  elseif is_code(path) and not is_lua(path) and not text:find("^# %S")
    and path ~= "CMakeLists.txt" then
    add(1, "must open with a comment saying what it is")
  end
end

-- A body opens with "{" and ends with "}" in column 1, as clang-format has it.
function rules.c_function_length(path, text, add)
  if not is_c(path) then
    return
  end
  local start
  each_line(text, function(number, line)
    if line == "{" then
      start = number
    elseif start and line:find("^}") then
      local lines = number - start + 1
      if lines > C_FUNCTION_LINES_MAX then
        add(start, ("function of %d lines, the limit is %d"):format(lines,
          C_FUNCTION_LINES_MAX))
      end
      start = nil
    end
  end)
end

local SUITES = { describe = true, context = true, insulate = true,
  expose = true }

function rules.lua_function_length(path, text, add)
  if not is_lua(path) then
    return
  end
  for _, f in ipairs(luatokens.functions(text)) do
    if f.lines > LUA_FUNCTION_LINES_MAX and not SUITES[f.callee] then
      add(f.line, ("function of %d lines, the limit is %d"):format(f.lines,
        LUA_FUNCTION_LINES_MAX))
    end
  end
end

function rules.include_direction(path, text, add)
  local own = LAYERS[path:match("^src/core/(%a+)/") or ""]
  local public = path:find("^src/core/include/")
  if not own and not public then
    return
  end
  each_line(text, function(number, line)
    local included = line:match('^%s*#%s*include%s+"(%a+)/')
    local rank = LAYERS[included or ""]
    if rank and public then
      add(number, "a public header includes the internal " .. included)
    elseif rank and rank > own then
      add(number, ("%s is above this layer"):format(included))
    elseif line:find('#%s*include%s+[<"]lua%w*%.h') or
      line:find('#%s*include%s+[<"]lauxlib%.h') then
      add(number, "the core includes Lua")
    elseif public and line:find("#%s*include%s+<glib") then
      add(number, "a public header includes GLib")
    end
  end)
end

function rules.public_headers(path, text, add)
  if not path:find("^src/core/include/.*%.h$") then
    return
  end
  if not text:find("\n#ifndef [%w_]+\n#define ") then
    add(1, "no include guard")
  end
  local stripped = ("\n" .. tidy.strip_c(text)):gsub("\\\n", "")
  stripped = stripped:gsub("\n%s*#[^\n]*", "")
  for declaration in stripped:gmatch("\n(%a[%w_ %*]*%b())%s*;") do
    local needs = not declaration:find("^static ")
      and not declaration:find("^typedef ")
    if needs and not text:find("BEGIN_DECLS") then
      add(1, "declarations without AIOCTL_BEGIN_DECLS")
    end
  end
end

local CORE_BANS = {
  { "%f[%w_]stderr%f[^%w_]", "the core prints nothing" },
  { "%f[%w_]v?f?printf%s*%(", "the core prints nothing" },
  { "%f[%w_]perror%s*%(", "the core prints nothing" },
  { "%f[%w_]_?exit%s*%(", "the core does not exit" },
  { "%f[%w_]clock_gettime%s*%(", "clocks are read in base/clock.c" },
  { "%f[%w_]getenv%s*%(", "the core reads no environment" },
}
local CORE_BAN_EXCEPTIONS = {
  ["src/core/base/clock.c clocks are read in base/clock.c"] = true,
  ["src/core/base/feature.c the core reads no environment"] = true,
  ["src/core/base/check.c the core prints nothing"] = true,
  -- error_report() and error_fatal are for programs that want them.
  ["src/core/base/error.c the core prints nothing"] = true,
  ["src/core/base/error.c the core does not exit"] = true,
  ["src/core/base/check.h the core prints nothing"] = true,
}

function rules.core_bans(path, text, add)
  if not path:find("^src/core/") or not path:find("%.[ch]$") then
    return
  end
  each_line(tidy.strip_c(text), function(number, line)
    for _, ban in ipairs(CORE_BANS) do
      if line:find(ban[1])
        and not CORE_BAN_EXCEPTIONS[path .. " " .. ban[2]] then
        add(number, ban[2])
      end
    end
  end)
end

-- Spelt in pieces, so that this file passes its own check.
local UNFINISHED = { "TO" .. "DO", "FIX" .. "ME", "XX" .. "X",
  "not imple" .. "mented", "unimple" .. "mented", "place" .. "holder" }
local HOMES = { "work", "root", "home", "farm" }

function rules.unfinished(_, text, add)
  each_line(text, function(number, line)
    for _, word in ipairs(UNFINISHED) do
      if line:find("%f[%w]" .. word .. "%f[^%w]") then
        add(number, "looks unfinished: " .. word)
      end
    end
  end)
end

function rules.machine_paths(_, text, add)
  each_line(text, function(number, line)
    for _, home in ipairs(HOMES) do
      if (" " .. line):find("[^%w_.}$)/]/" .. home .. "/") then
        add(number, "a path of one machine: /" .. home)
      end
    end
  end)
end

-- check(path, text [, rule]) -> list of "path:line: message (rule)", sorted.
function tidy.check(path, text, only)
  local found = {}
  for name, rule in pairs(rules) do
    if not only or only == name then
      rule(path, text, function(line, message)
        found[#found + 1] = ("%s:%d: %s (%s)"):format(path, line, message,
          name)
      end)
    end
  end
  table.sort(found)
  return found
end

return tidy
