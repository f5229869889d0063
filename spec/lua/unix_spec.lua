--- Unix sockets of aio.net: files, abstract names, descriptors.
local aio = require "aio"
local net = require "aio.net"
local file = require "aio.file"
local host = require "support.host"
local net_support = require "support.net"
local proc = require "aio.proc"

local E <const> = aio.errno

local function new_path()
  local path = os.tmpname()
  os.remove(path)
  return path .. ".sock"
end

describe("a Unix listener", function()
  it("makes a socket file and removes it when closed", function()
    local path = new_path()
    local l = assert(net.listen("unix:" .. path, { perm = 384 })) -- 0600
    local st = assert(file.stat(path))
    assert.equal("socket", st.type)
    assert.equal(384, st.mode & 511)
    local a = assert(net.dial("unix:" .. path))
    local b = assert(l:accept(1))
    a:send("x")
    assert.equal("x", b:recv(10, 1))
    assert.equal(path, a:peer():path())
    assert.equal("unix", a:peer():family())
    assert.equal("unix:" .. path, tostring(l:name()))
    l:close()
    assert.is_nil(file.stat(path))
    assert.equal(E.ENOENT, select(3, net.dial("unix:" .. path)))
  end)

  it("removes no file that somebody else has put there", function()
    local path = new_path()
    local l = assert(net.listen("unix:" .. path))
    os.remove(path)
    assert(io.open(path, "w")):close()
    l:close()
    assert.is_not_nil(file.stat(path))
    os.remove(path)
  end)

  it("replaces a stale socket, but neither a live one nor a file", function()
    local path = new_path()
    local l = assert(net.listen("unix:" .. path))
    assert.equal(E.EADDRINUSE, select(3, net.listen("unix:" .. path)))
    assert.is_true(l:try_accept() ~= nil) -- the probe is no harm
    local _, fd = net.pair()
    assert.is_not_nil(fd)
    -- the name stays when the process that bound it dies
    local killed = assert(proc.spawn { host.aioctl, "-e", ([[
      local net = require "aio.net"
      l = assert(net.listen("unix:%s"))
      print("up") io.stdout:flush()
      require "aio".sleep(100)]]):format(path .. "2"), stdout = "pipe" })
    assert.equal("up", killed.stdout:recv_line(20))
    assert.equal(E.EADDRINUSE, select(3, net.listen("unix:" .. path .. "2")))
    killed:kill("KILL")
    killed:wait(20)
    killed:close()
    assert.is_not_nil(file.stat(path .. "2"))
    local again <close> = assert(net.listen("unix:" .. path .. "2"))
    assert.is_not_nil(again)
    l:close()
    assert(io.open(path, "w")):close()
    assert.equal(E.EADDRINUSE, select(3, net.listen("unix:" .. path)))
    os.remove(path)
  end)

  it("can have an abstract name with zeros in it", function()
    local name = ("unix:@zeros\0%d\0end"):format(math.random(1 << 40))
    local listener <close> = assert(net.listen(name))
    assert.equal(name, tostring(listener:name()))
    assert.equal(name:sub(6), listener:name():path())
    local a <close> = assert(net.dial(tostring(listener:name())))
    assert(a:send("x"))
    local b <close> = assert(listener:accept(5))
    assert.equal("x", b:recv())
    local none, message = net.dial(name .. "s")
    assert.is_nil(none)
    assert.truthy(message:find("@zeros@", 1, true))
  end)

  it("can have an abstract name", function()
    local name = "@aioctl-spec-" .. host.run("mktemp -u"):match("(%w+)%s*$")
    local l <close> = assert(net.listen("unix:" .. name))
    assert.equal(E.EADDRINUSE, select(3, net.listen("unix:" .. name)))
    local a = assert(net.dial { path = name })
    local b = assert(l:accept(1))
    assert.equal("unix:" .. name, tostring(a:peer()))
    b:send("abstract")
    assert.equal("abstract", a:recv(100, 1))
  end)

  it("keeps dialers waiting while its queue is full", function()
    local path = new_path()
    local l <close> = assert(net.listen("unix:" .. path, { backlog = 1 }))
    local dialed = 0
    local tasks = {}
    for i = 1, 6 do
      tasks[i] = aio.spawn(function()
        local sock <close> = assert(net.dial("unix:" .. path, 20))
        dialed = dialed + 1
        sock:recv(1, 20)
      end)
    end
    aio.sleep(0.01)
    assert.is_true(dialed < 6)
    for _ = 1, 6 do
      assert(l:accept(20)):close()
    end
    for _, task in ipairs(tasks) do
      task:join(20)
    end
    assert.equal(6, dialed)
  end)
end)

describe("Unix datagrams and seqpackets", function()
  it("keep messages apart", function()
    for _, kind in ipairs { "datagram", "seqpacket" } do
      local a, b = net.pair(kind)
      a:send("one")
      a:send({ "t", "wo" })
      assert.equal("one", b:recv())
      assert.equal("two", b:recv())
      a:send("long message")
      assert.equal(E.EMSGSIZE, select(3, b:recv(4)))
      assert.is_false(b:try_recv())
    end
  end)

  it("go by path", function()
    local path, mine = new_path(), new_path()
    local server <close> = assert(net.listen("unix-dgram:" .. path))
    local client <close> = assert(net.dial("unix-dgram:" .. path,
      { bind = "unix-dgram:" .. mine }))
    client:send("hi")
    local data, from = server:recvfrom(10, 1)
    assert.equal("hi", data)
    assert.equal("unix-dgram:" .. mine, tostring(from))
    server:sendto("ho", from)
    assert.equal("ho", client:recv(10, 1))
    local seq <close> = assert(net.listen("unix-seqpacket:" .. path .. "q"))
    local a = assert(net.dial("unix-seqpacket:" .. path .. "q"))
    local b = assert(seq:accept(1))
    a:send("packet")
    a:shutdown()
    assert.equal("packet", b:recv(10, 1))
    assert.is_nil(b:recv(10, 1))
  end)
end)

describe("sendfd and recvfd", function()
  it("carry descriptors and data", function()
    local a, b = net.pair()
    local x, y = net.pair()
    assert.equal(1, a:sendfd(x))
    local fd, data = b:recvfd()
    assert.equal("\0", data)
    local copy <close> = assert(net.wrap(fd))
    copy:send("through the copy")
    assert.equal("through the copy", y:recv())
    assert.equal(4, a:sendfd({ x, y, io.stdout }, "data"))
    local fds
    fds, data = b:recvfd(10, 1)
    assert.equal("data", data)
    assert.equal(3, #fds)
    for _, each in ipairs(fds) do
      assert(net.wrap(each)):close()
    end
    a:send("plain")
    assert.same({ n = 2, nil, "plain" }, table.pack(b:recvfd(10, 1)))
    a:shutdown()
    assert.equal(1, select("#", b:recvfd(10, 1)))
  end)

  it("refuse what is no descriptor", function()
    local a, b = net.pair()
    assert.error_matches(function() a:sendfd("x") end, "file descriptor")
    assert.error_matches(function() a:sendfd({}) end, "1 to 253")
    assert.error_matches(function() a:sendfd({ "x" }) end, "file descriptor")
    assert.equal(E.EBADF, select(3, a:sendfd(9999)))
    assert.error_matches(function() b:recvfd(0) end, "1 to 65536")
    b:close()
    assert.equal(E.EPIPE, select(3, a:sendfd(1)))
    local t = net_support.connected()
    assert.error_matches(function() t:sendfd(1) end, "Unix socket")
  end)

  it("lose no descriptor to recv_exact before them", function()
    local a, b = net.pair()
    a:send("head")
    a:sendfd(a, "tail")
    assert.equal("head", b:recv_exact(4, 1))
    local fd, data = b:recvfd(10, 1)
    assert.equal("tail", data)
    assert(net.wrap(fd)):close()
  end)
end)

describe("Unix sockets and other programs", function()
  it("talk to socat", function()
    local _, status = host.run("command -v socat")
    if status ~= 0 then
      pending("no socat command")
    end
    local path = new_path()
    local l <close> = assert(net.listen("unix:" .. path))
    local p <close> = assert(proc.spawn { "socat", "-", "UNIX:" .. path,
      stdin = "pipe", stdout = "pipe" })
    local sock <close> = assert(l:accept(20))
    p.stdin:send("hello\n")
    assert.equal("hello", sock:recv_line(20))
    sock:send("bye\n")
    assert.equal("bye", p.stdout:recv_line(20))
    p:kill("KILL") -- a killed peer is an end
    assert.is_nil(sock:recv(10, 20))
  end)
end)
