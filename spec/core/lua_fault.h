/*
 * lua_fault.h - runs Lua chunks while Lua's memory runs out
 *
 * Each scenario is a Lua chunk that runs in a fresh state inside aio.run().
 * It is run again and again: in run n, Lua's n-th allocation fails and so do
 * all that follow (or only that one), until the chunk is over.  Whatever it
 * does, it may not crash, hang or leave anything open; once memory is back the
 * state closes and every byte of it has been freed.  The sweep ends with the
 * first run in which nothing failed.
 *
 * A scenario may have a prelude, which has all the memory it wants.
 */
#ifndef LUA_FAULT_H
#define LUA_FAULT_H

#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

int luaopen_aio_core(lua_State *L);

enum { SWEEP_MAX = 20000 }; /* allocations of the longest scenario */

typedef struct Scenario {
    const char *chunk;
    bool fails; /* also with all the memory there is */
    const char *prelude;
} Scenario;

typedef struct Memory {
    size_t used;    /* bytes */
    uint64_t until; /* allocations that still work, while armed */
    bool armed;
    bool persistent;
    bool failed; /* since it was armed */
} Memory;

/* Shrinking never fails: Lua relies on that. */
static void *allocate(void *ud, void *ptr, size_t old, size_t size)
{
    Memory *m = ud;

    old = ptr ? old : 0;
    if (size == 0) {
        free(ptr);
        m->used -= old;
        return NULL;
    }
    if (m->armed && size > old) {
        if (m->until == 0) {
            m->failed = true;
            m->armed = m->persistent;
            return NULL;
        }
        m->until--;
    }
    void *p = realloc(ptr, size);
    if (p) {
        m->used += size - old;
    }
    return p;
}

static int panicked(lua_State *L)
{
    FAIL("an error reached no lua_pcall(): %s", lua_tostring(L, -1));
    return 0;
}

static void load_chunk(lua_State *L, const char *chunk)
{
    if (luaL_loadstring(L, chunk) != LUA_OK) {
        FAIL("%s", lua_tostring(L, -1));
    }
}

/* The function of aio.run(): lets memory fail and runs the chunk. */
static int run_armed(lua_State *L)
{
    Memory *m = lua_touserdata(L, lua_upvalueindex(1));
    const Scenario *s = lua_touserdata(L, lua_upvalueindex(3));

    if (s->prelude) {
        load_chunk(L, s->prelude);
        lua_call(L, 0, 0);
    }
    m->armed = true;
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_call(L, 0, 0);
    m->armed = false;
    return 0;
}

/* Protected: memory, scenario. */
static int run_scenario(lua_State *L)
{
    const Scenario *s = lua_touserdata(L, 2);

    luaL_openlibs(L);
    luaL_requiref(L, "aio.core", luaopen_aio_core, 0);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "aio");
    if (getenv("AIOCTL_TEST_SLOW")) { /* valgrind: no thread runs while one
                                         waits in io_uring_enter() */
        luaL_dostring(L, "aio.context():set{fdmon = 'poll'}");
    }
    lua_getfield(L, -1, "run");
    lua_pushvalue(L, 1);
    load_chunk(L, s->chunk);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, run_armed, 3);
    lua_call(L, 1, 0);
    return 0;
}

/* True when an allocation failed in this run. */
static bool run_once(const Scenario *s, uint64_t until, bool persistent)
{
    Memory m = {.until = until, .persistent = persistent};
    lua_State *L = lua_newstate(allocate, &m);

    lua_atpanic(L, panicked);
    lua_pushcfunction(L, run_scenario);
    lua_pushlightuserdata(L, &m);
    lua_pushlightuserdata(L, (void *)s);
    int status = lua_pcall(L, 2, 0, 0);
    m.armed = false;
    if (!m.failed && (status == LUA_OK) == s->fails) {
        FAIL("with all the memory there is: %s",
             status == LUA_OK ? "no error" : lua_tostring(L, -1));
    }
    lua_close(L);
    if (m.used != 0) {
        FAIL("allocation %llu failing leaves %zu bytes",
             (unsigned long long)until, m.used);
    }
    return m.failed;
}

/* Errors that nobody receives are printed: not what this is about. */
static void silence(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    ASSERT(null >= 0);
    if (!getenv("AIOCTL_TEST_LOUD")) {
        dup2(null, STDERR_FILENO);
    }
    close(null);
}

static void sweep(const Scenario *s)
{
    int errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    for (int persistent = 0; persistent < 2; persistent++) {
        uint64_t n = 0;

        silence();
        while (run_once(s, n, persistent)) {
            n++;
            ASSERT_CMP(n, <, SWEEP_MAX);
        }
        dup2(errors, STDERR_FILENO);
        ASSERT_CMP(n, >, 0); /* or nothing was tried */
    }
    close(errors);
}

#define SCENARIO(name, fails, chunk)                  \
    TEST(lua_without_memory_in_##name)                \
    {                                                 \
        sweep(&(const Scenario){chunk, fails, NULL}); \
    }

#endif
