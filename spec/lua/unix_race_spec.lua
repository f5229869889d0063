-- Several servers that start at once at one socket path: exactly one gets it.

local aio, net, proc = require "aio", require "aio.net", require "aio.proc"
local file, host = require "aio.file", require "support.host"

local E <const> = aio.errno
local SLOW <const> = os.getenv("TSAN_OPTIONS") or os.getenv("ASAN_OPTIONS")
local ROUNDS <const> = SLOW and 40 or 250

-- Says "won" or "lost" for each line; the next line closes what was won.
local SERVER <const> = [[
  local net = require "aio.net"
  local path = arg[1]
  io.stdout:setvbuf("line")
  while io.read("l") do
    local l, message = net.listen("unix:" .. path)
    print(l and "won" or "lost " .. message)
    io.read("l")
    if l then l:close() end
    print("closed")
  end]]

describe("servers that start at once", function()
  local folder, path, servers

  before_each(function()
    folder = host.run("mktemp -d"):match("%S+")
    path = folder .. "/socket"
    servers = {}
  end)

  after_each(function() host.run("rm -r " .. folder) end)

  local function stop()
    for _, server in ipairs(servers) do
      server:kill("KILL")
      server:wait(20)
      server:close()
    end
    servers = {} -- or their handles stay
  end

  -- A socket file that nobody listens on.
  local function make_stale()
    local l = assert(net.listen("unix:" .. path))
    os.rename(path, path .. ".kept") -- close() does not find it
    l:close()
    os.rename(path .. ".kept", path)
  end

  local function start(n)
    finally(stop)
    local script = folder .. "/server.lua"
    local f <close> = assert(io.open(script, "w"))
    f:write(SERVER)
    f:close()
    for i = 1, n do
      servers[i] = assert(proc.spawn { host.aioctl, script, path,
        stdin = "pipe", stdout = "pipe" })
    end
  end

  local function tell_all()
    for _, server in ipairs(servers) do server.stdin:send("go\n") end
  end

  local function answers()
    local won = 0
    for _, server in ipairs(servers) do
      local line = server.stdout:recv_line { timeout = 20 }
      if line == "won" then
        won = won + 1
      else
        assert.is_truthy(line:find("^lost EADDRINUSE"), line)
      end
    end
    return won
  end

  it("never both take a stale socket", function()
    start(2)
    for round = 1, ROUNDS do
      make_stale()
      tell_all()
      assert.equal(1, answers(), "round " .. round)
      local client <close> = assert(net.dial("unix:" .. path, { timeout = 5 }))
      assert.is_false(client:is_closed())
      tell_all()
      for _, server in ipairs(servers) do
        assert.equal("closed", server.stdout:recv_line { timeout = 20 })
      end
      assert.is_nil(file.stat(path))
    end
  end)

  it("never both take a path that is free, nor do threads of one program",
    function()
      start(2)
      for round = 1, ROUNDS // 4 do
        tell_all()
        assert.equal(1, answers(), "round " .. round)
        tell_all()
        for _, server in ipairs(servers) do server.stdout:recv_line() end
      end
      local threads = { assert(aio.iothread()), assert(aio.iothread()) }
      for _ = 1, ROUNDS // 4 do
        make_stale()
        local calls, listeners, won = {}, {}, 0
        for i, thread in ipairs(threads) do
          calls[i] = thread:call(function(p)
            return (require("aio.net").listen("unix:" .. p))
          end, path)
        end
        for i = 1, 2 do
          listeners[i] = calls[i]:join() or false -- it moves to us
          won = won + (listeners[i] and 1 or 0)
        end
        assert.equal(1, won)
        local winner = listeners[1] or listeners[2]
        winner:close()
      end
      for _, thread in ipairs(threads) do thread:close() end
    end)

  it("wait for the lock on the folder, and say so when it never comes",
    function()
      local holder = assert(proc.spawn { "flock", folder, "sh", "-c",
        "echo held; exec sleep 0.05", stdout = "pipe" })
      assert.equal("held", holder.stdout:recv_line { timeout = 20 })
      local start_time = aio.now()
      local l <close> = assert(net.listen("unix:" .. path))
      assert.is_false(l:is_closed())
      assert.is_true(aio.now() - start_time > 0.01)
      holder:wait(20)
      holder:close()
      holder = assert(proc.spawn { "flock", folder, "sh", "-c",
        "echo held; exec sleep 100", stdout = "pipe", group = true })
      assert.equal("held", holder.stdout:recv_line { timeout = 20 })
      local refused, message, errno = net.listen("unix:" .. path .. "2")
      assert.is_nil(refused)
      assert.equal(E.EWOULDBLOCK, errno)
      assert.is_truthy(message:find("keeps this folder locked", 1, true))
      holder:kill("KILL", true)
      holder:wait(20)
      holder:close()
    end)
end)
