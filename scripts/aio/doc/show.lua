--- aio.doc.show - the documentation as text of 80 columns, for terminals.
local text = require "aio.doc.text"
local words = require "aio.doc.words"

local Show = {}
Show.__index = Show

local WIDTH <const> = 79
local BOLD <const>, NORMAL <const> = "\27[1m", "\27[0m"

--- A new page; with bold, code and headings stand out.
local function new(bold)
  return setmetatable({ bold = bold, lines = {} }, Show)
end

function Show:add(line)
  if line ~= "" or self.lines[#self.lines] ~= "" then
    self.lines[#self.lines + 1] = line
  end
end

function Show:strong(s)
  return self.bold and BOLD .. s .. NORMAL or s
end

-- Pieces of a line, in words: {text =, strong =}
local function pieces(markdown)
  local list, glue = {}, false
  text.spans(markdown, function(kind, piece)
    piece = piece:gsub("`", "")
    if piece:find("^%s") then
      glue = false
    end
    for word in piece:gmatch("%S+") do
      if glue then
        local last = list[#list]
        last[#last + 1] = { text = word, strong = kind ~= "plain" }
      else
        list[#list + 1] = { { text = word, strong = kind ~= "plain" } }
      end
      glue = false
    end
    glue = not piece:find("%s$") and piece ~= ""
  end)
  return list
end

-- Markdown, wrapped: first before the first line, rest before the others.
function Show:wrap(markdown, first, rest)
  local line, width = first, utf8.len(first)
  local empty = true
  for _, word in ipairs(pieces(markdown)) do
    local shown, length = {}, 0
    for i, part in ipairs(word) do
      shown[i] = part.strong and self:strong(part.text) or part.text
      length = length + (utf8.len(part.text) or #part.text)
    end
    if not empty and width + 1 + length > WIDTH then
      self:add(line)
      line, width, empty = rest, utf8.len(rest), true
    end
    line = line .. (empty and "" or " ") .. table.concat(shown)
    width = width + (empty and 0 or 1) + length
    empty = false
  end
  self:add(line)
end

-- ---- Markdown -------------------------------------------------------------

local SHOWS <const> = {
  heading = function(self, block)
    self:add("")
    self:add(self:strong(block.depth == 1 and block.text:upper()
      or block.text))
    self:add("")
  end,
  paragraph = function(self, block, indent)
    self:add("")
    self:wrap(block.text, indent, indent)
    self:add("")
  end,
  item = function(self, block, indent)
    indent = indent .. ("  "):rep(block.depth)
    self:wrap(block.text, indent .. "- ", indent .. "  ")
  end,
  code = function(self, block, indent)
    self:add("")
    for line in (block.text .. "\n"):gmatch("(.-)\n") do
      self:add(indent .. "    " .. line)
    end
    self:add("")
  end,
  table = function(self, block, indent)
    for _, row in ipairs(block.rows) do
      self:wrap(row[1] .. ": " .. table.concat(row, " ", 2), indent .. "- ",
        indent .. "  ")
    end
    self:add("")
  end,
}

function Show:markdown(markdown, indent)
  for _, block in ipairs(text.blocks(markdown)) do
    SHOWS[block.kind](self, block, indent or "")
  end
end

-- ---- entries --------------------------------------------------------------

function Show:fields(fields, indent)
  for _, field in ipairs(fields) do
    self:wrap(("`%s%s`: %s%s"):format(field.name, field.optional and "?" or "",
      field.type, field.text ~= "" and " - " .. field.text or ""), indent,
      indent .. "    ")
  end
end

-- A name for a type, or a table of options.
function Show:type(found, indent)
  local entry = found.entry
  self:add("")
  self:wrap(("`%s`%s"):format(entry.name, entry.type and " = " .. entry.type
    or entry.base and ", like " .. entry.base or ""), indent, indent .. "    ")
  if found.block.text ~= "" then
    self:wrap(found.block.text, indent .. "  ", indent .. "  ")
  end
  self:fields(entry.fields or {}, indent .. "  ")
end

local SIGNS <const> = { field = ": ", alias = " = ", class = ", like " }

function Show:calls(self_model, block)
  for _, entry in ipairs(block) do
    local call, result = words.signature(entry)
    local sign = SIGNS[entry.kind] or " -> "
    if entry.owner then
      call = self_model:full_name(call)
    end
    self:wrap("`" .. call .. "`" .. (result and sign .. result or ""), "",
      "    ")
  end
end

--- One entry with its types; seen as in words.new_types.
function Show:block(self_model, block, seen)
  self:add("")
  self:calls(self_model, block)
  if block.text ~= "" then
    self:markdown(block.text, "  ")
  end
  self:fields(block[1].fields or {}, "  ")
  words.new_types(self_model, block, seen, function(found)
    self:type(found, "  ")
  end)
end

--- A page of docs with its entries.
function Show:page(self_model, page)
  local seen = self_model:placed_types()
  for _, part in ipairs(page.parts) do
    if type(part) == "string" then
      self:markdown(part)
    else
      for _, name in ipairs(part) do
        self:block(self_model, self_model.found[name].block, seen)
      end
    end
  end
end

--- Words in lines of full width, below a title.
function Show:list(title, names)
  self:wrap(table.concat(names, " "), ("%-12s"):format(title) .. " ",
    (" "):rep(13))
end

function Show:text()
  while self.lines[1] == "" do
    table.remove(self.lines, 1)
  end
  return table.concat(self.lines, "\n"):gsub("\n+$", "") .. "\n"
end

return new
