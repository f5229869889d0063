--- aio.net - sockets: TCP, UDP, Unix; names; TLS.
--
-- The classes are written in C (src/lua/lnet*.c); this decides what to try:
-- which addresses, in which order, with which options.
local aio = require "aio"
local core = require "aio.net.core"
local address = require "aio.net.address"
local check = require "aio.check"
local dialer = require "aio.net.dial"
local options = require "aio.net.options"

local net = { methods = core.methods, resolve = address.resolve }

--- net.methods: table<string, function>
--
-- The methods of sockets, for adding to them.
local methods = core.methods

--- class Address (address)
--
-- Where a socket is. Compared by value; `tostring()` gives what `net.dial`
-- takes.

--- net.address(spec: aio.Where) -> Address
--
-- An address object; raises for names.
function net.address(spec)
  return address.numeric(spec)
end

--- net.wrap(fd: aio.Descriptor) -> Socket!
--
-- A socket that owns this descriptor (a socket, pipe or terminal) from now on.
function net.wrap(fd)
  return core.wrap(fd)
end

--- net.pair(kind?: aio.SocketType) -> Socket|nil, Socket|string, integer?
--
-- Two connected Unix sockets.
function net.pair(kind)
  return core.pair(kind or "stream")
end

-- ---- listen ---------------------------------------------------------------

-- A file that nobody listens on any more is in the way of bind().
local function is_stale(where)
  local path = where:path()
  local st = aio.file.stat(path, { follow = false })
  if not st or st.type ~= "socket" then
    return false
  end
  local probe <close> = assert(core.socket(where))
  local ok, _, errno = core.connect_now(probe, where)
  return not ok and errno == aio.errno.ECONNREFUSED
end

local LOCK_PATIENCE <const> = 5 -- seconds; it is held for about a millisecond

-- Locks the folder of a socket file: between bind() and listen() the socket
-- looks stale to others.  nil, message, errno: EWOULDBLOCK when somebody keeps
-- the lock, else the folder cannot be locked; then nothing is replaced in it.
local function lock_folder(where)
  local start = aio.now()
  while true do
    local lock, message, errno = core.lock_folder(where)
    if lock or errno ~= aio.errno.EWOULDBLOCK then
      return lock, message, errno
    elseif aio.now() - start > LOCK_PATIENCE then
      return nil, message .. ": another program keeps this folder locked", errno
    end
    aio.sleep(0.001)
  end
end

local function bind(sock, where, opts, lock)
  local ok, message, errno = core.bind(sock, where, opts.perm)
  if ok or errno ~= aio.errno.EADDRINUSE or not lock
    or not is_stale(where) then
    return ok, message, errno
  end
  os.remove(where:path())
  return core.bind(sock, where, opts.perm)
end

local function bind_and_listen(sock, where, opts, lock)
  local ok, message, errno = bind(sock, where, opts, lock)
  if ok and where:type() ~= "datagram" then
    ok, message, errno = core.listen(sock, opts.backlog or 4096)
  end
  return ok, message, errno
end

local function listen_at_path(sock, where, opts)
  local lock <close>, message, errno = lock_folder(where)
  if not lock and errno == aio.errno.EWOULDBLOCK then
    return nil, message, errno
  end
  return bind_and_listen(sock, where, opts, lock)
end

local function has_path(where)
  return where:family() == "unix" and where:path():sub(1, 1) ~= "@"
end

local function listen_on(where, opts)
  local sock <const>, message, errno = core.socket(where)
  if not sock then
    return nil, message, errno
  end
  local ok
  ok, message, errno = options.apply(sock, opts, "listen")
  if ok then
    local listen = has_path(where) and listen_at_path or bind_and_listen
    ok, message, errno = listen(sock, where, opts)
  end
  if not ok then
    sock:close()
    return nil, message, errno
  end
  return sock
end

--- net.listen(spec: aio.Where, opts?: aio.ListenOptions) -> Socket!
--
-- A listening socket, or for datagrams one that is bound. Host `*`: every
-- address of the machine, by both families. A Unix socket that nobody listens
-- on is replaced, a live one is not (`EADDRINUSE`); the file is removed when
-- the socket is closed. Of programs that start in the same moment one gets it:
-- they take a lock (`flock`) on the folder for that moment, and wait up to 5 s
-- for it.
function net.listen(spec, opts)
  opts = options.check(opts, "listen")
  local context, message, errno
  if opts.tls then
    context, message, errno = options.tls_context(opts.tls, true)
    if not context then
      return nil, message, errno
    end
  end
  local where
  where, message, errno = address.all(spec, opts, true)
  if not where then
    return nil, message, errno
  end
  local sock
  for _, candidate in ipairs(where) do -- the first that works
    sock, message, errno = listen_on(candidate, opts)
    if sock then
      break
    end
  end
  if sock and context then
    core.set_tls_context(sock, context)
  end
  return sock, message, errno
end

--- net.udp(spec?: aio.Where, opts?: aio.ListenOptions) -> Socket!
--
-- A bound datagram socket, as `net.listen`; `"udp:"` may be left out. Without
-- an address any port of IPv4.
function net.udp(spec, opts)
  spec = spec or "udp:0.0.0.0:0"
  if type(spec) == "string" and not address.scheme(spec) then
    spec = "udp:" .. spec
  end
  if address.type(spec) ~= "datagram" then
    error("net.udp: a datagram address expected, such as "
      .. '"udp:127.0.0.1:5353", got "' .. tostring(spec) .. '"', 2)
  end
  return net.listen(spec, opts)
end

-- ---- dial -----------------------------------------------------------------

--- alias aio.Where = string|Address|aio.WhereTable
--
-- An address: a text, a table, or an address object.

--- alias aio.Bytes = string|Buf|(Buf|string)[]
--
-- What is sent: a string, a buffer, or a list of these.

--- alias aio.SocketType = "stream"|"datagram"|"seqpacket"

--- alias aio.Family = "ipv4"|"ipv6"

--- class aio.WhereTable
--
-- host?: string
-- port?: integer|string
-- path?: string - of a Unix socket
-- type?: aio.SocketType - `"stream"` by default

--- class aio.SocketOptions
--
-- nodelay?: boolean - send at once; set by default for TCP
-- keepalive?: boolean - notice a peer that is gone
-- keepidle?: integer - seconds before the first probe
-- keepinterval?: integer - seconds between probes
-- keepcount?: integer - probes without an answer
-- user_timeout?: integer - milliseconds that data may stay without an answer
-- reuseaddr?: boolean - of `listen` and `udp`: set by default
-- reuseport?: boolean - several sockets for one port
-- broadcast?: boolean - may send to all
-- rcvbuf?: aio.Size - bytes of the receive buffer
-- sndbuf?: aio.Size - bytes of the send buffer
-- family?: aio.Family - use only addresses of this one
-- timeout?: number - seconds for all of it
-- external?: boolean - receives nothing between `ctx:disable_external()` and
--     `ctx:enable_external()`
-- tls?: boolean|aio.TlsOptions - `true` for the defaults

--- class aio.ListenOptions: aio.SocketOptions
--
-- backlog?: integer - connections that wait to be accepted, 4096
-- perm?: integer - mode of the file of a Unix socket
-- v6only?: boolean - an IPv6 socket takes no IPv4

--- class aio.DialOptions: aio.SocketOptions
--
-- attempt?: number - seconds until one address of several is given up, 10
-- bind?: aio.Where - local address

--- class aio.PreSharedKey
--
-- identity: string
-- key: string - of 16 to 64 bytes, that both know

--- class aio.TlsOptions
--
-- ca?: string - file or folder of authorities; the system's if left out
-- cert?: string - PEM file; a listener needs this or `psk`
-- key?: string - PEM file
-- verify?: boolean - clients: true unless `false`; servers: ask for a
--     certificate? True if there is `ca`
-- servername?: string - clients: what the certificate must be for and what is
--     asked for; the host dialed if left out
-- alpn?: string[] - protocols
-- psk?: aio.PreSharedKey

--- class aio.StartTlsOptions: aio.TlsOptions
--
-- server?: boolean - this end is the server
-- timeout?: number - seconds

--- class Socket (sock)
--
-- One end of a connection, a listener, or a datagram socket.

--- net.dial(spec: aio.Where, opts?: aio.DialOptions|number) -> Socket!
--
-- A connected socket. Parks. Names are looked up; all their addresses are
-- tried, IPv6 and IPv4 in turn, the next one after a quarter of a second or a
-- failure; the first that connects is taken. A number is the `timeout`.
function net.dial(spec, opts)
  return dialer.dial(spec, options.check(opts, "dial"))
end

-- ---- methods in Lua -------------------------------------------------------

local function check_socket(sock)
  if not core.is_socket(sock) then
    error("aio.socket expected, got " .. type(sock), 3)
  end
end

local STARTTLS_KINDS <const> = { servername = "string", timeout = "seconds" }

--- sock:starttls(opts?: aio.StartTlsOptions) -> true!
--
-- TLS from here on, in the middle of a connection. A handshake that fails
-- closes the socket.
function methods.starttls(sock, opts)
  check_socket(sock)
  opts = check.is("table", opts, "starttls: options") or {}
  check.fields(opts, STARTTLS_KINDS, "starttls")
  local context, message, errno = options.tls_context(opts, opts.server)
  if not context then
    return nil, message, errno
  end
  core.set_tls(sock, context, opts.server, opts.servername)
  return core.handshake(sock, opts.timeout)
end

--- sock:handshake(sec?: aio.Wait) -> true!
--
-- Does the handshake now, not with the first `send` or `recv`.
methods.handshake = core.handshake

--- sock:sendto(data: aio.Bytes, to: aio.Where, sec?: aio.Wait) -> integer!
--
-- Sends a datagram there. The number of bytes.
function methods.sendto(sock, data, to, sec)
  if type(to) == "string" then
    local all, message, errno = address.all(to, { timeout = sec }, false)
    if not all then
      return nil, message, errno
    end
    to = all[1]
  end
  return core.sendto(sock, data, to, sec)
end

local SCARCE <const> = {
  [aio.errno.EMFILE] = true, [aio.errno.ENFILE] = true,
  [aio.errno.ENOBUFS] = true, [aio.errno.ENOMEM] = true,
}

local function next_connection(listener)
  while not listener:is_closed() do
    local sock, message, errno = listener:accept()
    if sock then
      return sock
    elseif SCARCE[errno] then
      warn("@aio.net: ", message, "; trying again\n") -- accept() has paused
    elseif errno ~= aio.errno.ECANCELED then
      error(message, 0)
    end
  end
end

--- sock:accepts() -> fun(): Socket|nil
--
-- An iterator, until the listener is closed; when descriptors run out it warns
-- and goes on. With the io_uring monitor the kernel accepts before it is asked
-- to (multishot accept), some 64 connections ahead at most when they come one
-- by one; what the script does not take is closed with the listener.
function methods.accepts(listener)
  check_socket(listener)
  if not listener:is_closed() then
    core.accept_ahead(listener)
  end
  return next_connection, listener
end

local function raise(value, message, errno)
  if value == nil and errno then
    error(message, 0)
  end
  return value
end

--- sock:lines(opts?: number|aio.LineOptions) -> fun(): string|nil
--
-- An iterator of `recv_line`. Raises errors.
function methods.lines(sock, opts)
  check_socket(sock)
  return function()
    return raise(sock:recv_line(opts))
  end
end

--- sock:chunks(n?: integer|Buf, sec?: aio.Wait) -> fun(): string|integer|nil
--
-- An iterator of `recv`. Raises errors.
function methods.chunks(sock, n, sec)
  check_socket(sock)
  return function()
    return raise(sock:recv(n, sec))
  end
end

return net
