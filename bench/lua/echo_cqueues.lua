-- echo_cqueues - peer: cqueues under lua5.4
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local server = socket.listen { host = "127.0.0.1", port = 0, nodelay = true }
server:listen()
print((select(3, server:localname())))
io.stdout:flush()

local loop = cqueues.new()
loop:wrap(function()
  for sock in server:clients() do
    sock:setmode("b", "bf")
    loop:wrap(function()
      while true do
        local data = sock:read(-65536)
        if not data then
          sock:close()
          return
        end
        sock:write(data)
        sock:flush()
      end
    end)
  end
end)
assert(loop:loop())
