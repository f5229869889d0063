-- core/timers - timers against a bare heap, libuv and a sorted list
--
-- The heap is the limit: no lock, no clock, no order among equal deadlines.
-- The list is what QEMU's loop keeps its timers in.  QEMU's own, one timer
-- armed and fired: 5.6 M/s alone, 807 k/s of 1000, 9 k/s of 100,000; goals
-- 1.5, 10 and 400 times that.  The list alone costs nine tenths of it at 1000
-- and all of it at 100,000, so it stands for the whole; one timer alone is
-- compared with libuv, which takes 1.2 times as long as QEMU there.

return function(row)
  local rows = {}
  local function add(name, ours, peer, goal)
    rows[#rows + 1] = row("timer " .. name, { "timers", ours },
      { "timers_peer", peer }, goal)
  end
  local sizes = { { 100, "100" }, { 10000, "10,000" }, { 1000000, "1 M" } }
  for _, size in ipairs(sizes) do
    local n, text = size[1], size[2]
    add("re-arm, " .. text .. " : heap", "rearm_" .. n, "heap_rearm_" .. n,
      "<=1.67")
    add("re-arm, " .. text .. " : libuv", "rearm_" .. n, "uv_rearm_" .. n,
      "<=0.4")
    add("arm+fire, " .. text .. " : heap", "arm_fire_" .. n,
      "heap_arm_fire_" .. n, "<=1.43")
    add("arm+fire, " .. text .. " : libuv", "arm_fire_" .. n,
      "uv_arm_fire_" .. n, "<=0.4")
  end
  add("arm+fire, 1 : libuv", "arm_fire_1", "uv_arm_fire_1", "<=0.55")
  add("arm+fire, 1000 : sorted list", "arm_fire_1000", "list_1000", "<=0.1")
  add("arm+fire, 100,000 : sorted list", "arm_fire_100000", "list_100000",
    "<=0.0025")
  return rows
end
