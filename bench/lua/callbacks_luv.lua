-- callbacks_luv - luv calls a Lua function, under lua5.4
--
--   lua5.4 bench/lua/callbacks_luv.lua COUNT AMOUNT
--
-- COUNT idle handles, each called in each turn of the loop.

local uv = require "luv"
local timing = dofile(arg[0]:match("^(.*/)") .. "timing.lua")

local count = tonumber(arg[1])
local left
local list = {}

for i = 1, count do
  list[i] = uv.new_idle()
end

timing(arg[2], uv.hrtime, function(n)
  left = n
  for i = 1, count do
    list[i]:start(function()
      left = left - 1
      if left == 0 then uv.stop() end
    end)
  end
  uv.run()
  for i = 1, count do list[i]:stop() end
  return n - left
end)
