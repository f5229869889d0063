--- aio.doc.text - the Markdown that the documentation is written in, taken
-- apart: paragraphs, bullets, tables, code blocks; code, bold, links in them.
local text = {}

-- ---- blocks ---------------------------------------------------------------

local Reader = {}
Reader.__index = Reader

function Reader:add(kind, value, depth)
  self.open = { kind = kind, text = value, depth = depth }
  self[#self + 1] = self.open
end

local function cells(line)
  local list = {}
  for cell in line:sub(2):gmatch("%s*(.-)%s*|") do
    list[#list + 1] = cell
  end
  return list
end

function Reader:table_row(line)
  local open = self.open
  if not open or open.kind ~= "table" then
    self:add("table")
    self.open.rows, self.open.head = {}, cells(line)
  elseif not line:find("^|[%s:|-]+$") then
    table.insert(open.rows, cells(line))
  end
end

function Reader:line(line)
  local level, title = line:match("^(#+) (.*)$")
  local indent, item = line:match("^( *)%- (.*)$")
  if level then
    self:add("heading", title, #level)
  elseif line:find("^|") then
    self:table_row(line)
  elseif item then
    self:add("item", item, #indent // 2)
  elseif line:find("^%s*$") or line:find("^<!%-%-.*%-%->$") then
    self.open = nil
  elseif self.open and self.open.text then
    self.open.text = self.open.text .. " " .. line:gsub("^%s+", "")
  else
    self:add("paragraph", line)
  end
end

--- The list of blocks: {kind = "heading", "paragraph", "item", "code" or
-- "table", text =, depth =, head =, rows =}.
function text.blocks(markdown)
  local self, code = setmetatable({}, Reader), nil
  for line in (markdown .. "\n"):gmatch("(.-)\n") do
    if line:find("^```") then
      if code then
        self:add("code", table.concat(code, "\n"))
        self.open = nil
      end
      code = not code and {} or nil
    elseif code then
      code[#code + 1] = line
    else
      self:line(line)
    end
  end
  return self
end

-- ---- inside of a block ----------------------------------------------------

local SPANS <const> = {
  { "^`([^`]+)`()", "code" },
  { "^%*%*`([^`]+)`%*%*()", "bold" },
  { "^%*%*(.-)%*%*()", "bold" },
  { "^%*([^%s*][^*]*)%*()", "bold" },
  { "^%[([^%]]+)%]%([^)]*%)()", "plain" },
  { "^([^`*%[]+)()", "plain" },
  { "^(.)()", "plain" },
}

--- Calls visit(kind, text) for its pieces: "plain", "code", "bold".
function text.spans(line, visit)
  local at = 1
  while at <= #line do
    for _, span in ipairs(SPANS) do
      local piece, stop = line:match(span[1], at)
      if piece then
        visit(span[2], piece)
        at = stop
        break
      end
    end
  end
end

return text
