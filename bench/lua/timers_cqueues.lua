-- timers_cqueues - sleeping coroutines of cqueues, as in timers.lua
--
--   lua5.4 bench/lua/timers_cqueues.lua COUNT AMOUNT

local cqueues = require "cqueues"
local timing = dofile(arg[0]:match("^(.*/)") .. "timing.lua")

local count = tonumber(arg[1])

local function clock()
  return cqueues.monotime() * 1e9
end

timing(arg[2], clock, function(n)
  local loop = cqueues.new()
  local each = math.max(n // count, 20)
  local function body()
    local sleep = cqueues.sleep
    for _ = 1, each do sleep(1e-6) end
  end
  for _ = 1, count do loop:wrap(body) end
  assert(loop:loop())
  return each * count
end)
