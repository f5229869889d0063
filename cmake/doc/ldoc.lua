--- doc.ldoc - the documentation as input of LDoc, which makes HTML of it.
--
-- LDoc reads comments of its own kind beside Lua code.  These are written from
-- the model, one file for each module and each class, so that the HTML has the
-- same words as everything else.
local words = require "aio.doc.words"

local ldoc = {}

local CONFIG <const> = [[
-- Made by the build: configuration of LDoc.
project = "aioctl"
title = "aioctl %s: the Lua API"
description = "Tasks, files, sockets and threads around an event loop"
format = "discount"
all = false
no_space_before_args = true
sort = false
file = { %s }
topics = { %s }
dir = "html"
custom_display_name_handler = function(item, default)
  return item.tags.display and item.tags.display[1] or default(item)
end
custom_tags = { { "display", hidden = true } }
]]

local function comment(out, markdown)
  for line in (markdown .. "\n"):gmatch("(.-)\n") do
    out[#out + 1] = ("-- " .. line):gsub("%s+$", "")
  end
end

local function code(s)
  return "`" .. s .. "`"
end

local function type_text(found)
  local entry, lines = found.entry, {}
  if entry.kind == "alias" then
    return ("\n* %s: %s. %s"):format(code(entry.name), code(entry.type),
      found.block.text)
  end
  lines[1] = ("\n* %s: %s %s"):format(code(entry.name), entry.base
    and "what " .. code(entry.base) .. " has, and" or "", found.block.text)
  for _, field in ipairs(entry.fields) do
    lines[#lines + 1] = ("    * %s %s"):format(code(field.name
      .. (field.optional and "?" or "") .. ": " .. field.type), field.text)
  end
  return table.concat(lines, "\n")
end

-- Links between the pages of docs lead to the topics.
local function relink(markdown, folder)
  return (markdown:gsub("%]%([^)]-([%w.-]+)%.md%)", function(name)
    name = name == "lua-api" and "conventions" or name:gsub("%.", "-")
    return "](" .. (folder or "") .. name .. ".md.html)"
  end))
end

local function add_item(out, self, entry, text)
  local call, result = words.signature(entry)
  out[#out + 1] = "---"
  comment(out, relink(text, "../topics/"))
  if result then
    comment(out, "\n" .. (entry.kind == "field" and "Type: " or "Returns ")
      .. code(result))
  end
  words.new_types(self, { entry }, {}, function(found)
    comment(out, type_text(found))
  end)
  out[#out + 1] = entry.kind == "function" and "-- @function " .. entry.name
    or "-- @field " .. (entry.kind == "length" and "length" or entry.name)
  out[#out + 1] = "-- @display " .. call
  out[#out + 1] = ""
end

-- A module or a class, with all that is called word.NAME or word:NAME.
local function file_text(self, owner, summary)
  local out = { "---" }
  comment(out, summary)
  out[#out + 1] = (owner.kind == "class" and "-- @classmod " or "-- @module ")
    .. owner.name
  out[#out + 1] = ""
  for _, name in ipairs(self.names) do
    local found = self.found[name]
    if found.entry.owner == owner.word then
      for _, entry in ipairs { found.entry, table.unpack(found.overloads) } do
        add_item(out, self, entry, entry.text or found.block.text)
      end
    end
  end
  return table.concat(out, "\n") .. "\n"
end

-- LDoc ends the name of a topic at its first dot.
local function topic_name(page)
  return page.name:gsub("%.", "-") .. ".md"
end

-- The page as a topic, without what is in the items.
local function topic_text(page)
  local out = {}
  for _, part in ipairs(page.parts) do
    if type(part) == "string" then
      out[#out + 1] = relink(part)
    else
      for _, name in ipairs(part) do
        out[#out + 1] = "\n* " .. code(name)
      end
      out[#out + 1] = "\n"
    end
  end
  return table.concat(out)
end

--- Calls visit(path, text) for each file; config.ld is among them.
function ldoc.files(self, visit)
  local files, topics = {}, {}
  local function add(owner, summary)
    files[#files + 1] = ("%q"):format(owner.name .. ".lua")
    visit(owner.name .. ".lua", file_text(self, owner, summary))
  end
  for _, page in ipairs(self.pages) do
    local topic = "topics/" .. topic_name(page)
    topics[#topics + 1] = ("%q"):format(topic)
    visit(topic, topic_text(page))
    local owner = self.owners[page.name:match("[^.]+$")]
    if owner then
      add(owner, page.summary)
    end
  end
  for _, name in ipairs(self.names) do
    local found = self.found[name]
    if found.entry.word then
      add(self.owners[found.entry.word], found.block.text)
    end
  end
  visit("config.ld", CONFIG:format(self.version, table.concat(files, ", "),
    table.concat(topics, ", ")))
end

return ldoc
