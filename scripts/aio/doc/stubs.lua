--- aio.doc.stubs - the documentation as types for the Lua language server.
--
-- One file per module; aio.lua has the types that all use.  Each file may be
-- required by the server in place of the module, which is why it returns it.

local stubs = {}

local FAILED <const> = { "string? message", "integer? errno" }

-- Text as comment lines, which Lua's server shows as Markdown.
local function comment(out, text)
  if text and text ~= "" then
    for line in (text .. "\n"):gmatch("(.-)\n") do
      out[#out + 1] = ("--- " .. line):gsub("%s+$", "")
    end
  end
end

local function on_one_line(text)
  return (text:gsub("%s+", " "))
end

local function return_lines(out, returns)
  for i, value in ipairs(returns) do
    local type = value.type .. (value.fails and "|nil" or "")
    out[#out + 1] = "---@return " .. type
      .. (value.name and " " .. value.name or "")
    if value.fails then
      assert(i == 1, "only the first value may stand for three")
      for _, more in ipairs(FAILED) do
        out[#out + 1] = "---@return " .. more
      end
    end
  end
end

-- fun(self: Task, s: string): Task
local function overload_text(entry, class)
  local params, returns = {}, {}
  if entry.method then
    params[1] = "self: " .. class
  end
  for _, param in ipairs(entry.params) do
    params[#params + 1] = param.name .. (param.optional and "?" or "") .. ": "
      .. param.type
  end
  for _, value in ipairs(entry.returns) do
    returns[#returns + 1] = value.type .. (value.fails and "|nil" or "")
  end
  return ("fun(%s)%s"):format(table.concat(params, ", "),
    #returns > 0 and ": " .. table.concat(returns, ", ") or "")
end

-- The signature with most parameters is declared, others are overloads.
local function main_and_overloads(found)
  local all = { found.entry, table.unpack(found.overloads) }
  local best = 1
  for i, entry in ipairs(all) do
    best = #entry.params > #all[best].params and i or best
  end
  return table.remove(all, best), all
end

local function add_function(out, self, found)
  local entry, overloads = main_and_overloads(found)
  local owner = self.owners[entry.owner]
  local names = {}
  comment(out, found.block.text)
  if found.block.deprecated then
    out[#out + 1] = "---@deprecated"
  end
  for i, param in ipairs(entry.params) do
    names[i] = param.name
    out[#out + 1] = ("---@param %s%s %s"):format(param.name,
      param.optional and "?" or "", param.type)
  end
  return_lines(out, entry.returns)
  for _, other in ipairs(overloads) do
    out[#out + 1] = "---@overload " .. overload_text(other, owner.name)
  end
  out[#out + 1] = ("function %s%s%s(%s) end"):format(
    owner.kind == "class" and owner.name or owner.word,
    entry.method and ":" or ".", entry.name, table.concat(names, ", "))
  out[#out + 1] = ""
end

local function add_field(out, field, text)
  out[#out + 1] = ("---@field %s%s %s%s"):format(field.name,
    field.optional and "?" or "", field.type,
    text ~= "" and " " .. on_one_line(text) or "")
end

local function add_class(out, self, found)
  local entry = found.entry
  comment(out, found.block.text)
  out[#out + 1] = "---@class " .. entry.name
    .. (entry.base and ": " .. entry.base or "")
  for _, field in ipairs(entry.fields) do
    add_field(out, field, field.text)
  end
  local length = entry.word and self.found["#" .. entry.word]
  if length then
    out[#out + 1] = "---@operator len: " .. length.entry.returns[1].type
  end
  if entry.word then
    out[#out + 1] = "local " .. entry.name .. " = {}"
  end
  out[#out + 1] = ""
end

local function add_alias(out, found)
  comment(out, found.block.text)
  out[#out + 1] = ("---@alias %s %s"):format(found.entry.name,
    found.entry.type)
  out[#out + 1] = ""
end

-- ---- files ----------------------------------------------------------------

-- The page that an entry belongs to; types that no page names, to aio.
local function module_of(self, found)
  local owner = self.owners[found.entry.owner]
  if owner and owner.kind == "module" then
    return owner.name
  elseif owner then
    return module_of(self, self.found[owner.name])
  elseif found.entry.word then
    for _, other in ipairs(self.names) do
      local entry = self.found[other].entry
      if entry.owner == found.entry.word
        and self.page_of[self.found[other].block] then
        return self.page_of[self.found[other].block].name
      end
    end
  end
  return "aio"
end

local function add_module(out, self, owner)
  local page
  for _, candidate in ipairs(self.pages) do
    page = candidate.name == owner.name and candidate or page
  end
  comment(out, page.summary)
  out[#out + 1] = "---@class " .. owner.name
  for _, name in ipairs(self.names) do
    local entry = self.found[name].entry
    if entry.kind == "field" and entry.owner == owner.word then
      add_field(out, entry, self.found[name].block.text)
    end
  end
  out[#out + 1] = "local " .. owner.word .. " = {}"
  out[#out + 1] = ""
end

-- Classes before functions, which declare their methods on them.
local PASSES <const> = {
  function(out, self, found)
    if found.entry.kind == "class" then
      add_class(out, self, found)
    elseif found.entry.kind == "alias" then
      add_alias(out, found)
    end
  end,
  function(out, self, found)
    if found.entry.kind == "function" then
      add_function(out, self, found)
    end
  end,
}

local function file_text(self, owner)
  local out = {
    "---@meta " .. owner.name,
    "-- Types of " .. owner.name .. " for the Lua language server, written by",
    "-- aioctl " .. self.version .. " (aioctl types).  Changes will be lost.",
    "",
  }
  add_module(out, self, owner)
  for _, pass in ipairs(PASSES) do
    for _, name in ipairs(self.names) do
      if module_of(self, self.found[name]) == owner.name then
        pass(out, self, self.found[name])
      end
    end
  end
  out[#out + 1] = "return " .. owner.word
  return table.concat(out, "\n") .. "\n"
end

--- Calls visit(path, text) for each file: "aio.lua", "aio/file.lua", ...
function stubs.files(self, visit)
  for _, page in ipairs(self.pages) do
    local owner = self.owners[page.name:match("[^.]+$")]
    if owner then
      visit(page.name:gsub("%.", "/") .. ".lua", file_text(self, owner))
    end
  end
end

return stubs
