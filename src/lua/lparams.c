/*
 * lparams.c - the settings of a context: ctx:get() and ctx:set{}
 *
 * The whole table is checked for form before anything is applied; ranges are
 * the core's business, which says what it refuses.
 */
#include "lparams.h"

#include <string.h>

#include "aioctl/context.h"
#include "qapi/error.h"
#include "slice.h"

const char *const lparams_keys[] = {
    "fdmon",           "poll_max_ns", "poll_grow",
    "poll_shrink",     "max_batch",   "thread_pool_min",
    "thread_pool_max", "timing",      NULL,
};

static void set_integer(lua_State *L, const char *key, int64_t value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

void lparams_push(lua_State *L, LuaContext *self)
{
    AioContextParams params;

    aio_context_get_params(self->ctx, &params);
    lua_createtable(L, 0, 8);
    lua_pushstring(L, aio_context_fdmon(self->ctx));
    lua_setfield(L, -2, "fdmon");
    lua_pushstring(L, self->foreign ? NULL /* its home thread knows */
                                    : aio_context_fdmon_fallback(self->ctx));
    lua_setfield(L, -2, "fdmon_fallback");
    set_integer(L, "poll_max_ns", params.poll_max_ns);
    set_integer(L, "poll_grow", params.poll_grow);
    set_integer(L, "poll_shrink", params.poll_shrink);
    set_integer(L, "max_batch", params.max_batch);
    set_integer(L, "thread_pool_min", params.thread_pool_min);
    set_integer(L, "thread_pool_max", params.thread_pool_max);
    lua_pushboolean(L, self->timed);
    lua_setfield(L, -2, "timing");
}

/* Integer field @key of the table at @arg, if there: into @value. */
static bool get_integer(lua_State *L, int arg, const char *key, int64_t *value)
{
    bool there = lua_getfield(L, arg, key) != LUA_TNIL;

    if (there) {
        if (!lua_isinteger(L, -1)) {
            luaL_error(L, "field '%s' must be an integer, got %s", key,
                       luaL_typename(L, -1));
        }
        *value = lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
    return there;
}

/* Applies the numbers in the table at @arg; what the core refuses is in @errp
 * and the rest is left alone. */
static void apply_numbers(lua_State *L, int arg, AioContext *ctx, Error **errp)
{
    AioContextParams p;
    Error *err = NULL;
    bool poll, batch, pool;

    aio_context_get_params(ctx, &p);
    poll = get_integer(L, arg, "poll_max_ns", &p.poll_max_ns);
    poll |= get_integer(L, arg, "poll_grow", &p.poll_grow);
    poll |= get_integer(L, arg, "poll_shrink", &p.poll_shrink);
    batch = get_integer(L, arg, "max_batch", &p.max_batch);
    pool = get_integer(L, arg, "thread_pool_min", &p.thread_pool_min);
    pool |= get_integer(L, arg, "thread_pool_max", &p.thread_pool_max);
    if (poll) {
        aio_context_set_poll_params(ctx, p.poll_max_ns, p.poll_grow,
                                    p.poll_shrink, &err);
    }
    if (batch && !err) {
        aio_context_set_aio_params(ctx, p.max_batch, &err);
    }
    if (pool && !err) {
        aio_context_set_thread_pool_params(ctx, p.thread_pool_min,
                                           p.thread_pool_max, &err);
    }
    error_propagate(errp, err);
}

static void apply_timing(lua_State *L, int arg, LuaContext *self)
{
    int type = lua_getfield(L, arg, "timing");

    if (type != LUA_TNIL && type != LUA_TBOOLEAN) {
        luaL_error(L, "field 'timing' must be a boolean, got %s",
                   luaL_typename(L, -1));
    }
    if (type == LUA_TBOOLEAN && !slice_set_timing(self, lua_toboolean(L, -1))) {
        luaL_error(L, "not enough memory");
    }
    lua_pop(L, 1);
}

static bool is_monitor(const char *name)
{
    const char *const *names = aio_fdmon_names();
    size_t length = strlen(name);

    if (length && name[length - 1] == '!') {
        length--;
    }
    if (length == 4 && memcmp(name, "auto", 4) == 0) {
        return true;
    }
    while (*names &&
           (strlen(*names) != length || memcmp(*names, name, length) != 0)) {
        names++;
    }
    return *names != NULL;
}

bool lparams_apply(lua_State *L, int arg, LuaContext *self)
{
    const char *fdmon = NULL;
    Error *err = NULL;

    if (lua_getfield(L, arg, "fdmon") != LUA_TNIL) {
        fdmon = luaL_tolstring(L, -1, NULL);
        if (!is_monitor(fdmon)) {
            luaL_error(L,
                       "unknown fdmon '%s' (one of auto, io_uring, epoll, "
                       "poll; with ! at the end it must not fall back)",
                       fdmon);
        }
    }
    apply_timing(L, arg, self);
    apply_numbers(L, arg, self->ctx, &err);
    if (err) {
        lua_pushfstring(L, "%s", error_get_pretty(err));
        error_free(err);
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
        lua_error(L);
    }
    if (fdmon && !aio_context_set_fdmon(self->ctx, fdmon, &err)) {
        alua_raise_error(L, err);
        return false;
    }
    return true;
}
