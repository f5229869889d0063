--- doc.read - doc comments of C and Lua files.
--
-- In C a doc comment opens with /**, in Lua its first line opens with three
-- dashes and the others with two.  Up to the first empty line each line is a
-- declaration (see aio.doc.syntax), continued on lines that are indented by
-- four; then comes the text of all of them, in Markdown.  In that of a class
-- lines "name?: type - text" are its fields.  Other comments in Lua that open
-- with three dashes are prose; in C they are mistakes.
local syntax = require "aio.doc.syntax"

local read = {}

-- ---- comments: lists of {line = number, "text", "text", ...} --------------

local function strip_c(comment)
  local list = {}
  for line in (comment .. "\n"):gmatch("(.-)\n") do
    list[#list + 1] = line:gsub("^ ?%* ?", ""):gsub("%s+$", "")
  end
  while list[1] and list[1]:find("^%s*$") do
    table.remove(list, 1)
  end
  list[1] = list[1] and list[1]:gsub("^%s+", "")
  return list
end

local function count_lines(text, from, to)
  return select(2, text:sub(from, to):gsub("\n", ""))
end

local function c_comments(text)
  local list, line, at = {}, 1, 1
  for start, comment in text:gmatch("()/%*%*(%s.-)%*/") do
    line = line + count_lines(text, at, start - 1)
    at = start
    local lines = strip_c(comment)
    lines.line = line
    list[#list + 1] = lines
  end
  return list
end

local function lua_comments(text)
  local list, open, number = {}, nil, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local first = line:match("^%s*%-%-%-%s+(%S.*)$")
    local more = open and line:match("^%s*%-%- ?(.*)$")
    if first then
      open = { line = number, first }
      list[#list + 1] = open
    elseif more then
      open[#open + 1] = more
    else
      open = nil
    end
  end
  return list
end

-- ---- one comment -> block -------------------------------------------------

-- Lines that go on the one before are joined with it.
local function unfold(lines)
  local list = {}
  for _, line in ipairs(lines) do
    local more = line:match("^    (%S.*)$")
    if more and #list > 0 and list[#list] ~= "" then
      list[#list] = list[#list] .. " " .. more
    else
      list[#list + 1] = line
    end
  end
  return list
end

local function declarations(lines)
  local list, at = {}, 1
  while lines[at] and lines[at] ~= "" do
    local entry = syntax.declaration(lines[at])
    if not entry then
      assert(#list == 0, "no declaration: " .. lines[at])
      return nil
    end
    list[#list + 1] = entry
    at = at + 1
  end
  return list, at + 1
end

-- The rest of the lines: text, and fields into the class.
local function add_text(block, lines, at)
  local text, class = {}, block[1].kind == "class" and block[1]
  for i = at, #lines do
    local field = class and syntax.field(lines[i])
    if field then
      class.fields[#class.fields + 1] = field
    else
      assert(not class or #class.fields == 0 or lines[i] == "",
        "no field: " .. lines[i])
      text[#text + 1] = lines[i]
    end
  end
  block.text = table.concat(text, "\n"):gsub("^%s+", ""):gsub("%s+$", "")
  block.deprecated = block.text:match("Deprecated: ([^\n]+)")
end

local function parse(comment)
  local lines = unfold(comment)
  local block, at = declarations(lines)
  if block then
    add_text(block, lines, at)
  end
  return block
end

--- The blocks of one file: lists of entries with text=, path=, line=.  Raises
-- with path and line.
function read.file(path, text)
  local is_c = path:find("%.c$")
  local blocks = {}
  for _, comment in ipairs((is_c and c_comments or lua_comments)(text)) do
    local where = ("%s:%d: "):format(path, comment.line)
    local ok, block = pcall(parse, comment)
    if not ok then
      error(where .. tostring(block):gsub("^.-:%d+: ", ""), 0)
    elseif block then
      block.path, block.line = path, comment.line
      blocks[#blocks + 1] = block
    elseif is_c then
      error(where .. "declares nothing: " .. tostring(comment[1]), 0)
    end
  end
  return blocks
end

--- "--- aio.file - what it is": the name and the summary of a Lua module.
function read.module(text)
  local name, summary = text:match("^%-%-%- (aio[%w_.]*) %- ([^\n]+)")
  return name, summary
end

return read
