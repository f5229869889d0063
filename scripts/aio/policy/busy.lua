--- aio.policy.busy - never sleeps: the lowest latency, at the price of a
-- processor. With one processor the loop sleeps all the same.
local MAX_NS <const> = 1000000000

--- policy.busy: aio.Policy
--
-- Never sleeps.
return {
  name = "busy",
  set = { poll_max_ns = MAX_NS },
  poll_ns = function(state) return state.poll_max_ns end,
}
