/*
 * lua_fault_modules_test.c - the modules in Lua when Lua's memory runs out
 *
 * They are loaded before it does; what they open they must close all the same.
 * A trace is written meanwhile in one of them, for it names tasks and handles.
 */
#include "lua_fault.h"
#include "trace.h"

static const char modules[] =
    "package.path = 'scripts/?.lua;scripts/?/init.lua' "
    "package.cpath = os.getenv('AIOCTL_BUILD') .. '/lua/?.so;' "
    "  .. package.cpath "
    "aio, net = require 'aio', require 'aio.net' "
    "proc = require 'aio.proc' require 'aio.net.dial' "
    "control = require 'aio.control' require 'aio.file' "
    "pcall(require, 'cjson') "
    "has_tls = pcall(require, 'aio.tls') ";

static void sweep_modules(const char *chunk)
{
    if (!getenv("AIOCTL_BUILD")) {
        SKIP("AIOCTL_BUILD does not name the build folder");
    }
    sweep(&(const Scenario){chunk, false, modules});
}

#define MODULE_SCENARIO(name, chunk)    \
    TEST(modules_without_memory_##name) \
    {                                   \
        sweep_modules(chunk);           \
    }

MODULE_SCENARIO(limit_rates,
                "local r = aio.sync.rate(1000, 1) "
                "r:take() r:try_take() r:take(1, 0) r:take() r:set(2000) "
                "local t = aio.spawn(r.take, r, 100) aio.yield() "
                "t:cancel() t:pjoin() r:limit()")

MODULE_SCENARIO(dial_and_listen,
                "local l <close> = assert(net.listen('tcp:127.0.0.1:0')) "
                "local a <close> = assert(net.dial(l:name(), 5)) "
                "local b <close> = assert(l:accept(5)) "
                "a:send('one\\n') for line in b:lines() do break end "
                "a:close() for c in b:chunks() do end "
                "net.dial('unix:@aioctl-fault-nobody') "
                "local u <close> = assert(net.listen('unix:@aioctl-fault')) "
                "local t = aio.spawn(net.dial, l:name()) aio.yield() "
                "t:cancel() local ok, s = t:pjoin() if ok and s then "
                "s:close() end")

MODULE_SCENARIO(send_datagrams,
                "local a <close> = assert(net.udp('127.0.0.1:0')) "
                "local b <close> = assert(net.udp()) "
                "b:sendto('ping', a:name()) "
                "local d, from = a:recvfrom(10, 5) "
                "a:sendto('pong', from) b:recv(10, 5) b:recv(1, 0) "
                "tostring(a) net.address('udp:127.0.0.1:1')")

MODULE_SCENARIO(speak_tls,
                "if not has_tls then return end "
                "local psk = {identity = 'i', key = ('k'):rep(32)} "
                "local a <const>, d <const> = net.pair() "
                "local x <close> = a local b <close> = d "
                "local t <close> = setmetatable({aio.spawn(function() "
                "  a:starttls{server = true, psk = psk, timeout = 5} "
                "  a:send(a:recv(10, 5) or '') end)}, {__close = function(t) "
                "  t[1]:cancel() t[1]:pjoin() end}) "
                "b:starttls{psk = psk, timeout = 5} b:tls() "
                "b:send('x') b:recv(10, 5) b:shutdown()")

MODULE_SCENARIO(copy_files,
                "local name = os.tmpname() "
                "local _ <close> = setmetatable({}, {__close = function() "
                "  os.remove(name) end}) "
                "aio.file.copy('scripts/aio/init.lua', name, "
                "  {force = true, depth = 1, engine = 'threads'})")

MODULE_SCENARIO(run_programs,
                "proc.run({'true'}) "
                "proc.run({'cat'}, {input = 'abc', timeout = 5}) "
                "local p <close> = proc.spawn{'cat', stdin = 'pipe'} "
                "p:kill() p:wait(5)")

TEST(modules_without_memory_answer_on_the_control_socket)
{
    sweep_modules("if not package.loaded.cjson then return end "
                  "local path = assert(control.start()) "
                  "local _ <close> = setmetatable({}, {__close = function() "
                  "  os.remove(path) end}) "
                  "local s <close> = assert(net.dial('unix:' .. path, 5)) "
                  "s:send('traceback\\nzz\\n') "
                  "s:recv_line{timeout = 5, max = 1000000} "
                  "s:recv_line{timeout = 5}");
}

TEST(modules_without_memory_are_traced)
{
    ASSERT(trace_open("/dev/null", &error_abort));
    sweep_modules("local t = aio.spawn(function() aio.sleep(0) end) "
                  "t:name('n') aio.defer(function() end, 'd') "
                  "local timer <close> = aio.timer{fn = function() end} "
                  "timer:mod(aio.now()) aio.sleep(0.0002) "
                  "local f <close> = assert(aio.file.open('/dev/zero')) "
                  "f:pread(10, 0) t:pjoin()");
    ASSERT(trace_close(&error_abort));
}
