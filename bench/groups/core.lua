-- core - the C loop against libuv, GLib and bare system calls
--
-- The goals of bottom halves are those of a persistent handle, which is what
-- the peers' idle handles are.

local function row(env, name, ours, peer, goal)
  return {
    name = name,
    ours = env.case("core", ours),
    peer = env.case("peer", peer),
    metrics = { { key = "ns", unit = "ns", goal = goal } },
  }
end

return function(env)
  return {
    row(env, "bh x100 : glib idle x100", "bh100", "glib_idle100", "<=0.33"),
    row(env, "bh x100 : libuv idle x100", "bh100", "uv_idle100", "<=3.33"),
    row(env, "bh x1 : libuv idle x1", "bh1", "uv_idle1", "<=0.33"),
    row(env, "bh one-shot x100 : libuv idle x100", "oneshot100",
      "uv_idle100"),
    row(env, "timer re-arm, 100 : libuv", "rearm_100", "uv_rearm_100",
      "<=0.4"),
    row(env, "timer re-arm, 10,000 : libuv", "rearm_10000",
      "uv_rearm_10000", "<=0.4"),
    row(env, "timer arm+fire, 100 : libuv", "arm_fire_100",
      "uv_arm_fire_100"),
    row(env, "timer arm+fire, 10,000 : libuv", "arm_fire_10000",
      "uv_arm_fire_10000", "<=0.4"),
    row(env, "notifier, epoll : bare epoll", "notifier_epoll", "epoll",
      "<=1.05"),
    row(env, "notifier, io_uring : bare epoll", "notifier_io_uring",
      "epoll", "<=0.95"),
    row(env, "notifier, poll : bare epoll", "notifier_poll", "epoll"),
    row(env, "coroutine enter+yield : swapcontext", "co_switch",
      "swapcontext", "<=0.1"),
    row(env, "coroutine create+end : swapcontext", "co_create",
      "swapcontext"),
    row(env, "ready coroutine x100 : libuv idle x100", "co_ready100",
      "uv_idle100"),
  }
end
