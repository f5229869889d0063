--- aio.net.dial - from a name to a connection.
--
-- All addresses of a name are tried, IPv6 and IPv4 in turn: the next one is
-- started when the one before has failed, or has not answered for a quarter of
-- a second.  The first connection wins, the others are given up.
local aio = require "aio"
local core = require "aio.net.core"
local address = require "aio.net.address"
local options = require "aio.net.options"

local dialer = {}

local STAGGER <const> = 0.25 -- seconds between two attempts
local ATTEMPT <const> = 10 -- seconds until an address is given up
local RETRY_MAX <const> = 0.02 -- of a Unix listener whose queue is full

-- ---- one address ----------------------------------------------------------

-- A socket that is closed unless it is taken.
local Guard = {}
Guard.__index = Guard

function Guard:take()
  local sock = self.sock
  self.sock = nil
  return sock
end

function Guard:__close()
  if self.sock then
    self.sock:close()
  end
end

local function left(deadline)
  return deadline and math.max(deadline - aio.now(), 0)
end

-- The queue of a Unix listener may be full: nothing tells when it is not.
local function connect(sock, where, deadline)
  local pause = 0.001
  while true do
    local ok, message, errno = core.connect(sock, where, left(deadline))
    if ok or errno ~= aio.errno.EAGAIN or where:family() ~= "unix" then
      return ok, message, errno
    elseif deadline and aio.now() >= deadline then
      return nil, "timeout", aio.errno.ETIMEDOUT
    end
    aio.sleep(pause)
    pause = math.min(pause * 2, RETRY_MAX)
  end
end

local function prepare(sock, opts)
  local ok, message, errno = options.apply(sock, opts, "dial")
  if ok and opts.bind then
    ok, message, errno = core.bind(sock, address.numeric(opts.bind))
  end
  return ok, message, errno
end

local function attempt(where, opts, deadline)
  local sock, message, errno = core.socket(where)
  if not sock then
    return nil, message, errno
  end
  local guard <close> = setmetatable({ sock = sock }, Guard)
  local ok
  ok, message, errno = prepare(sock, opts)
  if ok then
    ok, message, errno = connect(sock, where, deadline)
  end
  if not ok then
    return nil, message, errno
  end
  return guard:take()
end

-- ---- several --------------------------------------------------------------

-- IPv6 and IPv4 in turn, each in the order the resolver gave.
local function interleave(list)
  local by_family = { ipv6 = {}, ipv4 = {} }
  for _, where in ipairs(list) do
    table.insert(by_family[where:family()], where)
  end
  local first, second = by_family[list[1]:family()],
    by_family[list[1]:family() == "ipv6" and "ipv4" or "ipv6"]
  local result = {}
  for i = 1, math.max(#first, #second) do
    result[#result + 1] = first[i]
    result[#result + 1] = second[i]
  end
  return result
end

local Race = {}
Race.__index = Race

-- Whoever is still trying when the race is over.
function Race:__close()
  self.over = true
  for _, task in ipairs(self.tasks) do
    task:cancel()
  end
  while true do
    local result = self.results:try_get()
    if not result then
      break
    elseif result.sock then
      result.sock:close()
    end
  end
end

function Race:start(where, opts, deadline)
  local limit = aio.now() + (opts.attempt or ATTEMPT)
  deadline = deadline and math.min(deadline, limit) or limit
  self.running = self.running + 1
  table.insert(self.tasks, aio.spawn(function()
    local sock, message, errno = attempt(where, opts, deadline)
    if sock and self.over then
      sock:close()
    else
      self.results:put { where = where, sock = sock, message = message,
        errno = errno }
    end
  end))
end

-- One more result, or nil when the next address is to be tried; false when the
-- time is over.
function Race:wait(more, deadline)
  local sec = left(deadline)
  if more then
    sec = math.min(sec or STAGGER, STAGGER)
  end
  local result = self.results:get(sec)
  if not result and deadline and aio.now() >= deadline then
    return false
  end
  return result or nil
end

local function describe(failures)
  local last = failures[#failures]
  if #failures == 1 then
    return last.message, last.errno
  end
  local texts = {}
  for i, failure in ipairs(failures) do
    texts[i] = failure.message
  end
  return table.concat(texts, "; "), last.errno
end

local function race(list, opts, deadline)
  local state <close> = setmetatable({
    results = aio.sync.chan(#list), tasks = {}, running = 0,
  }, Race)
  local failures, started = {}, 0
  while started < #list or state.running > 0 do
    if started < #list then
      started = started + 1
      state:start(list[started], opts, deadline)
    end
    local result = state:wait(started < #list, deadline)
    if result == false then
      return nil, "timeout", aio.errno.ETIMEDOUT
    elseif result and result.sock then
      return result.sock
    elseif result then
      state.running = state.running - 1
      failures[#failures + 1] = result
    end
  end
  return nil, describe(failures)
end

-- ---- dial -----------------------------------------------------------------

local function to_text(spec)
  if type(spec) == "table" then
    return spec.path or ("%s:%s"):format(spec.host, spec.port)
  end
  return tostring(spec)
end

local function connect_any(spec, opts, deadline)
  local list, message, errno = address.all(spec, opts, false)
  if not list then
    return nil, message, errno
  end
  if #list == 1 then
    return attempt(list[1], opts, deadline)
  end
  local sock
  sock, message, errno = race(interleave(list), opts, deadline)
  if not sock and errno ~= aio.errno.ETIMEDOUT then
    message = ("%s (dialing %s)"):format(message, to_text(spec))
  end
  return sock, message, errno
end

local function secure(sock, context, spec, opts, deadline)
  local tls = opts.tls == true and {} or opts.tls
  local guard <close> = setmetatable({ sock = sock }, Guard)
  local where = address.parse(spec)
  local name = tls.servername
  if name == nil and not core.is_address(where) then
    name = where.host
  end
  core.set_tls(sock, context, false, name)
  local ok, message, errno = core.handshake(sock, left(deadline))
  if not ok then
    return nil, message, errno
  end
  return guard:take()
end

--- dial(spec, opts) -> socket
function dialer.dial(spec, opts)
  local deadline = opts.timeout and aio.now() + opts.timeout
  local context, sock, message, errno
  if opts.tls then
    context, message, errno = options.tls_context(opts.tls, false)
    if not context then
      return nil, message, errno
    end
  end
  sock, message, errno = connect_any(spec, opts, deadline)
  if sock and context then
    return secure(sock, context, spec, opts, deadline)
  end
  return sock, message, errno
end

return dialer
