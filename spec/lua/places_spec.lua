--- Where tasks may not wait: in callbacks and finalizers, of every kind.
local aio = require "aio"
local file = require "aio.file"
local net = require "aio.net"
local proc = require "aio.proc"
local sync = require "aio.sync"

-- What is waited for in each call, in a state in which it has to wait.
local function make_world()
  local world = {
    aio = aio, file = file, net = net, proc = proc, sync = sync,
    timer = aio.timer { fn = print }, pool = aio.bufpool { count = 1,
      size = 512 }, mutex = sync.mutex(), rwlock = sync.rwlock(),
    sem = sync.sem(0), chan = sync.chan(), cond = sync.cond(),
    rate = sync.rate(1), sock = net.pair(), f = assert(file.tmp(".")),
    buf = aio.buf(16), listener = assert(net.listen("tcp:127.0.0.1:0")),
    udp = assert(net.udp("127.0.0.1:0")), watch = assert(file.watch(".")),
    process = assert(proc.spawn { "sleep", "60" }),
    task = aio.spawn(aio.sleep, 60),
  }
  world.held = world.pool:get()
  world.rate:take(1)
  world.mutex:lock()
  world.rwlock:wrlock()
  return setmetatable(world, { __index = _G, __close = function()
    world.task:cancel()
    world.task:pjoin()
    world.mutex:unlock()
    world.rwlock:unlock()
    for _, name in ipairs { "held", "pool", "sock", "f", "listener", "udp",
      "watch", "process", "timer" } do
      world[name]:close()
    end
  end })
end

local CALLS <const> = {
  "aio.sleep(0)", "aio.yield()", "aio.park()", "aio.await(print)",
  "aio.wait_fd(sock, 'r')", "aio.wait_signal('HUP')", "aio.select { 0.001 }",
  "aio.group(print)", "aio.timeout(1, print)", "aio.batch(print)",
  "aio.offload(print)", "task:join()", "task:pjoin()", "chan:put(1)",
  "chan:get()", "chan:iter()()", "sem:acquire()", "mutex:lock()",
  "mutex:guard()", "rwlock:rdlock()", "rwlock:wrlock()", "rwlock:rdguard()",
  "sync.event():wait()", "sync.latch(1):wait()", "rate:take()", "pool:get()",
  "file.open('x')", "file.tmp('.')", "file.stat('.')", "file.unlink('none')",
  "file.rename('none', 'x')", "file.mkdir('.')", "file.rmdir('none')",
  "file.readdir('.')", "file.link('none', 'x')", "file.symlink('x', '.')",
  "file.copy('none', 'x')", "watch:next()", "f:pread(1, 0)",
  "f:pwrite('x', 0)", "f:preadv({ buf }, 0)", "f:pwritev({ buf }, 0)",
  "f:read_exact(1, 0)", "f:write_all('x', 0)", "f:fsync()", "f:fdatasync()",
  "f:truncate(0)", "f:allocate(0, 1)", "f:punch(0, 1)", "f:zero(0, 1)",
  "f:discard(0, 1)", "f:size()", "f:statx()", "f:copy_range(0, f, 8, 1)",
  "f:splice(0, sock, nil, 1)", "f:advise('random')", "f:read(1)",
  "f:write('x')", "f:lines()()", "f:lock('shared')",
  "net.dial(listener:name())", "net.listen('tcp:localhost:0')",
  "net.resolve('localhost')", "sock:recv()", "sock:recv_exact(1)",
  "sock:recv_line()", "sock:lines()()", "sock:chunks()()", "sock:send('x')",
  "sock:sendfd(0)", "sock:recvfd()", "udp:sendto('x', udp:name())",
  "udp:recvfrom()", "listener:accept()", "proc.spawn { 'true' }",
  "proc.run { 'true' }", "process:wait()",
}

-- attempt(code, world) -> the error of what must fail
local function attempt(code, world)
  code = code:gsub("print", "function() end")
  local iterator = code:match("^(.*%(%))%(%)$")
  if iterator then
    code = ("(function() for _ in %s do end end)()"):format(iterator)
  end
  local ok, err = pcall(assert(load("return " .. code, "=call", "t", world)))
  return not ok and tostring(err) or "no error"
end

-- Kinds of callback: run(fn) calls fn in one, and returns what it is called.
local CALLBACKS <const> = {
  bh = function(fn, done)
    local bh <close> = aio.bh(fn, "x")
    bh:schedule()
    done:wait(2)
    return "bh 'x'"
  end,
  timer = function(fn, done)
    local timer <close> = aio.timer { fn = fn, name = "x" }
    timer:mod(aio.now())
    done:wait(2)
    return "timer 'x'"
  end,
  fd = function(fn, done)
    local a <const>, b <close> = net.pair()
    local _ <close> = a
    b:close() -- the other end is readable: its end
    local handler <close> = aio.fd(a, { name = "x", read = function(h)
      h:set { read = false }
      fn()
    end })
    assert(handler)
    done:wait(2)
    return "fd 'x'"
  end,
  notifier = function(fn, done)
    local notifier <close> = aio.notifier { name = "x" }
    notifier:handler(fn):set()
    done:wait(2)
    return "notifier 'x'"
  end,
}

describe("a place without a task", function()
  for kind, run in pairs(CALLBACKS) do
    it("refuses to wait and is named: the callback of a " .. kind, function()
      local world <close> = make_world()
      local errors, done = {}, sync.event()
      local name = run(function()
        for _, code in ipairs(CALLS) do
          errors[code] = attempt(code, world)
        end
        done:set()
      end, done)
      for _, code in ipairs(CALLS) do
        assert(errors[code], "the callback did not run")
        assert(errors[code]:find(name, 1, true), code .. ": " .. errors[code])
        assert(errors[code]:find("callback", 1, true), code)
      end
    end)
  end

  it("refuses to wait and is named: a finalizer", function()
    local world <close> = make_world()
    local errors = {}
    setmetatable({}, { __gc = function()
      for _, code in ipairs(CALLS) do
        errors[code] = attempt(code, world)
      end
    end })
    collectgarbage()
    collectgarbage()
    for _, code in ipairs(CALLS) do
      assert(errors[code], "the finalizer did not run")
      assert(errors[code]:find("finalizer", 1, true), code .. ": "
        .. errors[code])
    end
  end)

  it("refuses scopes that need a task, and runs of the loop", function()
    local errors, done = {}, sync.event()
    local bh <close> = aio.bh(function()
      errors.shield = select(2, pcall(aio.shield, function() end))
      errors.run = select(2, pcall(aio.run, function() end))
      errors.self = aio.self()
      done:set()
    end, "x")
    bh:schedule()
    assert.is_true(done:wait(2))
    assert.matches("bh 'x'", errors.shield)
    assert.matches("in a callback", errors.run)
    assert.is_nil(errors.self)
  end)
end)

describe("another task than the one that", function()
  local function refused(fn, ...)
    local ok, err = aio.spawn(fn, ...):pjoin(2)
    assert.is_false(ok)
    return err
  end

  it("locked a mutex cannot unlock it", function()
    local mutex = sync.mutex()
    mutex:lock()
    assert.matches("locked by another task", refused(mutex.unlock, mutex))
    mutex:unlock()
  end)

  it("locked an rwlock cannot unlock, upgrade or downgrade it", function()
    local rwlock = sync.rwlock()
    rwlock:rdlock()
    for _, name in ipairs { "unlock", "upgrade", "downgrade" } do
      assert.matches("not locked by this task", refused(rwlock[name], rwlock))
    end
    rwlock:unlock()
  end)

  it("made a guard cannot end it", function()
    local guard <close> = sync.mutex():guard()
    assert.matches("by another task", refused(guard.unlock, guard))
  end)

  it("has a mutex cannot wait with it for a condition", function()
    local mutex, cond = sync.mutex(), sync.cond()
    mutex:lock()
    assert.matches("locked by another task", refused(cond.wait, cond, mutex))
    mutex:unlock()
  end)
end)
