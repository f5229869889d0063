--- aio.net.address - what "tcp:HOST:PORT" and its relatives mean.
local check = require "aio.check"
local core = require "aio.net.core"

local address = {}

local TYPES <const> = {
  tcp = "stream", udp = "datagram", unix = "stream",
  ["unix-dgram"] = "datagram", ["unix-seqpacket"] = "seqpacket",
}

local SYNTAX <const> = 'expected "tcp:HOST:PORT", "udp:HOST:PORT", '
  .. '"unix:PATH", "unix-dgram:PATH" or "unix-seqpacket:PATH"'

local function bad(spec, why)
  error(('address "%s": %s'):format(tostring(spec), why), 0)
end

--- scheme(text) -> "tcp" or nil, the rest
function address.scheme(text)
  local scheme, rest = text:match("^([%a][%a-]*):(.*)$")
  if scheme and TYPES[scheme] then
    return scheme, rest
  end
end

local function split_host(spec, rest)
  local host, port = rest:match("^%[([^%]]*)%]:([^:]+)$")
  if not host then
    host, port = rest:match("^([^:%[%]]*):([^:]+)$")
  end
  if not host then
    if select(2, rest:gsub(":", "")) > 1 then
      bad(spec, "an IPv6 host stands in brackets, as in \"tcp:[::1]:80\"")
    end
    bad(spec, "HOST:PORT expected")
  end
  return host, port
end

-- The system would cut it at a zero.
local function check_host(spec, host)
  if type(host) ~= "string" or host:find("\0", 1, true) then
    bad(spec, "a host is a string without zeros")
  end
  return host
end

-- A number, or the name of a service; what is neither raises.
local function check_port(spec, port)
  local number = math.tointeger(tonumber(port))
  if number and (number < 0 or number > 65535) then
    bad(spec, "a port is a number from 0 to 65535")
  elseif not number and not tostring(port):match("^%a[%w-]*$") then
    bad(spec, "a port is a number or the name of a service")
  end
  return number or port
end

local function parse_text(spec)
  local scheme, rest = address.scheme(spec)
  if not scheme then
    bad(spec, SYNTAX)
  end
  local kind = TYPES[scheme]
  if scheme:sub(1, 4) == "unix" then
    return { path = rest, type = kind }
  end
  local host, port = split_host(spec, rest)
  return { host = check_host(spec, host), port = check_port(spec, port),
    type = kind }
end

local function parse_table(spec)
  local kind = check.is("socket type", spec.type, "address: type", 0)
    or "stream"
  if spec.path then
    return { path = spec.path, type = kind }
  elseif not spec.host or not spec.port then
    error("an address table has host and port, or path", 0)
  end
  return { host = check_host(spec.host, spec.host),
    port = check_port(spec.host, spec.port), type = kind }
end

-- parse(spec) -> {host=, port=, type=} or {path=, type=}, or an address object
local function parse(spec)
  if type(spec) == "string" then
    return parse_text(spec)
  elseif type(spec) == "table" then
    return parse_table(spec)
  elseif type(spec) == "userdata" and core.is_address(spec) then
    return spec
  end
  error("an address expected (text, table or aio.address), got "
    .. type(spec), 0)
end

--- parse(spec): the same for other modules, raising in the caller's name.
function address.parse(spec, level)
  local ok, where = pcall(parse, spec)
  if not ok then
    error(where, (level or 1) + 1)
  end
  return where
end

--- type(spec) -> "stream", "datagram", "seqpacket"
function address.type(spec)
  local where = address.parse(spec, 3)
  return core.is_address(where) and where:type() or where.type
end

-- The address object of what needs no look-up, or nil.
local function direct(where)
  if core.is_address(where) then
    return where
  elseif where.path then
    return core.unix(where.path, where.type)
  elseif math.type(where.port) == "integer" then
    return core.numeric(where.host, where.port, where.type)
  end
end

--- numeric(spec) -> address object
function address.numeric(spec)
  local found = direct(address.parse(spec, 3))
  if not found then
    error(('address "%s": a name; net.resolve() looks it up'):format(
      tostring(spec)), 3)
  end
  return found
end

-- Every address of this machine: both families by one socket, else IPv4.
local function any(where, family)
  local all = {}
  for _, host in ipairs { "::", "0.0.0.0" } do
    if family ~= (host == "::" and "ipv4" or "ipv6") then
      all[#all + 1] = core.numeric(host, where.port, where.type)
    end
  end
  return all
end

--- all(spec, {family=, timeout=}, passive) -> list of address objects, where
-- @passive means addresses to listen on; the name that was looked up, if any
function address.all(spec, opts, passive)
  local where = address.parse(spec, 4)
  local found = direct(where)
  if found then
    return { found }
  end
  if passive and (where.host == "*" or where.host == "")
    and math.type(where.port) == "integer" then
    return any(where, opts.family)
  end
  return core.lookup(where.host, tostring(where.port), where.type,
    opts.family, passive, opts.timeout)
end

local RESOLVE_OPTIONS <const> = {
  port = true, family = true, type = true, timeout = true,
}
local RESOLVE_KINDS <const> = {
  family = "family", type = "socket type", timeout = "seconds",
}

--- class aio.ResolveOptions
--
-- port?: integer|string - of the addresses; a number, or the name of a service
-- family?: aio.Family
-- type?: "stream"|"datagram"
-- timeout?: number - seconds

--- net.resolve(host: string, opts?: aio.ResolveOptions) -> Address[]!
--
-- Its addresses. Parks. On threads of its own: no file waits behind it.
function address.resolve(host, opts)
  opts = check.is("table", opts, "net.resolve: options") or {}
  for key in pairs(opts) do
    if not RESOLVE_OPTIONS[key] then
      error(("net.resolve: unknown option '%s'"):format(tostring(key)), 2)
    end
  end
  check.fields(opts, RESOLVE_KINDS, "net.resolve")
  local port = opts.port or 0
  if host == nil or host == "" then
    error("net.resolve: the name of a host expected", 2)
  end
  check.is("string", host, "net.resolve: host")
  local where = { host = host, port = check_port(host, port),
    type = opts.type or "stream" }
  local found = direct(where)
  if found then
    return { found }
  end
  return core.lookup(host, tostring(port), where.type, opts.family, false,
    opts.timeout)
end

return address
