--- aio.net: listener:accepts(), for which the kernel may accept ahead.
local aio = require "aio"
local net = require "aio.net"
local net_support = require "support.net"

local E <const> = aio.errno

local function echo(sock)
  for chunk in sock:chunks() do
    sock:send(chunk)
  end
  sock:close()
end

local function serve(listener, body)
  return aio.spawn(function()
    for sock in listener:accepts() do
      body(sock)
    end
  end)
end

-- clients(listener, n) -> n connections
local function clients(listener, n)
  local list = {}
  for i = 1, n do
    list[i] = assert(net.dial(listener:name(), 10))
  end
  return list
end

local function close_all(list)
  for _, sock in ipairs(list) do
    sock:close()
  end
end

describe("listener:accepts", function()
  it("gives every connection of a crowd, with its peer's address", function()
    local listener <close> = net_support.listener()
    local names, seen = {}, 0
    local server = serve(listener, function(sock)
      seen = seen + 1
      names[tostring(sock:peer())] = true
      aio.spawn(echo, sock)
    end)
    local list = clients(listener, net_support.scaled(200))
    for _, sock in ipairs(list) do
      assert(sock:send("hello"))
      assert.equal("hello", sock:recv_exact(5, 10))
      assert.is_true(names[tostring(sock:name())])
    end
    assert.equal(#list, seen)
    local ahead = aio.context():stats().accepted_ahead
    if aio.context():get().fdmon ~= "io_uring" then
      assert.equal(0, ahead)
    elseif not os.getenv("AIOCTL_GLIB") then
      assert.is_true(ahead > 0) -- Linux 5.19
    end
    close_all(list)
    listener:close()
    server:join(5)
  end)

  it("closes what was not taken when the listener is closed", function()
    local listener <close> = net_support.listener()
    local taken = {}
    local server = serve(listener, function(sock)
      taken[#taken + 1] = sock
      aio.sleep(0.01)
    end)
    local list = clients(listener, 30)
    listener:close()
    server:join(5)
    close_all(taken)
    for _, sock in ipairs(list) do
      local data, _, errno = sock:recv(1, 5)
      assert.is_nil(data)
      assert.not_equal(E.ETIMEDOUT, errno)
    end
    close_all(list)
  end)

  it("leaves the listener to accept() when it is cancelled", function()
    local listener <close> = net_support.listener()
    local server = serve(listener, function(sock) sock:close() end)
    local first <close> = assert(net.dial(listener:name()))
    assert.is_nil(first:recv(1, 5))
    server:cancel()
    pcall(server.join, server)
    local second <close> = assert(net.dial(listener:name()))
    local sock <close> = assert(listener:accept(5))
    second:send("hi")
    assert.equal("hi", sock:recv(2, 5))
    assert.is_false(listener:try_accept())
  end)

  it("gives nothing while externals are disabled, and all of it then",
    function()
      local listener <close> = net_support.listener { external = true }
      local seen = 0
      local server = serve(listener, function(sock)
        seen = seen + 1
        sock:close()
      end)
      aio.yield()
      local ctx = aio.context()
      ctx:disable_external()
      local list = clients(listener, 5)
      aio.sleep(0.02)
      assert.equal(0, seen)
      ctx:enable_external()
      for _, sock in ipairs(list) do
        assert.is_nil(sock:recv(1, 5))
      end
      assert.equal(5, seen)
      close_all(list)
      listener:close()
      server:join(5)
    end)

  it("goes on when the monitor changes", function()
    local listener <close> = net_support.listener()
    local ctx = aio.context()
    local before = ctx:get().fdmon
    local server = serve(listener, function(sock) aio.spawn(echo, sock) end)
    local old <close> = assert(net.dial(listener:name()))
    for _, monitor in ipairs { "epoll", "io_uring", "poll", "io_uring" } do
      ctx:set { fdmon = monitor }
      aio.yield()
      local sock <close> = assert(net.dial(listener:name()))
      for _, each in ipairs { sock, old } do
        assert(each:send(monitor))
        assert.equal(monitor, each:recv_exact(#monitor, 5))
      end
    end
    ctx:set { fdmon = before }
    old:close()
    listener:close()
    server:join(5)
  end)

  it("accepts on Unix sockets", function()
    local listener <close> =
      assert(net.listen("unix:@accepts" .. math.random(1 << 40)))
    local server = serve(listener, function(sock) aio.spawn(echo, sock) end)
    local list = clients(listener, 10)
    for _, sock in ipairs(list) do
      assert(sock:send("x"))
      assert.equal("x", sock:recv(1, 5))
    end
    close_all(list)
    listener:close()
    server:join(5)
  end)
end)
