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

local methods = core.methods

--- net.address("udp:127.0.0.1:53") -> address; hosts must be numbers.
function net.address(spec)
  return address.numeric(spec)
end

--- net.wrap(fd) -> socket that owns the descriptor: a socket, pipe or tty.
function net.wrap(fd)
  return core.wrap(fd)
end

--- net.pair([type]) -> two connected Unix sockets.
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

--- net.listen(address [, options]) -> listening (or datagram) socket.
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

--- net.udp([address [, options]]) -> bound datagram socket.
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

--- net.dial(address [, options]) -> connected socket.
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

--- socket:starttls{...} -> true: from now on the data goes through TLS.
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

--- socket:handshake([sec]) -> true: of a socket that a TLS listener accepted.
methods.handshake = core.handshake

--- socket:sendto(data, address [, sec]) -> n
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

--- for sock in listener:accepts() do: connections, until it is closed.
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

--- for line in sock:lines([options]) do: see recv_line(); errors are raised.
function methods.lines(sock, opts)
  check_socket(sock)
  return function()
    return raise(sock:recv_line(opts))
  end
end

--- for chunk in sock:chunks([n [, sec]]) do: see recv(); errors are raised.
function methods.chunks(sock, n, sec)
  check_socket(sock)
  return function()
    return raise(sock:recv(n, sec))
  end
end

return net
