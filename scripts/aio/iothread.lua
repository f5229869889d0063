--- aio.iothread - what making a thread needs besides the thread itself.
--
-- The thread, its VM and calls are written in C (src/lua/liothread*.c); this
-- sets the parameters that are the thread's own and runs its init.
local core = require "aio.core"

local make = core.iothread

local IN_THREAD <const> = { "max_batch", "thread_pool_min", "thread_pool_max" }

-- Runs in the thread.
local function set(params)
  require("aio").context():set(params)
end

local function check_init(init)
  if init ~= nil and type(init) ~= "function" and type(init) ~= "string" then
    error("option 'init': a function or the name of a module expected, got "
      .. type(init), 4)
  end
end

-- What is wrong with the arguments is told of the caller's place.
local function create(name, options)
  check_init(type(options) == "table" and options.init or nil)
  local ok, thread, message, errno = pcall(make, name, options)
  if not ok then
    if type(thread) ~= "string" then
      error(thread, 0) -- a cancellation
    end
    error((thread:gsub("'%?'", "'iothread'", 1)), 3)
  end
  return thread, message, errno
end

-- The thread is closed again when this fails: nobody has it yet.  The error is
-- raised as it is, with its traceback.
local function call(thread, fn, ...)
  local task = thread:call(fn, ...)
  local waited, ok = pcall(task.pjoin, task)
  if not waited or not ok then
    thread:close()
  end
  if not waited then
    error(ok, 0) -- it is we who were cancelled
  elseif not ok then
    task:join()
  end
end

local function set_params(thread, options)
  local params = {}
  for _, name in ipairs(IN_THREAD) do
    params[name] = options[name]
  end
  if next(params) then
    call(thread, set, params)
  end
end

--- class IOThread (thread)
--
-- A thread with a loop and a Lua state of its own.

--- class aio.IOThreadOptions
--
-- init?: function|string - a function that runs there first, or the name of a
--     module to load; its error is raised
-- affinity?: integer|integer[] - a processor or a list of them
-- fdmon?: aio.Monitor
-- poll_max_ns?: integer - longest busy polling, 32768 here by default
-- poll_grow?: integer - as of a context
-- poll_shrink?: integer - as of a context
-- max_batch?: integer - as of a context
-- thread_pool_min?: integer - as of a context
-- thread_pool_max?: integer - as of a context

--- aio.iothread(name?: string, options?: aio.IOThreadOptions) -> IOThread!
--
-- A thread. Parks until it has started; in a callback it raises. `name`: 1 to
-- 255 bytes. `nil, message, errno` for what the system refuses; a name in use
-- raises.
function core.iothread(name, options)
  local thread, message, errno = create(name, options)
  if not thread then
    return nil, message, errno
  end
  if options then
    set_params(thread, options)
    if type(options.init) == "string" then
      call(thread, require, options.init)
    elseif options.init then
      call(thread, options.init)
    end
  end
  return thread
end

return core.iothread
