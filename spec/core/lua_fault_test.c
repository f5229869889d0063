/*
 * lua_fault_test.c - the binding when Lua's memory runs out: what is in C
 */
#include "lua_fault.h"

/* What valgrind 3.19 has no idea of. */
#define NATIVE_SCENARIO(name, why, chunk)             \
    TEST(lua_without_memory_in_##name)                \
    {                                                 \
        if (getenv("AIOCTL_TEST_SLOW")) {             \
            SKIP("under valgrind: %s", why);          \
        }                                             \
        sweep(&(const Scenario){chunk, false, NULL}); \
    }

SCENARIO(bottom_halves, false,
         "local n = 0 "
         "local bh = aio.bh(function() n = n + 1 end, 'name') "
         "bh:schedule() aio.yield() aio.yield() "
         "local remote = bh:remote() remote:schedule() remote:close() "
         "aio.yield() aio.yield() "
         "aio.defer(function() n = n + 1 end) "
         "bh:schedule() tostring(bh) bh:delete() aio.yield()")

SCENARIO(callbacks_that_fail, false,
         "aio.on_error(function(err, trace, origin) "
         "  local copy = tostring(err) .. tostring(trace) .. origin end) "
         "aio.defer(function() error('x' .. 1) end) "
         "aio.defer(function() error(setmetatable({}, "
         "  {__tostring = function() return 'a' .. 'b' end})) end) "
         "aio.yield() aio.yield() aio.on_error(nil)")

SCENARIO(timers, false,
         "local fired = 0 "
         "local t = aio.timer{fn = function() fired = fired + 1 end, "
         "  name = 'a'} "
         "t:mod(aio.now()) t:mod_anticipate(aio.now()) aio.sleep(0.001) "
         "t:deadline() t:close() "
         "local every = aio.every(0, function() aio.yield() end) "
         "aio.sleep(0.0005) every:cancel()")

SCENARIO(descriptors, false,
         "local n = aio.notifier{name = 'n'} "
         "n:handler(function() n:handler(nil) end) n:set() "
         "aio.yield() aio.sleep(0.0005) n:set() "
         "aio.wait_fd(n:fd(), 'r', 1) "
         "n:test_and_clear() aio.wait_fd(n:fd(), 'r', 0) "
         "local fd = aio.fd(n:fd(), {write = function(h) h:delete() end}) "
         "aio.sleep(0.0005) aio.handles() fd:close() n:close()")

SCENARIO(tasks, false,
         "local t = aio.spawn(function(...) return ... end, 1, 2, 3) "
         "local a, b, c = t:join() assert(c == 3) "
         "local p = aio.spawn(function() aio.park() end) "
         "aio.yield() p:name('p') p:traceback() tostring(p) aio.tasks() "
         "p:cancel() p:pjoin() "
         "local f = aio.spawn(function() error('x' .. 'y') end) f:pjoin() "
         "local w = aio.spawn(function() aio.park(1) end) "
         "aio.yield() w:waker()() w:join()")

SCENARIO(errors_nobody_receives, true,
         "for i = 1, 3 do aio.spawn(function() error('x' .. i) end) end "
         "aio.yield() collectgarbage() aio.yield()")

SCENARIO(coroutines, false,
         "local t = aio.spawn(function() "
         "  local co = coroutine.wrap(function(x) "
         "    table.sort({3, 1, 2}, function(a, b) aio.yield() "
         "      return a < b end) "
         "    coroutine.yield(x) error('e' .. x) end) "
         "  co('a') pcall(co, 'b') "
         "  local c = coroutine.create(function() "
         "    local _ <close> = setmetatable({}, {__close = function() "
         "      aio.yield() end}) coroutine.yield() end) "
         "  coroutine.resume(c) coroutine.close(c) "
         "end) t:join()")

SCENARIO(scopes, false,
         "aio.timeout(0.0005, function() aio.sleep(1) end) "
         "aio.shield(function() aio.yield() end) "
         "pcall(aio.group, function(g) "
         "  for i = 1, 3 do g:spawn(function() aio.sleep(i / 4000) end) end "
         "  g:spawn(function() aio.yield() error('z' .. 1) end) "
         "  aio.sleep(1) end, {limit = 2}) "
         "aio.await(function(done) aio.defer(function() done(1, 2) end) end)")

SCENARIO(channels, false,
         "local c = aio.sync.chan(1) "
         "local t = aio.spawn(function() for v in c:iter() do "
         "  local s = v .. '!' end end) "
         "for i = 1, 4 do c:put('v' .. i) end "
         "local late = aio.spawn(function() c:put('w') end) "
         "aio.yield() late:cancel() c:close() t:join() c:get(0) "
         "local d = aio.sync.chan() "
         "local g = aio.spawn(function() d:get() end) aio.yield() "
         "d:try_put(1) g:cancel() g:pjoin() d:try_get()")

SCENARIO(locks, false,
         "local m = aio.sync.mutex() local e = aio.sync.event() "
         "local s = aio.sync.sem(1) "
         "local t = aio.spawn(function() local _ <close> = m:guard() "
         "  s:acquire() e:wait() s:release() end) "
         "aio.yield() m:lock(0) e:set() t:join() "
         "m:lock() m:unlock() s:acquire(0)")

SCENARIO(readers_and_conditions, false,
         "local rw = aio.sync.rwlock() rw:rdlock() "
         "local t = {} for i = 1, 6 do t[i] = aio.spawn(function() "
         "  local _ <close> = i == 3 and rw:wrguard() or rw:rdguard() "
         "  aio.yield() end) end "
         "aio.yield() rw:upgrade(0) rw:unlock() "
         "for i = 1, 6 do t[i]:join() end "
         "local m, c = aio.sync.mutex(), aio.sync.cond() "
         "local w = aio.spawn(function() local _ <close> = m:guard() "
         "  c:wait(m) end) aio.yield() c:signal() w:join() "
         "local l = aio.sync.latch(1) local w = aio.spawn(l.wait, l) "
         "aio.yield() l:count_down() w:join()")

SCENARIO(selecting, false,
         "local c, d = aio.sync.chan(), aio.sync.chan(1) "
         "local n = aio.notifier() "
         "local cases = {c, {put = d, value = 'v' .. 1}, n} "
         "aio.select(cases) "
         "local t = aio.spawn(aio.select, cases, 0.001) aio.yield() "
         "n:set() t:join() n:test_and_clear() "
         "local u = aio.spawn(aio.select, cases, 0.001) aio.yield() "
         "c:try_put('w' .. 2) u:cancel() u:pjoin() c:try_get() n:close() "
         "local many = {} for i = 1, 20 do many[i] = c end "
         "aio.select(many, 0)")

SCENARIO(buffers, false,
         "local b = aio.buf{size = 65536, align = 512, register = true} "
         "b:set(0, 'abc') b:slice(1, 2):tostring() b:clone():close() "
         "b:pack(0, 'i4', 1) b:unpack(0, 'i4') b:find('c') "
         "local m = b:move() m:close() "
         "local pool = aio.bufpool{count = 2, size = 4096} "
         "local x, y = pool:get(), pool:get() "
         "local t = aio.spawn(function() pool:get():close() end) "
         "aio.yield() x:close() t:join() y = nil collectgarbage() "
         "pool:get(0) pool:stats() pool:close()")

SCENARIO(files, false,
         "local f = assert(aio.file.open('/dev/zero', 'r', "
         "  {engine = 'threads'})) "
         "f:pread(10, 0) f:read_exact(100, 0) "
         "f:preadv({aio.buf(10), aio.buf(20)}, 0) f:nop() "
         "local d = aio.file.open('/dev/zero', 'r', {register = true}) "
         "d:pread(1, 0) "
         "aio.batch(function() "
         "  local a = aio.spawn(d.pread, d, 1, 0) d:nop() a:pjoin() "
         "end, {link = true}) d:close() "
         "f:pwrite('x', 0) f:stat() f:size() f:fsync() "
         "local r = aio.spawn(function() f:pread(10, 0) end) "
         "aio.yield() r:cancel() r:pjoin() f:close() "
         "aio.file.open('/nonexistent') aio.file.stat('/') "
         "aio.file.readdir('/proc/self/fd') "
         "aio.file.readlink('/proc/self/exe') aio.file.readlink('/') "
         "aio.file.chmod('/nonexistent', 0) aio.file.utime('/nonexistent')")

SCENARIO(watches, false,
         "local w = assert(aio.file.watch('/tmp')) w:next(0) w:add('/') "
         "w:iter() w:fd() tostring(w) w:close() aio.file.watch('/none') "
         "local f = aio.file.tmp('/tmp') f:try_lock('exclusive') f:unlock() "
         "f:advise('random') f:copy_range(0, f, 10, 5) f:close() "
         "local o = aio.file.stdout() o:close()")

SCENARIO(contexts, false,
         "local ctx = aio.context{poll_max_ns = 0} "
         "aio.bh(function() end, 'x', ctx):schedule() "
         "ctx:poll() aio.context():poll() ctx:get() ctx:stats() "
         "aio.stats() ctx:set{max_batch = 4, timing = true} "
         "aio.bh(function() end, 'y', ctx):schedule() ctx:poll() "
         "ctx:stats() ctx:close()")

SCENARIO(policies, false,
         "local ctx = aio.context{} local n = 0 "
         "ctx:policy{name = 'p', every = 0.001, set = {poll_max_ns = 1000, "
         "  max_batch = 2}, decide = function() n = n + 1 "
         "  return {max_batch = 2 + n} end, "
         "  poll_ns = function(s) return s.poll_max_ns / 2 end} "
         "local t = aio.timer{ctx = ctx, fn = function() end} "
         "for i = 1, 4 do t:mod(aio.now() + 0.0004) ctx:poll(true) end "
         "ctx:policy{every = 0.001, decide = function() error('x' .. n) end} "
         "for i = 1, 3 do t:mod(aio.now() + 0.0004) ctx:poll(true) end "
         "ctx:policy(nil):policy() ctx:close()")

SCENARIO(signals, false,
         "local h = aio.on_signal('USR1', function(name) aio.yield() end) "
         "aio.wait_signal('USR2', 0) h:close()")

SCENARIO(histograms, false,
         "local h = aio.hist() for i = 1, 100 do h:record(i * 1000) end "
         "h:merge(aio.hist():record(5)) h:summary('a') h:hgrm() h:json()")

SCENARIO(sockets, false,
         "local core = require 'aio.net.core' "
         "local m = core.methods "
         "local a, b = core.pair('stream') "
         "a:send('one\\ntwo') a:send({'x', aio.buf(3)}) "
         "b:recv_line() b:recv_exact(2) b:recv(100) b:recv(1, 0) "
         "b:recv_exact(4, 0) b:try_recv() a:try_send('y') "
         "local r = aio.spawn(function() b:recv_exact(100) end) "
         "aio.yield() r:cancel() r:pjoin() "
         "a:sendfd(b, 'fd') local c, d = core.pair('seqpacket') "
         "c:send('xy') d:recvfd() "
         "tostring(a) a:name() b:option('sndbuf') a:shutdown() a:close()")

SCENARIO(
    connections, false,
    "local core = require 'aio.net.core' "
    "local where = core.numeric('127.0.0.1', 0) "
    "local l = core.socket(where) core.bind(l, where) "
    "core.listen(l, 8) l:accept(0) l:try_accept() "
    "local a = core.socket(where) core.connect(a, l:name()) "
    "local b = l:accept(1) b:send('x') a:recv() tostring(b:peer()) "
    "a:close() local u = core.socket(core.numeric('127.0.0.1', 0, 'datagram')) "
    "core.bind(u, core.numeric('127.0.0.1', 0, 'datagram')) "
    "core.sendto(u, 'x', u:name()) u:recvfrom()")

NATIVE_SCENARIO(
    names, "the C library keeps what its resolver needs per thread",
    "local core = require 'aio.net.core' "
    "core.lookup('localhost', '1') core.lookup('localhost', '1', nil, "
    "  nil, false, 0) core.numeric('::1', 1) core.unix('@x')")

NATIVE_SCENARIO(processes, "it does not know pidfd_open",
                "local core = require 'aio.proc.core' "
                "local net = require 'aio.net.core' "
                "local ours, childs = net.pipe(true) "
                "local p = core.spawn{argv = {'cat'}, [0] = childs, "
                "  [1] = 1, cwd = '/'} "
                "childs:close() ours:send('') ours:close() p:wait(0) p:wait() "
                "p:kill() core.environ() core.spawn{argv = {'/nonexistent'}}")

SCENARIO(iothreads, false,
         "local t <close> = aio.iothread('t', {poll_max_ns = 0, affinity = 0}) "
         "local x = {1, {2}} x.x = x "
         "local c = t:call(function(v, b) return v, b, function() "
         "  return x end end, x, aio.buf(10)) "
         "local v, b = c:join() b:close() "
         "t:call(function() error('e' .. 1) end):pjoin() "
         "pcall(t.call, t, print, {coroutine.create(print)}) "
         "local s = t:call(function() return 1 end) s:cancel() "
         "t:context():notify() tostring(t) t:close() s:pjoin()")

SCENARIO(shared_channels, false,
         "local t <close> = aio.iothread() "
         "local c = aio.sync.chan(1) c:put('a' .. 1) "
         "local g = aio.spawn(function() c:put('b') end) aio.yield() "
         "local e = t:call(function(c) for v in c:iter() do end end, c) "
         "g:join() for i = 1, 3 do c:put({i, 'x' .. i}) end c:close() "
         "e:join() c:get(0) t:channel(2):try_put(aio.buf(1)) t:close()")

SCENARIO(objects_that_cross, false,
         "local t <close> = aio.iothread() "
         "local bh <close> = aio.bh(function() end) "
         "local r <close> = bh:remote() "
         "local f = assert(aio.file.open('/dev/null')) "
         "t:call(function(w, r, f, c) w() r:schedule() r:close() "
         "  f:close() return w, c end, aio.self():waker(), r, f, "
         "  aio.context()):join() aio.park(1) r:close() f:close() t:close()")

SCENARIO(sockets_that_cross, false,
         "local t <close> = aio.iothread() "
         "local core = require 'aio.net.core' "
         "local function load() package.preload['aio.net'] = function() "
         "  return require 'aio.net.core' end end load() t:call(load):join() "
         "local a, b = core.pair('stream') a:send('x') b:recv_line(0) "
         "local c = aio.sync.chan(0) t:call(function() end, c):join() "
         "c:try_put(a) "
         "local s = t:call(function(s) s:send('y') return s end, a):join() "
         "b:recv(1) s:close() b:close() t:close()")

SCENARIO(selecting_shared_channels, false,
         "local t <close> = aio.iothread() "
         "local c, d = t:channel(0), t:channel(1) "
         "local cases = {c, {put = d, value = {'v' .. 1}}, "
         "  {put = c, value = aio.buf(3)}} "
         "aio.select(cases) aio.select(cases, 0.0005) "
         "local e = t:call(function(c) c:put('a') c:get(1):close() end, c) "
         "aio.select(cases, 1) aio.select({cases[3]}, 1) e:pjoin() "
         "local u = aio.spawn(aio.select, {c}) aio.yield() "
         "c:try_put('w') u:cancel() u:pjoin() local x = t:channel(1) "
         "local y = t:channel(1) x:try_put({y}) y:try_put({x}) t:close()")

SCENARIO(offload, false,
         "local s, b = aio.offload(function(s, b) return s .. s, b end, "
         "  'a' .. 1, aio.buf(5)) b:close() "
         "pcall(aio.offload, function() error('o' .. 1) end) "
         "local j = aio.spawn(aio.offload, function() return 1 end) "
         "aio.yield() j:cancel() j:pjoin()")

SCENARIO(deadlock, true, "aio.spawn(function() aio.park() end) aio.park()")
