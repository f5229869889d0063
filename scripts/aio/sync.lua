--- aio.sync - what tasks of one thread wait on: channels, semaphores,
-- mutexes, events.  Every wait takes a number of seconds as its last argument
-- and then may return nil, "timeout", ETIMEDOUT.
local sync = require "aio.core".sync

return sync
