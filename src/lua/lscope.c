/*
 * lscope.c - aio.timeout and aio.shield
 *
 * A scope is a userdata in a to-be-closed slot of the function that opened it,
 * on its task's stack of scopes (task.c) while open.  What a timeout raises is
 * the scope itself: so the very function that opened it recognises it, whatever
 * lies between, and everything else passes through unchanged.
 *
 * Both call with a continuation, so that a user's coroutine may yield out of
 * them.
 */
#include "open.h"
#include "task_private.h"

typedef struct TimeoutScope {
    Scope scope;
    QEMUTimer timer;
} TimeoutScope;

static int scope_close(lua_State *L)
{
    Scope *s = lua_touserdata(L, 1);

    scope_pop(s);
    alua_unanchor(L, &s->object);
    return 0;
}

static int scope_tostring(lua_State *L)
{
    lua_pushliteral(L, "cancelled (timeout)");
    return 1;
}

static const luaL_Reg scope_metamethods[] = {
    {"__close", scope_close},
    {"__tostring", scope_tostring},
    {NULL, NULL},
};

const AluaClass scope_class = {
    .name = "aio.scope",
    .metamethods = scope_metamethods,
};

static void timeout_fire(void *opaque)
{
    TimeoutScope *s = opaque;

    s->scope.timer = NULL;
    s->scope.object.vm->active--;
    task_fire(&s->scope);
}

/* The scope is at 1, the message handler at 2. */
static int timeout_done(lua_State *L, int status, lua_KContext ctx)
{
    if (status == LUA_OK || status == LUA_YIELD) {
        return lua_gettop(L) - 2;
    }
    if (lua_rawequal(L, 1, -1)) {
        return alua_timeout(L);
    }
    alua_rethrow(L);
}

/**
 * aio.timeout(sec: number, fn: function, ...) -> any ...
 *
 * The results of `fn(...)`, or `nil, "timeout", ETIMEDOUT` after cancelling
 * what it waited for.
 */
static int timeout(lua_State *L)
{
    luaL_checknumber(L, 1);
    int64_t deadline = task_deadline(alua_opt_seconds(L, 1));
    alua_check_callable(L, 2);
    LuaTask *t = task_check_can_park(L);
    TimeoutScope *s = alua_new(L, &scope_class, sizeof(*s), 1);

    lua_replace(L, 1);
    lua_pushcfunction(L, alua_traceback);
    lua_insert(L, 2);
    alua_anchor(L, 1);
    scope_push(L, 1, t, SCOPE_TIMEOUT);
    aio_timer_init(task_context(t), &s->timer, QEMU_CLOCK_REALTIME, SCALE_NS,
                   timeout_fire, s);
    s->scope.timer = &s->timer;
    s->scope.object.vm->active++;
    timer_mod_ns(&s->timer, deadline);
    lua_toclose(L, 1);
    int status =
        lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, 0, timeout_done);
    return timeout_done(L, status, 0);
}

static int shield_done(lua_State *L, int status, lua_KContext ctx)
{
    return lua_gettop(L) - 1;
}

/**
 * aio.shield(fn: function, ...) -> any ...
 *
 * The results of `fn(...)`, which a cancellation does not reach: it is raised
 * at the first wait afterwards.
 */
static int shield(lua_State *L)
{
    LuaVM *vm = alua_vm(L);

    alua_check_callable(L, 1);
    if (vm->callback) {
        char what[160];

        handle_describe(vm->callback, what, sizeof(what));
        return luaL_error(L, "aio.shield() needs a task, not a callback (%s)",
                          what);
    }
    if (!vm->current) {
        return luaL_error(L, "aio.shield() must be called in a task");
    }
    alua_new(L, &scope_class, sizeof(Scope), 1);
    lua_insert(L, 1);
    alua_anchor(L, 1);
    scope_push(L, 1, vm->current, SCOPE_SHIELD);
    lua_toclose(L, 1);
    lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, shield_done);
    return shield_done(L, LUA_OK, 0);
}

static const luaL_Reg functions[] = {
    {"timeout", timeout},
    {"shield", shield},
    {NULL, NULL},
};

void lscope_open(lua_State *L)
{
    alua_class(L, &scope_class);
    alua_setfuncs(L, functions);
    lgroup_open(L);
}
