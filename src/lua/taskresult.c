/*
 * taskresult.c - what is left of a task: its results or its error
 *
 * A handle has one user value.  Of most tasks it is nil, or the one result;
 * only a name or a failure make it a table, in which the result has a place.
 *
 * The rule that keeps it right: the end of a task calls unprotected only what
 * cannot raise; what allocates runs in a lua_pcall().
 */
#include "task_private.h"

void task_push_handle(lua_State *L, const LuaTask *t)
{
    taskslot_get(L, t->slot, TASK_HANDLE);
}

void task_drop_handle(lua_State *L, const LuaTask *t)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->slot.table);
    lua_pushnil(L);
    lua_rawseti(L, -2, t->slot.base + TASK_HANDLE);
    lua_pop(L, 1);
}

void task_push_result(lua_State *L, int at, const TaskHandle *h)
{
    lua_getiuservalue(L, at, UV_RESULT);
    if (h->has_info) {
        lua_rawgeti(L, -1, INFO_RESULT);
        lua_remove(L, -2);
    }
}

void task_set_result(lua_State *L, int at, const TaskHandle *h)
{
    if (!h->has_info) {
        lua_setiuservalue(L, at, UV_RESULT);
        return;
    }
    lua_getiuservalue(L, at, UV_RESULT);
    lua_insert(L, -2);
    lua_rawseti(L, -2, INFO_RESULT); /* the place exists */
    lua_pop(L, 1);
}

void task_push_info(lua_State *L, int at, TaskHandle *h)
{
    if (!h->has_info) {
        lua_createtable(L, INFO_ORIGIN, 0);
        lua_getiuservalue(L, at, UV_RESULT);
        lua_rawseti(L, -2, INFO_RESULT);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, at, UV_RESULT);
        h->has_info = true;
        return;
    }
    lua_getiuservalue(L, at, UV_RESULT);
}

/* Protected: handle, values... -> results in the handle. */
static int store_results(lua_State *L)
{
    int n = lua_gettop(L) - 1;

    lua_createtable(L, n, 0);
    lua_insert(L, 2);
    for (int i = n; i >= 1; i--) {
        lua_rawseti(L, 2, i);
    }
    task_set_result(L, 1, lua_touserdata(L, 1));
    return 0;
}

/* Protected: handle, error -> error, traceback and origin in the handle. */
static int store_failure(lua_State *L)
{
    TaskHandle *h = lua_touserdata(L, 1);
    char origin[160];

    task_set_result(L, 1, h);
    task_push_info(L, 1, h);
    alua_take_traceback(L);
    if (lua_type(L, -1) == LUA_TSTRING) {
        task_add_spawners(L, h->task);
    }
    lua_rawseti(L, 2, INFO_TRACEBACK);
    task_describe(h->task, origin, sizeof(origin));
    lua_pushstring(L, origin);
    lua_rawseti(L, 2, INFO_ORIGIN);
    /* From now on it has a finalizer, and the weak table finds it at exit. */
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_failed);
    lua_getmetatable(L, -1);
    lua_getfield(L, -1, "handles");
    lua_setmetatable(L, 1);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, 3, h);
    return 0;
}

/* There is no memory to keep the failure for whoever may ask later.  The error
 * is on top. */
static void tell_at_once(LuaTask *t, TaskHandle *h)
{
    char origin[160];

    h->received = true;
    if (!t->joiners.head && !t->group) {
        task_describe(t, origin, sizeof(origin));
        lua_pushnil(t->L);
        lua_insert(t->L, -2);
        vm_uncaught(t->vm, t->L, origin);
    }
}

/* The error is on top of @L. */
static void finish_failed(LuaTask *t, TaskHandle *h, lua_State *L)
{
    h->state = TASK_FAILED;
    lua_pushvalue(L, -1); /* stored also when memory is out */
    task_push_handle(L, t);
    lua_insert(L, -2);
    task_set_result(L, -2, h);
    lua_pushcfunction(L, store_failure);
    lua_insert(L, -2);
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        tell_at_once(t, h);
        return;
    }
    h->counted = true;
    t->vm->priv->failed++;
    vm_attend(t->vm, VM_REAP);
}

/* As in task_finish(): neither 0 nor failed.  The status of keeping them. */
static int keep_results(LuaTask *t, TaskHandle *h, lua_State *L, int n)
{
    task_push_handle(L, t);
    lua_insert(L, AT_HANDLER + 1);
    if (n == 1) {
        task_set_result(L, AT_HANDLER + 1, h);
        return LUA_OK;
    }
    lua_pushcfunction(L, store_results);
    lua_insert(L, AT_HANDLER + 1);
    return lua_pcall(L, n + 1, 0, 0);
}

void task_finish_cancelled(LuaTask *t)
{
    TaskHandle *h = t->handle;
    lua_State *L = t->L;

    h->state = TASK_CANCELLED;
    h->received = true;
    task_push_handle(L, t);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
    task_set_result(L, -2, h);
}

void task_finish(LuaTask *t, int status)
{
    lua_State *L = t->L;
    TaskHandle *h = t->handle;
    int n = lua_gettop(L) - AT_HANDLER;

    if (unlikely(n > FEW_VALUES && !lua_checkstack(L, 8))) {
        lua_settop(L, AT_HANDLER); /* room for what follows; results are lost */
        n = 0;
    }
    if (status == LUA_OK) {
        h->state = TASK_DONE;
        h->nresults = n;
        status = n > 0 ? keep_results(t, h, L, n) : LUA_OK;
    }
    if (unlikely(status != LUA_OK)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
        bool cancelled = t->root.threw && lua_rawequal(L, -1, -2);
        lua_pop(L, 1);
        if (cancelled) {
            task_finish_cancelled(t);
        } else {
            finish_failed(t, h, L);
        }
    }
}
