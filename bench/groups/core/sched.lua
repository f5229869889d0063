-- core/sched - coroutines against other ways to switch stacks
--
-- QEMU's coroutines switch by sigsetjmp and siglongjmp; its figures on the
-- machine these goals were made on, where a bare round of the two took R:
-- create+end 85, enter+yield 66.5, a life 133, nested 1000 deep 12,200,
-- aio_co_schedule to self 133 (1) and 79 (64) ns.

return function(row)
  local function add(name, ours, peer, goal)
    return row(name, { "sched", ours }, { "sched_peer", peer }, goal)
  end
  return {
    add("coroutine enter+yield : longjmp", "switch", "longjmp"),
    add("coroutine enter+yield : swapcontext", "switch", "swapcontext",
      "<=0.1"),
    add("coroutine create+end : longjmp", "create", "longjmp"),
    add("coroutine create to end, with a yield : longjmp", "life",
      "longjmp"),
    add("coroutines nested 1000 deep : longjmp", "nest_1000", "longjmp"),
    add("aio_co_schedule to self, 1 : longjmp", "schedule_1", "longjmp"),
    add("aio_co_schedule to self, 64 : longjmp", "schedule_64", "longjmp"),
    add("aio_co_ready to self, 1 : longjmp", "ready_1", "longjmp"),
    add("aio_co_ready to self, 100 : longjmp", "ready_100", "longjmp"),
    add("coroutine enter+yield : function call", "switch", "call"),
  }
end
