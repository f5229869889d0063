--- aioctl help - tells about functions, modules, commands and types.
--
-- What it says is made by the build from the doc comments of the sources.
-- "aioctl help COMMAND" is answered by the command itself.
local help = require "aio.doc.help"
local model = require "aio.doc.model"
local options = require "aio.cli.options"
local pager = require "aio.cli.pager"

local function parse(args)
  local parser = options.parser("help",
    "Tells about a function (aio.file.open, file.open, open), a module, a "
    .. "class, a type or a command; without a name lists what there is.")
  parser:argument("name", "what to tell about"):argname("NAME"):args("?")
  return options.parse(parser, args)
end

local o = parse { ... }
local described = model.new(require "aio.doc.data")
local fancy = pager.is_fancy()
local text, meant
if o.name then
  text, meant = help.text(described, o.name, fancy)
else
  text = help.index(described, fancy)
end
if not text then
  io.stderr:write(("aioctl help: nothing is called '%s'%s\n"):format(o.name,
    meant and (" (did you mean '%s'?)"):format(meant)
    or "; 'aioctl help' lists what there is"))
  os.exit(1)
end
pager.print(text)
