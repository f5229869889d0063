/*
 * traceback.c - who a task is and where it stands
 *
 * A task that parked inside a coroutine of the user's has frames on several
 * Lua threads.  luaL_traceback() ends at coroutine.resume; we go on into the
 * thread that this resume is running, and print the innermost first.
 */
#include <stdio.h>

#include "task_private.h"

enum { NESTING_MAX = 200 }; /* Lua's own limit of C levels */

void task_describe(LuaTask *t, lua_State *L, char *buf, size_t size)
{
    char origin[80] = "";
    const char *name = NULL;
    int top = lua_gettop(L);

    if (t->is_main) {
        snprintf(buf, size, "main task");
        return;
    }
    if (!lua_checkstack(L, 6)) {
        snprintf(buf, size, "task");
        return;
    }
    alua_pushanchored(L, &t->handle->object);
    if (lua_getiuservalue(L, -1, UV_INFO) == LUA_TTABLE &&
        lua_rawgeti(L, -1, INFO_NAME) == LUA_TSTRING) {
        name = lua_tostring(L, -1);
    }
    lua_getiuservalue(L, top + 1, UV_SPAWNER);
    alua_format_origin(L, -1, t->line, origin, sizeof(origin));
    if (name) {
        snprintf(buf, size, "task '%s', created at %s", name, origin);
    } else {
        snprintf(buf, size, "task created at %s", origin);
    }
    lua_settop(L, top);
}

void task_trace_begin(LuaTask *t)
{
    char what[160];

    task_describe(t, t->L, what, sizeof(what));
    trace_begin("task", what);
}

/* The threads of @t from its own to the innermost; the count. */
static int collect_threads(LuaTask *t, lua_State *threads[])
{
    int n = 0;

    for (lua_State *L = t->L; L && n < NESTING_MAX;) {
        threads[n++] = L;
        L = coroutine_resumed_by(L);
    }
    return n;
}

void task_push_traceback(lua_State *L, LuaTask *t)
{
    lua_State *threads[NESTING_MAX];
    luaL_Buffer b;

    if (!t->started) {
        lua_pushliteral(L, "stack traceback:\n\t(not started)");
        return;
    }
    if (t == t->vm->current) {
        luaL_traceback(L, L, NULL, 1);
        return;
    }
    int n = collect_threads(t, threads);
    luaL_buffinit(L, &b);
    for (int i = n - 1; i >= 0; i--) {
        luaL_traceback(L, threads[i], NULL, 0);
        luaL_addvalue(&b);
        if (i > 0) {
            luaL_addstring(&b, "\ncalled from ");
        }
    }
    luaL_pushresult(&b);
}
