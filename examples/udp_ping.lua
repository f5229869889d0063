-- udp_ping - round trips of datagrams, with losses
--
-- The server answers the address that each datagram came from, but leaves some
-- out; the client counts what did not come back in time.  Two tasks use one
-- socket: one sends, one receives.
--
-- Output:
--   10 sent, 8 answered, 2 lost
--   round trip p50 N us

local aio = require "aio"
local net = require "aio.net"

local COUNT <const> = 10

local server <close> = assert(net.udp("127.0.0.1:0"))
aio.spawn(function()
  while not server:is_closed() do
    local data, from = server:recvfrom()
    if data and tonumber(data) % 4 ~= 0 then -- 4 and 8 are lost
      server:sendto(data, from)
    end
  end
end)

local client <close> = assert(net.dial(server:name()))
local sent_at, round_trips, answered = {}, aio.hist(), 0

local receiver = aio.spawn(function()
  local buf = aio.buf(64)
  while true do
    local n = client:recv(buf, 0.2)
    if not n then
      return
    end
    local i = tonumber(buf:tostring(0, n))
    round_trips:record(aio.now_ns() - sent_at[i])
    answered = answered + 1
  end
end)

for i = 1, COUNT do
  sent_at[i] = aio.now_ns()
  client:send(tostring(i))
  aio.sleep(0.001)
end
receiver:join()
print(("%d sent, %d answered, %d lost"):format(COUNT, answered,
  COUNT - answered))
print(("round trip p50 %d us"):format(round_trips:percentile(50) // 1000))
