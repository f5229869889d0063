-- net - sockets for specs
local net = require "aio.net"

local support = {}

-- listener([options]) -> listening TCP socket on the loopback
function support.listener(opts)
  return assert(net.listen("tcp:127.0.0.1:0", opts))
end

-- connected([options]) -> two ends of a TCP connection
function support.connected(opts)
  local listener <close> = support.listener(opts)
  local a = assert(net.dial(listener:name()))
  return a, assert(listener:accept(5))
end

-- A listener whose queue is full, so that nobody can connect.
function support.full_listener()
  local listener = support.listener { backlog = 1 }
  local clients = {}
  for i = 1, 3 do
    clients[i] = net.dial(listener:name(), { timeout = 0.01 })
  end
  local holder = { name = function() return listener:name() end }
  return setmetatable(holder, { __index = holder, __close = function()
    for _, client in pairs(clients) do
      client:close()
    end
    listener:close()
  end })
end

-- Connections that a sanitized or slow build can bear.
function support.scaled(n)
  local build = os.getenv("AIOCTL_BUILD") or ""
  return build:match("[at]san$") and n // 5 or n
end

-- without_descriptors(fn): fn(use_up, give_back) may use up all descriptors.
function support.without_descriptors(fn)
  local held = {}
  local function give_back()
    for i = #held, 1, -1 do
      held[i]:close()
      held[i] = nil
    end
  end
  local function use_up()
    while true do
      local file = io.open("/dev/null")
      if not file then
        return
      end
      held[#held + 1] = file
    end
  end
  local ok, err = xpcall(fn, debug.traceback, use_up, give_back)
  give_back()
  if not ok then
    error(err, 0)
  end
end

return support
