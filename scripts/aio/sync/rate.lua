--- aio.sync.rate - so many units a second, in order.
--
-- A bucket of tokens that is filled at `limit` tokens a second up to `burst`.
-- take(n) books its tokens at once, so the bucket may be in debt, and waits
-- until the debt before it and its own share are paid: whoever asked first is
-- served first, and nothing is handed out twice. A request larger than the
-- bucket waits for a full one and leaves the rest as debt. Who finds the debt
-- paid, but those it was owed to not awake yet, lines up behind their timers.
local aio = require "aio.core"
local checks = require "aio.check"

local rate = {} -- methods
local metatable = { __index = rate, __name = "aio.rate" }

local function check_positive(value, what, level)
  if math.type(value) == nil or value ~= value or value <= 0 then
    error(("rate: %s must be a positive number, got %s"):format(what,
      tostring(value)), level + 1)
  end
  return value
end

local function fill(self)
  local now = aio.now()
  local tokens = self.tokens + (now - self.filled) * self.limit_value
  self.tokens = tokens < self.burst_value and tokens or self.burst_value
  self.filled = now
end

--- class Rate (rate)
--
-- So many units a second.

--- sync.rate(limit: number, burst?: number) -> Rate
--
-- `limit` units a second; `burst`, one second's worth (at least 1) by default,
-- may be taken at once after a pause.
local function new(limit, burst)
  check_positive(limit, "limit", 2)
  burst = burst and check_positive(burst, "burst", 2) or math.max(limit, 1)
  return setmetatable({
    limit_value = limit, burst_value = burst, tokens = burst,
    filled = aio.now(), waiting = 0,
  }, metatable)
end

-- Seconds until `n` can be had, were they booked now.
local function wait_for(self, n)
  fill(self)
  local need = n < self.burst_value and n or self.burst_value
  local missing = need - self.tokens
  local least = self.waiting > 0 and 1e-9 or 0
  return missing > 0 and missing / self.limit_value or least
end

local function check(self, n)
  if getmetatable(self) ~= metatable then
    error("rate expected, got " .. type(self) .. "; call it as rate:take()", 3)
  end
  if n == nil then
    return 1
  end
  return check_positive(n, "units", 3)
end

--- rate:take(n?: number, sec?: number) -> true!
--
-- Parks until `n` units (1) may pass; who asks first is served first. When
-- that is longer than `sec` nothing is taken: `nil, "timeout", ETIMEDOUT`
-- after so long. A task that is cancelled gives its units back.
function rate:take(n, sec)
  n = check(self, n)
  sec = checks.seconds(sec, "rate: limit of the wait")
  local wait = wait_for(self, n)
  if sec and wait > sec then
    aio.sleep(sec)
    return nil, "timeout", aio.errno.ETIMEDOUT
  end
  self.tokens = self.tokens - n
  if wait > 0 then
    self.waiting = self.waiting + 1
    local _ <close> = setmetatable({}, { __close = function(_, err)
      self.waiting = self.waiting - 1
      if err ~= nil then
        self.tokens = self.tokens + n
      end
    end })
    aio.sleep(wait)
  end
  return true
end

--- rate:try_take(n?: number) -> boolean
--
-- Takes `n` units (1) if that needs no wait.
function rate:try_take(n)
  n = check(self, n)
  if wait_for(self, n) > 0 then
    return false
  end
  self.tokens = self.tokens - n
  return true
end

--- rate:set(limit: number, burst?: number)
--
-- Changes it from now on; who waits already is not hurried.
function rate:set(limit, burst)
  check(self)
  check_positive(limit, "limit", 2)
  burst = burst and check_positive(burst, "burst", 2) or math.max(limit, 1)
  fill(self)
  self.limit_value, self.burst_value = limit, burst
  self.tokens = math.min(self.tokens, burst)
end

--- rate:limit() -> number limit, number burst
function rate:limit()
  check(self)
  return self.limit_value, self.burst_value
end

function metatable:__tostring()
  return ("aio.rate (%g a second, %g at once)"):format(self.limit_value,
    self.burst_value)
end

return new
