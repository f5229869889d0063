--- aio.policy - policies that come with aioctl, for ctx:policy().
--
-- qemu, busy and sleep are policies, latency_target is a function that makes
-- one. Each is a module of its own, loaded when it is first asked for.
local NAMES <const> = { "qemu", "busy", "sleep", "latency_target" }

local policy = require "aio.core".policy or {} -- see aio/init.lua

for _, name in ipairs(NAMES) do
  NAMES[name] = "aio.policy." .. name
end

return setmetatable(policy, {
  __index = function(self, name)
    if NAMES[name] then
      self[name] = require(NAMES[name])
      return rawget(self, name)
    end
  end,
  __pairs = function(self)
    for _, name in ipairs(NAMES) do
      self[name] = self[name]
    end
    return next, self, nil
  end,
})
