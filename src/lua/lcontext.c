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

/*
 * ctx:poll([blocking]) -> progress
 * Run one iteration; with @blocking wait until there is something to do.  True
 * when a callback ran.  May be called in callbacks, and in a task (which parks
 * meanwhile); not in a finalizer.
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

/* ctx:notify() -> ctx: make a blocking poll return; from any thread. */
static int context_notify(lua_State *L)
{
    aio_notify(context_check_any(L)->ctx);
    lua_settop(L, 1);
    return 1;
}

/*
 * ctx:get() -> {fdmon=, poll_max_ns=, poll_grow=, poll_shrink=, max_batch=,
 *               thread_pool_min=, thread_pool_max= [, fdmon_fallback=]}
 * @fdmon: the monitor in use; "auto" until one is needed
 * @fdmon_fallback: why the one asked for is not
 */
static int context_get(lua_State *L)
{
    lparams_push(L, context_check_any(L));
    return 1;
}

/*
 * ctx:set{fdmon=, poll_max_ns=, poll_grow=, poll_shrink=, max_batch=,
 *         thread_pool_min=, thread_pool_max=} -> ctx
 * @fdmon: "auto", "io_uring", "epoll" or "poll", from the end of this tick on;
 *         falls back to a usable one unless followed by "!"
 * @poll_max_ns: upper bound of busy polling per iteration, 0 = never
 * @max_batch: requests submitted in one go, 0 = the engine's choice
 * Values out of range raise.  nil, message, errno when "fdmon!" is unusable.
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

/*
 * ctx:stats() -> table of counters since the context's creation
 * All only grow, except in_flight and poll_ns (the current busy-poll budget).
 * Times are nanoseconds.
 */
static int context_stats(lua_State *L)
{
    lstats_push(L, context_check(L));
    return 1;
}

/* ctx:disable_external() -> ctx: pause handlers made with external=true until
 * enable_external() was called as often. */
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

/* ctx:acquire() -> ctx: take the context's recursive lock (between threads). */
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

/*
 * ctx:close(): close its handles and free it; idempotent.
 * Raises for the home context and in a callback of the context itself.
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

/*
 * aio.context() -> the context of the running callback or task
 * aio.context{fdmon=, ...} -> a new one, set as by ctx:set()
 * A new context runs only inside its poll().
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
