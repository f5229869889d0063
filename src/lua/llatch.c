/*
 * llatch.c - class aio.latch: tasks wait until something happened n times
 */
#include "lsync.h"

typedef struct LuaLatch {
    AluaObject object;
    lua_Integer count; /* how often it still has to happen */
    WaitQueue waiters; /* empty when count is 0 */
} LuaLatch;

static const AluaClass latch_class;

static LuaLatch *latch_check(lua_State *L)
{
    return alua_check(L, 1, &latch_class);
}

/**
 * class Latch (latch)
 *
 * Open once something has happened so many times.
 */

/**
 * sync.latch(n: integer) -> Latch
 *
 * A latch, open once something has happened `n` times.
 */
static int latch_new(lua_State *L)
{
    lua_Integer count = luaL_checkinteger(L, 1);

    luaL_argcheck(L, count >= 0, 1, "count must not be negative");
    LuaLatch *self = alua_new(L, &latch_class, sizeof(*self), 0);
    self->count = count;
    return 1;
}

/**
 * latch:count_down(n?: integer) -> integer left
 *
 * How often it still has to happen, after it has once (or `n` times) more.
 * From anywhere; raises when that is more than is left.
 */
static int latch_count_down(lua_State *L)
{
    LuaLatch *self = latch_check(L);
    lua_Integer n = luaL_optinteger(L, 2, 1);

    luaL_argcheck(L, n >= 0, 2, "count must not be negative");
    if (n > self->count) {
        return luaL_error(L, "latch is counted down by %I, but %I is left", n,
                          self->count);
    }
    self->count -= n;
    while (self->count == 0 && lsync_give(&self->waiters)) {
        continue;
    }
    lua_pushinteger(L, self->count);
    return 1;
}

/**
 * latch:wait(sec?: aio.Wait) -> true!
 *
 * Parks until it is open.
 */
static int latch_wait(lua_State *L)
{
    LuaLatch *self = latch_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));
    LuaTask *task = task_check_can_park(L);

    if (self->count == 0) {
        lua_pushboolean(L, true);
        return 1;
    }
    return lsync_wait_open(L, &self->waiters, task, deadline);
}

/**
 * latch:count() -> integer
 *
 * What is left.
 */
static int latch_count(lua_State *L)
{
    lua_pushinteger(L, latch_check(L)->count);
    return 1;
}

static int latch_tostring(lua_State *L)
{
    lua_pushfstring(L, "aio.latch (%I left)", latch_check(L)->count);
    return 1;
}

static const luaL_Reg latch_methods[] = {
    {"count_down", latch_count_down},
    {"wait", latch_wait},
    {"count", latch_count},
    {NULL, NULL},
};

static const luaL_Reg latch_metamethods[] = {
    {"__tostring", latch_tostring},
    {NULL, NULL},
};

static const AluaClass latch_class = {
    .name = "aio.latch",
    .methods = latch_methods,
    .metamethods = latch_metamethods,
};

static const luaL_Reg latch_functions[] = {
    {"latch", latch_new},
    {NULL, NULL},
};

void llatch_open(lua_State *L)
{
    alua_class(L, &latch_class);
    alua_setfuncs(L, latch_functions);
}
