-- echo_fd - an echo server of fd handlers, with sockets that are not ours
--
-- luasocket makes the sockets and moves the bytes; the loop says when.  A
-- handler may not wait: what cannot be sent yet is kept, and a write handler
-- sends it.  The client at the end is a task.
--
-- Output:
--   client: hello
--   client: goodbye
--   server: closed

local aio = require "aio"
local socket = require "socket"

local server = assert(socket.bind("127.0.0.1", 0))
server:settimeout(0)

local function serve(peer)
  local out = ""
  peer:settimeout(0)
  local handler
  local function send()
    local sent, _, partial = peer:send(out)
    out = out:sub((sent or partial) + 1)
    handler:set { write = out ~= "" and send } -- false removes it
  end
  handler = aio.fd(peer:getfd(), {
    read = function()
      local whole, why, some = peer:receive(4096)
      out = out .. (whole or some or "")
      if why == "closed" then
        print("server: closed")
        handler:delete()
        return peer:close()
      end
      send()
    end,
  })
end

local listener = aio.fd(server:getfd(), {
  read = function() serve(assert(server:accept())) end,
})

local address, port = server:getsockname()
local client = assert(socket.connect(address, port))
client:settimeout(0)
for _, word in ipairs { "hello", "goodbye" } do
  assert(client:send(word .. "\n"))
  assert(aio.wait_fd(client:getfd(), "r", 5))
  print("client: " .. assert(client:receive "*l"))
end
client:close()
aio.sleep(0.01) -- the server notices
listener:delete()
server:close()
