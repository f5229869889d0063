--- aio.net: data of streams (connections:
-- net_connect_spec.lua, datagrams: udp_spec.lua, Unix sockets: unix_spec.lua).
local aio = require "aio"
local net = require "aio.net"
local proc = require "aio.proc"
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

describe("socket:send and socket:recv", function()
  it("carry what was sent, in order", function()
    local a, b = connected()
    assert.equal(5, a:send("hello"))
    assert.equal("hello", b:recv())
    assert.equal(6, b:send({ "wo", aio.buf(2):slice(0, 0), "rl", "d!" }))
    assert.equal("wor", a:recv(3))
    assert.equal("ld!", a:recv())
  end)

  it("fill a buffer and tell how much came", function()
    local a, b = connected()
    local buf = aio.buf(16)
    a:send("0123456789")
    assert.equal(10, b:recv(buf))
    assert.equal("0123456789", buf:tostring(0, 10))
    a:send(buf:slice(2, 4))
    assert.equal(4, b:recv(buf:slice(0, 8)))
    assert.equal("2345", buf:tostring(0, 4))
  end)

  it("give nil alone at the end, again and again", function()
    local a, b = connected()
    a:send("x")
    a:shutdown()
    assert.equal("x", b:recv())
    for _ = 1, 3 do
      assert.equal(1, select("#", b:recv()))
      assert.is_nil(b:recv())
    end
    assert.equal(2, b:send("ok")) -- the other direction still works
    assert.equal("ok", a:recv())
  end)

  -- A short read ends at an urgent mark, and hides an end that is there.
  it("find an end that came with the data while they waited", function()
    for _ = 1, 20 do
      local a, b = connected()
      local reader = aio.spawn(function()
        return b:recv(), b:recv(nil, 5)
      end)
      aio.yield()
      a:send("last")
      a:shutdown()
      local data, last, errno = reader:join(10)
      assert.equal("last", data)
      assert.is_nil(last)
      assert.is_nil(errno)
    end
  end)

  it("go on behind urgent data", function()
    local server = assert(proc.spawn({ "perl", "-MSocket", "-e", [[
      $| = 1;
      socket(my $l, AF_INET, SOCK_STREAM, 0);
      bind($l, pack_sockaddr_in(0, INADDR_LOOPBACK)); listen($l, 1);
      print((unpack_sockaddr_in(getsockname($l)))[0], "\n");
      accept(my $c, $l); sysread($c, my $x, 1);
      send($c, "before", 0); send($c, "!", MSG_OOB); send($c, "behind", 0);
      shutdown($c, 1); sysread($c, $x, 1);
    ]], stdout = "pipe" })) -- perl is part of every Debian
    local port = server.stdout:recv_line(10)
    local sock <close> = assert(net.dial("tcp:127.0.0.1:" .. port))
    local reader = aio.spawn(function()
      local got = ""
      for chunk in sock:chunks(nil, 5) do
        got = got .. chunk
      end
      return got
    end)
    aio.yield()
    sock:send("x")
    assert.equal("beforebehind", reader:join(10))
    sock:close()
    server:wait(5)
  end)

  it("time out and go on afterwards", function()
    local a, b = connected()
    assert_timeout(b:recv(10, 0.001))
    assert_timeout(b:recv(10, { timeout = 0 }))
    a:send("late")
    assert.equal("late", b:recv(10, 1))
  end)

  it("wait while the other side does not read, and send everything", function()
    local a, b = connected()
    local size <const> = 8 * 1024 * 1024
    local sum = 0
    local reader = aio.spawn(function()
      for chunk in b:chunks() do
        sum = sum + #chunk
      end
    end)
    local buf = aio.buf(size)
    assert.equal(size, a:send(buf))
    assert.equal(size + 3, a:send({ buf, "end" }))
    a:shutdown()
    reader:join(20)
    assert.equal(2 * size + 3, sum)
  end)

  it("tell how much went before a time-out", function()
    local a, _ = connected()
    local value, message, errno, sent = a:send(("x"):rep(1 << 24), 0.005)
    assert_timeout(value, message, errno)
    assert.is_true(sent > 0 and sent < 1 << 24)
  end)

  it("do not mix what two tasks send", function()
    local a, b = connected()
    local size <const> = 4 * 1024 * 1024
    local tasks = {}
    for i, letter in ipairs { "a", "b" } do
      tasks[i] = aio.spawn(function()
        assert.equal(size, a:send(letter:rep(size)))
      end)
    end
    local first = assert(b:recv_exact(size, 20))
    local second = assert(b:recv_exact(size, 20))
    assert.is_true(first == ("a"):rep(size))
    assert.is_true(second == ("b"):rep(size))
    tasks[1]:join()
    tasks[2]:join()
  end)

  it("serve readers of one socket in order", function()
    local a, b = connected()
    local got = {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(function()
        got[i] = b:recv_exact(1, 5)
      end)
    end
    aio.yield()
    a:send("123")
    for _, task in ipairs(tasks) do
      task:join(5)
    end
    assert.same({ "1", "2", "3" }, got)
  end)

  it("report a reset and a broken pipe as errors", function()
    local a, b = connected()
    a:send("unread")
    aio.wait_fd(b, "r", 1)
    b:close() -- with data unread: RST
    assert_error("ECONNRESET", a:recv(10, 1))
    assert_error("EPIPE", a:send("x", 1))
  end)

  it("let other tasks run although there is always data", function()
    local a, b = connected()
    local others, done = 0, false
    local counter = aio.spawn(function()
      while not done do
        others = others + 1
        aio.yield()
      end
    end)
    a:send(("x"):rep(2000))
    for _ = 1, 2000 do
      assert.equal("x", b:recv(1))
    end
    done = true
    counter:join()
    assert.is_true(others > 10, others .. " turns")
  end)

  it("refuse wrong arguments", function()
    local a, b = connected()
    assert.error_matches(function() a:send() end, "string, buffer or list")
    assert.error_matches(function() a:send({}) end, "empty")
    assert.error_matches(function() a:send({ 1 }) end, "item 1")
    assert.error_matches(function() b:recv(0) end, "must be positive")
    assert.error_matches(function() b:recv(-1) end, "must be positive")
    assert.error_matches(function() b:recv({}) end, "count or buffer")
    assert.error_matches(function() b:recv(aio.buf(0)) end, "no bytes")
    assert.error_matches(function() b:recv(1, "x") end, "seconds")
    assert.error_matches(function() b.recv(1) end, "aio.socket expected")
    local buf = aio.buf(8)
    buf:close()
    assert.error_matches(function() b:recv(buf) end, "closed")
    assert.error_matches(function() a:accept() end, "listening")
  end)

  it("pin a buffer that is being filled", function()
    local a, b = connected()
    local buf = aio.buf(8)
    local task = aio.spawn(function() return b:recv(buf) end)
    aio.yield()
    assert.error_matches(function() buf:close() end, "in flight")
    a:send("x")
    assert.equal(1, task:join(1))
    buf:close()
  end)

  it("cannot be called in a callback, but their try_ forms can", function()
    local a, b = connected()
    local results
    aio.defer(function()
      results = { pcall(b.recv, b) }
      results[3] = b:try_recv()
      results[4] = a:try_send("now")
    end)
    aio.yield()
    aio.yield()
    assert.is_false(results[1])
    assert.matches("cannot park in a callback", results[2])
    assert.is_false(results[3])
    assert.equal(3, results[4])
    assert.equal("now", b:recv())
  end)
end)

describe("try_recv and try_send", function()
  it("say false and 0 when nothing can be done now", function()
    local a, b = connected()
    assert.is_false(b:try_recv(10))
    local sent = 0
    repeat
      local n = a:try_send(("x"):rep(65536))
      sent = sent + n
    until n == 0
    assert.is_true(sent > 0)
    assert.equal(sent, #assert(b:recv_exact(sent, 5)))
  end)

  it("see the end and errors", function()
    local a, b = connected()
    a:close()
    aio.wait_fd(b, "r", 1)
    assert.equal(1, select("#", b:try_recv()))
    assert.is_nil((b:try_recv()))
  end)
end)

describe("socket:recv_exact", function()
  it("is never short", function()
    local a, b = connected()
    local task = aio.spawn(function() return b:recv_exact(6, 5) end)
    for _, part in ipairs { "ab", "cd", "efgh" } do
      aio.sleep(0.001)
      a:send(part)
    end
    assert.equal("abcdef", task:join(5))
    assert.equal("gh", b:recv()) -- received ahead, not lost
    local buf = aio.buf(4)
    a:send("123456")
    assert.equal(4, b:recv_exact(buf, 5))
    assert.equal("1234", buf:tostring())
    assert.equal("", b:recv_exact(0))
  end)

  it("keeps what came before a time-out", function()
    local a, b = connected()
    a:send("abc")
    local value, message, errno, have = b:recv_exact(5, 0.005)
    assert_timeout(value, message, errno)
    assert.equal(3, have)
    a:send("de")
    assert.equal("abcde", b:recv_exact(5, 1))
  end)

  it("tells a clean end from one in the middle", function()
    local a, b = connected()
    a:send("abcd")
    a:shutdown()
    assert.equal("ab", b:recv_exact(2))
    local value, message, errno, have = b:recv_exact(5, 1)
    assert_error("ENODATA", value, message, errno)
    assert.matches("the end came after 2 of 5 bytes", message)
    assert.equal(2, have)
    assert.equal("cd", b:recv())
    assert.equal(1, select("#", b:recv_exact(5)))
  end)

  it("believes no size before the bytes are there", function()
    local a, b = connected()
    a:send("x")
    assert_timeout(b:recv_exact(1 << 50, 0.002))
    assert.error_matches(function() b:recv_exact(math.maxinteger) end,
      "more than memory holds")
    assert.error_matches(function() b:recv_exact(-1) end, "negative")
  end)
end)

describe("socket:recv_line and socket:lines", function()
  it("split at line ends, whatever pieces come", function()
    local a, b = connected()
    aio.spawn(function()
      for _, part in ipairs { "one\r", "\ntw", "o\n\nthree\nlast" } do
        a:send(part)
        aio.sleep(0.001)
      end
      a:shutdown()
    end)
    local lines = {}
    for line in b:lines({ timeout = 5 }) do
      lines[#lines + 1] = line
    end
    assert.same({ "one", "two", "", "three", "last" }, lines)
  end)

  it("keep the line end if asked to", function()
    local a, b = connected()
    a:send("x\r\ny\nz")
    assert.equal("x\r\n", b:recv_line({ keep = true }))
    assert.equal("y\n", b:recv_line({ keep = true }))
    assert_timeout(b:recv_line(0.002))
    a:send("!\n")
    assert.equal("z!", b:recv_line(1))
  end)

  it("refuse a line that is too long, and lose none of it", function()
    local a, b = connected()
    a:send(("x"):rep(5000))
    assert_error("EMSGSIZE", b:recv_line({ max = 4096, timeout = 1 }))
    assert.equal(5000, #b:recv_exact(5000, 1))
    assert.error_matches(function() b:recv_line({ mx = 1 }) end,
      "unknown option 'mx'")
  end)

  it("raise an error that ends the loop early", function()
    local a, b = connected()
    b:send("unread")
    aio.wait_fd(a, "r", 1)
    a:close()
    assert.error_matches(function()
      for _ in b:lines() do end
    end, "ECONNRESET")
  end)
end)

describe("a closed socket", function()
  it("can be closed again and raises in every other method", function()
    local a, _ = connected()
    assert.is_true(a:close())
    assert.is_true(a:close())
    assert.is_true(a:is_closed())
    assert.equal(-1, a:fd())
    for name in pairs(net.methods) do
      if not ({ close = 1, is_closed = 1, fd = 1, ref = 1, unref = 1,
        lines = 1, chunks = 1, accepts = 1, starttls = 1 })[name] then
        local ok, err = pcall(a[name], a, "x", net.address("tcp:1.2.3.4:1"))
        assert.is_false(ok, name)
        assert.matches("closed", err)
      end
    end
    assert.matches("closed", tostring(a))
  end)

  it("ends the waits of other tasks with ECANCELED", function()
    local a, b = connected()
    local waits = {}
    for i = 1, 2 do
      waits[i] = aio.spawn(function() return a:recv() end)
    end
    waits[3] = aio.spawn(function() return a:send(("x"):rep(1 << 24)) end)
    aio.yield()
    aio.yield()
    a:close()
    for _, task in ipairs(waits) do
      assert_error("ECANCELED", task:join(1))
    end
    assert.is_false(b:is_closed())
  end)

  it("was closed by the collector if nobody else did it", function()
    local a, b = connected()
    assert.is_false(a:is_closed())
    a = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_nil(b:recv(10, 1))
  end)
end)

describe("cancelling a task", function()
  it("ends its wait and leaves the socket usable", function()
    local a, b = connected()
    local task = aio.spawn(function() b:recv() end)
    aio.yield()
    task:cancel()
    local ok, err = task:pjoin(1)
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    a:send("still here")
    assert.equal("still here", b:recv(100, 1))
  end)

  it("works while it waits for its turn, for accept and for connect", function()
    local l <close> = listener()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(function() l:accept() end)
    end
    aio.yield()
    for i = 3, 1, -1 do
      tasks[i]:cancel()
      assert.is_false((tasks[i]:pjoin(1)))
    end
    local a <close> = assert(net.dial(l:name()))
    local b <close> = assert(l:accept(1))
    assert.equal(tostring(a:name()), tostring(b:peer()))
  end)
end)
