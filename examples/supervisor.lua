-- supervisor - keeps programs running, with a pause that grows
--
-- A task per program starts it, passes on what it says, and starts it again
-- when it has failed.  Cancelling the group ends everything: the <close>
-- variable kills the child that runs.
--
-- Output:
--   flaky: try 1
--   flaky: exit status 1, again in 0.01 s
--   flaky: try 2
--   flaky: SIGTERM, again in 0.02 s
--   flaky: try 3
--   flaky: done

local aio = require "aio"
local proc = require "aio.proc"

local function run_once(name, argv)
  local spec = table.move(argv, 1, #argv, 1, { stdout = "pipe" })
  local child <close> = assert(proc.spawn(spec))
  for line in child.stdout:lines() do
    print(name .. ": " .. line)
  end
  return child:wait()
end

local function supervise(name, argv)
  local pause = 0.01
  while true do
    local status = run_once(name, argv)
    if status.code == 0 then
      print(name .. ": done")
      return
    end
    local why = status.signal or "exit status " .. status.code
    print(("%s: %s, again in %g s"):format(name, why, pause))
    aio.sleep(pause)
    pause = math.min(pause * 2, 1)
  end
end

local counter = os.tmpname()
local script = [[
  echo x >>"$0"
  n=$(wc -l <"$0")
  echo "try" $n
  case $n in 1) exit 1 ;; 2) kill -TERM $$ ;; esac]]

aio.group(function(g)
  g:spawn(supervise, "flaky", { "sh", "-c", script, counter })
end)
os.remove(counter)
