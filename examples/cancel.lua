-- cancel - timeouts, cancellation and errors that nobody can lose
--
-- Cancelling raises inside the task at the place where it waits, so its
-- <close> variables run.  The first error in a group cancels the others and
-- comes out of the group unchanged.
--
-- Output:
--   timeout: timeout
--   cleanup ran
--   cancelled: true
--   group: disk 2 is gone
--   group: others cancelled: 2

local aio = require "aio"

local _, why = aio.timeout(0.01, function()
  aio.sleep(60)
end)
print("timeout: " .. tostring(why))

local task = aio.spawn(function()
  local _ <close> = setmetatable({}, {
    __close = function()
      print("cleanup ran")
    end,
  })
  aio.sleep(60)
end)
aio.yield() -- let it start
task:cancel()
local ok, problem = task:pjoin()
print("cancelled: " .. tostring(not ok and aio.is_cancelled(problem)))

local cancelled = 0
ok, problem = pcall(aio.group, function(g)
  for disk = 1, 3 do
    g:spawn(function()
      if disk == 2 then
        aio.sleep(0.005)
        error("disk 2 is gone", 0)
      end
      local done, reason = pcall(aio.sleep, 60)
      if not done and aio.is_cancelled(reason) then
        cancelled = cancelled + 1
        error(reason, 0)
      end
    end)
  end
end)
print("group: " .. tostring(not ok and problem))
print("group: others cancelled: " .. cancelled)
