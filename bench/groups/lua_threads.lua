-- lua_threads - reaching another thread, against luv, libuv and bare eventfds
--
-- The peers of wake, call and chan are C without any Lua: what the wake-up of
-- a thread costs at least.  The last row is one pipeline in two threads against
-- the same in one: its speed-up on two processors.

local shell = require "lib.shell"

local function needs_luv()
  local ok = pcall(shell.output, { "lua5.4", "-e", 'require "luv"' })
  return not ok and "no luv for lua5.4 (lua-luv)" or nil
end

return function(env)
  local function ours(mode, depth)
    return function()
      return shell.json({ env.aioctl, env.bench .. "/lua/threads.lua", mode,
        depth, env.milliseconds })
    end
  end
  local function row(name, mode, depth, peer, goal, needs)
    return {
      name = name,
      needs = needs,
      ours = ours(mode, depth),
      peer = peer,
      metrics = { { key = "ns", unit = "ns", goal = goal } },
    }
  end
  local function luv(depth)
    return function()
      return shell.json({ "lua5.4", env.bench .. "/lua/threads_luv.lua", depth,
        env.milliseconds })
    end
  end
  local async, eventfd = env.case("threads", "uv_async"),
    env.case("threads", "eventfd")
  return {
    row("waker there and back : uv_async in C", "wake", 1, async, "<=1.0"),
    row("waker there and back : eventfd+epoll in C", "wake", 1, eventfd,
      "<=1.03"),
    row("call and join : uv_async in C", "call", 1, async, "<=1.2"),
    row("call and join, 64 at a time : uv_async in C", "call", 64, async,
      "<=0.5"),
    row("value there and back : uv_async in C", "chan", 1, async, "<=1.2"),
    row("offload : luv new_work", "offload", 1, luv(1), "<=1.0", needs_luv),
    row("offload, 64 at a time : luv new_work", "offload", 64, luv(64),
      "<=1.0", needs_luv),
    row("pipeline of two stages, 2 threads : 1 thread", "pipe2", 16,
      ours("pipe1", 16), "<=0.7"),
  }
end
