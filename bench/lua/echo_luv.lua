-- echo_luv - peer: luv under lua5.4; "try": try_write first
local uv = require "luv"

local try = arg[1] == "try"
local server = uv.new_tcp()
server:bind("127.0.0.1", 0)
server:listen(4096, function()
  local sock = uv.new_tcp()
  server:accept(sock)
  sock:nodelay(true)
  sock:read_start(function(err, data)
    if err or not data then
      sock:close()
    elseif try then
      local n = sock:try_write(data)
      if not n then
        sock:write(data)
      elseif n < #data then
        sock:write(data:sub(n + 1))
      end
    else
      sock:write(data)
    end
  end)
end)
print(server:getsockname().port)
io.stdout:flush()
uv.run()
