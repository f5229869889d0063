-- lua_callbacks - what a call from the loop into Lua costs
--
-- "again": a bottom half whose callback schedules it again.  "armed": one that
-- stays scheduled (bh:schedule_always()), which is what luv's idle handles do.
-- Both sides call a closure that counts down.  Its lua_pcall() alone, in a
-- tight loop of C, is the floor.
--
-- QEMU's loop, which cannot run here, takes 22.9 ns for a persistent bottom
-- half in C where an idle handle of libuv takes 5.1 (core_events.lua).  To be
-- 0.35 times as fast as it from Lua is 12.8 times libuv's.

local luas = require "lib.luas"

return function(env)
  local function row(name, mode, count, peer, goal, needs)
    return {
      name = name,
      needs = needs,
      ours = luas.side(luas.ours(env, "callbacks", mode, count,
        env.milliseconds)),
      peer = peer,
      metrics = { { key = "ns", unit = "ns", goal = goal } },
    }
  end
  local function luv(count)
    return luas.side(luas.stock(env, "callbacks_luv", count, env.milliseconds))
  end
  local has_luv = luas.needs("luv")
  return {
    row("bh again x1 : luv idle x1", "again", 1, luv(1), "<=0.333", has_luv),
    row("bh again x100 : luv idle x100", "again", 100, luv(100), "<=1.176",
      has_luv),
    row("bh armed x1 : luv idle x1", "armed", 1, luv(1), nil, has_luv),
    row("bh armed x100 : luv idle x100", "armed", 100, luv(100), "<=0.833",
      has_luv),
    row("bh armed x100 : lua_pcall of the same", "armed", 100,
      env.case("lua", "pcall_count"), "<=1.818"),
    row("bh again x100 : libuv idle x100 in C", "again", 100,
      env.case("peer", "uv_idle100"), "<=12.8"),
  }
end
