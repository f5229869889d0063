--- aioctl types - writes what an editor needs for completion and checks.
--
-- Types of the modules for the Lua language server go into a folder of their
-- own; .luarc.json tells the server to look there.  A .luarc.json of somebody
-- else is left alone.
local model = require "aio.doc.model"
local options = require "aio.cli.options"
local report = require "aio.cli.report"
local stubs = require "aio.doc.stubs"

local FOLDER <const> = ".aio-types"
local LUARC <const> = ([[
{
  "runtime.version": "Lua 5.4",
  "workspace.library": ["%s"]
}
]]):format(FOLDER)

local function fail(message)
  report.fail("types", message)
end

local function write(path, text)
  local file, message = io.open(path, "w")
  if not file then
    fail(message)
  end
  local ok
  ok, message = file:write(text)
  if not (file:close() and ok) then
    fail(("%s: %s"):format(path, message or "cannot be written"))
  end
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read("a")
  return file and file:close() and text
end

local function make_folder(path)
  local file = require "aio.file"
  local ok, message, errno = file.mkdir(path)
  if not ok and errno ~= require "aio".errno.EEXIST then
    fail(message)
  end
end

local function write_types(folder)
  make_folder(folder)
  make_folder(folder .. "/aio")
  stubs.files(model.new(require "aio.doc.data"), function(path, text)
    write(folder .. "/" .. path, text)
  end)
  print("wrote " .. folder)
end

-- One that names the folder already is as good as ours.
local function write_luarc(path, force)
  local there = read(path)
  if there and not force and there:find('"' .. FOLDER .. '"', 1, true) then
    print("kept " .. path)
  elseif there and not force then
    fail(("%s is there: add \"%s\" to its workspace.library, or replace it "
      .. "with --force"):format(path, FOLDER))
  else
    write(path, LUARC)
    print("wrote " .. path)
  end
end

local o = options.parse("types", { ... })
local prefix = o.dir and o.dir .. "/" or ""
write_types(prefix .. FOLDER)
write_luarc(prefix .. ".luarc.json", o.force)
