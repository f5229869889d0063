-- hello - a bottom half, a timer and a task
--
-- Bottom halves and timers are callbacks: the loop calls them, they may not
-- wait.  A task may wait anywhere; the script itself is one.
--
-- Output:
--   main: scheduled
--   bottom half: hello
--   task: started
--   timer: 10 ms are over
--   task: woke up after the timer
--   main: done

local aio = require "aio"

local bh = aio.bh(function()
  print("bottom half: hello")
end, "hello")
bh:schedule()
bh:schedule() -- still one call: scheduling is idempotent

local timer = aio.timer {
  fn = function()
    print("timer: 10 ms are over")
  end,
}

local task = aio.spawn(function()
  print("task: started")
  timer:mod(aio.now() + 0.01)
  aio.sleep(0.02)
  print("task: woke up after the timer")
end)

print("main: scheduled")
task:join()
print("main: done")
