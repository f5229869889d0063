--- aio.policy.sleep - never polls: sleeps as soon as there is nothing to do.
--- policy.sleep: aio.Policy
--
-- Never polls.
return { name = "sleep", set = { poll_max_ns = 0 } }
