-- soakers - the kinds of work of the soak
--
-- Each is a function of the environment that does one round: a few milliseconds
-- of work that uses, cancels, times out, forgets and closes, and leaves nothing
-- behind.  What goes otherwise than it should raises.

local aio = require "aio"
local file = require "aio.file"
local net = require "aio.net"
local proc = require "aio.proc"
local soaking = require "lib.soaking"
local sync = require "aio.sync"

local soakers = {}
local rounds = {}

local cancelled <const>, timed_out <const> = soaking.cancelled,
  soaking.timed_out
local closing <const> = soaking.closing

-- ---- files ----------------------------------------------------------------

local BLOCK <const> = 4096

local function file_io(f, pool, at)
  local buf <close> = assert(pool:get())
  buf:fill(at % 255 + 1)
  assert(f:write_all(buf, at * BLOCK) == BLOCK)
  buf:fill(0)
  assert(f:pread(buf, at * BLOCK) == BLOCK)
  assert(buf:unpack(BLOCK - 1, "B") == at % 255 + 1)
end

-- One after another; the first that fails ends those behind it.
local function file_chain(f, buf)
  assert(aio.batch(function()
    local write = aio.spawn(f.write_all, f, buf, 0)
    local sync_it = aio.spawn(f.fdatasync, f)
    return write:join() and sync_it:join()
  end, { link = true }))
  aio.batch(function()
    local broken = aio.spawn(f.read_exact, f, buf, 1 << 30)
    local after = aio.spawn(f.nop, f)
    assert(broken:join() == nil)
    assert(select(3, after:join()) == aio.errno.ECANCELED)
  end, { link = true })
end

local function file_round(env, engine)
  local options = { engine = engine, direct = "try", register = true }
  local f <close> = assert(file.tmp(env.folder, options))
  aio.group(function(group)
    for at = 0, 15 do
      group:spawn(file_io, f, env.pool, at)
    end
  end, { limit = 8 })
  local half = aio.buf(2 * BLOCK)
  aio.batch(function()
    assert(f:preadv({ half:slice(0, BLOCK), half:slice(BLOCK) }, 0, 5))
  end)
  cancelled(f.pread, f, half, 0)
  assert(f:allocate(0, BLOCK) and f:nop())
  file_chain(f, half:slice(0, BLOCK))
  f:pread(half, 0, 0) -- its time has passed: a timeout or what it read
  assert(f:truncate(0))
  assert(f:fdatasync())
  assert(f:pread(half, 0) == 0)
end

function rounds.files(env)
  for _, engine in ipairs(env.engines) do
    file_round(env, engine)
  end
end

function rounds.paths(env)
  local name = env.folder .. "/paths"
  assert(file.mkdir(name))
  local watch <close> = assert(file.watch(name))
  local f = assert(file.open(name .. "/a", "w+"))
  f:write("one\ntwo\n")
  assert(f:try_lock("exclusive"))
  assert(f:close())
  assert(watch:next(5).kind == "create")
  cancelled(watch.next, watch)
  assert(file.rename(name .. "/a", name .. "/b"))
  local g <close> = assert(file.open(name .. "/b"))
  local lines = 0
  for _ in g:lines() do
    lines = lines + 1
  end
  assert(lines == 2 and #file.readdir(name) == 1)
  assert(file.copy(name .. "/b", name .. "/c") == 8)
  assert(file.unlink(name .. "/b") and file.unlink(name .. "/c"))
  assert(file.rmdir(name))
  assert(not file.open(name .. "/b"))
end

-- ---- sockets --------------------------------------------------------------

local function echo(sock)
  local peer <close> = sock
  for chunk in peer:chunks() do
    peer:send(chunk)
  end
end

local function stream_round(listener, options)
  local server = aio.spawn(function()
    echo(assert(listener:accept(5)))
  end)
  local sock <close> = assert(net.dial(listener:name(), options))
  for size = 1, 60000, 20000 do
    local text = ("x"):rep(size)
    assert(sock:send(text) == size)
    assert(sock:recv_exact(size) == text)
  end
  timed_out(sock:recv(1, 0))
  if not (options and options.tls) then -- which cannot be cut in the middle
    cancelled(sock.recv, sock)
  end
  assert(sock:shutdown())
  assert(sock:recv() == nil)
  server:join()
end

function rounds.tcp(env)
  stream_round(env.tcp)
  local refused, message, errno = net.dial("tcp:127.0.0.1:1", 5)
  assert(refused == nil and errno == aio.errno.ECONNREFUSED, message)
end

function rounds.unix(env)
  stream_round(env.unix)
  local a <const>, b <const> = net.pair()
  local c <const>, d <const> = net.pair()
  local _ <close> = closing(a, b, c, d)
  assert(a:sendfd(c))
  local e <close> = assert(net.wrap((b:recvfd())))
  assert(e:send("through c"))
  assert(d:recv() == "through c")
  local reader = aio.spawn(a.recv, a)
  aio.yield()
  a:close()
  assert(select(3, reader:join()) == aio.errno.ECANCELED)
end

function rounds.tls(env)
  stream_round(env.secure, { tls = { psk = env.psk }, timeout = 5 })
end

function rounds.udp()
  local a <close> = assert(net.udp("127.0.0.1:0"))
  local b <close> = assert(net.udp())
  assert(b:sendto("ping", a:name()))
  local data, from = a:recvfrom(64, 5)
  assert(data == "ping")
  assert(a:sendto("pong", from))
  assert(b:recv(64, 5) == "pong")
  timed_out(b:recv(64, 0.001))
  assert(#assert(net.resolve("localhost")) > 0)
end

-- ---- processes and signals ------------------------------------------------

function rounds.processes()
  local result = assert(proc.run({ "cat" }, { input = ("y"):rep(100000) }))
  assert(result.code == 0 and #result.out == 100000)
  timed_out(proc.run({ "sleep", "60" }, { timeout = 0.005 }))
  cancelled(proc.run, { "sleep", "60" })
  local child <close> = assert(proc.spawn { "cat", stdin = "pipe",
    stdout = "pipe" })
  timed_out(child:wait(0.001))
  assert(child.stdin:send("line\n") and child.stdout:recv_line() == "line")
  assert(child:kill("TERM"))
  assert(child:wait(5).signal == "SIGTERM")
  assert(not proc.spawn { "no-such-program" })
end

function rounds.signals()
  local came = sync.event()
  local handler <close> = aio.on_signal("USR2", function() came:set() end)
  assert(os.execute("kill -USR2 $PPID"))
  assert(came:wait(5))
  handler:unref()
  timed_out(aio.wait_signal("HUP", 0.001))
  cancelled(aio.wait_signal, "HUP")
end

-- ---- callbacks ------------------------------------------------------------

function rounds.timers()
  local fired, list = 0, {}
  for i = 1, 200 do
    list[i] = aio.timer { fn = function() fired = fired + 1 end }
    list[i]:mod(aio.now() + (i % 2 == 0 and 60 or 0.001))
  end
  aio.sleep(0.002)
  assert(fired == 100)
  for i = 1, 200 do
    local timer = list[i]
    if i % 4 == 0 then
      timer:close()
    else
      timer:mod_anticipate(aio.now() + 60):del() -- left to the collector
    end
  end
  timed_out(aio.timeout(0.001, aio.sleep, 60))
  local beat = aio.every(0.0005, function() fired = fired + 1 end)
  cancelled(aio.sleep, 60)
  aio.sleep(0.002)
  beat:cancel():pjoin()
end

function rounds.callbacks(env)
  for _, monitor in ipairs(env.monitors) do
    local ctx <close> = aio.context { fdmon = monitor }
    local a <const>, b <const> = net.pair()
    local _ <close> = closing(a, b)
    local seen = 0
    local function see() seen = seen + 1 end
    local handler <close> = aio.fd(a, { ctx = ctx, read = function(h)
      h:delete()
      see()
    end })
    local notifier <close> = assert(aio.notifier { ctx = ctx })
    notifier:handler(see):set()
    aio.defer(see, "deferred", ctx)
    aio.bh(see, "idle", ctx):schedule_idle()
    b:send("x")
    while seen < 4 do
      ctx:poll()
    end
    handler:close()
    ctx:set { fdmon = env.monitors[1] }:poll(false)
  end
end

-- ---- tasks ----------------------------------------------------------------

function rounds.channels()
  local chan, sum = sync.chan(4), 0
  local sem, mutex, rwlock = sync.sem(2), sync.mutex(), sync.rwlock()
  aio.group(function(group)
    for _ = 1, 4 do
      group:spawn(function()
        for n in chan:iter() do
          assert(sem:acquire())
          local _ <close> = mutex:guard()
          local _ <close> = rwlock:rdguard()
          sum = sum + n
          sem:release()
        end
      end)
    end
    for n = 1, 100 do
      assert(chan:put(n))
    end
    chan:close()
  end)
  assert(sum == 5050)
  local event, other = sync.event(), sync.chan()
  cancelled(event.wait, event)
  cancelled(other.put, other, 1)
  cancelled(aio.select, { event, other, 60 })
  assert(aio.select { event, other, 0.001 } == 3)
  timed_out(other:get(0))
end

function rounds.tasks()
  local broken = {}
  local ok, err = pcall(aio.group, function(group)
    group:spawn(aio.sleep, 60)
    group:spawn(error, broken)
  end)
  assert(not ok and err == broken)
  local list = {}
  for i = 1, 100 do
    list[i] = aio.spawn(i % 2 == 0 and aio.park or aio.yield)
  end
  aio.yield()
  for i = 1, 100 do
    list[i]:cancel()
    list[i]:pjoin()
  end
  local wake = aio.self():waker()
  aio.defer(function() wake() end)
  assert(aio.park(5))
  aio.shield(aio.yield)
end

-- ---- threads --------------------------------------------------------------

local function serve(from, to)
  for n in from:iter() do
    to:put(n * 2)
  end
end

function rounds.threads()
  local thread <close> = assert(aio.iothread())
  local work, done = thread:channel(4), thread:channel(4)
  local server = thread:call(serve, work, done)
  for n = 1, 20 do
    assert(work:put(n))
    assert(done:get(5) == n * 2)
  end
  work:close()
  server:join()
  done:close()
  local buf <close> = thread:call(function(b)
    return b:fill("z")
  end, aio.buf(512)):join()
  assert(buf:tostring(0, 2) == "zz")
  cancelled(function()
    thread:call(function() require("aio").sleep(60) end):join()
  end)
  local stuck = thread:call(function() require("aio").sleep(60) end)
  thread:close()
  assert(not stuck:pjoin())
end

local function compute(n)
  local sum = 0
  for i = 1, n do
    sum = sum + i
  end
  return sum
end

function rounds.offload()
  assert(aio.offload(compute, 1000) == 500500)
  assert(not pcall(aio.offload, error, "no"))
  cancelled(aio.offload, compute, 10000)
end

-- ---- all of it ------------------------------------------------------------

local function usable(backends)
  local list = {}
  for _, backend in ipairs(backends) do
    if backend.usable then
      list[#list + 1] = backend.name
    end
  end
  return list
end

local function remove(env)
  for _, name in ipairs { "pool", "tcp", "unix", "secure" } do
    if env[name] then
      env[name]:close()
    end
  end
  os.execute("rm -rf '" .. env.folder .. "'")
end

--- environment() -> what all rounds share; to be closed.
function soakers.environment()
  local probe = aio.probe()
  local made = assert(proc.run { "mktemp", "-d" })
  local env = setmetatable({
    engines = usable(probe.engines), monitors = usable(probe.monitors),
    folder = made.out:match("[^\n]+"),
    psk = { identity = "soak", key = ("k"):rep(32) },
    pool = assert(aio.bufpool { count = 8, size = BLOCK, register = true }),
    tcp = assert(net.listen("tcp:127.0.0.1:0")),
  }, { __close = remove })
  env.unix = assert(net.listen("unix:" .. env.folder .. "/socket"))
  local ok, err = pcall(require, "aio.tls")
  if ok then
    env.secure = assert(net.listen("tcp:127.0.0.1:0",
      { tls = { psk = env.psk } }))
  else
    env.no_tls = tostring(err):match("[^\n]*")
  end
  return env
end

--- all(env) -> the rounds that this machine can do, by name.
function soakers.all(env)
  local list = {}
  for _, some in ipairs { rounds, (require "lib.soakers_loop"),
    (require "lib.soakers_block") } do
    for name, round in pairs(some) do
      list[name] = round
    end
  end
  list.tls = env.secure and rounds.tls or nil
  return list
end

return soakers
