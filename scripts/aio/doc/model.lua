--- aio.doc.model - what is documented, as one value that everything is made of.
--
-- data = { pages = {page, ...}, blocks = {block, ...} }: pages are those of
-- docs/api, without what is generated in them; blocks come from the doc
-- comments (cmake/doc/read.lua).
-- model.new(data) finds things in it.  Names as they are written on a page:
-- "aio.spawn", "task:join", "#buf", "f.path" (a field), "File" (a class),
-- "aio.Wait" (a type).
local model = {}
local Model = {}
Model.__index = Model

-- ---- pages ----------------------------------------------------------------

--- A page's text -> {name=, title=, parts={"text" or {"aio.spawn", ...}}}.
function model.page(name, text)
  local page = { name = name, parts = {} }
  page.summary = text:match("^# [^\n]+\n\n([^\n]+)\n")
  local at = 1
  for start, names, stop in
    text:gmatch("()<!%-%- api:([^>]-)%-%->\n.-<!%-%- /api %-%->\n()") do
    local list = {}
    for word in names:gmatch("%S+") do
      list[#list + 1] = word
    end
    page.parts[#page.parts + 1] = text:sub(at, start - 1)
    page.parts[#page.parts + 1] = list
    at = stop
  end
  page.parts[#page.parts + 1] = text:sub(at)
  return page
end

-- ---- names ----------------------------------------------------------------

--- The name of an entry as pages have it.
function model.name(entry)
  if entry.kind == "class" or entry.kind == "alias" then
    return entry.name
  elseif entry.kind == "length" then
    return "#" .. entry.owner
  end
  return entry.owner .. (entry.method and ":" or ".") .. entry.name
end

-- "aio.file" is called file; objects of class Chan are called chan.
function Model:add_owners()
  for _, page in ipairs(self.pages) do
    if page.name:find("^aio") then
      local word = page.name:match("[^.]+$")
      self.owners[word] = { kind = "module", name = page.name, word = word }
    end
  end
  for _, block in ipairs(self.blocks) do
    for _, entry in ipairs(block) do
      if entry.kind == "class" and entry.word then
        self.owners[entry.word] = { kind = "class", name = entry.name,
          word = entry.word, entry = entry, block = block }
      end
    end
  end
end

local function field_of(class, field)
  return { kind = "field", owner = class.word, name = field.name,
    type = field.type .. (field.optional and "|nil" or ""),
    text = field.text }
end

function Model:add_entry(block, entry)
  local name = model.name(entry)
  if entry.owner and not self.owners[entry.owner] then
    error(("%s:%d: nobody knows what '%s' is"):format(block.path, block.line,
      entry.owner), 0)
  end
  local found = self.found[name]
  if found and (found.block ~= block or entry.kind == "class") then
    error(("%s:%d: %s is described in %s:%d already"):format(block.path,
      block.line, name, found.block.path, found.block.line), 0)
  elseif found then
    found.overloads[#found.overloads + 1] = entry
    return
  end
  self.found[name] = { name = name, entry = entry, block = block,
    overloads = {} }
  self.names[#self.names + 1] = name
  if entry.kind == "class" and entry.word then
    for _, field in ipairs(entry.fields) do
      self:add_entry(block, field_of(entry, field))
    end
  end
end

-- The page on which each block stands, in the order of the pages.
function Model:place()
  for _, page in ipairs(self.pages) do
    for _, part in ipairs(page.parts) do
      for _, name in ipairs(type(part) == "table" and part or {}) do
        local found = self.found[name]
        if not found then
          error(("page %s: '%s' is described nowhere"):format(page.name, name),
            0)
        end
        self.page_of[found.block] = self.page_of[found.block] or page
        self.order[#self.order + 1] = found.block
      end
    end
  end
end

-- Names in the order of the pages; what no page names is at the end.
function Model:sort()
  local rank, at = {}, {}
  for i, block in ipairs(self.order) do
    rank[block] = rank[block] or i
  end
  for i, name in ipairs(self.names) do
    at[name] = i
  end
  local function place(name)
    return rank[self.found[name].block] or math.huge
  end
  table.sort(self.names, function(a, b)
    if place(a) ~= place(b) then
      return place(a) < place(b)
    end
    return at[a] < at[b]
  end)
end

--- What data says, to be looked at.  Raises where it contradicts itself.
function model.new(data)
  local self = setmetatable({
    pages = data.pages, blocks = data.blocks, version = data.version,
    commands = data.commands, host = data.host,
    program = data.program,
    owners = {}, -- word -> {kind=, name=, ...}
    found = {},  -- name -> {name=, entry=, block=, overloads={entry, ...}}
    names = {},  -- all of them
    page_of = {}, -- block -> page
    order = {},  -- blocks, as the pages have them
  }, Model)
  self:add_owners()
  for _, block in ipairs(self.blocks) do
    for _, entry in ipairs(block) do
      self:add_entry(block, entry)
    end
  end
  self:place()
  self:sort()
  return self
end

--- "aio.file.open" for "file.open": what require() and a field lead to.
function Model:full_name(name)
  local word, rest = name:match("^(%l+)([.:].*)$")
  local owner = self.owners[word]
  if owner and owner.kind == "module" then
    return owner.name .. rest
  end
  return name
end

-- ---- types ----------------------------------------------------------------

--- Calls visit(text) for each type that an entry is written with.
function model.each_type(entry, visit)
  for _, param in ipairs(entry.params or {}) do
    visit(param.type)
  end
  for _, value in ipairs(entry.returns or {}) do
    visit(value.type)
  end
  for _, field in ipairs(entry.fields or {}) do
    visit(field.type)
  end
  if entry.type then
    visit(entry.type)
  end
  if entry.base then
    visit(entry.base)
  end
end

--- Is it a table of options or results, or a name for a type?
function model.is_type(entry)
  return entry.kind == "alias" or entry.kind == "class" and not entry.word
end

--- The set of types that have a place of their own on a page, and so need not
-- be told where they are mentioned.
function Model:placed_types()
  local seen = {}
  for _, block in ipairs(self.order) do
    if model.is_type(block[1]) then
      seen[block[1].name] = true
    end
  end
  return seen
end

return model
