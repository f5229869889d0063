-- cqueues - another event loop inside ours
--
-- A cqueues controller has one descriptor that is readable when it has work,
-- and says how long it may be left alone: a task that waits for both drives it,
-- while tasks of our own run beside it.
--
-- Output:
--   cqueues: one
--   aioctl: between
--   cqueues: two
--   cqueues: 2 coroutines done

local aio = require "aio"
local cqueues = require "cqueues"

local controller = cqueues.new()
local done = 0

local function drive(cq)
  while not cq:empty() do
    assert(cq:step(0)) -- never waits: that is our loop's business
    if not cq:empty() then
      aio.wait_fd(cq:pollfd(), "r", cq:timeout())
    end
  end
end

controller:wrap(function()
  cqueues.sleep(0.010)
  print("cqueues: one")
  done = done + 1
end)
controller:wrap(function()
  cqueues.sleep(0.030)
  print("cqueues: two")
  done = done + 1
end)

aio.group(function(g)
  g:spawn(drive, controller)
  g:spawn(function()
    aio.sleep(0.020)
    print("aioctl: between")
  end)
end)
print(("cqueues: %d coroutines done"):format(done))
