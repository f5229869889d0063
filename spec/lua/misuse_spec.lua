--- Wrong arguments, closed objects, the wrong place to call: each raises and
-- says what was wrong, or returns the error; nothing crashes.
local aio = require "aio"
local calls = require "support.misuse"
local file = require "aio.file"
local net = require "aio.net"
local proc = require "aio.proc"
local sync = require "aio.sync"

-- An ended group.
local function make_group()
  local group
  aio.group(function(g) group = g end)
  return group
end

local MAKE <const> = {
  bh = function() return aio.bh(function() end) end,
  timer = function() return aio.timer { fn = print } end,
  handler = function() return aio.fd(assert(io.open("/dev/null")), {}) end,
  notifier = aio.notifier, buf = function() return aio.buf(64) end,
  signal = function() return aio.on_signal("USR2", print) end,
  ctx = function() return aio.context { fdmon = "poll" } end,
  pool = function() return aio.bufpool { count = 1, size = 512 } end,
  task = function() return aio.spawn(function() end) end,
  chan = sync.chan, sem = function() return sync.sem(0) end,
  mutex = sync.mutex, rwlock = sync.rwlock, cond = sync.cond,
  event = sync.event, latch = function() return sync.latch(1) end,
  rate = function()
    local rate = sync.rate(1)
    rate:take(1)
    return rate
  end,
  hist = aio.hist, group = make_group,
  thread = function() return assert(aio.iothread()) end,
  f = function() return assert(file.tmp(".")) end,
  watch = function() return assert(file.watch(".")) end,
  sock = net.pair, process = function()
    return assert(proc.spawn { "sleep", "60" })
  end,
  listener = function() return assert(net.listen("tcp:127.0.0.1:0")) end,
}

local World = {}

function World.__index(world, name)
  local make = MAKE[name]
  if not make then
    return _G[name]
  end
  world[name] = make()
  return world[name]
end

function World:__close()
  for name in pairs(MAKE) do
    local object = rawget(self, name)
    if object and object.close then
      object:close()
    end
  end
end

local function methods(object)
  local index = getmetatable(object).__index
  return type(index) == "table" and index or file.methods
end

--- A place for code: modules by name, objects made when first named.
local function new_world()
  return setmetatable({
    aio = aio, file = file, net = net, proc = proc, sync = sync,
  }, World)
end

-- run(code, world) -> ok, results
local function run(code, world)
  local fn = load("return " .. code, "=call", "t", world)
    or assert(load(code, "=call", "t", world))
  local task = aio.spawn(fn)
  local result = table.pack(task:pjoin(5))
  if result[1] == nil then
    task:cancel()
    task:pjoin()
    error(code .. " waits instead of raising", 0)
  end
  return table.unpack(result, 1, result.n)
end

local function check(call)
  local world <close> = new_world()
  local ok, result, message, errno = run(call.code, world)
  local shown = call.code .. ": " .. tostring(ok and message or result)
  if call.errno then
    assert(ok and result == nil, shown)
    assert.equal(aio.errno[call.errno], errno, shown)
    assert(message:find("^" .. call.errno .. ": "), shown)
  else
    assert(not ok, call.code .. " does not raise")
    assert(type(result) == "string" and result:find(call.message), shown)
  end
end

describe("a wrong call", function()
  for _, call in ipairs(calls) do
    it("is refused: " .. call.code:gsub("%c", "."), function()
      check(call)
    end)
  end

  it("of a method on something else is refused", function()
    local world <close> = new_world()
    for name in pairs(MAKE) do
      for method, fn in pairs(methods(world[name])) do
        if type(fn) == "function" and not method:find("^__") then
          for _, other in ipairs { 5, "x", {}, io.stdout } do
            local ok, err = pcall(fn, other)
            local shown = name .. ":" .. method
            assert.is_false(ok, shown)
            assert(tostring(err):find("expected"), shown .. ": "
              .. tostring(err))
          end
        end
      end
    end
  end)
end)

-- What takes no argument but the object, or takes anything.
local NOTHING_TO_GET_WRONG <const> = {}
for name in ([[
  aio.handles aio.is_cancelled aio.now aio.now_ns aio.probe aio.stats aio.stop
  aio.tasks aio.yield aio.hist aio.notifier aio.self file.stdin file.stdout
  file.stderr sync.cond sync.event sync.mutex sync.rwlock
  bh:schedule bh:schedule_idle bh:schedule_always bh:remote buf:clone
  buf:is_closed buf:move
  buf:is_registered chan:is_closed chan:iter chan:try_get cond:broadcast
  cond:signal ctx:acquire ctx:disable_external ctx:get ctx:notify ctx:poll
  ctx:stats event:clear event:is_set event:set f:drop_cache f:size f:stat
  f:statx handler:fd hist:count hist:hgrm hist:json hist:max hist:mean hist:min
  hist:reset hist:stddev latch:count listener:try_accept mutex:is_locked
  mutex:try_lock notifier:fd notifier:set notifier:test_and_clear pool:stats
  pool:try_get process:is_running process:pid rate:limit rwlock:try_rdlock
  rwlock:try_wrlock sem:release sem:try_acquire sem:value sock:fd sock:is_closed
  sock:name sock:peer sock:tls sock:try_accept task:status task:traceback
  task:waker thread:context thread:name thread:status timer:deadline timer:del
  timer:pending watch:fd watch:iter
]]):gmatch("%S+") do
  NOTHING_TO_GET_WRONG[name] = true
end
local ENDS <const> = { close = true, delete = true, cancel = true, ref = true,
  unref = true }

-- Names of functions that none of the calls above gets wrong.
local function missed(prefix, functions, pattern)
  local list = {}
  for name, fn in pairs(functions) do
    local tried = NOTHING_TO_GET_WRONG[prefix .. name] or ENDS[name]
      or type(fn) ~= "function" or name:find("^__")
    for _, call in ipairs(tried and {} or calls) do
      tried = tried or call.code:find(pattern .. name .. "%f[^%w_]")
    end
    if not tried then
      list[#list + 1] = prefix .. name
    end
  end
  table.sort(list)
  return list
end

describe("the list of wrong calls", function()
  it("has one of each function", function()
    for name, module in pairs { aio = aio, file = file, net = net, proc = proc,
      sync = sync } do
      assert.same({}, missed(name .. ".", module, "%f[%w]" .. name .. "%."))
    end
  end)

  it("has one of each method", function()
    local world <close> = new_world()
    for name in pairs(MAKE) do
      if name ~= "listener" then -- a socket
        assert.same({}, missed(name .. ":", methods(world[name]),
          "%f[%w]" .. name .. "[.:]"))
      end
    end
  end)
end)

-- What a closed object still does.
local HARMLESS <const> = {
  close = true, is_closed = true, ref = true, unref = true, delete = true,
  cancel = true, status = true, name = true, fd = true, peer = true,
  pid = true, is_running = true, wait = true, kill = true, is_registered = true,
  stats = true, unlock = true, lines = true, chunks = true, accepts = true,
  iter = true, context = true, get = true, try_get = true, put = true,
  try_put = true, starttls = true,
}

describe("a closed object", function()
  for _, name in ipairs { "bh", "timer", "handler", "notifier", "buf", "ctx",
    "f", "watch", "sock", "thread", "listener" } do
    it("is refused by the methods of " .. name, function()
      local world <close> = new_world()
      local object = world[name]
      object:close()
      object:close()
      local tried = 0
      for method, fn in pairs(methods(object)) do
        if type(fn) == "function" and not HARMLESS[method]
          and not method:find("^__") then
          local ok, result, message = pcall(fn, object, 0, 0, 0, 0)
          local said = ok and (result == nil and message) or not ok and result
          assert(said, name .. ":" .. method .. " works on a closed object")
          tried = tried + 1
        end
      end
      assert.is_true(tried > 0)
      assert.matches("closed", tostring(object))
    end)
  end
end)
