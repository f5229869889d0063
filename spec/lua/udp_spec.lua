--- Datagrams of aio.net.
local aio = require "aio"
local net = require "aio.net"
local host = require "support.host"
local proc = require "aio.proc"

-- Longer than DNS allows: looked up, and not found without asking a server.
local NO_HOST <const> = ("n"):rep(64) .. ".invalid"

local E <const> = aio.errno

describe("net.udp", function()
  it("receives with the sender's address, and answers it", function()
    local server = assert(net.udp("127.0.0.1:0"))
    local client = assert(net.udp())
    assert.equal(4, client:sendto("ping", server:name()))
    local data, from = server:recvfrom(100, 1)
    assert.equal("ping", data)
    assert.equal(client:name():port(), from:port())
    assert.equal("127.0.0.1", from:host())
    assert.equal("ipv4", from:family())
    assert.equal("datagram", from:type())
    assert.is_nil(from:path())
    assert.equal("udp:127.0.0.1:" .. from:port(), tostring(from))
    server:sendto({ "po", "ng" }, from)
    local buf = aio.buf(16)
    local n, sender = client:recvfrom(buf, 1)
    assert.equal("pong", buf:tostring(0, n))
    assert.equal(server:name(), sender)
  end)

  it("takes addresses as text, with names too", function()
    local server = assert(net.udp("udp:127.0.0.1:0"))
    local client = assert(net.udp())
    local port = server:name():port()
    assert.equal(1, client:sendto("a", "udp:127.0.0.1:" .. port))
    assert.equal(1, client:sendto("b", "udp:localhost:" .. port, 20))
    assert.equal("a", server:recv(10, 1))
    assert.equal("b", server:recv(10, 1))
    local value, message = client:sendto("c", "udp:" .. NO_HOST .. ":1", 20)
    assert.is_nil(value)
    assert.matches(NO_HOST, message, 1, true)
  end)

  it("can be connected: only that peer, and its refusals", function()
    local server = assert(net.udp("127.0.0.1:0"))
    local a = assert(net.dial(server:name()))
    local b = assert(net.udp())
    a:send("from a")
    local _, from = server:recvfrom(10, 1)
    assert.equal(a:name(), from)
    b:sendto("intruder", a:name())
    server:sendto("answer", from)
    assert.equal("answer", a:recv(100, 1))
    server:close()
    a:send("x")
    local value, _, errno = a:recv(10, 1)
    assert.is_nil(value)
    assert.equal(E.ECONNREFUSED, errno)
  end)

  it("knows empty datagrams, which are no end", function()
    local server = assert(net.udp("127.0.0.1:0"))
    local client = assert(net.dial(server:name()))
    assert.equal(0, client:send(""))
    assert.equal("", server:recv(10, 1))
    assert.equal(0, client:sendto("", server:name()))
    assert.equal("", (server:recvfrom(10, 1)))
  end)

  it("cuts nothing silently", function()
    local server = assert(net.udp("127.0.0.1:0"))
    local client = assert(net.dial(server:name()))
    for _, method in ipairs { "recv", "recvfrom" } do
      client:send("0123456789")
      local value, message, errno = server[method](server, 4, 1)
      assert.is_nil(value)
      assert.matches("a message of 10 bytes was cut to 4", message)
      assert.equal(E.EMSGSIZE, errno)
    end
    client:send("ok")
    assert.equal("ok", server:recv(4, 1))
    local value, _, errno = client:send(("x"):rep(70000))
    assert.is_nil(value)
    assert.equal(E.EMSGSIZE, errno)
  end)

  it("times out, is cancelled, and goes on", function()
    local server = assert(net.udp("127.0.0.1:0"))
    assert.equal(E.ETIMEDOUT, select(3, server:recvfrom(10, 0.001)))
    assert.is_false(server:try_recv())
    local task = aio.spawn(function() server:recvfrom() end)
    aio.yield()
    task:cancel()
    assert.is_false((task:pjoin(1)))
    local client = assert(net.dial(server:name()))
    client:send("late")
    assert.equal("late", server:recv(10, 1))
  end)

  it("receives a burst in order", function()
    local server = assert(net.udp("127.0.0.1:0", { rcvbuf = "1M" }))
    local client = assert(net.dial(server:name()))
    for i = 1, 200 do
      client:send(tostring(i))
    end
    for i = 1, 200 do
      assert.equal(tostring(i), server:recv(10, 1))
    end
  end)

  it("refuses what streams are for, and the other way round", function()
    local udp = assert(net.udp())
    assert.error_matches(function() udp:recv_exact(1) end, "messages")
    assert.error_matches(function() udp:recv_line() end, "messages")
    assert.error_matches(function() udp:accept() end, "listening")
    assert.error_matches(function() udp:sendfd(1) end, "Unix socket")
    assert.error_matches(function() udp:sendto("x", {}) end, "aio.address")
    assert.error_matches(function() net.udp("tcp:127.0.0.1:1") end,
      "datagram address")
    local a = net.pair()
    assert.error_matches(function() a:recvfrom() end, "datagram socket")
  end)

  it("understands IPv6 where there is some", function()
    local server = net.udp("udp:[::1]:0")
    if not server then
      pending("no IPv6 on this machine")
    end
    local client = assert(net.dial(server:name()))
    client:send("six")
    local data, from = server:recvfrom(10, 1)
    assert.equal("six", data)
    assert.matches("^udp:%[::1%]:%d+$", tostring(from))
    assert.equal("ipv6", from:family())
  end)

  it("talks to other programs", function()
    local _, status = host.run("command -v socat")
    if status ~= 0 then
      pending("no socat command")
    end
    local server = assert(net.udp("127.0.0.1:0"))
    local p <close> = assert(proc.spawn { "socat", "-",
      "UDP:127.0.0.1:" .. server:name():port(),
      stdin = "pipe", stdout = "pipe" })
    p.stdin:send("question\n")
    local data, from = server:recvfrom(100, 20)
    assert.equal("question\n", data)
    server:sendto("answer\n", from)
    assert.equal("answer", p.stdout:recv_line(20))
  end)
end)

describe("net.resolve", function()
  it("finds names in the hosts file and leaves numbers alone", function()
    local list = assert(net.resolve("localhost", { port = 80, timeout = 20 }))
    assert.is_true(#list >= 1)
    for _, address in ipairs(list) do
      assert.equal(80, address:port())
      assert.equal("stream", address:type())
    end
    assert.same({ "tcp:10.1.2.3:0" }, { tostring(net.resolve("10.1.2.3")[1]) })
    assert.equal("udp:[fe80::1]:5", tostring(net.resolve("fe80::1",
      { port = 5, type = "datagram" })[1]))
    local v4 = assert(net.resolve("localhost", { family = "ipv4" }))
    assert.equal("127.0.0.1", v4[1]:host())
  end)

  it("knows names of services", function()
    local list, message = net.resolve("localhost", { port = "http" })
    if not list and message:find("ervname") then
      pending("no /etc/services on this machine")
    end
    assert.equal(80, list[1]:port())
  end)

  it("does not stop the loop, or files, while it waits", function()
    local turns = 0
    local tasks = {}
    for i = 1, 8 do
      tasks[i] = aio.spawn(net.resolve, NO_HOST .. i)
    end
    local file = require "aio.file"
    while not file.stat("/") or turns < 20 do
      turns = turns + 1
      aio.yield()
    end
    for _, task in ipairs(tasks) do
      assert.is_nil((task:join(60)))
    end
  end)

  it("can be given up: time-out and cancel", function()
    local task = aio.spawn(net.resolve, NO_HOST)
    aio.yield()
    task:cancel()
    task:pjoin(20)
    local value, message = net.resolve(NO_HOST, { timeout = 0 })
    assert.is_nil(value)
    assert.is_string(message)
  end)

  it("refuses wrong arguments", function()
    assert.error_matches(function() net.resolve() end, "name of a host")
    assert.error_matches(function() net.resolve("x", { prot = 1 }) end,
      "unknown option 'prot'")
    assert.error_matches(function() net.resolve("x", { port = -1 }) end,
      "0 to 65535")
    assert.error_matches(function() net.resolve("x", { family = "x" }) end,
      "option 'family': \"ipv4\" or \"ipv6\" expected, got \"x\"")
  end)
end)
