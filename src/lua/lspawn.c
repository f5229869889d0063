/*
 * lspawn.c - aio.spawn, sleep, yield, after, every, self, tasks, is_cancelled
 *
 * What starts tasks and lets them pause.  after() and every() are tasks whose
 * body is a C function: it sleeps, then calls.
 */
#include "open.h"
#include "task_private.h"

/**
 * alias aio.Wait = number|{timeout: number}
 *
 * The limit of a wait, in seconds.
 */

/**
 * class Task (task)
 *
 * A function that runs beside others and may park.
 */

/**
 * aio.spawn(fn: function, ...) -> Task
 *
 * Runs `fn(...)` in a new task, soon, not at once. Raises when `fn` cannot be
 * called.
 */
static int spawn(lua_State *L)
{
    LuaVM *vm = alua_vm(L);

    alua_check_callable(L, 1);
    task_spawn(L, vm, lua_gettop(L) - 1);
    return 1;
}

static void sleep_until(lua_State *L, int64_t deadline)
{
    LuaTask *t = task_check_can_park(L);
    ParkResult why;

    do { /* only the deadline or a cancel request ends it */
        why = task_park(t, PARK_ON_WORLD, deadline);
    } while (why == PARK_WOKEN);
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, t);
    }
}

/**
 * aio.sleep(sec: number)
 *
 * Parks for `sec` seconds.
 */
static int aio_sleep(lua_State *L)
{
    luaL_checknumber(L, 1);
    sleep_until(L, task_deadline(alua_opt_seconds(L, 1)));
    return 0;
}

/**
 * aio.yield()
 *
 * Parks until everything else that is ready has run.
 */
static int aio_yield(lua_State *L)
{
    LuaTask *t = task_check_can_park(L);

    task_yield(L, t);
    return 0;
}

/* Body of aio.after: sec, fn, ... */
static int after_body(lua_State *L)
{
    int64_t ns = alua_opt_seconds(L, 1);

    sleep_until(L, task_deadline(ns));
    lua_call(L, lua_gettop(L) - 2, LUA_MULTRET);
    return lua_gettop(L) - 1;
}

/* Body of aio.every: sec, fn.  Beats that were missed are left out. */
static int every_body(lua_State *L)
{
    int64_t ns = alua_opt_seconds(L, 1);
    int64_t next = task_deadline(ns);

    lua_settop(L, 2);
    for (;;) { /* ends by cancellation or by an error of fn */
        sleep_until(L, next);
        lua_pushvalue(L, 2);
        lua_call(L, 0, 0);
        int64_t now = task_deadline(0);
        next += ns;
        if (next < now) {
            next = ns > 0 ? next + (now - next + ns - 1) / ns * ns : now;
        }
    }
    return 0;
}

static int spawn_body(lua_State *L, lua_CFunction body)
{
    LuaVM *vm = alua_vm(L);

    luaL_checknumber(L, 1);
    alua_opt_seconds(L, 1);
    alua_check_callable(L, 2);
    lua_pushlightuserdata(L, vm);
    lua_pushcclosure(L, body, 1);
    lua_insert(L, 1);
    task_spawn(L, vm, lua_gettop(L) - 1);
    return 1;
}

/**
 * aio.after(sec: number, fn: function, ...) -> Task
 *
 * A task that sleeps, then calls `fn(...)`.
 */
static int after(lua_State *L)
{
    return spawn_body(L, after_body);
}

/**
 * aio.every(sec: number, fn: function) -> Task
 *
 * A task that calls `fn()` every `sec` seconds until it is cancelled or `fn`
 * raises. Beats that were missed are left out.
 */
static int every(lua_State *L)
{
    lua_settop(L, 2);
    return spawn_body(L, every_body);
}

/**
 * aio.self() -> Task|nil
 *
 * The running task; `nil` in a callback.
 */
static int self(lua_State *L)
{
    LuaVM *vm = alua_vm(L);

    if (!vm->current || vm->callback) {
        lua_pushnil(L);
        return 1;
    }
    task_push_handle(L, vm->current);
    return 1;
}

/**
 * aio.tasks() -> Task[]
 *
 * The tasks that have not ended.
 */
static int tasks(lua_State *L)
{
    LuaVM *vm = alua_vm(L);
    int n = 0;

    lua_createtable(L, (int)vm->priv->live_count, 0);
    for (LuaTask *t = vm->priv->live; t; t = t->next) {
        task_push_handle(L, t);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/**
 * aio.is_cancelled(err: any) -> boolean
 *
 * Is this what a cancelled task raises?
 */
static int is_cancelled(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
    lua_pushboolean(L, lua_rawequal(L, 1, -1) ||
                           alua_test(L, 1, &scope_class) != NULL ||
                           group_is_cancel(L, 1));
    return 1;
}

static const luaL_Reg functions[] = {
    {"spawn", spawn},     {"sleep", aio_sleep},
    {"yield", aio_yield}, {"after", after},
    {"every", every},     {"self", self},
    {"tasks", tasks},     {"is_cancelled", is_cancelled},
    {NULL, NULL},
};

void lspawn_open(lua_State *L)
{
    alua_setfuncs(L, functions);
}
