-- core - the C loop against libuv, GLib and bare system calls
--
-- The goals of bottom halves are those of a persistent handle, which is what
-- the peers' idle handles are.

local parts = require "lib.parts"

local PARTS <const> = { "events", "timers", "sched", "pool", "file" }

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
    row(env, "bh x100 : glib idle x100", "bh100", "glib_idle100", "<=0.25"),
    row(env, "bh x100 : libuv idle x100", "bh100", "uv_idle100", "<=2.5"),
    row(env, "bh x1 : libuv idle x1", "bh1", "uv_idle1", "<=0.15"),
    row(env, "bh one-shot x1 : libuv idle x1", "oneshot1", "uv_idle1",
      "<=0.2"),
    row(env, "bh one-shot x100 : libuv idle x100", "oneshot100",
      "uv_idle100", "<=3"),
  }
  return parts("core", PARTS, env, rows)
end
