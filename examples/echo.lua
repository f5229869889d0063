-- echo - a server and its clients, each connection a task
--
-- accepts() and lines() park their task until there is something; the loop
-- serves all the others meanwhile.  A <close> variable closes a connection
-- however its task ends.
--
-- Output:
--   server: client connected
--   client: ONE
--   client: TWO
--   server: client gone after 2 lines

local aio = require "aio"
local net = require "aio.net"

local function serve(sock)
  local peer <close> = sock
  local count = 0
  print("server: client connected")
  for line in peer:lines { timeout = 5 } do
    count = count + 1
    peer:send { line:upper(), "\n" }
  end
  print("server: client gone after " .. count .. " lines")
end

local listener <close> = assert(net.listen("tcp:127.0.0.1:0"))
aio.spawn(function()
  for sock in listener:accepts() do
    aio.spawn(serve, sock)
  end
end)

local client <close> = assert(net.dial(listener:name(), { timeout = 5 }))
for _, word in ipairs { "one", "two" } do
  client:send(word .. "\n")
  print("client: " .. assert(client:recv_line(5)))
end
client:shutdown() -- the server reads the end, and closes
client:recv()
