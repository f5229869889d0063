/*
 * traceback.c - who a task is and where it stands
 *
 * A task that parked inside a coroutine of the user's has frames on several
 * Lua threads.  luaL_traceback() ends at coroutine.resume; we go on into the
 * thread that this resume is running, and print the innermost first.  After
 * them come those who spawned the task (origin.c).
 */
#include <stdio.h>

#include "task_private.h"

enum { NESTING_MAX = 200 }; /* Lua's own limit of C levels */

void task_describe(const LuaTask *t, char *buf, size_t size)
{
    char place[80];

    origin_format(t->origin, place, sizeof(place));
    if (t->is_main) {
        snprintf(buf, size, "main task");
    } else if (t->named) {
        snprintf(buf, size, "task '%s', created at %s", origin_name(t->named),
                 place);
    } else {
        snprintf(buf, size, "task created at %s", place);
    }
}

void task_trace_begin(LuaTask *t)
{
    char what[160];

    task_describe(t, what, sizeof(what));
    trace_begin("task", what);
}

void task_add_spawners(lua_State *L, const LuaTask *t)
{
    int at = lua_gettop(L);
    luaL_Buffer b;

    if (t->origin) {
        luaL_buffinit(L, &b);
        lua_pushvalue(L, at);
        luaL_addvalue(&b);
        origin_add_chain(&b, t->origin);
        luaL_pushresult(&b);
        lua_remove(L, at);
    }
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

/* The frames of a task that is not running. */
static void push_frames(lua_State *L, LuaTask *t)
{
    lua_State *threads[NESTING_MAX];
    luaL_Buffer b;

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

void task_push_traceback(lua_State *L, LuaTask *t)
{
    if (!t->started) {
        lua_pushliteral(L, "stack traceback:\n\t(not started)");
    } else if (t == t->vm->current) {
        luaL_traceback(L, L, NULL, 1);
    } else {
        push_frames(L, t);
    }
    task_add_spawners(L, t);
}
