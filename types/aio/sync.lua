---@meta aio.sync
-- Types of aio.sync.

---@class aio.sync
local sync = {}
---@class Chan
---@operator len: integer
local Chan = {}
---@class Sem
local Sem = {}
---@class Mutex
local Mutex = {}
---@class Guard
local Guard = {}
---@class Event
local Event = {}
---@class Rwlock
local Rwlock = {}
---@class Cond
local Cond = {}
---@class Latch
local Latch = {}
---@class Rate
local Rate = {}

---@param n? integer
---@return Chan
function sync.chan(n) end

---@param n integer
---@return Sem
function sync.sem(n) end

---@return Mutex
function sync.mutex() end

---@return Event
function sync.event() end

---@return Rwlock
function sync.rwlock() end

---@return Cond
function sync.cond() end

---@param n integer
---@return Latch
function sync.latch(n) end

---@param limit number units a second
---@param burst? number
---@return Rate
function sync.rate(limit, burst) end

---@param v any
---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Chan:put(v, sec) end

---@param sec? aio.Wait
---@return any, string?, integer?
function Chan:get(sec) end

---@param v any
---@return boolean|nil, string?, integer?
function Chan:try_put(v) end

---@return any
function Chan:try_get() end

---@return fun(): any
function Chan:iter() end

function Chan:close() end

---@return boolean
function Chan:is_closed() end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Sem:acquire(sec) end

---@return boolean
function Sem:try_acquire() end

function Sem:release() end

---@return integer
function Sem:value() end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Mutex:lock(sec) end

---@return boolean
function Mutex:try_lock() end

function Mutex:unlock() end

---@return boolean
function Mutex:is_locked() end

---@param sec? aio.Wait
---@return Guard|nil, string?, integer?
function Mutex:guard(sec) end

function Guard:unlock() end

function Guard:close() end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Event:wait(sec) end

function Event:set() end

function Event:clear() end

---@return boolean
function Event:is_set() end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Rwlock:rdlock(sec) end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Rwlock:wrlock(sec) end

---@return boolean
function Rwlock:try_rdlock() end

---@return boolean
function Rwlock:try_wrlock() end

function Rwlock:unlock() end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Rwlock:upgrade(sec) end

function Rwlock:downgrade() end

---@param sec? aio.Wait
---@return Guard|nil, string?, integer?
function Rwlock:rdguard(sec) end

---@param sec? aio.Wait
---@return Guard|nil, string?, integer?
function Rwlock:wrguard(sec) end

---@param mutex Mutex
---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Cond:wait(mutex, sec) end

function Cond:signal() end

function Cond:broadcast() end

---@param n? integer
---@return integer left
function Latch:count_down(n) end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Latch:wait(sec) end

---@return integer
function Latch:count() end

---@param n? number
---@param sec? number
---@return true|nil, string?, integer?
function Rate:take(n, sec) end

---@param n? number
---@return boolean
function Rate:try_take(n) end

---@param limit number
---@param burst? number
function Rate:set(limit, burst) end

---@return number limit
---@return number burst
function Rate:limit() end

return sync
