--- doc.man - manual pages of the modules: man3/aio.file.3lua and so on.
--
-- A page of docs/api is a manual page: its text, and its entries where they
-- stand in it.
local text = require "aio.doc.text"
local words = require "aio.doc.words"

local man = {}

-- ---- troff ----------------------------------------------------------------

--- Text of code, as it is.
function man.escape(s)
  return (s:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("→", "\\(->")
    :gsub("…", "..."):gsub("'", "\\(aq"):gsub("`", "\\(ga"))
end

local escape = man.escape

local function prose(s)
  return (s:gsub("\\", "\\e"):gsub("→", "\\(->"):gsub("…", "..."))
end

-- A text line; what troff would take for a request is no longer one.
local function guarded(line)
  return line:find("^[.']") and "\\&" .. line or line
end

-- Markdown of one paragraph -> troff.
function man.inline(line)
  local out = {}
  text.spans(line, function(kind, piece)
    if kind == "code" then
      out[#out + 1] = "\\fB" .. escape(piece) .. "\\fP"
    elseif kind == "bold" then
      out[#out + 1] = "\\fB" .. escape(piece:gsub("`", "")) .. "\\fP"
    else
      out[#out + 1] = prose(piece)
    end
  end)
  return guarded(table.concat(out))
end

local function code_block(out, code)
  out[#out + 1] = ".PP\n.in +4\n.EX"
  for line in (code .. "\n"):gmatch("(.-)\n") do
    out[#out + 1] = guarded(escape(line))
  end
  out[#out + 1] = ".EE\n.in"
end

local function table_rows(out, block)
  for _, row in ipairs(block.rows) do
    out[#out + 1] = ".TP\n" .. man.inline(row[1]) .. "\n"
      .. man.inline(table.concat(row, " ", 2))
  end
end

local SETTERS <const> = {
  heading = function(out, block)
    if block.depth == 2 then
      out[#out + 1] = '.SH "' .. prose(block.text):upper() .. '"'
    elseif block.depth > 2 then
      out[#out + 1] = '.SS "' .. prose(block.text) .. '"'
    end -- the title is in .TH
  end,
  paragraph = function(out, block)
    out[#out + 1] = ".PP\n" .. man.inline(block.text)
  end,
  item = function(out, block)
    out[#out + 1] = ".IP \\(bu 2\n" .. man.inline(block.text)
  end,
  code = function(out, block) code_block(out, block.text) end,
  table = table_rows,
}

--- Markdown to lines of troff.
function man.set(out, markdown)
  for _, block in ipairs(text.blocks(markdown)) do
    SETTERS[block.kind](out, block)
  end
end

-- ---- entries --------------------------------------------------------------

local function add_fields(out, fields)
  for _, field in ipairs(fields) do
    out[#out + 1] = (".TP\n.B %s%s\n%s%s"):format(field.name,
      field.optional and "?" or "", "\\fI" .. escape(field.type) .. "\\fP",
      field.text ~= "" and ": " .. man.inline(field.text) or "")
  end
end

local function add_type(out, found)
  local entry = found.entry
  local type = entry.type and " = \\fI" .. escape(entry.type) .. "\\fP"
  local base = entry.base and " (and what \\fI" .. escape(entry.base)
    .. "\\fP has)"
  out[#out + 1] = ".TP\n\\fB" .. escape(entry.name) .. "\\fP"
    .. (type or base or "")
  out[#out + 1] = found.block.text ~= "" and man.inline(found.block.text)
    or "\\&"
  if entry.fields and #entry.fields > 0 then
    out[#out + 1] = ".RS"
    add_fields(out, entry.fields)
    out[#out + 1] = ".RE"
  end
end

local function add_calls(out, block)
  for i, entry in ipairs(block) do
    local call, result = words.signature(entry)
    local sign = entry.kind == "field" and ": " or " \\(-> "
    out[#out + 1] = (i == 1 and ".TP\n" or ".TQ\n") .. "\\fB" .. escape(call)
      .. "\\fP" .. (result and sign .. "\\fI" .. escape(result) .. "\\fP"
      or "")
  end
  out[#out + 1] = block.text ~= "" and man.inline(block.text) or "\\&"
end

local function add_block(out, self, block, seen)
  local first = block[1]
  if first.kind == "class" or first.kind == "alias" then
    seen[first.name] = true
    add_type(out, self.found[first.name])
  else
    add_calls(out, block)
  end
  local types = {}
  words.new_types(self, block, seen, function(found)
    add_type(types, found)
  end)
  if #types > 0 then
    out[#out + 1] = ".RS\n" .. table.concat(types, "\n") .. "\n.RE"
  end
end

-- ---- pages ----------------------------------------------------------------

local function name_line(page, name)
  local what = page.summary:gsub("%.$", "")
  return ".SH NAME\n" .. escape(name) .. " \\- "
    .. prose(what:sub(1, 1):lower() .. what:sub(2))
end

local function page_text(self, page, name, section)
  local out = {
    ('.TH %s %s "" "aioctl %s" "aioctl Lua API"'):format(
      escape(name):upper(), section, self.version),
    ".ad l",
    name_line(page, name),
  }
  if page.name:find("^aio") then
    out[#out + 1] = ('.SH SYNOPSIS\n.B local %s = require \\(dq%s\\(dq'):format(
      page.name:match("[^.]+$"), page.name)
  end
  out[#out + 1] = ".SH DESCRIPTION"
  local seen = self:placed_types()
  for _, part in ipairs(page.parts) do
    if type(part) == "string" then
      -- What NAME says is not said again.
      man.set(out, (part:gsub("^# [^\n]+\n\n[^\n]+\n", "")))
    else
      for _, entry in ipairs(part) do
        add_block(out, self, self.found[entry].block, seen)
      end
    end
  end
  out[#out + 1] = ".SH SEE ALSO\n.BR aioctl (1),\n.BR aio\\-conventions (7),"
  out[#out + 1] = ".BR aio (3lua), \n.BR aio.file (3lua),\n"
    .. ".BR aio.net (3lua),\n.BR aio.proc (3lua),\n.BR aio.sync (3lua)"
  return table.concat(out, "\n"):gsub(" \n", "\n") .. "\n"
end

--- Calls visit(path, text) for each manual page.
function man.files(self, visit)
  for _, page in ipairs(self.pages) do
    if page.name:find("^aio") then
      visit(("man3/%s.3lua"):format(page.name),
        page_text(self, page, page.name, "3lua"))
    else
      visit("man7/aio-conventions.7",
        page_text(self, page, "aio-conventions", "7"))
    end
  end
end

return man
