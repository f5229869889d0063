---@meta aio
-- Types of aio for the Lua language server: add this folder to its
-- workspace.library.  What the names do is in docs/lua-api.md.

---@alias aio.Wait number|{timeout: number} seconds
---@alias aio.Size integer|string bytes, or "4k", "1M", "2G"
---@alias aio.What integer|string|Buf|(Buf|string)[]

---@class aio
---@field errno table<string, integer> numbers by name
---@field version string
---@field file aio.file
---@field sync aio.sync
---@field policy aio.policy
local aio = {}
---@class Task
local Task = {}
---@class Group
local Group = {}
---@class Hist
---@operator len: integer
local Hist = {}

---@param fn function
---@return Task
function aio.spawn(fn, ...) end

---@param sec number
function aio.sleep(sec) end

function aio.yield() end

---@param sec number
---@param fn function
---@return Task
function aio.after(sec, fn, ...) end

---@param sec number
---@param fn function
---@return Task
function aio.every(sec, fn) end

---@return Task|nil
function aio.self() end

---@return Task[]
function aio.tasks() end

---@param err any
---@return boolean
function aio.is_cancelled(err) end

---@param sec? number
---@return true|nil, string?, integer?
function aio.park(sec) end

---@param fn fun(done: fun(...): boolean?)
---@param sec? aio.Wait
---@return any ...
function aio.await(fn, sec) end

---@param sec? aio.Wait
---@return any ...
function Task:join(sec) end

---@param sec? aio.Wait
---@return boolean|nil ok
---@return any ...
function Task:pjoin(sec) end

---@return Task
function Task:cancel() end

---@return "ready"|"running"|"parked"|"done"|"failed"|"cancelled"
function Task:status() end

---@param s string
---@return Task
---@overload fun(self: Task): string|nil
function Task:name(s) end

---@return string|nil
function Task:traceback() end

---@return Task
function Task:ref() end

---@return Task
function Task:unref() end

---@return fun() waker
function Task:waker() end

---@param fn fun(g: Group): any ...
---@param options? {limit: integer}
---@return any ...
function aio.group(fn, options) end

---@param fn function
---@return Task
function Group:spawn(fn, ...) end

---@return Group
function Group:cancel() end

---@param sec number
---@param fn function
---@return any ...
function aio.timeout(sec, fn, ...) end

---@param fn function
---@return any ...
function aio.shield(fn, ...) end

---@return number
function aio.now() end

---@return integer
function aio.now_ns() end

---@param name? "realtime"|"host"|"virtual"|"virtual_rt"
---@return number
function aio.clock(name) end

---@param s aio.Size
---@return integer
function aio.size(s) end

---@param errno integer
---@return string|nil name, string? description
function aio.errname(errno) end

---@return table<string, integer>
function aio.stats() end

---@return table[]
function aio.handles() end

---@return table
function aio.probe() end

---@param fd integer
---@return boolean
function aio.isatty(fd) end

---@return Hist
function aio.hist() end

---@param ns number
---@param count? integer
---@return Hist
function Hist:record(ns, count) end

---@param p number
---@return integer|nil
function Hist:percentile(p) end

---@return integer|nil
function Hist:min() end

---@return integer|nil
function Hist:max() end

---@return number|nil
function Hist:mean() end

---@return number|nil
function Hist:stddev() end

---@return integer
function Hist:count() end

---@param other Hist
---@return Hist
function Hist:merge(other) end

---@return Hist
function Hist:reset() end

---@param label? string
---@return string
function Hist:summary(label) end

---@return string
function Hist:hgrm() end

---@return string
function Hist:json() end

---@param fn function
---@param options? {link?: boolean}
---@return any ...
function aio.batch(fn, options) end

---@param fn fun(err: any, traceback: string|nil, origin: string)|nil
---@return function|nil
function aio.on_error(fn) end

function aio.stop() end

---@param code? integer
function aio.exit(code) end

---@param fn function
---@return any ...
function aio.run(fn, ...) end

return aio
