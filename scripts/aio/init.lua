--- aio - the event loop, its callbacks, tasks and contexts.
--
-- This is the table of aio.core (the parts written in C) with the parts
-- written in Lua added.  A plain table: fields may be replaced.
local aio = require "aio.core"

-- Both names from the start: Lua parts that need each other find the table.
package.loaded["aio"] = aio

aio.sync = require "aio.sync"
require "aio.iothread"

return aio
