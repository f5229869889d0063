/*
 * ltask.c - class aio.task: what scripts hold of a task
 *
 * A handle outlives its task: results, error and name are in its user values.
 * A handle whose task failed gets a second metatable with a finalizer, so that
 * an error nobody can join any more is reported; others cost no finalizer.
 */
#include <errno.h>
#include <stdio.h>

#include "lsync.h"
#include "open.h"
#include "task_private.h"

static TaskHandle *check(lua_State *L, int arg)
{
    return alua_check(L, arg, &task_class);
}

/* ---- results ------------------------------------------------------------ */

void task_receive(TaskHandle *h)
{
    h->received = true;
    if (h->counted) {
        h->counted = false;
        h->object.vm->priv->failed--;
    }
}

/* Pushes what the ended task at @arg returned; the count. */
static int push_results(lua_State *L, int arg, const TaskHandle *h)
{
    int n = h->nresults;

    if (n == 0) {
        return 0;
    }
    task_push_result(L, arg, h);
    if (n == 1) {
        return 1;
    }
    luaL_checkstack(L, n + 1, "too many results to join");
    int table = lua_gettop(L);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, table, i);
    }
    lua_remove(L, table);
    return n;
}

/* Waits for the end of the task at 1.  false: the timeout triple is pushed. */
static bool wait_end(lua_State *L, TaskHandle *h)
{
    LuaVM *vm = h->object.vm;
    int64_t timeout = -1;

    if (lua_gettop(L) > 1) {
        timeout = alua_opt_timeout(L, 2);
        lua_settop(L, 1);
    }
    if (!h->task) {
        return true;
    }
    if (h->task == vm->current && !vm->callback) {
        luaL_error(L, "a task cannot join itself");
    }
    LuaTask *t = task_check_can_park(L);
    Waiter w;
    ParkResult why =
        waitq_wait(&h->task->joiners, &w, t, task_deadline(timeout));
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, t);
    }
    if (why == PARK_TIMEOUT) {
        alua_timeout(L);
        return false;
    }
    return true;
}

/**
 * task:join(sec?: aio.Wait) -> any ...
 *
 * What `fn` returned; raises its error, the same value. Parks until it has
 * ended. Raises when a task joins itself.
 */
static int join(lua_State *L)
{
    TaskHandle *h = check(L, 1);

    if (!wait_end(L, h)) {
        return 3;
    }
    if (h->state == TASK_DONE) {
        return push_results(L, 1, h);
    }
    task_receive(h);
    task_push_result(L, 1, h);
    return lua_error(L);
}

/* Pushes what pjoin() returns of the ended task at @arg; the count. */
static int push_outcome(lua_State *L, int arg, TaskHandle *h)
{
    if (h->state == TASK_DONE) {
        lua_pushboolean(L, 1);
        return 1 + push_results(L, arg, h);
    }
    task_receive(h);
    lua_pushboolean(L, 0);
    task_push_result(L, arg, h);
    return 2;
}

/**
 * task:pjoin(sec?: aio.Wait) -> boolean|nil ok, any ...
 *
 * `true, ...` or `false, err`; never raises because of the task. Parks as
 * `join` does; `nil, "timeout", ETIMEDOUT` after `sec`.
 */
static int pjoin(lua_State *L)
{
    TaskHandle *h = check(L, 1);

    return wait_end(L, h) ? push_outcome(L, 1, h) : 3;
}

/* ---- as a case of select() ---- */

static int source_try(lua_State *L, void *source, int at, int value)
{
    TaskHandle *h = source;

    if (h->task && h->task == h->object.vm->current) {
        return luaL_error(L, "a task cannot join itself");
    }
    return h->task ? -1 : push_outcome(L, at, h);
}

static WaitQueue *source_queue(void *source, int value)
{
    return &((TaskHandle *)source)->task->joiners;
}

static int source_finish(lua_State *L, void *source, int at, LuaSyncWait *wait)
{
    return push_outcome(L, at, source);
}

const LuaSource task_source = {
    .try = source_try,
    .queue = source_queue,
    .finish = source_finish,
};

/* ---- other methods ------------------------------------------------------ */

/**
 * task:cancel() -> Task
 *
 * Asks it to end; one that has not started never runs.
 */
static int cancel(lua_State *L)
{
    TaskHandle *h = check(L, 1);

    vm_check_thread(L, h->object.vm);
    if (h->task) {
        task_request_cancel(h->task);
    }
    lua_settop(L, 1);
    return 1;
}

const char *task_state_name(int state)
{
    static const char *const names[] = {
        [TASK_READY] = "ready",   [TASK_RUNNING] = "running",
        [TASK_PARKED] = "parked", [TASK_DONE] = "done",
        [TASK_FAILED] = "failed", [TASK_CANCELLED] = "cancelled",
    };
    return names[state];
}

int task_state(const LuaTask *t)
{
    return t->state == TASK_PARKED && t->queued ? TASK_READY : t->state;
}

/**
 * task:status() -> "ready"|"running"|"parked"|"done"|"failed"|"cancelled"
 */
static int status(lua_State *L)
{
    TaskHandle *h = check(L, 1);

    lua_pushstring(
        L, task_state_name(h->task ? task_state(h->task) : (int)h->state));
    return 1;
}

static void set_name(lua_State *L, TaskHandle *h)
{
    const char *text = luaL_checkstring(L, 2);
    LuaTask *t = h->task;

    task_push_info(L, 1, h);
    if (t) {
        TaskOrigin *named = origin_named(t->origin, text);

        if (!named) {
            luaL_error(L, "not enough memory");
        }
        origin_unref(t->named);
        t->named = named;
    }
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, INFO_NAME);
}

/* Pushes a field of the table of the handle at 1, if it has one. */
static int get_info(lua_State *L, const TaskHandle *h, int field)
{
    if (!h->has_info) {
        lua_pushnil(L);
        return LUA_TNIL;
    }
    lua_getiuservalue(L, 1, UV_RESULT);
    return lua_rawgeti(L, -1, field);
}

/**
 * task:name() -> string
 * task:name(s: string) -> Task
 *
 * The name, by default where it was spawned; with a string sets it and returns
 * the task.
 */
static int name(lua_State *L)
{
    TaskHandle *h = check(L, 1);
    char origin[160];

    if (!lua_isnoneornil(L, 2)) {
        set_name(L, h);
        lua_settop(L, 1);
        return 1;
    }
    if (get_info(L, h, INFO_NAME) == LUA_TSTRING) {
        return 1;
    }
    if (!h->task) {
        lua_pushnil(L);
        return 1;
    }
    task_describe(h->task, origin, sizeof(origin));
    lua_pushstring(L, origin);
    return 1;
}

/**
 * task:traceback() -> string|nil
 *
 * Where it stands, or stood when it failed; else `nil`. Below `spawned at:`
 * follow the places where it was spawned, where the task that did so was
 * spawned, and so on up to the main task: file, line, function, and the
 * spawner's name if it had one by then. Reports of errors, deadlocks and the
 * signal USR1 have the same. Of a chain of more than 16 only a part is kept.
 */
static int traceback(lua_State *L)
{
    TaskHandle *h = check(L, 1);

    if (h->task) {
        task_push_traceback(L, h->task);
    } else {
        get_info(L, h, INFO_TRACEBACK);
    }
    return 1;
}

static int set_unrefd(lua_State *L, bool unrefd)
{
    TaskHandle *h = check(L, 1);
    LuaTask *t = h->task;

    if (t && t->unrefd != unrefd && !t->is_main) {
        LuaVM *vm = t->vm;

        t->unrefd = unrefd;
        vm->priv->live_refd += unrefd ? -1 : 1;
        vm->active -= t->counted;
        t->counted = t->countable && !unrefd;
        vm->active += t->counted;
    }
    lua_settop(L, 1);
    return 1;
}

/**
 * task:ref() -> Task
 * task:unref() -> Task
 *
 * Does the program wait for it? `unref`: no.
 */
static int ref(lua_State *L)
{
    return set_unrefd(L, false);
}

static int unref(lua_State *L)
{
    return set_unrefd(L, true);
}

/**
 * task:waker() -> fun() waker
 *
 * What ends the task's `aio.park()`. Call it: `waker()`, from anywhere, also
 * twice or too late.
 */
static int waker(lua_State *L)
{
    return waker_push(L, check(L, 1));
}

static int task_tostring(lua_State *L)
{
    TaskHandle *h = check(L, 1);
    const char *state =
        task_state_name(h->task ? task_state(h->task) : (int)h->state);

    lua_pushcfunction(L, name);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_pushfstring(L, "aio.task: %s (%s)",
                    lua_isstring(L, -1) ? lua_tostring(L, -1) : "unnamed",
                    state);
    return 1;
}

/* Only failed tasks have it: the last chance to tell about the error. */
static int failed_gc(lua_State *L)
{
    TaskHandle *h = lua_touserdata(L, 1);

    if (h->received) {
        return 0;
    }
    task_receive(h);
    task_push_info(L, 1, h);
    lua_createtable(L, 3, 0);
    lua_rawgeti(L, -2, INFO_RESULT);
    lua_rawseti(L, -2, 1);
    lua_rawgeti(L, -2, INFO_TRACEBACK);
    lua_rawseti(L, -2, 2);
    lua_rawgeti(L, -2, INFO_ORIGIN);
    lua_rawseti(L, -2, 3);
    vm_note_uncaught(L);
    return 0;
}

static const luaL_Reg task_methods[] = {
    {"join", join},     {"pjoin", pjoin}, {"cancel", cancel},
    {"status", status}, {"name", name},   {"traceback", traceback},
    {"ref", ref},       {"unref", unref}, {"waker", waker},
    {NULL, NULL},
};

static const luaL_Reg task_metamethods[] = {
    {"__tostring", task_tostring},
    {NULL, NULL},
};

const AluaClass task_class = {
    .name = "aio.task",
    .methods = task_methods,
    .metamethods = task_metamethods,
};

/* The weak table of failed handles, and the metatable they get. */
static void open_failed(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &task_class);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -5);
    }
    lua_pop(L, 1);
    lua_pushcfunction(L, failed_gc);
    lua_setfield(L, -2, "__gc");
    lua_setfield(L, -2, "handles");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_failed);
}

void task_open_class(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &task_class) != LUA_TTABLE) {
        alua_class(L, &task_class);
        open_failed(L);
        lua_rawgetp(L, LUA_REGISTRYINDEX, &task_class);
        alua_vm_of(L)->priv->task_meta = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_pop(L, 1);
}

void ltask_open(lua_State *L)
{
    task_open_class(L);
    lspawn_open(L);
}
