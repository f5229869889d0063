--- aio.control - a socket on which a running program tells about itself.
--
-- Opt-in (`aioctl --control`). A Unix socket that only its owner may open; each
-- line that comes in is answered by one line of JSON. `aioctl top` asks. The
-- tasks that serve it are unref'd: it keeps no program running.
local aio = require "aio"
local net = require "aio.net"

local control = {}

local REQUEST_MAX <const> = 4096
local CLIENTS_MAX <const> = 16

--- Where the socket of a process is looked for, best first.
function control.folders()
  local uid = aio.file.stat("/proc/self").uid
  return { os.getenv("XDG_RUNTIME_DIR") or "/run/user/" .. uid, "/tmp" }
end

function control.path(folder, pid)
  return ("%s/aioctl-%d.sock"):format(folder, pid)
end

local function rss_kib()
  for line in io.lines("/proc/self/status") do
    local kib = line:match("^VmRSS:%s*(%d+)")
    if kib then
      return math.tointeger(tonumber(kib))
    end
  end
end

--- This process.
function control.pid()
  local stat <close> = assert(io.open("/proc/self/stat"))
  return stat:read("n")
end

local started <const> = aio.now()

-- What one `report` answers.
local function report(options)
  local tasks, all = {}, aio.tasks()
  for i, task in ipairs(all) do
    tasks[#all + 1 - i] = { -- the oldest first
      name = task:name(), status = task:status(),
      traceback = options.traceback and task:traceback() or nil,
    }
  end
  local array = require "cjson".empty_array_mt
  return {
    pid = control.pid(), script = arg and arg[0] or "?",
    up = aio.now() - started, now = aio.now(),
    fdmon = aio.context():get().fdmon, stats = aio.stats(),
    lua_kib = collectgarbage("count"), rss_kib = rss_kib(),
    tasks = setmetatable(tasks, array),
    handles = setmetatable(aio.handles(), array),
  }
end

local REQUESTS <const> = {
  report = function() return report {} end,
  traceback = function() return report { traceback = true } end,
}

local function answer(line)
  local cjson = require "cjson"
  local request = REQUESTS[line]
  if not request then
    return cjson.encode { error = ("unknown request '%s' (one of report, "
      .. "traceback)"):format(line) }
  end
  local ok, result = pcall(request)
  return cjson.encode(ok and result or { error = tostring(result) })
end

local function serve(client)
  local sock <close> = client
  while true do
    local line = sock:recv_line { max = REQUEST_MAX }
    if not line or not sock:send(answer(line) .. "\n") then
      return
    end
  end
end

local function accept_loop(listener, path)
  local clients = aio.sync.sem(CLIENTS_MAX)
  local _ <close> = setmetatable({}, { __close = function()
    os.remove(path)
    listener:close()
  end })
  for client in listener:accepts() do
    clients:acquire()
    aio.spawn(function()
      pcall(serve, client)
      clients:release()
    end):unref()
  end
end

-- The path of the socket, or nil, message, errno.
function control.start()
  if not pcall(require, "cjson") then
    return nil, "it needs the Lua module cjson (Debian: apt install lua-cjson)"
  end
  local message, errno
  for _, folder in ipairs(control.folders()) do
    local path = control.path(folder, control.pid())
    local listener
    listener, message, errno = net.listen("unix:" .. path, { perm = 384 })
    if listener then
      aio.spawn(accept_loop, listener, path):unref()
      return path
    end
  end
  return nil, message, errno
end

return control
