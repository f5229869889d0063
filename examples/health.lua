-- health - checks HTTPS servers, all at once, each within a time limit
--
-- What can go wrong with TLS is told apart: refused, silent, a certificate that
-- nobody vouches for.  The servers are here, too, with a certificate made by
-- openssl.
--
-- Output:
--   good: 200 OK, TLSv1.3
--   down: ECONNREFUSED: Connection refused
--   silent: timeout
--   untrusted: certificate verify failed: self-signed certificate

local aio = require "aio"
local net = require "aio.net"
local proc = require "aio.proc"

local dir = assert(proc.run { "mktemp", "-d" }).out:match("%S+")
local key, cert = dir .. "/key.pem", dir .. "/cert.pem"
local made = assert(proc.run { "openssl", "req", "-x509", "-newkey", "rsa:2048",
  "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=health",
  "-addext", "subjectAltName=DNS:localhost" })
assert(made.code == 0, made.err)

local tls_server <close> = assert(net.listen("tcp:127.0.0.1:0",
  { tls = { cert = cert, key = key } }))
local mute <close> = assert(net.listen("tcp:127.0.0.1:0")) -- accepts nobody
aio.spawn(function()
  for sock in tls_server:accepts() do
    aio.spawn(function()
      local peer <close> = sock
      if peer:recv_line(5) then
        peer:send "HTTP/1.0 200 OK\r\n\r\n"
        peer:shutdown()
      end
    end)
  end
end)

local function check(port, ca)
  local sock <close>, message = net.dial("tcp:localhost:" .. port,
    { tls = { ca = ca }, timeout = 0.5 })
  if not sock then
    return message:match("certificate verify [^(]*%w") or
      message:match("^E%w+: [^:]+") or message
  end
  sock:send "HEAD / HTTP/1.0\r\n\r\n"
  return sock:recv_line(5):match("%d.*", 10) .. ", " .. sock:tls().protocol
end

local port = tls_server:name():port()
for _, case in ipairs { { "good", port, cert }, { "down", 1, cert },
  { "silent", mute:name():port(), cert }, { "untrusted", port } } do
  print(case[1] .. ": " .. check(case[2], case[3]))
end
os.execute("rm -r " .. dir)
