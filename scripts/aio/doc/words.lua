--- aio.doc.words - entries in words: signatures, and types that need telling.
local model = require "aio.doc.model"
local syntax = require "aio.doc.syntax"

local words = {}

local function params_text(entry)
  local list = {}
  for i, param in ipairs(entry.params) do
    local type = param.name == "..." and param.type == "any" and ""
      or ": " .. param.type
    list[i] = param.name .. (param.optional and "?" or "") .. type
  end
  return table.concat(list, ", ")
end

local function returns_text(entry)
  local list = {}
  for i, value in ipairs(entry.returns) do
    list[i] = value.type .. (value.fails and "!" or "")
      .. (value.name and " " .. value.name or "")
  end
  return table.concat(list, ", ")
end

--- "chan:put(v: any, sec?: aio.Wait)", "true!"; the latter may be nil.
function words.signature(entry)
  local name = model.name(entry)
  if entry.kind == "field" then
    return name, entry.type
  elseif entry.kind == "class" or entry.kind == "alias" then
    return name, entry.type or entry.base
  end
  local returns = returns_text(entry)
  local call = entry.kind == "length" and "" or "(" .. params_text(entry) .. ")"
  return name .. call, returns ~= "" and returns or nil
end

--- Which kinds of types are told after the first entry that mentions them:
-- calls visit(found) for each that seen does not have yet, also for those that
-- these mention in turn.
function words.new_types(self, entries, seen, visit)
  local queue = {}
  local function look(entry)
    model.each_type(entry, function(type)
      syntax.type_names(type, function(name)
        local found = self.found[name]
        if found and model.is_type(found.entry) and not seen[name] then
          seen[name] = true
          queue[#queue + 1] = found
        end
      end)
    end)
  end
  for _, entry in ipairs(entries) do
    look(entry)
  end
  local at = 1
  while queue[at] do
    visit(queue[at])
    look(queue[at].entry)
    at = at + 1
  end
end

return words
