--- aio.net.options - what net.listen() and net.dial() take.
local check = require "aio.check"
local core = require "aio.net.core"

local options = {}

-- name -> who takes it; those with `socket` are set on the socket as they are
local KNOWN <const> = {
  nodelay = { listen = true, dial = true, socket = true },
  keepalive = { listen = true, dial = true, socket = true },
  keepidle = { listen = true, dial = true, socket = true },
  keepinterval = { listen = true, dial = true, socket = true },
  keepcount = { listen = true, dial = true, socket = true },
  user_timeout = { listen = true, dial = true, socket = true },
  reuseaddr = { listen = true, dial = true, socket = true },
  reuseport = { listen = true, dial = true, socket = true },
  broadcast = { listen = true, dial = true, socket = true },
  rcvbuf = { listen = true, dial = true, socket = true },
  sndbuf = { listen = true, dial = true, socket = true },
  v6only = { listen = true, socket = true },
  backlog = { listen = true },
  perm = { listen = true },
  bind = { dial = true },
  attempt = { dial = true },
  timeout = { listen = true, dial = true },
  family = { listen = true, dial = true },
  external = { listen = true, dial = true },
  tls = { listen = true, dial = true },
}

-- The others are judged by socket:option(), or further down here.
local KINDS <const> = {
  backlog = "count", perm = "permissions", attempt = "seconds",
  timeout = "seconds", family = "family", external = "boolean",
}

-- What may have been meant.
local function accepted(use)
  local set = {}
  for name, takers in pairs(KNOWN) do
    set[name] = takers[use]
  end
  return set
end

--- check(opts or nil, "listen" | "dial") -> table
function options.check(opts, use)
  if opts == nil then
    return {}
  elseif type(opts) == "number" and use == "dial" then
    opts = { timeout = opts }
  elseif type(opts) ~= "table" then
    error(("net.%s: a table of options expected, got %s"):format(use,
      type(opts)), 3)
  end
  for key in pairs(opts) do
    if not KNOWN[key] or not KNOWN[key][use] then
      error(("net.%s: unknown option '%s'%s"):format(use, tostring(key),
        core.suggest(tostring(key), accepted(use))), 3)
    end
  end
  return check.fields(opts, KINDS, "net." .. use, 4)
end

local DEFAULTS <const> = {
  listen = { nodelay = true, reuseaddr = true },
  dial = { nodelay = true },
}

local function is_tcp(where)
  return where:type() == "stream" and where:family() ~= "unix"
end

--- apply(sock, opts, use) -> true
function options.apply(sock, opts, use)
  local where = sock:name()
  if where and is_tcp(where) then
    for name, value in pairs(DEFAULTS[use]) do
      if opts[name] == nil then
        assert(sock:option(name, value))
      end
    end
  end
  for name, value in pairs(opts) do
    if KNOWN[name].socket then
      local ok, message, errno = sock:option(name, value)
      if not ok then
        return nil, message, errno
      end
    end
  end
  if opts.external then
    core.set_external(sock, true)
  end
  return true
end

-- ---- TLS ------------------------------------------------------------------

local TLS_KNOWN <const> = {
  ca = true, cert = true, key = true, verify = true, servername = true,
  alpn = true, psk = true, server = true, timeout = true, context = true,
}

-- What tls = true means to a client: made once, it has read all CAs.
local default_client

-- The module, or an error that says what to do.
local function load_library()
  local ok, library = pcall(require, "aio.tls")
  if not ok then
    error("no TLS: the module aio.tls cannot be loaded (built without "
      .. "OpenSSL?): " .. tostring(library), 0)
  end
  return library
end

--- tls_context(tls, server) -> context of aio.tls, made or shared
function options.tls_context(tls, server)
  if tls == true then
    tls = {}
  elseif type(tls) ~= "table" then
    error("option 'tls': true or a table expected, got " .. type(tls), 3)
  end
  for key in pairs(tls) do
    if not TLS_KNOWN[key] then
      error(("option 'tls': unknown option '%s'%s"):format(tostring(key),
        core.suggest(tostring(key), TLS_KNOWN)), 3)
    end
  end
  if tls.context then
    return tls.context
  end
  local library = load_library()
  local plain = not (tls.ca or tls.cert or tls.key or tls.psk or tls.alpn
    or server) and tls.verify == nil
  if plain then
    local message, errno
    if not default_client then
      default_client, message, errno = library.context {}
    end
    return default_client, message, errno
  end
  return library.context {
    server = server, ca = tls.ca, cert = tls.cert, key = tls.key,
    verify = tls.verify, alpn = tls.alpn, psk = tls.psk,
  }
end

return options
