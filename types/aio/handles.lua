---@meta _
-- Types of callbacks and contexts.

---@class aio
local aio = {}
---@class BH
local BH = {}
---@class RemoteBH
local RemoteBH = {}
---@class Timer
local Timer = {}
---@class FdHandler
local FdHandler = {}
---@class Notifier
local Notifier = {}
---@class SignalHandler
local SignalHandler = {}
---@class Context
local Context = {}

---@param fn fun(bh: BH)
---@param name? string
---@param ctx? Context
---@return BH
function aio.bh(fn, name, ctx) end

---@param fn fun(bh: BH)
---@param name? string
---@param ctx? Context
---@return BH
function aio.defer(fn, name, ctx) end

---@return BH
function BH:schedule() end

---@return BH
function BH:schedule_idle() end

---@return BH
function BH:schedule_always() end

---@return BH
function BH:cancel() end

---@return RemoteBH
function BH:remote() end

function BH:delete() end

function BH:close() end

---@return BH
function BH:ref() end

---@return BH
function BH:unref() end

---@return RemoteBH
function RemoteBH:schedule() end

function RemoteBH:close() end

---@class aio.TimerOptions
---@field fn fun(timer: Timer)
---@field clock? "realtime"|"host"|"virtual"|"virtual_rt"
---@field name? string
---@field ctx? Context

---@param options aio.TimerOptions
---@return Timer
function aio.timer(options) end

---@param deadline number
---@return Timer
function Timer:mod(deadline) end

---@param deadline number
---@return Timer
function Timer:mod_anticipate(deadline) end

---@return Timer
function Timer:del() end

---@return boolean
function Timer:pending() end

---@return number|nil
function Timer:deadline() end

function Timer:close() end

---@return Timer
function Timer:ref() end

---@return Timer
function Timer:unref() end

---@class aio.FdOptions
---@field read? fun(handler: FdHandler)|false
---@field write? fun(handler: FdHandler)|false
---@field poll? fun(handler: FdHandler): boolean|false
---@field poll_ready? fun(handler: FdHandler)|false
---@field poll_begin? fun(handler: FdHandler)|false
---@field poll_end? fun(handler: FdHandler)|false
---@field external? boolean
---@field name? string
---@field ctx? Context

---@param fd integer|file*|table|userdata
---@param options aio.FdOptions
---@return FdHandler|nil, string?, integer?
function aio.fd(fd, options) end

---@param options aio.FdOptions
---@return FdHandler
function FdHandler:set(options) end

---@return integer
function FdHandler:fd() end

function FdHandler:delete() end

function FdHandler:close() end

---@return FdHandler
function FdHandler:ref() end

---@return FdHandler
function FdHandler:unref() end

---@param fd integer|file*|table|userdata
---@param want "r"|"w"|"rw"
---@param sec? aio.Wait
---@return "r"|"w"|"rw"|nil, string?, integer?
function aio.wait_fd(fd, want, sec) end

---@alias aio.PutCase {put: Chan, value: any}
---@alias aio.FdCase {fd: any, want?: "r"|"w"|"rw"}
---@alias aio.Case Chan|Task|Sem|Event|number|aio.PutCase|aio.FdCase|any

---@param cases table<any, aio.Case>
---@param sec? aio.Wait
---@return any key
---@return any ...
function aio.select(cases, sec) end

---@param options? {name: string?, ctx: Context?}
---@return Notifier|nil, string?, integer?
function aio.notifier(options) end

---@return Notifier
function Notifier:set() end

---@return boolean
function Notifier:test_and_clear() end

---@param fn fun(notifier: Notifier)|nil
---@return Notifier
function Notifier:handler(fn) end

---@return integer
function Notifier:fd() end

function Notifier:close() end

---@return Notifier
function Notifier:ref() end

---@return Notifier
function Notifier:unref() end

---@param name string
---@param ... string|number
---@return string|nil, string?, integer?
function aio.wait_signal(name, ...) end

---@param name string
---@param fn fun(name: string)
---@return SignalHandler
function aio.on_signal(name, fn) end

function SignalHandler:close() end

function SignalHandler:cancel() end

---@return SignalHandler
function SignalHandler:ref() end

---@return SignalHandler
function SignalHandler:unref() end

---@class aio.Settings
---@field fdmon? string
---@field poll_max_ns? integer
---@field poll_grow? integer
---@field poll_shrink? integer
---@field max_batch? integer
---@field thread_pool_min? integer
---@field thread_pool_max? integer
---@field timing? boolean
---@field fdmon_fallback? string

---@param settings? aio.Settings
---@return Context|nil, string?, integer?
function aio.context(settings) end

---@param blocking? boolean
---@return boolean progress
function Context:poll(blocking) end

---@return Context
function Context:notify() end

---@return aio.Settings
function Context:get() end

---@param settings aio.Settings
---@return Context|nil, string?, integer?
function Context:set(settings) end

---@return table<string, integer|Hist>
function Context:stats() end

---@class aio.PollState
---@field poll_ns integer
---@field block_ns integer
---@field hit boolean
---@field poll_max_ns integer
---@field poll_grow integer
---@field poll_shrink integer

---@alias aio.Delta table<string, number>

---@class aio.Policy
---@field name? string
---@field every? number
---@field decide? fun(delta: aio.Delta, knobs: aio.Settings): aio.Settings?
---@field poll_ns? fun(state: aio.PollState): number
---@field set? aio.Settings

---@param policy? aio.Policy
---@return Context|string|nil
function Context:policy(policy) end

---@return Context
function Context:disable_external() end

---@return Context
function Context:enable_external() end

---@return Context
function Context:acquire() end

---@return Context
function Context:release() end

function Context:close() end
