-- lua_net - TCP echo: a Lua task per connection against other loops
--
-- Server and load share the machine: the load is the same C program for all,
-- closed loops of CONNS connections.  "buf" receives into a buffer and sends a
-- slice of it; the others, like their peers, make a Lua string per message.

local shell = require "lib.shell"

local PEERS <const> = {
  epoll = { words = function(env) return { env.program("echo"), "server" } end,
    goal = ">=0.92", cpu = "<=1.15" },
  ["luv try_write"] = { script = "echo_luv", arg = "try", needs = "luv",
    goal = ">=1.05", cpu = "<=0.95" },
  ["luv write"] = { script = "echo_luv", arg = "write", needs = "luv",
    goal = ">=1.2", cpu = "<=0.95" },
  cqueues = { script = "echo_cqueues", needs = "cqueues", goal = ">=1.4",
    cpu = "<=0.95" },
}

local function load(env, conns, bytes, server)
  return function()
    local words = { env.program("echo"), "load", conns, bytes,
      env.smoke and 50 or 1000 }
    table.move(server, 1, #server, #words + 1, words)
    return shell.json(words)
  end
end

local function peer_words(env, peer)
  if peer.words then
    return peer.words(env)
  end
  return { "lua5.4", ("%s/lua/%s.lua"):format(env.bench, peer.script),
    peer.arg or "" }
end

local function missing(peer)
  return function()
    if peer.needs and not os.execute(("lua5.4 -l %s -e '' 2>/dev/null")
      :format(peer.needs)) then
      return "no " .. peer.needs .. " for lua5.4"
    end
  end
end

-- The same server in C, which is told of edges: what Lua is put upon.
local function in_c(env, conns, bytes, monitor, goal)
  return {
    name = ("echo in C %dx%d B, %s : epoll"):format(conns, bytes, monitor),
    ours = load(env, conns, bytes, { "env", "AIOCTL_FDMON=" .. monitor,
      env.program("echo_aio") }),
    peer = load(env, conns, bytes, PEERS.epoll.words(env)),
    metrics = { { key = "kops", unit = "k/s", goal = goal },
      { key = "cpu_us", name = "CPU", unit = "us/op" } },
  }
end

return function(env)
  local function row(conns, bytes, name, mode, monitor)
    local peer = PEERS[name]
    local ours = { "env", "AIOCTL_FDMON=" .. (monitor or "auto"), env.aioctl,
      env.bench .. "/lua/echo_aio.lua", mode or "string" }
    return {
      name = ("echo %dx%d B%s%s : %s"):format(conns, bytes,
        mode == "buf" and ", buf" or "", monitor and ", " .. monitor or "",
        name),
      needs = missing(peer),
      ours = load(env, conns, bytes, ours),
      peer = load(env, conns, bytes, peer_words(env, peer)),
      metrics = {
        { key = "kops", unit = "k/s", goal = peer.goal },
        { key = "cpu_us", name = "CPU", unit = "us/op", goal = peer.cpu },
      },
    }
  end
  if env.smoke then
    return { row(5, 64, "epoll"), in_c(env, 5, 64, "auto") }
  end
  return {
    row(1, 64, "epoll"), row(50, 64, "epoll"), row(500, 64, "epoll"),
    row(50, 64, "epoll", nil, "epoll"), row(50, 64, "epoll", "buf"),
    row(1, 64, "luv try_write"), row(50, 64, "luv try_write"),
    row(500, 64, "luv try_write"), row(50, 64, "luv write"),
    row(50, 64, "cqueues"),
    row(1, 16384, "epoll", "buf"), row(50, 16384, "epoll", "buf"),
    row(500, 16384, "epoll", "buf"), row(50, 16384, "luv try_write", "buf"),
    in_c(env, 1, 64, "epoll"), in_c(env, 50, 64, "epoll", ">=0.98"),
    in_c(env, 500, 64, "epoll", ">=0.98"),
    in_c(env, 50, 64, "io_uring", ">=1.1"),
  }
end
