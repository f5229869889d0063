-- echo_aio - ours: a task per connection; prints its port
local net = require "aio.net"
local aio = require "aio"

local listener = assert(net.listen("tcp:127.0.0.1:0"))
print(listener:name():port())
io.stdout:flush()

local function serve(sock)
  local buf = aio.buf(65536)
  while true do
    local n = sock:recv(buf)
    if not n then
      sock:close()
      return
    end
    sock:send(n == #buf and buf or buf:slice(0, n))
  end
end

local function serve_strings(sock)
  while true do
    local data = sock:recv()
    if not data then
      sock:close()
      return
    end
    sock:send(data)
  end
end

local body = arg[1] == "buf" and serve or serve_strings
for sock in listener:accepts() do
  aio.spawn(body, sock)
end
