-- core_timers - timers against a bare heap, libuv and a sorted list
--
-- The heap is the limit: no lock, no clock, no order among equal deadlines.
-- The list is what QEMU's loop keeps its timers in.  QEMU's own, one timer
-- armed and fired: 5.6 M/s alone, 807 k/s of 1000, 9 k/s of 100,000; goals
-- 1.5, 10 and 400 times that.  The list alone costs nine tenths of it at 1000
-- and all of it at 100,000, so it stands for the whole.  One timer alone is
-- compared with libuv, which takes 1.2 times as long as QEMU there: 0.55.
-- Where that, or 0.4 of libuv, is beaten the goal is nearer to us.

local cases = require "lib.cases"

return function(env)
  local rows = {}
  local function add(name, ours, peer, goal)
    rows[#rows + 1] = cases.row(env, "timer " .. name,
      { "timers", ours }, { "timers_peer", peer }, goal)
  end
  local sizes = { -- and the goals against libuv: re-arm, arm+fire
    { 100, "100", "<=0.33", "<=0.4" },
    { 10000, "10,000", "<=0.33", "<=0.3" },
    { 1000000, "1 M", "<=0.4", "<=0.3" },
  }
  for _, size in ipairs(sizes) do
    local n, text = size[1], size[2]
    add("re-arm, " .. text .. " : heap", "rearm_" .. n, "heap_rearm_" .. n,
      "<=1.67")
    add("re-arm, " .. text .. " : libuv", "rearm_" .. n, "uv_rearm_" .. n,
      size[3])
    add("arm+fire, " .. text .. " : heap", "arm_fire_" .. n,
      "heap_arm_fire_" .. n, "<=1.43")
    add("arm+fire, " .. text .. " : libuv", "arm_fire_" .. n,
      "uv_arm_fire_" .. n, size[4])
  end
  add("arm+fire, 1 : libuv", "arm_fire_1", "uv_arm_fire_1", "<=0.3")
  add("arm+fire, 1000 : sorted list", "arm_fire_1000", "list_1000", "<=0.06")
  add("arm+fire, 100,000 : sorted list", "arm_fire_100000", "list_100000",
    "<=0.002")
  return rows
end
