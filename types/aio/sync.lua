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

return sync
