---@meta aio.policy
-- policy.lua - types of aio.policy: policies for ctx:policy()

---@class aio.policy
---@field qemu aio.Policy
---@field busy aio.Policy
---@field sleep aio.Policy
local policy = {}

---@param options? { percentile?: number, max_ns?: integer }
---@return aio.Policy
function policy.latency_target(options) end

return policy
