-- threads_luv - a function on the thread pool of luv, under lua5.4
--
--   lua5.4 bench/lua/threads_luv.lua DEPTH MILLISECONDS
--
-- new_work and queue, DEPTH of them at a time.  (luv cannot hand an async of a
-- thread's loop to another thread, so there is no twin of a wake there and
-- back.)

local uv = require "luv"

local depth, milliseconds = tonumber(arg[1]), tonumber(arg[2])

local function run(n)
  local each = math.max(n // depth, 1)
  local left = each * depth
  local work
  local queued = 0
  work = uv.new_work(function(x) return x end, function()
    left = left - 1
    if queued < each * depth then
      queued = queued + 1
      work:queue(queued)
    end
  end)
  for _ = 1, depth do
    queued = queued + 1
    work:queue(queued)
  end
  uv.run()
  assert(left == 0)
  return each * depth
end

local n, best, ops = 16, math.huge, 0
local spent, total = 0, milliseconds * 1e6
while spent < total do
  local from = uv.hrtime()
  local done = run(n)
  local ns = uv.hrtime() - from
  spent = spent + ns
  if ns < total / 16 and spent < total then
    n = n * 2
  elseif ns / done < best then
    best, ops = ns / done, done
  end
end
print(('{"ns": %.3f, "ops": %d}'):format(best, ops))
