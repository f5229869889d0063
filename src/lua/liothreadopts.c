/*
 * liothreadopts.c - the options of aio.iothread()
 *
 * Forms are checked here and raise; ranges are the core's business.
 */
#include "liothread.h"

static int64_t integer_field(lua_State *L, const char *key, int64_t fallback)
{
    int64_t value = fallback;

    if (lua_getfield(L, 2, key) != LUA_TNIL) {
        if (!lua_isinteger(L, -1)) {
            luaL_error(L, "option '%s': an integer expected, got %s", key,
                       luaL_typename(L, -1));
        }
        value = lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
    return value;
}

static int check_cpu(lua_State *L, int index)
{
    lua_Integer cpu = lua_tointeger(L, index);

    if (!lua_isinteger(L, index) || cpu < 0 || cpu > INT32_MAX) {
        luaL_error(L, "option 'affinity': the number of a processor, or a list "
                      "of them, expected");
    }
    return (int)cpu;
}

/* affinity = 1 or {0, 1} */
static unsigned affinity_field(lua_State *L, int cpus[THREAD_CPUS_MAX])
{
    unsigned n = 0;

    if (lua_getfield(L, 2, "affinity") == LUA_TTABLE) {
        lua_Integer length = luaL_len(L, -1);

        if (length < 1 || length > THREAD_CPUS_MAX) {
            luaL_error(L,
                       "option 'affinity': a list of 1 to %d processors "
                       "expected",
                       THREAD_CPUS_MAX);
        }
        for (; n < length; n++) {
            lua_rawgeti(L, -1, n + 1);
            cpus[n] = check_cpu(L, -1);
            lua_pop(L, 1);
        }
    } else if (!lua_isnil(L, -1)) {
        cpus[n++] = check_cpu(L, -1);
    }
    lua_pop(L, 1);
    return n;
}

/* fdmon stays referenced by the table. */
void thread_options(lua_State *L, AioIOThreadParams *params,
                    int cpus[THREAD_CPUS_MAX])
{
    static const char *const known[] = {
        "poll_max_ns", "poll_grow", "poll_shrink", "fdmon", "affinity",
        /* aio/iothread.lua deals with: */
        "init", "max_batch", "thread_pool_min", "thread_pool_max", NULL};

    alua_check_options(L, 2, known);
    params->poll_max_ns = integer_field(L, "poll_max_ns", params->poll_max_ns);
    params->poll_grow = integer_field(L, "poll_grow", params->poll_grow);
    params->poll_shrink = integer_field(L, "poll_shrink", params->poll_shrink);
    params->cpu_count = affinity_field(L, cpus);
    params->cpus = cpus;
    if (lua_getfield(L, 2, "fdmon") != LUA_TNIL) {
        params->fdmon = luaL_tolstring(L, -1, NULL);
    }
    lua_pop(L, 1);
}
