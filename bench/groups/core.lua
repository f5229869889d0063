-- core - the C loop against libuv, GLib and bare system calls
--
-- The goals of bottom halves are those of a persistent handle, which is what
-- the peers' idle handles are.

local PARTS = { "timers", "sched", "pool", "file" }

local function row(env, name, ours, peer, goal)
  return {
    name = name,
    ours = env.case("core", ours),
    peer = env.case("peer", peer),
    metrics = { { key = "ns", unit = "ns", goal = goal } },
  }
end

return function(env)
  local rows = {
    row(env, "bh x100 : glib idle x100", "bh100", "glib_idle100", "<=0.33"),
    row(env, "bh x100 : libuv idle x100", "bh100", "uv_idle100", "<=3.33"),
    row(env, "bh x1 : libuv idle x1", "bh1", "uv_idle1", "<=0.33"),
    row(env, "bh one-shot x100 : libuv idle x100", "oneshot100",
      "uv_idle100"),
    row(env, "notifier, epoll : bare epoll", "notifier_epoll", "epoll",
      "<=1.05"),
    row(env, "notifier, io_uring : bare epoll", "notifier_io_uring",
      "epoll", "<=0.95"),
    row(env, "notifier, poll : bare epoll", "notifier_poll", "epoll"),
  }
  for _, part in ipairs(PARTS) do
    local more = require("groups.core_" .. part)(env)
    table.move(more, 1, #more, #rows + 1, rows)
  end
  return rows
end
