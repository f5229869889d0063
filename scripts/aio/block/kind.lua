--- aio.block.kind - the kinds of nodes that block.open() knows, by name.
--
-- Each is a module of its own, loaded when it is first asked for; a program may
-- add some: table.insert(require "aio.block.kind", "name") beside a module
-- aio.block.kind.name.
local kinds = {
  "cache", "cow", "delay", "fault", "file", "linear", "log", "mem", "mirror",
  "null", "offset", "quorum", "stripe", "throttle", "trace", "verify",
}

-- find(name) -> module or nil
function kinds.find(name)
  for _, known in ipairs(kinds) do
    if known == name then
      return require("aio.block.kind." .. name)
    end
  end
end

return kinds
