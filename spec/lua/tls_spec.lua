--- TLS of aio.net: handshakes, data, and what goes wrong.
local aio = require "aio"
local certs = require "support.certs"
local host = require "support.host"
local net = require "aio.net"
local proc = require "aio.proc"

local E <const> = aio.errno
local why_not = certs.why()

-- Without TLS every spec is skipped, and says why.
local function tls_it(name, fn)
  it(name, function()
    if why_not then
      pending(why_not)
    end
    fn()
  end)
end

-- A TLS server on the loopback that echoes; its errors go to the list.
local function echo_server(tls, opts)
  opts = opts or {}
  opts.tls = tls
  local listener = assert(net.listen("tcp:127.0.0.1:0", opts))
  local errors = {}
  aio.spawn(function()
    for sock in listener:accepts() do
      aio.spawn(function()
        local peer <close> = sock
        while true do
          local data, message = peer:recv(65536, 20)
          if not data then
            errors[#errors + 1] = message
            break
          end
          peer:send(data)
        end
      end)
    end
  end)
  return listener, "tcp:localhost:" .. listener:name():port(), errors
end

local function good()
  return { cert = certs.of("good").cert, key = certs.of("good").key }
end

local function dial(address, tls, sec)
  return net.dial(address, { tls = tls, timeout = sec or 20 })
end

describe("TLS", function()
  tls_it("carries data both ways, and the end", function()
    local listener, address = echo_server(good())
    local sock <close> = assert(dial(address, { ca = certs.ca() }))
    for _, text in ipairs { "x", ("y"):rep(100000), "\0z" } do
      assert.equal(#text, sock:send(text, 20))
      assert.is_true(text == sock:recv_exact(#text, 20))
    end
    assert.equal(4, sock:send({ "a", aio.buf(1), "", "cd" }))
    assert.equal("a\0cd", sock:recv_exact(4, 20))
    local facts = sock:tls()
    assert.matches("^TLSv1%.[23]$", facts.protocol)
    assert.is_string(facts.cipher)
    assert.matches("CN=good", facts.subject)
    assert.matches("CN=test%-authority", facts.issuer)
    assert.is_true(sock:shutdown())
    assert.is_nil(sock:recv(10, 20))
    assert.matches("TLS", tostring(sock))
    listener:close()
  end)

  tls_it("works on sockets that are full, in both directions", function()
    local listener, address = echo_server(good(), { rcvbuf = 8192 })
    local sock <close> = assert(dial(address, { ca = certs.ca() }))
    local size <const> = 4 << 20
    local writer = aio.spawn(function() return sock:send(aio.buf(size)) end)
    local sum = 0
    while sum < size do
      sum = sum + #assert(sock:recv(65536, 20))
    end
    assert.equal(size, writer:join(20))
    listener:close()
  end)

  for name, case in pairs {
    expired = { cert = "expired", why = "certificate has expired" },
    ["of another host"] = { cert = "other", why = "[Hh]ostname mismatch" },
    ["of an unknown authority"] = { cert = "stranger", why = "self.signed" },
  } do
    tls_it("refuses a certificate " .. name, function()
      local listener, address, errors = echo_server(certs.of(case.cert))
      local value, message, errno = dial(address, { ca = certs.ca() })
      assert.is_nil(value)
      assert.equal(E.EPROTO, errno)
      assert.matches("certificate verify failed", message)
      assert.matches(case.why, message)
      assert.matches("tcp:127.0.0.1:", message, 1, true)
      aio.sleep(0.01)
      assert.matches("alert", errors[1])
      local sock <close> = assert(dial(address, { verify = false }))
      assert.equal(2, sock:send("ok"))
      assert.equal("ok", sock:recv(2, 20))
      listener:close()
    end)
  end

  tls_it("verifies the name that is asked for", function()
    local listener, address = echo_server(certs.of("other"))
    local sock <close> = assert(dial(address, { ca = certs.ca(),
      servername = "other.example" }))
    local number = address:gsub("localhost", "127.0.0.1")
    local value, message = dial(number, { ca = certs.ca() })
    assert.is_nil(value)
    assert.matches("IP address mismatch", message)
    assert.is_not_nil(sock)
    listener:close()
  end)

  tls_it("asks clients for certificates if told to", function()
    local server = good()
    server.ca, server.verify = certs.ca(), true
    local listener, address, errors = echo_server(server)
    local with = certs.of("client")
    with.ca = certs.ca()
    local sock <close> = assert(dial(address, with))
    sock:send("hi")
    assert.equal("hi", sock:recv(10, 20))
    local without = assert(dial(address, { ca = certs.ca() }))
    local value, message = without:recv(10, 20) -- TLS 1.3 tells it late
    assert.is_nil(value)
    assert.matches("certificate required", message)
    without:close()
    assert.matches("did not return a certificate", errors[1])
    listener:close()
  end)

  tls_it("works with a key that both know, without certificates", function()
    local psk = { identity = "disk", key = ("k"):rep(32) }
    local listener, address = echo_server { psk = psk }
    local sock <close> = assert(dial(address, { psk = psk }))
    sock:send("secret")
    assert.equal("secret", sock:recv(10, 20))
    local value, _, errno = dial(address, {
      psk = { identity = "disk", key = ("K"):rep(32) },
    })
    assert.is_nil(value)
    assert.equal(E.EPROTO, errno)
    listener:close()
  end)

  tls_it("agrees on a protocol (ALPN)", function()
    local server = good()
    server.alpn = { "nbd", "http/1.1" }
    local listener, address = echo_server(server)
    local sock <close> = assert(dial(address, { ca = certs.ca(),
      alpn = { "http/1.1", "nbd" } }))
    assert.equal("nbd", sock:tls().alpn)
    local value, message = dial(address, { ca = certs.ca(), alpn = { "h2" } })
    assert.is_nil(value)
    assert.matches("no application protocol", message)
    listener:close()
  end)

  tls_it("can begin in the middle of a connection", function()
    local listener <close> = assert(net.listen("tcp:127.0.0.1:0"))
    local server = aio.spawn(function()
      local sock <close> = assert(listener:accept(20))
      assert(sock:recv_line(20) == "STARTTLS")
      sock:send("go\n")
      local tls = good()
      tls.server = true
      assert(sock:starttls(tls))
      return sock:recv_line(20)
    end)
    local sock <close> = assert(net.dial(listener:name()))
    assert.is_nil(sock:tls())
    sock:send("STARTTLS\n")
    assert.equal("go", sock:recv_line(20))
    assert.is_true(sock:starttls { ca = certs.ca(), servername = "localhost",
      timeout = 20 })
    sock:send("private\n")
    assert.equal("private", server:join(20))
    assert.error_matches(function() sock:starttls {} end, "has TLS already")
  end)

  tls_it("takes nothing for protected that came before", function()
    local a, b = net.pair()
    a:send("line\ninjected")
    assert.equal("line", b:recv_line())
    assert.error_matches(function() b:starttls { server = true,
      cert = certs.of("good").cert, key = certs.of("good").key } end,
      "not protected")
  end)

  tls_it("gives up a handshake that takes too long", function()
    local listener <close> = assert(net.listen("tcp:127.0.0.1:0"))
    local value, message, errno = dial(tostring(listener:name()), true, 0.02)
    assert.is_nil(value)
    assert.equal("timeout", message)
    assert.equal(E.ETIMEDOUT, errno)
  end)

  tls_it("says what is wrong when the peer does not speak it", function()
    local listener <close> = assert(net.listen("tcp:127.0.0.1:0"))
    aio.spawn(function()
      local sock <close> = assert(listener:accept(20))
      sock:send("220 hello, this is no TLS\r\n")
      sock:recv(10, 20)
    end)
    local value, message, errno = dial(tostring(listener:name()), true)
    assert.is_nil(value)
    assert.matches("wrong version number", message)
    assert.equal(E.EPROTO, errno)
  end)

  tls_it("tells a connection that was cut from one that ended", function()
    local listener <close> = assert(net.listen("tcp:127.0.0.1:0"))
    aio.spawn(function()
      local sock <close> = assert(listener:accept(20))
      local tls = good()
      tls.server = true
      assert(sock:starttls(tls))
      sock:send("part")
      local other, fd = net.pair()
      other:sendfd(sock)
      local copy <close> = assert(net.wrap((fd:recvfd(1, 20))))
      copy:shutdown() -- below TLS: no goodbye
      sock:recv(10, 20)
    end)
    local sock <close> = assert(dial(tostring(listener:name()),
      { verify = false }))
    assert.equal("part", sock:recv(10, 20))
    local value, message, errno = sock:recv(10, 20)
    assert.is_nil(value)
    assert.matches("without saying goodbye", message)
    assert.equal(E.EPROTO, errno)
  end)

  tls_it("names files and options that are wrong", function()
    local value, message, errno = dial("tcp:127.0.0.1:1",
      { ca = "/nonexistent.pem" })
    assert.is_nil(value)
    assert.matches("/nonexistent.pem", message, 1, true)
    assert.is_number(errno)
    value, message = net.listen("tcp:127.0.0.1:0", { tls = {
      cert = certs.of("good").cert, key = certs.of("other").key } })
    assert.is_nil(value)
    assert.matches("key", message)
    assert.error_matches(function()
      net.listen("tcp:127.0.0.1:0", { tls = true })
    end, "cert and key")
    assert.error_matches(function() dial("tcp:x:1", { crt = "x" }) end,
      "did you mean 'cert'")
    assert.error_matches(function() dial("tcp:x:1", 1) end, "true or a table")
    assert.error_matches(function()
      dial("tcp:x:1", { psk = { identity = "x", key = "short" } })
    end, "psk")
    assert.error_matches(function() dial("tcp:x:1", { verify = 1 }) end,
      "boolean")
  end)

  tls_it("cancels a handshake cleanly", function()
    local listener <close> = assert(net.listen("tcp:127.0.0.1:0"))
    local task = aio.spawn(dial, tostring(listener:name()), true)
    local peer <close> = assert(listener:accept(20))
    assert.is_string(peer:recv(10, 20))
    task:cancel()
    assert.is_false((task:pjoin(20)))
    collectgarbage()
    local rest = peer:recv(65536, 20)
    while rest do
      rest = peer:recv(65536, 20)
    end
  end)
end)

describe("TLS with other programs", function()
  tls_it("serves openssl s_client", function()
    local listener, address = echo_server(good())
    local p <close> = assert(proc.spawn { "openssl", "s_client", "-quiet",
      "-CAfile", certs.ca(), "-verify_return_error", "-connect",
      (address:gsub("^tcp:", "")),
      stdin = "pipe", stdout = "pipe", stderr = "null" })
    p.stdin:send("from openssl\n")
    assert.equal("from openssl", p.stdout:recv_line(20))
    listener:close()
  end)

  tls_it("talks to openssl s_server", function()
    local pair = certs.of("good")
    local server <close> = assert(proc.spawn { "openssl", "s_server",
      "-accept", "127.0.0.1:0", "-cert", pair.cert, "-key", pair.key, "-rev",
      stdout = "pipe", stdin = "pipe", stderr = "stdout" })
    local port
    for line in server.stdout:lines { timeout = 20 } do
      port = line:match("^ACCEPT .-:(%d+)$")
      if port then
        break
      end
    end
    local sock <close> = assert(dial("tcp:localhost:" .. port,
      { ca = certs.ca() }))
    sock:send("abc\n")
    assert.equal("cba", sock:recv_line(20))
  end)

  tls_it("serves curl", function()
    local _, status = host.run("command -v curl")
    if status ~= 0 then
      pending("no curl command")
    end
    local listener <close> = assert(net.listen("tcp:127.0.0.1:0",
      { tls = good() }))
    local server = aio.spawn(function()
      local sock <close> = assert(listener:accept(20))
      local request = assert(sock:recv_line(20))
      for line in sock:lines { timeout = 20 } do
        if line == "" then
          break
        end
      end
      sock:send("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes")
      sock:shutdown()
      return request
    end)
    local r = assert(proc.run({ "curl", "-sS", "--cacert", certs.ca(),
      "https://localhost:" .. listener:name():port() .. "/path" },
      { timeout = 30 }))
    assert.equal("", r.err)
    assert.equal("yes", r.out)
    assert.matches("^GET /path HTTP", server:join(20))
  end)
end)
