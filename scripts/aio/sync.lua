--- aio.sync - what tasks of one thread wait on: channels, semaphores, locks,
-- condition variables, events, latches, rates. Every wait takes a number of
-- seconds as its last argument and then may return nil, "timeout", ETIMEDOUT.
local sync = require "aio.core".sync

sync.rate = require "aio.sync.rate"

return sync
