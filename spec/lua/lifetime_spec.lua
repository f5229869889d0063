--- Handles of each class: collected while armed and idle, closed by their own
-- callback, raising in it, cancelled while they are waited for.
local aio = require "aio"
local file = require "aio.file"
local net = require "aio.net"
local proc = require "aio.proc"
local sync = require "aio.sync"

local function collect()
  collectgarbage()
  collectgarbage()
end

local function eventually(what, done)
  local deadline = aio.now() + 5
  while not done() do
    assert(aio.now() < deadline, what .. " did not happen")
    collect()
    aio.sleep(0.001)
  end
end

-- A readable end of a pair whose other end is closed, and that end.
local function readable()
  local a, b = net.pair()
  b:close()
  return a
end

local called -- the signal handler that is to come

-- Classes with a callback: make(fn) -> handle; arm(handle) makes fn(handle)
-- run soon, arm_later(handle) keeps it armed for ever.
local CALLBACKS <const> = {
  bh = {
    make = aio.bh,
    arm = function(bh) bh:schedule() end,
  },
  timer = {
    make = function(fn) return aio.timer { fn = fn } end,
    arm = function(timer) timer:mod(aio.now()) end,
    arm_later = function(timer) timer:mod(aio.now() + 60) end,
  },
  notifier = {
    make = function(fn) return aio.notifier():handler(fn) end,
    arm = function(notifier) notifier:set() end,
    arm_later = function() end, -- it is, with a handler
  },
  fd = {
    make = function(fn)
      local sock = readable()
      local handler
      handler = aio.fd(sock, {})
      return handler, sock, fn
    end,
    arm = function(handler, _, fn) handler:set { read = fn } end,
  },
  signal = {
    make = function(fn)
      return aio.on_signal("USR2", function() fn(called) end)
    end,
    arm = function(handler)
      called = handler
      os.execute("kill -USR2 $PPID")
    end,
    arm_later = function() end,
  },
}

-- with(class, fn, use): a handle, closed at the end with what it needs.
local function with(class, fn, use)
  local handle, resource, extra = class.make(fn)
  local _ <close> = setmetatable({}, { __close = function()
    handle:close()
    called = nil
    if resource then
      resource:close()
    end
  end })
  use(handle, function() class.arm(handle, resource, extra) end)
end

-- Errors that nobody receives, while use(errors) runs.
local function with_errors(use)
  local errors = {}
  local before = aio.on_error(function(err, _, origin)
    errors[#errors + 1] = { err, origin }
  end)
  local ok, err = pcall(use, errors)
  aio.on_error(before)
  assert(ok, err)
end

for name, class in pairs(CALLBACKS) do
  describe("a handle of class " .. name, function()
    it("may be closed by its own callback", function()
      local runs = 0
      local function close_itself(handle)
        handle:close()
        handle:close()
        collect()
        runs = runs + (tostring(handle):find("closed") and 1 or 0)
      end
      with(class, close_itself, function(_, arm)
        arm()
        eventually("the callback", function() return runs > 0 end)
        aio.sleep(0.002)
        assert.equal(1, runs)
      end)
    end)

    it("may raise in its own callback, and goes on", function()
      local runs = 0
      local function raise(handle)
        runs = runs + 1
        if name == "fd" then -- which stays readable
          handle:set { read = false }
        end
        error("broken " .. runs, 0)
      end
      with_errors(function(errors)
        with(class, raise, function(_, arm)
          arm()
          eventually("an error", function() return #errors == 1 end)
          arm()
          eventually("a second error", function() return #errors == 2 end)
        end)
        assert.equal("broken 1", errors[1][1])
        assert.equal("broken 2", errors[2][1])
        assert.is_string(errors[1][2])
      end)
    end)

  end)

  describe("an armed handle of class " .. name, function()
    it("may be closed and raise in the same callback", function()
      local function both(handle)
        handle:close()
        error("after the end", 0)
      end
      with_errors(function(errors)
        with(class, both, function(_, arm)
          arm()
          eventually("an error", function() return #errors == 1 end)
        end)
        assert.equal("after the end", errors[1][1])
      end)
    end)

    if class.arm_later then
      it("stays while it is armed, also when it is forgotten", function()
        local seen = setmetatable({}, { __mode = "v" })
        seen[1] = class.make(function() end)
        class.arm_later(seen[1])
        collect()
        assert.is_not_nil(seen[1])
        seen[1]:close()
      end)
    end

    it("is garbage once it is closed", function()
      local seen = setmetatable({}, { __mode = "v" })
      with(class, function() end, function(handle)
        seen[1] = handle
      end)
      eventually("the collection", function() return seen[1] == nil end)
    end)
  end)
end

-- Classes that tasks wait for: make() -> object, resource closed with it;
-- wait(object) parks.  What has no close has `open`.
local WAITED <const> = {
  socket = { make = function() return net.pair() end,
    wait = function(sock) return sock:recv() end },
  datagrams = { make = function() return net.udp("127.0.0.1:0") end,
    wait = function(sock) return sock:recvfrom() end },
  listener = { make = function() return net.listen("tcp:127.0.0.1:0") end,
    wait = function(sock) return sock:accept() end },
  watch = { make = function() return file.watch(".") end,
    wait = function(watch) return watch:next() end },
  process = {
    make = function() return proc.spawn { "sleep", "60", stdout = "pipe" } end,
    wait = function(process) return process:wait() end },
  pool = { make = function()
    local pool = aio.bufpool { count = 1, size = 512 }
    return pool, pool:get()
  end, wait = function(pool) return pool:get() end },
  thread = { make = function() return aio.iothread() end,
    wait = function(thread)
      return thread:call(function() require("aio").sleep(60) end):join()
    end },
  chan = { make = function() return sync.chan() end,
    wait = function(chan) return chan:get() end },
  ["full chan"] = { make = function() return sync.chan() end,
    wait = function(chan) return chan:put(1) end },
  ["shared chan"] = { make = function()
    local thread = aio.iothread()
    return thread:channel(), thread
  end, wait = function(chan) return chan:get() end },
  ["case of select"] = { make = function() return sync.chan() end,
    wait = function(chan) return aio.select { chan } end },
  notifier = { open = true, make = function() return aio.notifier() end,
    wait = function(notifier) return aio.wait_fd(notifier:fd(), "r") end },
  ["file lock"] = { open = true, make = function()
    local first = assert(file.tmp("."))
    assert(first:lock("exclusive"))
    return assert(file.open("/proc/self/fd/" .. first.fd, "r+")), first
  end, wait = function(f) return f:lock("exclusive") end },
  sem = { open = true, make = function() return sync.sem(0) end,
    wait = function(sem) return sem:acquire() end },
  mutex = { open = true, make = function()
    local mutex = sync.mutex()
    return mutex, mutex:guard()
  end, wait = function(mutex) return mutex:lock() end },
  rwlock = { open = true, make = function()
    local rwlock = sync.rwlock()
    return rwlock, rwlock:rdguard()
  end, wait = function(rwlock) return rwlock:wrlock() end },
  cond = { open = true, make = function() return sync.cond() end,
    wait = function(cond)
      local mutex = sync.mutex()
      local _ <close> = mutex:guard()
      return cond:wait(mutex)
    end },
  event = { open = true, make = function() return sync.event() end,
    wait = function(event) return event:wait() end },
  latch = { open = true, make = function() return sync.latch(1) end,
    wait = function(latch) return latch:wait() end },
  rate = { open = true, make = function()
    local rate = sync.rate(0.001, 1)
    rate:take()
    return rate
  end, wait = function(rate) return rate:take() end },
  task = { open = true, make = function()
    local task = aio.spawn(aio.sleep, 60)
    return task, { close = function() task:cancel() end }
  end, wait = function(task) return task:join() end },
}

local function close_all(list)
  for i = 1, 2 do
    local object = list[i]
    if object and object.close then
      object:close()
    end
  end
end

-- make(class) -> object; it and its resource, closed by the end of the second.
local function make(class)
  local object, resource = class.make()
  return object, setmetatable({ object, resource }, { __close = close_all })
end

-- A task that waits for the object and has parked.
local function waiter(class, object)
  local task = aio.spawn(class.wait, object)
  eventually("the wait", function() return task:status() == "parked" end)
  return task
end

for name, class in pairs(WAITED) do
  describe("waiting for a " .. name, function()
    it("can be cancelled, and the object is as it was", function()
      local object <const>, _ <close> = make(class)
      for _ = 1, 4 do
        local task = waiter(class, object)
        task:cancel()
        local ok, err = task:pjoin(5)
        assert.is_false(ok)
        assert.is_true(aio.is_cancelled(err))
      end
    end)

    it("keeps it, also when all others have forgotten it", function()
      local seen = setmetatable({}, { __mode = "v" })
      local task
      do
        local resource
        seen[1], resource = class.make()
        task = waiter(class, seen[1])
        collect()
        assert.is_not_nil(seen[1])
        assert.equal("parked", task:status())
        task:cancel()
        task:pjoin(5)
        close_all { seen[1], resource }
      end
      task = nil -- luacheck: ignore
      eventually("the collection", function() return seen[1] == nil end)
    end)

    if not class.open then
      it("ends when another task closes it", function()
        local object <const>, _ <close> = make(class)
        local task = waiter(class, object)
        object:close()
        assert.is_not_nil((task:pjoin(5)))
      end)
    end
  end)

  it("a " .. name .. " that is forgotten is collected", function()
    local seen = setmetatable({}, { __mode = "v" })
    do
      local resource
      seen[1], resource = class.make()
      if name == "process" then
        seen[1]:kill("KILL")
      end
      close_all { nil, resource } -- a buffer keeps its pool
    end
    eventually("the collection", function() return seen[1] == nil end)
  end)
end

describe("a file", function()
  it("is not closed under the I/O that it has in flight", function()
    local f = assert(file.tmp("."))
    local buf = aio.buf(1 << 20)
    local task = aio.spawn(f.pwrite, f, buf, 0)
    aio.yield()
    assert.is_true(f:close())
    assert.is_not_nil((task:pjoin(5)))
  end)

  it("is collected only after its I/O, whose task was cancelled", function()
    local seen = setmetatable({}, { __mode = "v" })
    seen[1] = assert(file.tmp("."))
    local task = aio.spawn(seen[1].pwrite, seen[1], aio.buf(1 << 20), 0)
    aio.yield()
    task:cancel()
    local ok, err = task:pjoin(5)
    assert(ok or aio.is_cancelled(err))
    task = nil -- luacheck: ignore
    eventually("the collection", function() return seen[1] == nil end)
  end)
end)
