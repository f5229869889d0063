---@meta aio.proc
-- Types of processes.

---@class aio.proc
local proc = {}
---@class Process
---@field stdin? Socket
---@field stdout? Socket
---@field stderr? Socket
local Process = {}

---@alias aio.Stream "inherit"|"pipe"|"null"|"stdout"|integer|any

---@class aio.SpawnOptions
---@field [integer] string|number program and arguments
---@field stdin? aio.Stream
---@field stdout? aio.Stream
---@field stderr? aio.Stream
---@field env? table<string, string|number>
---@field setenv? table<string, string|number|false>
---@field cwd? string
---@field group? boolean
---@field session? boolean

---@class aio.RunOptions: aio.SpawnOptions
---@field input? aio.Bytes
---@field timeout? number
---@field max? aio.Size

---@class aio.RunResult
---@field code? integer
---@field signal? string
---@field out? string
---@field err? string

---@param spec aio.SpawnOptions
---@return Process|nil, string?, integer?
function proc.spawn(spec) end

---@param argv (string|number)[]
---@param options? aio.RunOptions
---@return aio.RunResult|nil, string?, integer?, aio.RunResult?
function proc.run(argv, options) end

---@class aio.ExitStatus
---@field code? integer
---@field signal? string
---@field core? boolean

---@param sec? aio.Wait
---@return aio.ExitStatus|nil, string?, integer?
function Process:wait(sec) end

---@param signal? string|integer
---@param whole_group? boolean
---@return true|nil, string?, integer?
function Process:kill(signal, whole_group) end

---@return integer
function Process:pid() end

---@return boolean
function Process:is_running() end

function Process:close() end

return proc
