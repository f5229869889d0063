-- task_peer - task.lua's yields on other loops, under lua5.4
--
--   lua5.4 bench/lua/task_peer.lua luv|cqueues TASKS MILLISECONDS
--
-- luv has no tasks: each coroutine has an idle handle, whose callback resumes
-- it once per turn of the loop.  Those of cqueues are its own; poll(0) lets the
-- others run.

local peer, tasks, milliseconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local run, now_ns = {}

if peer == "luv" then
  local uv = require "luv"
  now_ns = uv.hrtime

  function run.luv(each)
    local resume, yield = coroutine.resume, coroutine.yield
    for _ = 1, tasks do
      local idle = uv.new_idle()
      local co = coroutine.create(function()
        for _ = 1, each do
          yield()
        end
        idle:close()
      end)
      idle:start(function() resume(co) end)
    end
    uv.run()
  end
else
  local cqueues = require "cqueues"
  function now_ns()
    return cqueues.monotime() * 1e9
  end

  function run.cqueues(each)
    local loop, poll = cqueues.new(), cqueues.poll
    for _ = 1, tasks do
      loop:wrap(function()
        for _ = 1, each do
          poll(0)
        end
      end)
    end
    assert(loop:loop())
  end
end

local each, best, ops = 1, math.huge, 0
local spent, total = 0, milliseconds * 1e6
while spent < total do
  local start = now_ns()
  run[peer](each)
  local ns = now_ns() - start
  spent = spent + ns
  if ns < total / 16 and spent < total then
    each = each * 2
  elseif ns / (each * tasks) < best then
    best, ops = ns / (each * tasks), each * tasks
  end
end
print(('{"ns": %.3f, "ops": %d}'):format(best, ops))
