-- echo_many - does an echo server of tasks hold that many connections?
--
--   aioctl bench/lua/echo_many.lua CONNECTIONS [SECONDS]
--
-- Server and load are processes of their own, with as many descriptors as the
-- system allows.  Each connection sends 64 bytes every two seconds.  Prints
-- JSON: what was held, the round trips, memory of the server per connection.
-- Status 1 if one connection less was held, or one message failed.
local aio = require "aio"
local net = require "aio.net"
local proc = require "aio.proc"

local PAUSE <const> = 2
local here = arg[0]:match("^(.*)/[^/]*$") or "."

-- As many as root may have; else up to the hard limit.
local RAISE <const> = [[
want=$1; shift
ulimit -n "$want" 2>/dev/null || ulimit -n "$(ulimit -H -n)"
exec "$@"]]

local function start(count, words)
  local all = { "sh", "-c", RAISE, "sh", 2 * count + 100, arg[-1],
    stdin = "pipe", stdout = "pipe" }
  for _, word in ipairs(words) do
    all[#all + 1] = word
  end
  for i, word in ipairs(all) do
    all[i] = tostring(word)
  end
  return assert(proc.spawn(all))
end

-- ---- the load --------------------------------------------------------------

local function client(load, sock)
  local text = ("x"):rep(64)
  aio.sleep(math.random() * PAUSE) -- not all at once
  local answered = 0
  while true do
    local before = aio.now_ns()
    sock:send(text)
    if sock:recv_exact(#text, 60) ~= text then
      load.failed = load.failed + 1
      break
    end
    load.latency:record(aio.now_ns() - before)
    load.rounds = load.rounds + 1
    load.held = load.held + (answered == 0 and 1 or 0)
    answered = answered + 1
    aio.sleep(PAUSE)
  end
  sock:close()
end

local function connect(load, g, address, count)
  for i = 1, count do
    local sock, message = net.dial(address, 30)
    if not sock then
      io.stderr:write("connection ", i, ": ", message, "\n")
      return
    end
    g:spawn(client, load, sock)
    if i % 64 == 0 then
      aio.yield()
    end
  end
end

-- Prints what it measured while all were open, and holds them until the other
-- end of its input is closed.  A connection counts once it has been answered.
local function run_load(address, count, seconds)
  local load = { held = 0, failed = 0, rounds = 0, latency = aio.hist() }
  aio.group(function(g)
    connect(load, g, address, count)
    aio.sleep(PAUSE)
    load.rounds = 0
    load.latency:reset()
    aio.sleep(seconds)
    print(("%d %d %d %.0f"):format(load.held, load.failed, load.rounds,
      (load.latency:percentile(99) or 0) / 1000))
    io.stdout:flush()
    io.read()
    os.exit(0)
  end)
end

-- ---- both ------------------------------------------------------------------

local function memory_kib(pid)
  local status = io.open("/proc/" .. pid .. "/status"):read("a")
  return tonumber(status:match("VmRSS:%s+(%d+)")),
    tonumber(status:match("VmPTE:%s+(%d+)"))
end

local function run(count, seconds)
  local server <close> = start(count, { here .. "/echo_aio.lua" })
  local port = assert(server.stdout:recv_line(20))
  local empty = memory_kib(server:pid())
  local load <close> = start(count, { arg[0], "load", "tcp:127.0.0.1:" .. port,
    count, seconds })
  local line = assert(load.stdout:recv_line(seconds + 120))
  local rss, tables = memory_kib(server:pid())
  local held, failed, rounds, p99 = line:match("(%d+) (%d+) (%d+) (%d+)")
  print(('{"held": %d, "failed": %d, "per_second": %.0f, "p99_us": %d, '
    .. '"rss_per_connection": %.0f, "with_page_tables": %.0f}'):format(held,
    failed, rounds / seconds, p99, (rss - empty) * 1024 / held,
    (rss - empty + tables) * 1024 / held))
  return tonumber(held) == count and tonumber(failed) == 0
end

if arg[1] == "load" then
  run_load(arg[2], tonumber(arg[3]), tonumber(arg[4]))
else
  local count = assert(math.tointeger(tonumber(arg[1])), "CONNECTIONS")
  local seconds = assert(tonumber(arg[2] or 5), "SECONDS")
  os.exit(run(count, seconds) and 0 or 1, true)
end
