-- echo_many - how many connections an echo server of tasks holds
--
--   aioctl bench/lua/echo_many.lua CONNECTIONS SECONDS
--
-- Starts a server process and keeps CONNECTIONS open from this one, each
-- sending 64 bytes at a time, one after the other.  Prints JSON: what was
-- held, the round trips, memory of the server per connection.
local aio = require "aio"
local net = require "aio.net"
local proc = require "aio.proc"

local count, seconds = tonumber(arg[1] or 10000), tonumber(arg[2] or 5)
local here = arg[0]:match("^(.*)/[^/]*$") or "."

local function memory_kib(pid)
  local status = io.open("/proc/" .. pid .. "/status"):read("a")
  return tonumber(status:match("VmRSS:%s+(%d+)")),
    tonumber(status:match("VmPTE:%s+(%d+)"))
end

local server <close> = assert(proc.spawn { arg[-1], here .. "/echo_aio.lua",
  stdout = "pipe" })
local address = "tcp:127.0.0.1:" .. assert(server.stdout:recv_line(10))
local empty = memory_kib(server:pid())

local held, rounds, failed, stop = 0, 0, 0, false
local latency = aio.hist()
local text = ("x"):rep(64)

local function client(sock)
  while not stop do
    local start = aio.now_ns()
    sock:send(text)
    if sock:recv_exact(#text, 60) ~= text then
      failed = failed + 1
      break
    end
    latency:record(aio.now_ns() - start)
    rounds = rounds + 1
    aio.sleep(0.5) -- not all at once: connections are mostly idle
  end
  sock:close()
end

aio.group(function(g)
  for _ = 1, count do
    local sock, message = net.dial(address, 30)
    if not sock then
      io.stderr:write("after ", held, ": ", message, "\n")
      break
    end
    held = held + 1
    g:spawn(client, sock)
    if held % 64 == 0 then
      aio.yield()
    end
  end
  rounds = 0
  aio.sleep(seconds)
  local rss, tables = memory_kib(server:pid())
  stop = true
  print(('{"held": %d, "failed": %d, "per_second": %.0f, "p99_us": %.0f, '
    .. '"rss_per_connection": %.0f, "with_page_tables": %.0f}'):format(held,
    failed, rounds / seconds, (latency:percentile(99) or 0) / 1000,
    (rss - empty) * 1024 / held, (rss - empty + tables) * 1024 / held))
end)
os.exit(held == count and failed == 0 and 0 or 1)
