-- core_sched - coroutines against other ways to switch stacks
--
-- QEMU's coroutines switch by sigsetjmp and siglongjmp, so a bare round of the
-- two is the unit.  Goals were made in nanoseconds (create+end 40, enter+yield
-- 12, create to end with a yield 60, nested 1000 deep 100, aio_co_schedule to
-- self 89 alone and 53 of 64) on a machine that reads its clock in 23 ns; one
-- that takes 27.4 ns for that needs 31 for the round.  So they are 1.54, 0.46,
-- 2.3, 3.8, 3.4 and 2.0 rounds; where we beat that, the goal is nearer to us.

local cases = require "lib.cases"

return function(env)
  local function row(name, ours, peer, goal)
    return cases.row(env, name .. " : " .. peer, { "sched", ours },
      { "sched_peer", peer }, goal)
  end
  return {
    row("coroutine enter+yield", "switch", "longjmp", "<=0.46"),
    row("coroutine enter+yield", "switch", "swapcontext", "<=0.04"),
    row("coroutine enter+yield", "switch", "call"),
    row("coroutine create+end", "create", "longjmp", "<=0.85"),
    row("coroutine create to end, with a yield", "life", "longjmp", "<=1.6"),
    row("coroutines nested 1000 deep", "nest_1000", "longjmp", "<=3.0"),
    row("aio_co_schedule to self, 1", "schedule_1", "longjmp", "<=1.9"),
    row("aio_co_schedule to self, 64", "schedule_64", "longjmp", "<=1.0"),
    row("aio_co_ready to self, 1", "ready_1", "longjmp", "<=1.5"),
    row("aio_co_ready to self, 100", "ready_100", "longjmp", "<=0.5"),
  }
end
