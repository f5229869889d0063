--- aio.policy.qemu - the adaptive budget that the loop has by itself.
--
-- Decision for decision what aio_poll_budget() computes in C, as a starting
-- point for rules of one's own. A wait that would have ended within
-- poll_max_ns lengthens the budget, a longer one shortens it.
local FIRST_NS <const> = 4000

local function poll_ns(state)
  local ns, max_ns = state.poll_ns, state.poll_max_ns
  if state.hit or state.block_ns <= ns then
    return ns -- long enough
  elseif state.block_ns > max_ns then
    return state.poll_shrink > 0 and ns // state.poll_shrink or 0
  elseif ns == 0 then
    return math.min(FIRST_NS, max_ns)
  end
  local factor = state.poll_grow > 0 and state.poll_grow or 2
  return ns > max_ns // factor and max_ns or ns * factor
end

--- policy.qemu: aio.Policy
--
-- The rule of the loop, with `poll_max_ns = 32768`.
return { name = "qemu", set = { poll_max_ns = 32768 }, poll_ns = poll_ns }
