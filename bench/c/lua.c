/*
 * lua.c - what stock Lua itself charges: the floor under our tasks
 *
 * resume_yield: lua_resume() from C of a Lua coroutine that yields in a loop.
 * resume_yield_100: the same, round robin over 100 coroutines.
 * wrap: a coroutine.wrap generator called from Lua.
 * spawn: coroutine.create and one resume to its end, from Lua.
 * recycled: the same function under pcall() in a coroutine that goes on.
 * wake_yield: resume_yield, whose coroutine also calls a userdata between two
 *   yields: what a pair of tasks does in Lua to wake each other.
 * pcall: lua_pcall() of a Lua closure.
 * pcall_count: of the one that bench/lua/callbacks.lua (armed) gives to its
 *   bottom halves, with one argument: the floor under a callback.
 */
#include "harness.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { MANY = 100 };

static lua_State *L;
static lua_State *threads[MANY];

static void open_lua(const char *code)
{
    L = luaL_newstate();
    bench_require(L != NULL, "luaL_newstate");
    luaL_openlibs(L);
    bench_require(luaL_dostring(L, code) == LUA_OK, lua_tostring(L, -1));
    bench_require(lua_isfunction(L, -1), "benchmark code");
}

static void close_lua(void)
{
    lua_close(L);
}

static void open_yielders(void)
{
    open_lua("return function() local yield = coroutine.yield "
             "while true do yield() end end");
    for (int i = 0; i < MANY; i++) {
        threads[i] = lua_newthread(L);
        lua_pushvalue(L, 1);
        lua_xmove(L, threads[i], 1);
        lua_checkstack(L, 10);
    }
}

static uint64_t resume(uint64_t n, int many)
{
    int results;

    for (uint64_t i = 0; i < n; i += many) {
        for (int k = 0; k < many; k++) {
            int status = lua_resume(threads[k], L, 0, &results);
            bench_require(status == LUA_YIELD, "lua_resume");
            lua_pop(threads[k], results);
        }
    }
    return (n + many - 1) / many * many;
}

static uint64_t run_resume1(uint64_t n)
{
    return resume(n, 1);
}

static uint64_t run_resume100(uint64_t n)
{
    return resume(n, MANY);
}

static void open_wrap(void)
{
    open_lua("local f = coroutine.wrap(function() local yield ="
             " coroutine.yield while true do yield() end end) "
             "return function(n) for _ = 1, n do f() end end");
}

static void open_spawn(void)
{
    open_lua("local create, resume = coroutine.create, coroutine.resume "
             "local function body() end "
             "return function(n) for _ = 1, n do resume(create(body)) end end");
}

static void open_recycled(void)
{
    open_lua("local yield = coroutine.yield local function body() end "
             "local run = coroutine.wrap(function(f) while true do "
             "f = yield(pcall(f)) end end) "
             "return function(n) for _ = 1, n do run(body) end end");
}

static int called(lua_State *from)
{
    (void)luaL_checkudata(from, 1, "bench.callable");
    return 0;
}

/* The coroutine gets the userdata when it is first resumed. */
static void open_waker(void)
{
    open_lua("return function(wakers) local yield = coroutine.yield "
             "local me = 1 while true do yield() wakers[me]() end end");
    threads[0] = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_createtable(L, 1, 0);
    lua_newuserdatauv(L, 16, 0);
    luaL_newmetatable(L, "bench.callable");
    lua_pushcfunction(L, called);
    lua_setfield(L, -2, "__call");
    lua_setmetatable(L, -2);
    lua_rawseti(L, -2, 1);
    lua_xmove(L, threads[0], 2);
    int results;
    bench_require(lua_resume(threads[0], L, 1, &results) == LUA_YIELD,
                  "lua_resume");
}

/* Calls the benchmark function with n; the loop is in Lua. */
static uint64_t run_in_lua(uint64_t n)
{
    lua_pushvalue(L, -1);
    lua_pushinteger(L, (lua_Integer)n);
    bench_require(lua_pcall(L, 1, 0, 0) == LUA_OK, "lua_pcall");
    return n;
}

static void open_closure(void)
{
    open_lua("local n = 0 return function() n = n + 1 end");
}

static void open_countdown(void)
{
    open_lua("local left = 1 << 62 local function wake() end "
             "return function() left = left - 1 "
             "if left == 0 then wake() end end");
}

static uint64_t run_pcall_count(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        lua_pushvalue(L, 1);
        lua_pushvalue(L, 1);
        bench_require(lua_pcall(L, 1, 0, 0) == LUA_OK, "lua_pcall");
    }
    return n;
}

static uint64_t run_pcall(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        lua_pushvalue(L, -1);
        bench_require(lua_pcall(L, 0, 0, 0) == LUA_OK, "lua_pcall");
    }
    return n;
}

const BenchCase bench_cases[] = {
    {"resume_yield", run_resume1, open_yielders, close_lua},
    {"resume_yield_100", run_resume100, open_yielders, close_lua},
    {"wrap", run_in_lua, open_wrap, close_lua},
    {"wake_yield", run_resume1, open_waker, close_lua},
    {"spawn", run_in_lua, open_spawn, close_lua},
    {"recycled", run_in_lua, open_recycled, close_lua},
    {"pcall", run_pcall, open_closure, close_lua},
    {"pcall_count", run_pcall_count, open_countdown, close_lua},
    {NULL, NULL, NULL, NULL},
};
