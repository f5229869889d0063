-- echo - an fd handler on any socket, here one of LuaSocket's
--
-- The server is callbacks on file descriptors.  The client is a task, which
-- reads like blocking code: wait_fd() parks it until the socket is readable.
--
-- Output:
--   server: client connected
--   client: one
--   client: two
--   server: client gone

local aio = require "aio"
local socket = require "socket"

local function serve(listener)
  local handlers = {}

  local function client(peer)
    peer:settimeout(0)
    local fd = peer:getfd()
    handlers[fd] = aio.fd(fd, {
      name = "echo client",
      read = function()
        local line, problem = peer:receive("*l")
        if line then
          peer:send(line .. "\n")
        elseif problem == "closed" then
          print("server: client gone")
          handlers[fd]:delete()
          peer:close()
        end
      end,
    })
  end

  listener:settimeout(0)
  handlers.listener = aio.fd(listener:getfd(), {
    name = "echo listener",
    read = function()
      print("server: client connected")
      client(assert(listener:accept()))
      handlers.listener:delete() -- one client is enough here
    end,
  })
end

local listener = assert(socket.bind("127.0.0.1", 0))
serve(listener)

local _, port = listener:getsockname()
local client = assert(socket.connect("127.0.0.1", port))
for _, word in ipairs { "one", "two" } do
  client:send(word .. "\n")
  assert(aio.wait_fd(client:getfd(), "r", 5))
  print("client: " .. client:receive("*l"))
end
client:close()
