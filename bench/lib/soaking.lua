-- soaking - what rounds of the soak are made of

local aio = require "aio"

local soaking = {}

--- cancelled(fn, ...): starts it in a task, and cancels that at once.
function soaking.cancelled(fn, ...)
  local task = aio.spawn(fn, ...)
  aio.yield()
  task:cancel()
  local ok, err = task:pjoin()
  assert(ok or aio.is_cancelled(err), err)
end

--- timed_out(...): what a wait gives when its time has passed.
function soaking.timed_out(result, message)
  assert(result == nil and message == "timeout", message)
end

local Closing <const> = { __close = function(list)
  for _, object in ipairs(list) do
    object:close()
  end
end }

--- closing(...) -> what closes these objects at the end of its scope.
function soaking.closing(...)
  return setmetatable({ ... }, Closing)
end

return soaking
