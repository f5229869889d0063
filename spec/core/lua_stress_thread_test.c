/*
 * lua_stress_thread_test.c - many threads of Lua against each other
 *
 * Each scenario is a Lua chunk in aio.run() that makes threads, channels,
 * wakers and calls meet at bad moments.  What it proves is that it ends, with
 * every value accounted for; the sanitizers say the rest.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>

#include "test.h"

int luaopen_aio_core(lua_State *L);

static void run(const char *chunk)
{
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    luaL_requiref(L, "aio.core", luaopen_aio_core, 0);
    lua_setglobal(L, "aio");
    lua_pushinteger(L, test_is_slow() ? 1 : 10);
    lua_setglobal(L, "scale");
    if (getenv("AIOCTL_TEST_SLOW")) { /* valgrind: no thread runs while one
                                         waits in io_uring_enter() */
        luaL_dostring(L, "options = {fdmon = 'poll'} "
                         "aio.context():set(options)");
    }
    if (luaL_dostring(L, chunk) != LUA_OK) {
        FAIL("%s", luaL_tolstring(L, -1, NULL));
    }
    lua_close(L);
}

TEST(two_threads_play_ping_pong_over_channels)
{
    run("aio.run(function() "
        "local a, b = aio.iothread('a', options), aio.iothread('b', options) "
        "local ping, pong = a:channel(), a:channel() "
        "local n = 200 * scale "
        "local pa = a:call(function(ping, pong, n) "
        "  for i = 1, n do ping:put(i) assert(pong:get() == -i) end "
        "  ping:close() return n end, ping, pong, n) "
        "local pb = b:call(function(ping, pong) "
        "  for v in ping:iter() do pong:put(-v) end end, ping, pong) "
        "assert(pa:join() == n) pb:join() a:close() b:close() end)");
}

TEST(threads_come_and_go_by_the_dozen)
{
    run("aio.run(function() "
        "for round = 1, 2 * scale do "
        "  local list = {} "
        "  for i = 1, 4 do "
        "    list[i] = aio.iothread(nil, options) "
        "    list[i]:call(function(x) aio = require 'aio.core' "
        "      if x % 2 == 0 then aio.sleep(x == 2 and 0.002 or 100) end "
        "      return x end, i) "
        "  end "
        "  list[1]:close() list[2] = nil list[3]:close() "
        "  if round % 2 == 0 then collectgarbage() end "
        "  list[4]:close() end end)");
}

TEST(many_producers_fill_one_small_channel)
{
    run("aio.run(function() "
        "local threads, calls, n = {}, {}, 40 * scale "
        "local c = aio.sync.chan(3) "
        "for i = 1, 4 do threads[i] = aio.iothread(nil, options) "
        "  for k = 1, 3 do calls[#calls + 1] = threads[i]:call(function(c, n) "
        "    for v = 1, n do c:put(v) end end, c, n) end end "
        "local sum = 0 "
        "for i = 1, 12 * n do sum = sum + c:get(20) end "
        "assert(sum == 12 * n * (n + 1) / 2, sum) "
        "for _, call in ipairs(calls) do call:join() end "
        "for _, t in ipairs(threads) do t:close() end end)");
}

TEST(waiters_are_cancelled_while_values_come)
{
    run("aio.run(function() "
        "local t = aio.iothread(nil, options) local c = t:channel() "
        "local sent, got = 0, 0 "
        "local feeder = t:call(function(c, n) local sent = 0 "
        "  for i = 1, n do if c:put(i, 0.0002) then sent = sent + 1 end end "
        "  c:close() return sent end, c, 100 * scale) "
        "repeat local g = aio.spawn(function() return c:get() end) "
        "  aio.sleep(math.random(3) / 10000) g:cancel() "
        "  local ok, v = g:pjoin() "
        "  if ok and v then got = got + 1 end "
        "until ok and not v "
        "assert(feeder:join() == got, got) t:close() end)");
}

TEST(wakers_and_remotes_are_fired_while_their_owners_end)
{
    run("aio.run(function() "
        "local t = aio.iothread(nil, options) "
        "for i = 1, 20 * scale do "
        "  local bh = aio.bh(function() end) "
        "  local r = bh:remote() "
        "  local task = aio.spawn(function() aio.park(0.0001) end) "
        "  local call = t:call(function(w, r) "
        "    for k = 1, 20 do w() pcall(r.schedule, r) end r:close() end, "
        "    task:waker(), r) "
        "  if i % 3 == 0 then bh:close() end r:close() "
        "  if i % 2 == 0 then call:cancel() end "
        "  task:join() call:pjoin() end t:close() end)");
}

TEST(the_program_ends_while_everything_is_in_use)
{
    for (int i = 0; i < 5; i++) {
        run("aio.run(function() "
            "a, b = aio.iothread(nil, options), aio.iothread(nil, options) "
            "local c = a:channel(1) "
            "for i = 1, 5 do "
            "  a:call(function(c) while true do c:put({}) end end, c):unref() "
            "  b:call(function(c) while true do c:get() end end, c):unref() "
            "  aio.spawn(function() while true do c:get() end end):unref() "
            "  aio.spawn(function() aio.offload(function() "
            "    return ('x'):rep(1000) end) end):unref() "
            "end aio.sleep(0.002) end)");
    }
}
