--- aio - the event loop, its callbacks, tasks and contexts.
--
-- This is the table of aio.core (the parts written in C) with the parts
-- written in Lua added.  A plain table: fields may be replaced.
local aio = require "aio.core"

-- Both names from the start: Lua parts that need each other find the table.
package.loaded["aio"] = aio

aio.sync = require "aio.sync"
require "aio.iothread"

-- Loaded when it is first looked into: most programs steer no loop.
local function load_policies(policy)
  require "aio.policy" -- gives this very table its own metatable
  return policy
end

--- aio.policy: aio.policy
--
-- The module of [policies](aio.policy.md), loaded when it is first looked
-- into.
aio.policy = setmetatable({}, {
  __index = function(self, name) return load_policies(self)[name] end,
  __pairs = function(self) return pairs(load_policies(self)) end,
})

return aio
