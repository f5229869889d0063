-- lua_fd - an eventfd becomes readable, and Lua hears of it
--
-- An operation is write, wait, read: three system calls, nearly all of the time
-- of each side.  So user time and instructions are judged as well.  Goals are
-- ratios of time: 1.10 times as fast is 0.909.

local instructions = require "lib.instructions"
local luas = require "lib.luas"

local function variable(monitor)
  return "AIOCTL_FDMON=" .. monitor .. "!"
end

local has_luv, has_cqueues = luas.needs("luv"), luas.needs("cqueues")

-- What runs in this run: sides, and the words of commands.
local function sides(env)
  local modules = env.program("x"):match("^(.*)/")
  local is = { slow_clock = modules .. "/bench_slow_clock.so" }
  function is.ours_words(mode, idle, amount)
    return luas.ours(env, "fd", modules, mode, idle, amount)
  end
  function is.luv_words(mode, amount)
    return luas.stock(env, "fd_luv", modules, mode, 0, amount)
  end
  function is.ours(monitor, mode, idle)
    return luas.side { "env", variable(monitor), table.unpack(is.ours_words(
      mode, idle or 0, env.milliseconds)) }
  end
  function is.luv(mode)
    return luas.side(is.luv_words(mode, env.milliseconds))
  end
  is.cqueues = luas.side(luas.stock(env, "fd_cqueues", modules, 0,
    env.milliseconds))
  is.epoll = env.case("fd_peer", "epoll_0")
  return is
end

local function row(name, ours, peer, goal, more)
  local e = { name = name, ours = ours, peer = peer,
    metrics = { { key = "ns", unit = "ns", goal = goal } } }
  for key, value in pairs(more or {}) do e[key] = value end
  e.metrics[2] = e.user and
    { key = "user", name = "user", unit = "ns", goal = e.user }
  return e
end

local function counted(is, name, mode, goal)
  return {
    name = name,
    rounds = 1,
    needs = function() return instructions.needs() or has_luv() end,
    ours = instructions.side(is.ours_words(mode, 0), is.slow_clock,
      variable("epoll")),
    peer = instructions.side(is.luv_words(mode), is.slow_clock),
    metrics = { { key = "instructions", goal = goal } },
  }
end

return function(env)
  local is = sides(env)
  local callback, task = is.ours("epoll", "callback"), is.ours("epoll", "task")
  return {
    row("fd, epoll : luv", callback, is.luv("callback"), "<=0.909",
      { needs = has_luv, user = "<=0.75" }),
    row("fd, epoll : bare epoll", callback, is.epoll, "<=1.25"),
    row("fd, io_uring : luv", is.ours("io_uring", "callback"),
      is.luv("callback"), "<=0.833", { needs = has_luv }),
    row("wait_fd, epoll : luv and a coroutine", task, is.luv("task"),
      "<=0.833", { needs = has_luv }),
    row("wait_fd, epoll : cqueues", task, is.cqueues, "<=0.5",
      { needs = has_cqueues }),
    row("wait_fd, epoll : our callback", task, callback, "<=1.053"),
    row("fd, epoll, 10,000 idle : none", is.ours("epoll", "callback", 10000),
      callback, "<=1.053"),
    row("wait_fd, epoll, 10,000 idle : none", is.ours("epoll", "task", 10000),
      task, "<=1.053"),
    counted(is, "fd, instructions : luv", "callback", "<=0.65"),
    counted(is, "wait_fd, instructions : luv and a coroutine", "task",
      "<=0.60"),
  }
end
