--- doc.markdown - the generated parts of the pages in docs.
local words = require "aio.doc.words"

local markdown = {}

local WIDTH <const> = 80

-- Words to lines, which are indented but for the first.  Code is not torn.
local function wrap(text, indent)
  local lines, line = {}, text:match("^ +%S+")
  text = text:gsub("^ +%S+", "")
  for word in text:gsub("`[^`]+`", function(code)
    return (code:gsub(" ", "\1"))
  end):gmatch("%S+") do
    if line and utf8.len((line .. " " .. word)) > WIDTH then
      lines[#lines + 1] = line
      line = indent .. word
    else
      line = line and line .. " " .. word or word
    end
  end
  lines[#lines + 1] = line
  return (table.concat(lines, "\n"):gsub("\1", " "))
end

-- Signatures of a block, as one bullet.
local function head(entries)
  local list = {}
  for i, entry in ipairs(entries) do
    local call, result = words.signature(entry)
    local sign = entry.kind == "field" and ": `" or " → `"
    list[i] = "**`" .. call .. "`**" .. (result and sign .. result .. "`" or "")
  end
  return table.concat(list, ", ")
end

local function field_lines(fields)
  local lines = {}
  for i, field in ipairs(fields) do
    lines[i] = wrap(("  - `%s%s: %s`%s"):format(field.name,
      field.optional and "?" or "", field.type,
      field.text ~= "" and " " .. field.text or ""), "    ")
  end
  return lines
end

-- A type below the entry that mentions it first.
local function type_lines(found)
  local entry = found.entry
  local text = found.block.text
  if entry.kind == "alias" then
    return { wrap(("  - `%s`: `%s`%s"):format(entry.name, entry.type,
      text ~= "" and ". " .. text or ""), "    ") }
  end
  local base = entry.base and ("fields of `%s`"):format(entry.base)
  local what = table.concat({ base or "", text }, base and text ~= "" and ". "
    or "")
  local lines = field_lines(entry.fields)
  for i, line in ipairs(lines) do
    lines[i] = "  " .. line:gsub("\n", "\n  ")
  end
  table.insert(lines, 1, wrap(("  - `%s`:%s"):format(entry.name,
    what ~= "" and " " .. what or ""), "    "))
  return lines
end

-- A type that has a place of its own.
local function own_type(entry, text)
  if entry.kind == "alias" then
    return wrap(("- **`%s`**: `%s`. %s"):format(entry.name, entry.type, text),
      "  ")
  end
  local base = entry.base and (" has the fields of `%s` and"):format(entry.base)
  local lines = field_lines(entry.fields)
  table.insert(lines, 1, wrap(("- **`%s`**%s%s"):format(entry.name,
    base or ":", text ~= "" and " " .. text or ""), "  "))
  return table.concat(lines, "\n")
end

--- One block as text; seen is the set of types told before it.
function markdown.block(self, block, seen)
  local first = block[1]
  local lines = {}
  if first.kind == "class" or first.kind == "alias" then
    lines[1] = own_type(first, block.text)
    seen[first.name] = true
  else
    lines[1] = wrap("- " .. head(block) .. ". " .. block.text, "  ")
  end
  words.new_types(self, block, seen, function(found)
    for _, line in ipairs(type_lines(found)) do
      lines[#lines + 1] = line
    end
  end)
  return table.concat(lines, "\n")
end

local function marker(names)
  local line, lines = "<!-- api:", {}
  for _, name in ipairs(names) do
    if #line + #name > WIDTH - 6 then
      lines[#lines + 1] = line
      line = "  "
    end
    line = line .. " " .. name
  end
  lines[#lines + 1] = line .. " -->"
  return table.concat(lines, "\n")
end

--- calls visit(page, text) for each page, as it ought to be.
function markdown.pages(self, visit)
  local seen = self:placed_types()
  for _, page in ipairs(self.pages) do
    local out = {}
    for _, part in ipairs(page.parts) do
      if type(part) == "string" then
        out[#out + 1] = part
      else
        out[#out + 1] = marker(part) .. "\n\n"
        for _, name in ipairs(part) do
          out[#out + 1] = markdown.block(self, self.found[name].block, seen)
            .. "\n"
        end
        out[#out + 1] = "\n<!-- /api -->\n"
      end
    end
    visit(page, table.concat(out))
  end
end

return markdown
