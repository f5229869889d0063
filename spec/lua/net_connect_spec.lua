--- aio.net: listening, dialing, accepting, and many connections.
local aio = require "aio"
local net = require "aio.net"
local net_support = require "support.net"

local E <const> = aio.errno
local connected, listener = net_support.connected, net_support.listener

local function assert_timeout(value, message, errno)
  assert.is_nil(value)
  assert.equal("timeout", message)
  assert.equal(E.ETIMEDOUT, errno)
end

local function assert_error(name, value, message, errno)
  assert.is_nil(value)
  assert.equal(name, message:match("^%w+"))
  assert.equal(E[name], errno)
end

describe("net.listen and net.dial", function()
  it("set what is asked for, and nodelay by default", function()
    local l <close> = listener { rcvbuf = "64k", keepalive = true }
    local a <close> = assert(net.dial(l:name(), { sndbuf = 65536 }))
    local b <close> = assert(l:accept(1))
    for _, sock in ipairs { a, b } do
      assert.is_true(sock:option("nodelay"))
    end
    assert.is_true(b:option("keepalive"))
    assert.is_false(a:option("keepalive"))
    assert.equal(65536, a:option("sndbuf"))
    assert.is_true(a:option("nodelay", false))
    assert.is_false(a:option("nodelay"))
    assert.equal(0, a:option("error"))
    assert.error_matches(function() a:option("nodeley") end, "nodelay")
    assert.error_matches(function() a:option("error", 1) end, "only be read")
    assert.error_matches(function() a:option("nodelay", 1) end, "boolean")
  end)

  it("share a port only with reuseport", function()
    local l <close> = listener { reuseport = true }
    local name = tostring(l:name())
    local second <close> = assert(net.listen(name, { reuseport = true }))
    assert_error("EADDRINUSE", net.listen(name, { reuseport = false }))
    assert.is_not_nil(second)
  end)

  it("bind to a local address first", function()
    local l <close> = listener()
    local a <close> = assert(net.dial(l:name(), { bind = "tcp:127.0.0.2:0" }))
    assert.equal("127.0.0.2", a:name():host())
  end)

  it("name address and cause of a failure", function()
    local l = listener()
    local name = tostring(l:name())
    l:close()
    local value, message, errno = net.dial(name)
    assert_error("ECONNREFUSED", value, message, errno)
    assert.matches(name, message, 1, true)
    local port = name:match("%d+$")
    value, message, errno = net.dial("tcp:localhost:" .. port)
    assert_error("ECONNREFUSED", value, message, errno)
    assert_error("EADDRNOTAVAIL", net.listen("tcp:192.0.2.1:1"))
    -- Longer than DNS allows: no server is asked.
    local no_host = ("n"):rep(64) .. ".invalid"
    value, message, errno = net.dial("tcp:" .. no_host .. ":80")
    assert.is_nil(value)
    assert.matches(no_host, message, 1, true)
    assert.is_true(math.type(errno) == "integer")
  end)

  it("give up after the time-out", function()
    local full <close> = net_support.full_listener()
    local start = aio.now()
    local value, message, errno = net.dial(full:name(), { timeout = 0.02 })
    assert_timeout(value, message, errno)
    assert.is_true(aio.now() - start < 5)
  end)

  it("refuse addresses and options that make no sense", function()
    for address, why in pairs {
      ["tcp:::1:80"] = "brackets", ["tcp:x"] = "HOST:PORT",
      ["foo:x:1"] = "tcp:",
      ["tcp:x:70000"] = "0 to 65535", ["tcp:x:"] = "HOST:PORT",
      ["tcp:x:-1"] = "0 to 65535", ["tcp:x:1 2"] = "service",
    } do
      assert.error_matches(function() net.dial(address) end, why)
    end
    assert.error_matches(function() net.dial() end, "address expected")
    assert.error_matches(function() net.dial({}) end, "host and port")
    assert.error_matches(function() net.dial("tcp:x:1", { tmeout = 1 }) end,
      "did you mean 'timeout'")
    assert.error_matches(function() net.listen("tcp:x:1", { bind = 1 }) end,
      "unknown option")
    assert.error_matches(function() net.dial("unix:" .. ("x"):rep(200)) end,
      "at most 107 bytes")
    assert.error_matches(function() net.address("tcp:name:80") end, "resolve")
  end)

  it("listen on every address with *, by both families", function()
    local l <close> = assert(net.listen("tcp:*:0"))
    local port = l:name():port()
    local a <close> = assert(net.dial("tcp:127.0.0.1:" .. port))
    local b <close> = assert(l:accept(1))
    assert.is_not_nil(b)
    if l:name():family() == "ipv6" then
      local c <close> = assert(net.dial("tcp:[::1]:" .. port))
      assert.equal("tcp:[::1]:" .. port, tostring(c:peer()))
    end
    assert.is_not_nil(a)
  end)

  -- dial a name that has these addresses
  local function dial_all(list, opts)
    local core = require "aio.net.core"
    local lookup = core.lookup
    core.lookup = function() return list end
    local result = table.pack(pcall(net.dial, "tcp:several:1", opts))
    core.lookup = lookup
    return table.unpack(result, 2, result.n)
  end

  local function refused()
    local l <close> = listener()
    return l:name()
  end

  it("try every address of a name", function()
    local l <close> = listener()
    local a = assert(dial_all { refused(), l:name(), refused() })
    assert.equal(l:name(), a:peer())
    local bad = { refused(), refused() }
    local value, message, errno = dial_all(bad)
    assert_error("ECONNREFUSED", value, message, errno)
    for _, part in ipairs { tostring(bad[1]), tostring(bad[2]),
      "(dialing tcp:several:1)" } do
      assert.matches(part, message, 1, true)
    end
  end)

  it("do not wait for an address that is silent", function()
    local full <close> = net_support.full_listener()
    local l <close> = listener()
    local start = aio.now()
    local a = assert(dial_all({ full:name(), l:name() }, 20))
    assert.equal(l:name(), a:peer())
    assert.is_true(aio.now() - start < 5)
    assert_timeout(dial_all({ full:name(), full:name() }, 0.02))
    aio.sleep(0.002) -- the attempts see that they are given up
    assert.equal(1, #aio.tasks())
  end)
end)

describe("socket:accept", function()
  it("takes connections that came before and after", function()
    local l <close> = listener()
    assert.is_false(l:try_accept())
    assert_timeout(l:accept(0.001))
    local a <close> = assert(net.dial(l:name()))
    local b <close> = assert(l:accept(1))
    assert.equal(a:name(), b:peer())
    assert.not_equal(a:name(), a:peer())
    local task = aio.spawn(function() return l:accept(1) end)
    aio.yield()
    local c <close> = assert(net.dial(l:name()))
    local d <close> = assert(task:join(1))
    assert.is_not_nil(c and d)
    local e <close> = assert(net.dial(l:name()))
    aio.wait_fd(l, "r", 1)
    local f <close> = assert(l:try_accept())
    assert.is_not_nil(e and f)
  end)

  it("ends the loop over accepts() when the listener is closed", function()
    local l = listener()
    local count = 0
    local server = aio.spawn(function()
      for sock in l:accepts() do
        count = count + 1
        sock:close()
      end
    end)
    for _ = 1, 3 do
      local a <close> = assert(net.dial(l:name()))
      assert.is_nil(a:recv())
    end
    l:close()
    server:join(1)
    assert.equal(3, count)
  end)

  it("makes close-on-exec sockets", function()
    local a, b = connected()
    for _, sock in ipairs { a, b } do
      local info = assert(io.open("/proc/self/fdinfo/" .. sock:fd()))
      local flags = tonumber(info:read("a"):match("flags:%s*(%d+)"), 8)
      info:close()
      assert.not_equal(0, flags & 0x80000)
    end
  end)
end)

describe("a descriptor of a socket", function()
  it("may be watched by others while no task waits in the socket", function()
    local a, b = connected()
    a:send("1")
    assert.equal("1", b:recv())
    a:send("2")
    assert.equal("r", aio.wait_fd(b, "r", 1))
    assert.equal("2", b:recv())
    local task = aio.spawn(function() return b:recv(10, 1) end)
    aio.yield()
    assert.error_matches(function() aio.fd(b, { read = print }) end,
      "a task waits in a method of its socket")
    a:send("3")
    assert.equal("3", task:join(1))
    local fired = 0
    local handler <close> = aio.fd(b, { read = function(h)
      fired = fired + 1
      h:set { read = false }
    end })
    a:send("4")
    aio.sleep(0.002)
    assert.equal(1, fired)
    assert.error_matches(function() b:recv_exact(10) end,
      "already has a handler")
    handler:delete()
    assert.equal("4", b:recv())
  end)

  it("can be wrapped", function()
    local a, b = net.pair()
    b:sendfd(a)
    a:sendfd(io.stdout, "data")
    local fd, data = b:recvfd()
    assert.equal("data", data)
    local wrapped <close> = assert(net.wrap(fd))
    assert.is_true(wrapped:fd() >= 0)
    local copy <close> = assert(net.wrap((a:recvfd())))
    a:send("x")
    assert.equal("x", b:recv())
    copy:send("y")
    assert.equal("y", b:recv())
    assert_error("ENOTSOCK", net.wrap(assert(io.open("/proc/self/stat"))))
  end)
end)

describe("external sockets", function()
  it("are not served while externals are disabled", function()
    local l <close> = listener { external = true }
    local a <close> = assert(net.dial(l:name()))
    local b <close> = assert(l:accept(1))
    local ctx = aio.context()
    ctx:disable_external()
    a:send("x")
    local got
    local task = aio.spawn(function() got = b:recv_exact(1, 5) end)
    aio.sleep(0.01)
    assert.is_nil(got)
    ctx:enable_external()
    task:join(5)
    assert.equal("x", got)
  end)
end)

describe("many connections", function()
  it("are served at the same time", function()
    local clients <const> = net_support.scaled(1000)
    local l <close> = listener()
    local server = aio.spawn(function()
      for sock in l:accepts() do
        aio.spawn(function()
          local peer <close> = sock
          for chunk in peer:chunks() do
            peer:send(chunk)
          end
        end)
      end
    end)
    local done = 0
    aio.group(function(g)
      local all_connected = aio.sync.event()
      local connected_count = 0
      for i = 1, clients do
        g:spawn(function()
          local sock <close> = assert(net.dial(l:name(), 20))
          connected_count = connected_count + 1
          if connected_count == clients then
            all_connected:set()
          end
          all_connected:wait(20)
          for round = 1, 3 do
            local text = ("%d/%d"):format(i, round)
            sock:send(text)
            assert(sock:recv_exact(#text, 20) == text)
          end
          done = done + 1
        end)
      end
    end)
    assert.equal(clients, done)
    l:close()
    server:join(5)
  end)

  it("do not make accept spin when descriptors run out", function()
    net_support.without_descriptors(function(use_up, give_back)
      local l <close> = listener()
      local a <close> = assert(net.dial(l:name()))
      use_up()
      local before = aio.context():stats().iterations
      assert_error("EMFILE", l:accept(1))
      assert.is_true(aio.context():stats().iterations - before < 100)
      give_back()
      local b <close> = assert(l:accept(1))
      assert.is_not_nil(a and b)
    end)
  end)
end)
