--- aio.doc.help - what aioctl help says about a name.
local suggest = require "aio.cli.suggest"
local show = require "aio.doc.show"

local help = {}

local function page_named(self, name)
  for _, page in ipairs(self.pages) do
    if page.name == name or page.name == "aio." .. name then
      return page
    end
  end
end

-- The ways in which a name may be written -> the names of the model; in lower
-- case too, where that is nobody else's.
local function index(self)
  local names, lower = {}, {}
  setmetatable(names, { __index = function(_, written)
    return lower[written:lower()]
  end })
  local function add(written, name)
    if not rawget(names, written) then
      names[written] = name
    end
    lower[written:lower()] = lower[written:lower()] or name
  end
  for _, name in ipairs(self.names) do
    add(name, name)
  end
  for _, name in ipairs(self.names) do
    local entry = self.found[name].entry
    local owner = self.owners[entry.owner]
    add(self:full_name(name), name)
    add(name:gsub(":", "."), name)
    add(name:gsub("^aio%.", ""), name)
    if owner and owner.kind == "class" then
      add(owner.name .. "." .. entry.name, name)
      add(owner.name .. ":" .. entry.name, name)
    elseif entry.word then
      add(entry.word, name)
    end
  end
  return names
end

local function members(self, class)
  local list = {}
  for _, name in ipairs(self.names) do
    local entry = self.found[name].entry
    if entry.owner == class.word and entry.owner then
      list[#list + 1] = entry.kind == "length" and name or entry.name
    end
  end
  return list
end

local function page_line(page)
  return page and ("More: aioctl help %s, man %s"):format(page.name,
    page.name:find("^aio") and page.name or "aio-conventions")
end

local function show_entry(self, name, bold)
  local out, found = show(bold), self.found[name]
  local block = found.block
  if found.entry.text then -- a field of a class
    block = { found.entry, text = found.entry.text }
  end
  out:block(self, block, {})
  out:add("")
  if found.entry.word then
    out:list("Has", members(self, found.entry))
    out:add("")
  end
  out:add(page_line(self.page_of[found.block]) or "More: man aio")
  return out:text()
end

-- "close": what is called so, of whatever class.
local function bearers(self, name)
  local list = {}
  for _, other in ipairs(self.names) do
    local entry = self.found[other].entry
    if entry.owner and entry.name == name then
      list[#list + 1] = other
    end
  end
  return list
end

local function show_choice(self, names, bold)
  local out = show(bold)
  for i, name in ipairs(names) do
    names[i] = self:full_name(name)
  end
  out:list("Which one?", names)
  return out:text()
end

-- Every way to write something, for what was meant.
local function meant(self, name, names)
  local known = {}
  for written in pairs(names) do
    known[#known + 1] = written
  end
  for _, other in ipairs(self.pages) do
    known[#known + 1] = other.name
  end
  for _, other in ipairs(self.names) do
    known[#known + 1] = self.found[other].entry.name
  end
  table.sort(known)
  return suggest.nearest(name, known)
end

--- The text about name; nil and what was meant for a name that is none.
function help.text(self, name, bold)
  local page = page_named(self, name)
  if page then
    local out = show(bold)
    out:page(self, page)
    return out:text()
  end
  local names = index(self)
  local plain = name:gsub("%(.*", "")
  local found = names[plain]
  local all = found and { found } or bearers(self, plain)
  if #all == 0 then
    return nil, meant(self, plain, names)
  elseif #all == 1 then
    return show_entry(self, all[1], bold)
  end
  return show_choice(self, all, bold)
end

--- All names that there is help for, as they are written in full.
function help.names(self)
  local list = {}
  for _, command in ipairs(self.commands) do
    list[#list + 1] = command.name
  end
  for _, page in ipairs(self.pages) do
    list[#list + 1] = page.name
  end
  for _, name in ipairs(self.names) do
    list[#list + 1] = self:full_name(name)
  end
  return list
end

--- All that there is help for.
function help.index(self, bold)
  local out = show(bold)
  out:add("aioctl help NAME tells about one of these; aioctl --help about "
    .. "options.")
  out:add("")
  local commands, pages = {}, {}
  for i, command in ipairs(self.commands) do
    commands[i] = command.name
  end
  out:list("Commands", commands)
  for i, page in ipairs(self.pages) do
    pages[i] = page.name
  end
  out:list("Pages", pages)
  out:add("")
  for _, page in ipairs(self.pages) do
    local owner = self.owners[page.name:match("[^.]+$")]
    if owner then
      out:list(owner.name, members(self, owner))
    end
  end
  out:add("")
  for _, name in ipairs(self.names) do
    local entry = self.found[name].entry
    if entry.word then
      out:list(entry.name, members(self, entry))
    end
  end
  return out:text()
end

return help
