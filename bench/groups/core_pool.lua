-- core_pool - the thread pool against libuv's
--
-- On one processor no wake-up crosses to another: that is the cost of the
-- pool's own work.  At depth 1 on two processors the wake-ups are all there is,
-- and whether the kernel finds a processor awake; more rounds.
--
-- QEMU's pool: depth 1 26 to 63 k/s, depth 64 160 to 190 k/s, where libuv's
-- does 32 and 1019 k/s; at depth 64 four times that is 0.75 of libuv's, so
-- libuv's is the harder goal.

local cases = require "lib.cases"

return function(env)
  local function row(name, ours, peer, goal, prefix)
    return cases.row(env, "thread pool " .. name .. " : libuv",
      { "pool", ours, prefix }, { "pool_peer", peer, prefix }, goal)
  end
  local one = { "taskset", "-c", "0" }
  local rows = {
    row("depth 1", "depth_1", "uv_depth_1", "<=1.0"),
    row("depth 64", "depth_64", "uv_depth_64", "<=0.9"),
    row("depth 1, one CPU", "depth_1", "uv_depth_1", "<=0.6", one),
    row("depth 64, one CPU", "depth_64", "uv_depth_64", "<=0.6", one),
    row("depth 1, polling", "polling_1", "uv_depth_1", "<=0.2"),
    row("depth 64, polling", "polling_64", "uv_depth_64", "<=0.5"),
  }
  rows[1].rounds = 15
  return rows
end
