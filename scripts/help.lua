--- aioctl help - tells about functions, modules, commands and types.
--
-- What it says is made by the build from the doc comments of the sources.
-- "aioctl help COMMAND" is answered by the command itself.
local help = require "aio.doc.help"
local model = require "aio.doc.model"
local options = require "aio.cli.options"
local pager = require "aio.cli.pager"

local o = options.parse("help", { ... })
local described = model.new(require "aio.doc.data")
local fancy = pager.is_fancy()
local text, meant
if o.names then
  text = table.concat(help.names(described), "\n") .. "\n"
elseif o.name then
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
