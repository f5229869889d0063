/*
 * liothread.c - class aio.iothread: the owner's side of a thread
 *
 * The handle is ordinary garbage, like that of a file: collected, it closes the
 * thread.  Calls in flight keep it.  An open thread may wake a parked task at
 * any time, so it is no deadlock while there is one (unless it is unref'd); it
 * does not keep the program running, its calls do.
 *
 * Making one parks until the thread has a VM.
 */
#include "base/counted.h"
#include "liothread.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "lcontext.h"
#include "lchan.h"
#include "open.h"

enum { NAME_LENGTH_MAX = 255 };

Thread *thread_ref(Thread *t)
{
    __atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
    return t;
}

void thread_unref(Thread *t)
{
    if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0) {
        return;
    }
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->done_cond);
    state_plan_free(&t->plan);
    if (t->port) {
        port_unref(t->port);
    }
    port_unref(t->owner);
    free(t->name);
    free(t->why);
    free_counted(t);
}

/* ---- making ------------------------------------------------------------- */

static void begin_deliver(PortNode *node)
{
    Thread *t = (Thread *)((char *)node - offsetof(Thread, begin));

    t->begun = true;
    if (t->starter) {
        task_wake(t->starter);
    }
    thread_unref(t);
}

static Thread *thread_new(LuaVM *vm)
{
    Thread *t = check_calloc(1, sizeof(*t));

    t->refs = 1;
    t->owner = port_ref(port_of(vm));
    t->begin.deliver = begin_deliver;
    t->over.deliver = thread_over;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->done_cond, NULL);
    return t;
}

/* Parks @task until the thread has begun, which takes no longer because the
 * task is cancelled.  NULL: the reason is in @err. */
static Thread *thread_start(LuaTask *task, Thread *t, AioIOThreadParams *params,
                            Error **err)
{
    params->begin = thread_begin;
    params->body = thread_body;
    params->opaque = t;
    t->iothread = aio_iothread_new(params, err);
    if (!t->iothread) {
        return NULL;
    }
    t->name = iothread_get_id(t->iothread);
    for (t->starter = task; !t->begun;) {
        task_park_uncancellable(task, PARK_ON_WORLD);
    }
    t->starter = NULL;
    if (t->why) {
        error_setg(err, "iothread '%s': %s", t->name, t->why);
        thread_join(t);
        return NULL;
    }
    return t;
}

static const char *opt_name(lua_State *L, int arg)
{
    size_t len;
    const char *name = luaL_optlstring(L, arg, NULL, &len);

    if (name) {
        luaL_argcheck(L, strlen(name) == len, arg,
                      "a name must not contain zeros");
        luaL_argcheck(L, len > 0 && len <= NAME_LENGTH_MAX, arg,
                      "a name of 1 to 255 bytes expected");
    }
    return name;
}

/*
 * core.iothread([name [, {poll_max_ns=, poll_grow=, poll_shrink=, fdmon=,
 *                         affinity=}]]) -> iothread
 * What is wrong with a value raises, and so does a name in use.
 */
static int iothread_new_lua(lua_State *L)
{
    LuaVM *vm = alua_vm(L);
    AioIOThreadParams params;
    int cpus[THREAD_CPUS_MAX];
    Error *err = NULL;

    aio_iothread_params_init(&params);
    params.id = opt_name(L, 1);
    params.fdmon = vm->default_fdmon;
    vm_check_thread(L, vm);
    vm_need_home(L, vm);
    LuaTask *task = task_check_can_park(L);
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        thread_options(L, &params, cpus);
    }
    IOThreadHandle *h = alua_new(L, &iothread_class, sizeof(*h), 0);
    state_plan_push(L);
    Thread *t = thread_new(vm);
    state_plan_init(L, &t->plan);
    t->slow_ns = vm_guard_limit(vm);
    if (!thread_start(task, t, &params, &err)) {
        thread_unref(t);
        return alua_raise_error(L, err);
    }
    h->thread = t;
    h->next = vm->priv->iothreads;
    if (h->next) {
        h->next->prev = h;
    }
    vm->priv->iothreads = h;
    thread_set_counted(t, true);
    return 1;
}

/* ---- methods ------------------------------------------------------------ */

static IOThreadHandle *iothread_check(lua_State *L)
{
    IOThreadHandle *h = alua_check(L, 1, &iothread_class);

    if (!h->thread || h->thread->closing) {
        luaL_error(L, "iothread%s%s is closed", h->thread ? " " : "",
                   h->thread ? h->thread->name : "");
    }
    return h;
}

/**
 * thread:call(fn: function, ...) -> Task
 *
 * Runs `fn(...)` in a task there, and starts at once. The task returned ends
 * when that one does, the same way: results, the same error with the traceback
 * of the thread (`task:traceback()`), cancelled. Cancelling it cancels the one
 * there, and it ends only when that has ended.
 */
static int iothread_call(lua_State *L)
{
    IOThreadHandle *h = iothread_check(L);

    alua_check_callable(L, 2);
    vm_check_thread(L, h->object.vm);
    call_start(L, h->thread, 1, lua_gettop(L) - 2);
    return 1;
}

/**
 * thread:channel(n?: integer) -> Chan
 *
 * A channel as of `sync.chan(n)`, shared already.
 */
static int iothread_channel(lua_State *L)
{
    iothread_check(L);
    lua_settop(L, 2);
    lua_remove(L, 1);
    chan_push_new(L, luaL_optinteger(L, 1, 0));
    chan_share(L, lua_gettop(L));
    return 1;
}

/**
 * thread:context() -> Context
 *
 * Its context, for `notify` and `get` only.
 */
static int iothread_context(lua_State *L)
{
    IOThreadHandle *h = iothread_check(L);

    lcontext_push_foreign(L, iothread_get_aio_context(h->thread->iothread));
    return 1;
}

/**
 * thread:name() -> string|nil
 *
 * `nil` once it is closed.
 */
static int iothread_name(lua_State *L)
{
    IOThreadHandle *h = alua_check(L, 1, &iothread_class);

    lua_pushstring(L, h->thread ? h->thread->name : NULL);
    return 1;
}

/**
 * thread:status() -> "running"|"ended"|"closed"
 *
 * `"ended"`: by `aio.stop()` in it.
 */
static int iothread_status(lua_State *L)
{
    IOThreadHandle *h = alua_check(L, 1, &iothread_class);
    const Thread *t = h->thread;

    lua_pushstring(L, !t || t->closing ? "closed"
                      : t->ended       ? "ended"
                                       : "running");
    return 1;
}

/**
 * thread:ref() -> IOThread
 * thread:unref() -> IOThread
 *
 * A parked task is no deadlock while there is an open thread, for it might
 * wake it. `unref` says that it will not.
 */
static int iothread_ref(lua_State *L)
{
    Thread *t = iothread_check(L)->thread;

    thread_set_counted(t, !t->ended);
    lua_settop(L, 1);
    return 1;
}

static int iothread_unref(lua_State *L)
{
    thread_set_counted(iothread_check(L)->thread, false);
    lua_settop(L, 1);
    return 1;
}

static int iothread_tostring(lua_State *L)
{
    IOThreadHandle *h = alua_check(L, 1, &iothread_class);

    if (h->thread) {
        lua_pushfstring(L, "aio.iothread '%s'%s", h->thread->name,
                        h->thread->ended ? " (ended)" : "");
    } else {
        lua_pushliteral(L, "aio.iothread (closed)");
    }
    return 1;
}

static const luaL_Reg iothread_methods[] = {
    {"call", iothread_call},
    {"channel", iothread_channel},
    {"context", iothread_context},
    {"name", iothread_name},
    {"status", iothread_status},
    {"close", iothread_close},
    {"ref", iothread_ref},
    {"unref", iothread_unref},
    {NULL, NULL},
};

static const luaL_Reg iothread_metamethods[] = {
    {"__close", iothread_close},
    {"__gc", iothread_gc},
    {"__tostring", iothread_tostring},
    {NULL, NULL},
};

const AluaClass iothread_class = {
    .name = "aio.iothread",
    .methods = iothread_methods,
    .metamethods = iothread_metamethods,
};

static const luaL_Reg functions[] = {
    {"iothread", iothread_new_lua},
    {NULL, NULL},
};

void liothread_open(lua_State *L)
{
    alua_class(L, &iothread_class);
    licall_open(L);
    alua_setfuncs(L, functions);
}
