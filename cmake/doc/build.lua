--- doc.build - what the build makes of the doc comments; run by a stock lua5.4.
--
--   lua5.4 cmake/doc/build.lua ROOT OUT    write all of it below the folder OUT
--   lua5.4 cmake/doc/build.lua ROOT        renew the pages in docs
--
-- OUT/embed  what becomes part of aioctl, for aioctl help and aioctl types
-- OUT/types  types for the Lua language server
-- OUT/man    manual pages
-- OUT/completions  of bash, zsh and fish
-- OUT/ldoc   what LDoc makes HTML of
local root, out = table.unpack(arg)
package.path = ("%s/cmake/?.lua;%s/scripts/?.lua;"):format(root, root)
  .. package.path

local commands = require "doc.commands"
local complete = require "doc.complete"
local collect = require "doc.collect"
local ldoc = require "doc.ldoc"
local man = require "doc.man"
local markdown = require "doc.markdown"
local model = require "aio.doc.model"
local serialize = require "doc.serialize"
local stubs = require "aio.doc.stubs"

local made = {} -- folders

-- A file that says the same already keeps its date: nothing is built again.
local function is_same(path, text)
  local file = io.open(path, "rb")
  local same = file and file:read("a") == text
  return file and file:close() and same
end

local written = {}

local function quote(path)
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

-- What an earlier build has left behind, but for what LDoc has made.
local function sweep(folder)
  local pipe = assert(io.popen(("find %s -type f -not -path '*/html/*'")
    :format(quote(folder)), "r"))
  for path in pipe:lines() do
    if not written[path] then
      assert(os.remove(path))
    end
  end
  pipe:close()
end

local function write(path, text)
  written[path] = true
  if is_same(path, text) then
    return
  end
  local folder = path:match("^(.*)/")
  if not made[folder] then
    assert(os.execute("mkdir -p " .. quote(folder)))
    made[folder] = true
  end
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function writer(folder)
  return function(path, text)
    write(folder .. "/" .. path, text)
  end
end

local data = collect.data(root)
local described = model.new(data)
if out then
  for _, block in ipairs(data.blocks) do
    block.line = nil -- changes with every edit
  end
  data.program, data.host = nil, nil -- for manual pages only
  write(out .. "/embed/aio/doc/data.lua", serialize(data))
  stubs.files(described, writer(out .. "/types"))
  man.files(described, writer(out .. "/man"))
  commands.files(described, writer(out .. "/man"))
  complete.files(described, writer(out .. "/completions"))
  ldoc.files(described, writer(out .. "/ldoc"))
  sweep(out)
else
  markdown.pages(described, function(page, text)
    write(root .. "/" .. page.path, text)
  end)
end
