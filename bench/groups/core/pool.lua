-- core/pool - the thread pool against libuv's
--
-- On one processor no wake-up crosses to another: that is the cost of the
-- pool's own work.

return function(row)
  local one = { "taskset", "-c", "0" }
  local function add(name, ours, peer, goal, prefix)
    return row("thread pool " .. name, { "pool", ours, prefix },
      { "pool_peer", peer, prefix }, goal)
  end
  return {
    add("depth 1 : libuv", "depth_1", "uv_depth_1", "<=1.0"),
    add("depth 64 : libuv", "depth_64", "uv_depth_64", "<=1.0"),
    add("depth 1, one CPU : libuv", "depth_1", "uv_depth_1", "<=1.0", one),
    add("depth 64, one CPU : libuv", "depth_64", "uv_depth_64", "<=1.0", one),
    add("depth 1, polling : libuv", "polling_1", "uv_depth_1", "<=0.2"),
    add("depth 64, polling : libuv", "polling_64", "uv_depth_64", "<=1.0"),
  }
end
