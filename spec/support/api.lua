--- api - what the binary has, for comparing it with what is described
--
-- Names are those of aio.doc.model: "aio.spawn", "task:join", "f.path", "#buf".
local aio = require "aio"
local block = require "aio.block"
local file = require "aio.file"
local net = require "aio.net"
local policy = require "aio.policy"
local proc = require "aio.proc"
local sync = require "aio.sync"

local api = {}

api.modules = { aio = aio, file = file, sync = sync, net = net, proc = proc,
  policy = policy, block = block }

-- What an object has besides methods cannot be listed by looking at it.
api.fields = {
  f = { "fd", "path", "engine", "fallback", "direct", "align", "registered" },
  process = { "stdin", "stdout", "stderr" },
  node = { "size", "block_size", "readonly", "name", "kind", "children",
    "can" },
}

--- An object of each class, by the word that pages use for it.
function api.objects()
  local bh = aio.bh(print)
  local group
  aio.group(function(g) group = g end)
  local f = assert(file.tmp(".", {}))
  return {
    task = aio.self(), bh = bh, remote = bh:remote(),
    timer = aio.timer { fn = print }, notifier = assert(aio.notifier()),
    handler = assert(aio.fd(assert(io.open("/dev/null")), {})),
    signal = aio.on_signal("USR2", print), ctx = aio.context { fdmon = "poll" },
    group = group, buf = aio.buf(1), hist = aio.hist(),
    pool = aio.bufpool { count = 1, size = 512 }, chan = sync.chan(),
    sem = sync.sem(1), mutex = sync.mutex(), event = sync.event(),
    guard = sync.mutex():guard(), rwlock = sync.rwlock(), cond = sync.cond(),
    latch = sync.latch(1), rate = sync.rate(1), watch = file.watch("."),
    f = f, lock = f:lock("shared"), sock = net.pair(),
    address = net.address("tcp:127.0.0.1:1"),
    process = assert(proc.spawn { "true" }), thread = aio.iothread(),
    node = block.open "null:1M",
    drain = assert(block.open "null:1M"):drain(),
  }
end

function api.close(objects)
  for word, object in pairs(objects) do
    local close = word ~= "f" and api.methods(word, object).close
    if close then
      close(object)
    end
  end
  objects.f:close()
end

--- Name -> function.  A class written in Lua is its own metatable; that of
-- files computes fields.
function api.methods(word, object)
  local methods = {}
  local class = word == "f" and file.methods or getmetatable(object).__index
  for name, method in pairs(class) do
    methods[name] = not name:find("^__") and method or nil
  end
  return methods
end

--- Set of all names -> value.
function api.names(objects)
  local set = {}
  for word, module in pairs(api.modules) do
    for name, value in pairs(module) do
      set[word .. "." .. name] = value
    end
  end
  for word, object in pairs(objects) do
    for name, method in pairs(api.methods(word, object)) do
      set[word .. ":" .. name] = method
    end
    local length = getmetatable(object).__len
    set["#" .. word] = length
  end
  for word, fields in pairs(api.fields) do
    for _, name in ipairs(fields) do
      set[word .. "." .. name] = true
    end
  end
  return set
end

return api
