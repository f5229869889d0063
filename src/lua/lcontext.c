/*
 * lcontext.c - class aio.context: an event loop as scripts see it
 *
 * Lifetime: user value 1 is the thread object that callbacks run on.  A context
 * is ordinary garbage: its handles and the VM (for its home context) keep it
 * alive.  A weak registry table finds the userdata of a LuaContext.  Closing
 * closes the handles first, so nothing can call into a closed context.
 */
#include "lcontext.h"

#include "aioctl/context.h"
#include "lfdtable.h"
#include "lparams.h"
#include "lpolicy.h"
#include "lpoll.h"
#include "lsignal.h"
#include "lstats.h"
#include "lwait.h"
#include "open.h"
#include "qapi/error.h"
#include "slice.h"
#include "task.h"

/* Its address is the registry key of the weak table: pointer -> userdata. */
static const char contexts_key;

static LuaContext *context_check(lua_State *L)
{
    LuaContext *self = alua_check(L, 1, &lcontext_class);

    if (!self->ctx) {
        luaL_error(L, "context is closed");
    }
    if (self->foreign) {
        luaL_error(L, "wrong thread: the context belongs to another one; "
                      "from here only notify() and get() can be called");
    }
    return self;
}

/* For what any thread may do. */
static LuaContext *context_check_any(lua_State *L)
{
    LuaContext *self = alua_check(L, 1, &lcontext_class);

    return self->ctx && self->foreign ? self : context_check(L);
}

/* Pushes the weak table. */
static void push_contexts(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &contexts_key) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "v");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &contexts_key);
    }
}

void lcontext_push_foreign(lua_State *L, AioContext *ctx)
{
    LuaContext *self = alua_new(L, &lcontext_class, sizeof(*self), 1);

    self->vm = self->object.vm;
    self->foreign = true;
    aio_context_ref(ctx);
    self->ctx = ctx;
}

LuaContext *lcontext_new(lua_State *L, LuaVM *vm, AioContext *ctx, Error **errp)
{
    LuaContext *self;

    luaL_checkstack(L, 8, "no room for a context");
    alua_class(L, &lcontext_class);
    self = alua_new(L, &lcontext_class, sizeof(*self), LCONTEXT_UV_POLICY);
    self->vm = vm;
    self->L = lua_newthread(L);
    lua_setiuservalue(L, -2, LCONTEXT_UV_THREAD);
    door_open(self->L, vm);
    push_contexts(L);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, self);
    lua_pop(L, 1);
    if (ctx) {
        aio_context_ref(ctx);
    }
    self->ctx = ctx ? ctx : aio_context_new(errp);
    if (!self->ctx) {
        lua_pop(L, 1);
        return NULL;
    }
    self->next = vm->contexts;
    vm->contexts = self;
    return self;
}

static void context_close_handles(lua_State *L, LuaContext *self)
{
    LuaHandle *h = self->vm->handles;

    while (h) {
        LuaHandle *next = h->next;

        if (h->owner == self) {
            handle_close(L, h);
        }
        h = next;
    }
}

static void context_unlink(LuaContext *self)
{
    LuaContext **link = &self->vm->contexts;

    while (*link && *link != self) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = self->next;
    }
}

void lcontext_close(lua_State *L, LuaContext *self)
{
    if (!self->ctx) {
        return;
    }
    if (self->foreign) {
        aio_context_unref(self->ctx);
        self->ctx = NULL;
        return;
    }
    context_close_handles(L, self);
    if (self == self->vm->home) {
        lsignal_close(self->vm);
    }
    lwait_settle(self->vm);
    context_unlink(self);
    slice_free_timing(self);
    for (; self->externals_disabled > 0; self->externals_disabled--) {
        aio_enable_external(self->ctx);
    }
    for (; self->acquired > 0; self->acquired--) {
        aio_context_release(self->ctx);
    }
    lfdtable_free(self);
    aio_context_unref(self->ctx);
    self->ctx = NULL;
}

void lcontext_push(lua_State *L, LuaContext *self)
{
    push_contexts(L);
    lua_rawgetp(L, -1, self);
    lua_remove(L, -2);
}

LuaContext *lcontext_of_task(LuaVM *vm, const LuaTask *task)
{
    LuaContext *c = vm->contexts;

    while (c && c->ctx != task_context(task)) {
        c = c->next;
    }
    return c ? c : vm->home;
}

/* The context whose callback or task is running. */
static LuaContext *context_current(LuaVM *vm)
{
    if (vm->current) {
        return lcontext_of_task(vm, vm->current);
    }
    return vm->callback && vm->callback->owner ? vm->callback->owner : vm->home;
}

LuaContext *lcontext_opt(lua_State *L, int arg)
{
    LuaContext *self;

    if (lua_isnoneornil(L, arg)) {
        LuaVM *vm = alua_vm(L);

        vm_need_home(L, vm);
        self = context_current(vm);
        lcontext_push(L, self);
        return self;
    }
    self = alua_check(L, arg, &lcontext_class);
    luaL_argcheck(L, self->ctx, arg, "context is closed");
    luaL_argcheck(L, !self->foreign, arg,
                  "wrong thread: the context belongs to another one");
    lua_pushvalue(L, arg);
    return self;
}

/**
 * ctx:poll(blocking?: boolean) -> boolean progress
 *
 * Did a callback run? Runs one turn of the loop; waits for work if `blocking`.
 * In a callback at once, nested; a task parks meanwhile. Not in a finalizer.
 */
static int context_poll(lua_State *L)
{
    LuaContext *self = context_check(L);
    bool blocking = lua_toboolean(L, 2);

    if (lua_gc(L, LUA_GCCOUNT, 0) < 0) {
        return luaL_error(L, "ctx:poll() cannot be called in a finalizer");
    }
    lua_pushboolean(L, lpoll_iteration(L, self, blocking));
    return 1;
}

/**
 * ctx:notify() -> Context
 *
 * Ends a blocking `poll`; from any thread.
 */
static int context_notify(lua_State *L)
{
    aio_notify(context_check_any(L)->ctx);
    lua_settop(L, 1);
    return 1;
}

/**
 * class aio.CurrentSettings: aio.Settings
 *
 * fdmon_fallback?: string - why another monitor is in use than was asked for
 */

/**
 * ctx:get() -> aio.CurrentSettings
 *
 * The settings; `fdmon` is the monitor in use, `"auto"` until one is needed.
 */
static int context_get(lua_State *L)
{
    lparams_push(L, context_check_any(L));
    return 1;
}

/**
 * ctx:set(settings: aio.Settings) -> Context!
 *
 * Changes settings. Raises for values out of range; `nil, message, errno` when
 * a monitor with `!` cannot be had.
 */
static int context_set(lua_State *L)
{
    LuaContext *self = context_check(L);

    luaL_checktype(L, 2, LUA_TTABLE);
    alua_check_options(L, 2, lparams_keys);
    if (!lparams_apply(L, 2, self)) {
        return 3;
    }
    lua_settop(L, 1);
    return 1;
}

/**
 * class aio.Counters
 *
 * iterations: integer - turns of the loop
 * blocked: integer - of these, how many slept
 * blocked_ns: integer - for how long
 * polls: integer - busy polling phases
 * poll_hits: integer - of these, how many found work
 * poll_ns_total: integer - how long they took
 * poll_ns: integer - the current budget of one; does not only grow
 * bhs: integer - bottom halves that ran
 * fds: integer - calls for ready descriptors
 * timers: integer - timers that fired
 * coroutines: integer - tasks and coroutines that were entered
 * dispatched: integer - the sum of these four
 * submitted: integer - I/O requests
 * completed: integer - of these, how many have ended
 * in_flight: integer - how many have not; does not only grow
 * batches: integer - system calls that submitted them
 * notifies: integer - wake-ups that were sent to it
 * wakeups: integer - of these, how many it has received
 * registered_buffers: integer - that the ring knows now
 * registered_files: integer - that the ring knows now
 * registration_failures: integer - buffers and files that it refused
 * accepted_ahead: integer - connections, by multishot accept of the ring
 */

/**
 * class aio.Stats: aio.Counters
 *
 * tasks: integer - not ended; those of a program are in its main context
 * callback?: Hist - how long callbacks and tasks held the loop
 * lag?: Hist - how long they had to wait for it
 * timing_lost?: integer - times that found no room in these two
 */

/**
 * ctx:stats() -> aio.Stats
 *
 * Counters since it was made. While or after `set{timing = true}`, which costs
 * two clock readings per callback, also copies of two `aio.hist`: `callback`
 * and `lag`. The latter counts for timers and sleeping tasks from their
 * deadline, for other tasks from their wake-up, for others from the moment in
 * which the loop looked.
 */
static int context_stats(lua_State *L)
{
    lstats_push(L, context_check(L));
    return 1;
}

/**
 * ctx:disable_external() -> Context
 * ctx:enable_external() -> Context
 *
 * Pause handlers made with `external = true`, and go on; they nest.
 */
static int context_disable_external(lua_State *L)
{
    LuaContext *self = context_check(L);

    aio_disable_external(self->ctx);
    self->externals_disabled++;
    lua_settop(L, 1);
    return 1;
}

static int context_enable_external(lua_State *L)
{
    LuaContext *self = context_check(L);

    if (self->externals_disabled == 0) {
        return luaL_error(L, "enable_external() without disable_external()");
    }
    self->externals_disabled--;
    aio_enable_external(self->ctx);
    lua_settop(L, 1);
    return 1;
}

/**
 * ctx:acquire() -> Context
 * ctx:release() -> Context
 *
 * Take and give back its recursive lock, between threads.
 */
static int context_acquire(lua_State *L)
{
    LuaContext *self = context_check(L);

    aio_context_acquire(self->ctx);
    self->acquired++;
    lua_settop(L, 1);
    return 1;
}

static int context_release(lua_State *L)
{
    LuaContext *self = context_check(L);

    if (self->acquired == 0) {
        return luaL_error(L, "release() without acquire()");
    }
    self->acquired--;
    aio_context_release(self->ctx);
    lua_settop(L, 1);
    return 1;
}

/**
 * ctx:close()
 *
 * Closes its handles too. May be called twice. Raises for the context the
 * program runs in, and in its own callbacks.
 */
static int context_close(lua_State *L)
{
    LuaContext *self = alua_check(L, 1, &lcontext_class);

    if (!self->ctx) {
        return 0;
    }
    if (self == self->vm->home) {
        return luaL_error(L, "the home context cannot be closed; it ends with "
                             "the program");
    }
    if (!self->foreign && aio_context_is_dispatching(self->ctx)) {
        return luaL_error(L, "context cannot be closed while it is polled");
    }
    lcontext_close(L, self);
    return 0;
}

/* Collected: nothing polls it, as a poll has it on its stack. */
static int context_gc(lua_State *L)
{
    LuaContext *self = alua_check(L, 1, &lcontext_class);

    if (self->ctx && self != self->vm->home) {
        lcontext_close(L, self);
    }
    return 0;
}

static int context_tostring(lua_State *L)
{
    LuaContext *self = alua_check(L, 1, &lcontext_class);

    if (self->ctx) {
        lua_pushfstring(
            L, "aio.context (%s%s): %p", aio_context_fdmon(self->ctx),
            self->foreign ? ", of another thread" : "", (void *)self->ctx);
    } else {
        lua_pushliteral(L, "aio.context (closed)");
    }
    return 1;
}

/* The monitor that the host was told to use (--fdmon), unless the table at 1
 * names one. */
static bool context_set_default(lua_State *L, LuaContext *self, Error **errp)
{
    const char *name = self->vm->default_fdmon;
    bool named = lua_getfield(L, 1, "fdmon") != LUA_TNIL;

    lua_pop(L, 1);
    return named || !name || aio_context_set_fdmon(self->ctx, name, errp);
}

/**
 * class Context (ctx)
 *
 * An event loop.
 */

/**
 * alias aio.Monitor = "auto"|"io_uring"|"epoll"|"poll"|string
 *
 * How a loop waits; with `!` at the end it must not fall back.
 */

/**
 * class aio.Settings
 *
 * fdmon?: aio.Monitor - from the end of this turn on
 * poll_max_ns?: integer - longest busy polling before a sleep, 0 for none
 * poll_grow?: integer - times what the polling budget grows when more would
 *     have paid; 0, the default, for 2
 * poll_shrink?: integer - a wait that takes longer than the longest polling
 *     divides the budget by it; 0, the default: polling begins anew
 * max_batch?: integer - requests submitted in one go; 0: the engine decides
 * thread_pool_min?: integer - threads that are kept
 * thread_pool_max?: integer - threads at most
 * timing?: boolean - measure what `stats` calls `callback` and `lag`
 */

/**
 * aio.context() -> Context
 * aio.context(settings: aio.Settings) -> Context!
 *
 * The context of the running task or callback; with a table a new one, set up
 * as by `ctx:set`, which runs only inside its `poll`.
 */
static int context_get_or_new(lua_State *L)
{
    LuaContext *self;
    Error *err = NULL;

    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lcontext_opt(L, 1);
        return 1;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    alua_check_options(L, 1, lparams_keys);
    self = lcontext_new(L, alua_vm(L), NULL, &err); /* at 2 */
    if (!self) {
        return alua_raise_error(L, err);
    }
    if (!context_set_default(L, self, &err)) {
        lcontext_close(L, self);
        return alua_raise_error(L, err);
    }
    if (!lparams_apply(L, 1, self)) {
        lcontext_close(L, self);
        return 3;
    }
    lua_settop(L, 2);
    return 1;
}

static const luaL_Reg context_methods[] = {
    {"poll", context_poll},
    {"notify", context_notify},
    {"get", context_get},
    {"set", context_set},
    {"stats", context_stats},
    {"policy", lpolicy_method},
    {"disable_external", context_disable_external},
    {"enable_external", context_enable_external},
    {"acquire", context_acquire},
    {"release", context_release},
    {"close", context_close},
    {NULL, NULL},
};

static const luaL_Reg context_metamethods[] = {
    {"__close", context_close},
    {"__gc", context_gc},
    {"__tostring", context_tostring},
    {NULL, NULL},
};

const AluaClass lcontext_class = {
    .name = "aio.context",
    .methods = context_methods,
    .metamethods = context_metamethods,
};

static const luaL_Reg context_functions[] = {
    {"context", context_get_or_new},
    {NULL, NULL},
};

void lcontext_open(lua_State *L)
{
    alua_class(L, &lcontext_class);
    alua_setfuncs(L, context_functions);
}
