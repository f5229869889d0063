---@meta _
-- Types of threads.

---@class aio
local aio = {}
---@class IOThread
local IOThread = {}

---@class aio.IOThreadOptions
---@field init? function|string
---@field affinity? integer|integer[]
---@field fdmon? string
---@field poll_max_ns? integer
---@field poll_grow? integer
---@field poll_shrink? integer
---@field max_batch? integer
---@field thread_pool_min? integer
---@field thread_pool_max? integer

---@param name? string
---@param options? aio.IOThreadOptions
---@return IOThread|nil, string?, integer?
function aio.iothread(name, options) end

---@param fn function
---@return any ...
function aio.offload(fn, ...) end

---@param fn function
---@return Task
function IOThread:call(fn, ...) end

---@param n? integer
---@return Chan
function IOThread:channel(n) end

---@return Context
function IOThread:context() end

---@return string|nil
function IOThread:name() end

---@return "running"|"ended"|"closed"
function IOThread:status() end

function IOThread:close() end

---@return IOThread
function IOThread:ref() end

---@return IOThread
function IOThread:unref() end
