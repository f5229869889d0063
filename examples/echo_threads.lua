-- echo_threads - one thread accepts, N threads serve
--
-- Connections are handed to the worker whose turn it is: a socket that is sent
-- to another thread moves there.  Each worker serves its own in tasks, with a
-- loop and a Lua of its own.  Arguments: [WORKERS [CLIENTS]]
--
-- Output:
--   3 workers served 30 clients: 10 10 10

local aio, net = require "aio", require "aio.net"

local WORKERS <const> = tonumber(arg[1]) or 3
local CLIENTS <const> = tonumber(arg[2]) or 30

-- Runs in each worker: connections come through @inbox.
local function work(inbox)
  local aio_here, served = require "aio", 0
  aio_here.group(function(group)
    for sock in inbox:iter() do
      group:spawn(function()
        local peer <close> = sock
        for line in peer:lines { timeout = 5 } do
          peer:send { line:upper(), "\n" }
        end
        served = served + 1
      end)
    end
  end)
  return served
end

local threads, inboxes, calls = {}, {}, {}
for i = 1, WORKERS do
  threads[i] = assert(aio.iothread("worker " .. i))
  inboxes[i] = threads[i]:channel(16)
  calls[i] = threads[i]:call(work, inboxes[i])
end

local listener <close> = assert(net.listen("tcp:127.0.0.1:0"))
aio.group(function(group)
  for i = 1, CLIENTS do
    group:spawn(function()
      local client <close> = assert(net.dial(listener:name()))
      client:send("hello " .. i .. "\n")
      assert(client:recv_line { timeout = 5 } == "HELLO " .. i)
    end)
  end
  for i = 1, CLIENTS do
    inboxes[i % WORKERS + 1]:put(assert(listener:accept(5)))
  end
end)

local counts = {}
for i, inbox in ipairs(inboxes) do
  inbox:close() -- ends the loop of its worker
  counts[i] = calls[i]:join()
  threads[i]:close()
end
print(("%d workers served %d clients: %s"):format(WORKERS, CLIENTS,
  table.concat(counts, " ")))
