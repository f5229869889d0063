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

return function(env)
  local modules = env.program("x"):match("^(.*)/")
  local rows = {}
  local function ours(mode, idle, amount)
    return luas.ours(env, "fd", modules, mode, idle, amount)
  end
  local function ours_side(monitor, mode, idle)
    return luas.side { "env", variable(monitor), table.unpack(ours(mode,
      idle or 0, env.milliseconds)) }
  end
  local function luv(mode, amount)
    return luas.stock(env, "fd_luv", modules, mode, 0, amount)
  end
  local function luv_side(mode)
    return luas.side(luv(mode, env.milliseconds))
  end
  local function add(name, ours_is, peer, goal, more)
    local e = { name = name, ours = ours_is, peer = peer,
      metrics = { { key = "ns", unit = "ns", goal = goal } } }
    for key, value in pairs(more or {}) do e[key] = value end
    e.metrics[2] = e.user and
      { key = "user", name = "user", unit = "ns", goal = e.user }
    rows[#rows + 1] = e
  end
  local function add_count(name, mode, goal)
    rows[#rows + 1] = {
      name = name,
      rounds = 1,
      needs = function()
        return instructions.needs() or luas.needs("luv")()
      end,
      ours = instructions.side(ours(mode, 0), variable("epoll")),
      peer = instructions.side(luv(mode)),
      metrics = { { key = "instructions", goal = goal } },
    }
  end
  local has_luv, has_cqueues = luas.needs("luv"), luas.needs("cqueues")
  local epoll = env.case("fd_peer", "epoll_0")
  add("fd, epoll : luv", ours_side("epoll", "callback"), luv_side("callback"),
    "<=0.909", { needs = has_luv, user = "<=0.75" })
  add("fd, epoll : bare epoll", ours_side("epoll", "callback"), epoll,
    "<=1.25")
  add("fd, io_uring : luv", ours_side("io_uring", "callback"),
    luv_side("callback"), "<=0.833", { needs = has_luv })
  add("wait_fd, epoll : luv and a coroutine", ours_side("epoll", "task"),
    luv_side("task"), "<=0.833", { needs = has_luv })
  add("wait_fd, epoll : cqueues", ours_side("epoll", "task"),
    luas.side(luas.stock(env, "fd_cqueues", modules, 0, env.milliseconds)),
    "<=0.5", { needs = has_cqueues })
  add("wait_fd, epoll : our callback", ours_side("epoll", "task"),
    ours_side("epoll", "callback"), "<=1.053")
  add("fd, epoll, 10,000 idle : none", ours_side("epoll", "callback", 10000),
    ours_side("epoll", "callback"), "<=1.053")
  add("wait_fd, epoll, 10,000 idle : none", ours_side("epoll", "task", 10000),
    ours_side("epoll", "task"), "<=1.053")
  add_count("fd, instructions : luv", "callback", "<=0.65")
  add_count("wait_fd, instructions : luv and a coroutine", "task", "<=0.60")
  return rows
end
