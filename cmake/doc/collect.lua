--- doc.collect - the sources of this project -> the data of aio.doc.model.
--
-- For building and testing; a program that is installed has the result.
local host = require "doc.host"
local model = require "aio.doc.model"
local read = require "doc.read"

local collect = {}

-- In the order in which they are to be read.
local PAGES <const> = {
  { "conventions", "docs/lua-api.md" },
  { "aio", "docs/api/aio.md" },
  { "aio.file", "docs/api/aio.file.md" },
  { "aio.sync", "docs/api/aio.sync.md" },
  { "aio.net", "docs/api/aio.net.md" },
  { "aio.proc", "docs/api/aio.proc.md" },
  { "aio.block", "docs/api/aio.block.md" },
  { "aio.policy", "docs/api/aio.policy.md" },
}

local function slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

-- Files below root that may have doc comments.
local function sources(root)
  local pipe = assert(io.popen(("cd '%s' && LC_ALL=C && ls src/lua/*.c && "
    .. "find scripts/aio -name '*.lua' | sort"):format(
    root:gsub("'", "'\\''")), "r"))
  local paths = {}
  for path in pipe:lines() do
    paths[#paths + 1] = path
  end
  assert(pipe:close())
  return paths
end

-- "--- aioctl copy - copies files": what each command says of itself.
local function commands(root)
  local pipe = assert(io.popen(("cd '%s' && LC_ALL=C ls scripts/*.lua"):format(
    root:gsub("'", "'\\''")), "r"))
  local list = {}
  for path in pipe:lines() do
    local name, summary = slurp(root .. "/" .. path)
      :match("^%-%-%- aioctl (%S+) %- ([^\n]-)%.?\n")
    assert(name and "scripts/" .. name .. ".lua" == path,
      path .. ":1: '--- aioctl NAME - summary' expected")
    local command = dofile(("%s/scripts/aio/commands/%s.lua"):format(root,
      name))
    assert(command.name == name, path .. ": declared under another name")
    command.summary = summary
    list[#list + 1] = command
  end
  assert(pipe:close())
  return list
end

--- root is the folder of the sources.
function collect.data(root)
  local data = { pages = {}, blocks = {} }
  for i, page in ipairs(PAGES) do
    data.pages[i] = model.page(page[1], slurp(root .. "/" .. page[2]))
    data.pages[i].path = page[2]
  end
  for _, path in ipairs(sources(root)) do
    for _, block in ipairs(read.file(path, slurp(root .. "/" .. path))) do
      data.blocks[#data.blocks + 1] = block
    end
  end
  data.commands = commands(root)
  data.program = slurp(root .. "/docs/aioctl.1")
  data.host = {
    long = host.long_options(slurp(root .. "/src/lua/host/longopt.c")),
    short = host.short_options(slurp(root .. "/src/lua/host/help.c")),
  }
  data.version = slurp(root .. "/CMakeLists.txt")
    :match("project%(aioctl VERSION ([%d.]+)")
  return data
end

return collect
