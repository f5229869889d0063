/*
 * licall.c - one call: from the owner's task to a task of the thread
 *
 * The owner has an ordinary task that waits for the result: that is the handle,
 * and all rules of tasks hold for it.  The request is posted at once, before
 * that task runs, so that the thread starts while the caller goes on.
 *
 * A Call has one message at a time: the request on the way there, the result on
 * the way back.  It is finished exactly once, by the thread, also when the
 * thread ends first; the owner's task never leaves before that, as the stack of
 * a task waits for its I/O.
 */
#include <stdlib.h>

#include "base/counted.h"
#include "liothread.h"

typedef enum CallState {
    CALL_SENT,
    CALL_DONE,      /* message: the results */
    CALL_FAILED,    /* message: error, traceback */
    CALL_CANCELLED, /* no message */
} CallState;

struct Call {
    PortNode start; /* first; posted: with a reference */
    PortNode cancel, finish;
    int refs;       /* atomic */
    bool cancelled; /* atomic: the owner wants it to end; before the message */
    Thread *thread;
    CrossPack *message;

    /* The owner's. */
    LuaTask *waiter;
    bool finished;

    /* The thread's; the owner's once finished. */
    CallState state;
    LuaTask *runner;
    Call *prev, *next; /* waiting: next only; running: both */
};

typedef struct CallRef {
    AluaObject object;
    Call *call;
} CallRef;

static const CrossWords request_words = {.first = "the function",
                                         .rest = "arg"};
static const CrossWords result_words = {.rest = "result"};
static const CrossWords error_words = {.first = "the error"};

static Call *call_ref(Call *call)
{
    __atomic_fetch_add(&call->refs, 1, __ATOMIC_RELAXED);
    return call;
}

static void call_unref(Call *call)
{
    if (__atomic_sub_fetch(&call->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        cross_free(call->message);
        thread_unref(call->thread);
        free_counted(call);
    }
}

static Call *call_of(PortNode *node, size_t offset)
{
    return (Call *)((char *)node - offset);
}

/* ---- in the thread ------------------------------------------------------ */

static void call_finish(Call *call, CallState state, CrossPack *message)
{
    call->state = state;
    call->runner = NULL;
    cross_free(call->message);
    call->message = message;
    if (port_post(call->thread->owner, &call->finish) != PORT_POSTED) {
        call_unref(call); /* nobody is left that could want to know */
    }
}

static void running_add(Thread *t, Call *call)
{
    call->prev = NULL;
    call->next = t->running;
    if (call->next) {
        call->next->prev = call;
    }
    t->running = call;
}

static void running_remove(Thread *t, Call *call)
{
    *(call->prev ? &call->prev->next : &t->running) = call->next;
    if (call->next) {
        call->next->prev = call->prev;
    }
}

/* Protected: call -> what its function returns. */
static int call_run(lua_State *L)
{
    Call *call = lua_touserdata(L, 1);
    CrossPack *request = call->message;

    lua_settop(L, 0);
    call->message = NULL;
    cross_unpack(L, request);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Protected: values -> CrossPack of the results. */
static int pack_results(lua_State *L)
{
    CrossPack *pack = cross_pack(L, lua_gettop(L), &result_words);

    lua_pushlightuserdata(L, pack);
    return 1;
}

/* Protected: error, traceback -> CrossPack.  An error that cannot cross becomes
 * its text. */
static int pack_error(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushcfunction(L, pack_results);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 2, 1, 0) == LUA_OK) {
        return 1;
    }
    lua_settop(L, 2);
    luaL_tolstring(L, 1, NULL);
    lua_replace(L, 1);
    lua_pushlightuserdata(L, cross_pack(L, 2, &error_words));
    return 1;
}

/* The error value is on top. */
static CrossPack *take_error(lua_State *L)
{
    luaL_checkstack(L, 4, NULL);
    alua_take_traceback(L);
    if (!lua_isstring(L, -1)) {
        lua_settop(L, -2); /* none was filed, or memory is out */
        lua_pushnil(L);
    }
    lua_pushcfunction(L, pack_error);
    lua_insert(L, -3);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        lua_pop(L, 1);
        return NULL; /* out of memory: told without a message */
    }
    CrossPack *pack = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return pack;
}

static bool is_own_cancel(lua_State *L, const LuaTask *t)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
    bool same = t->root.threw && lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return same;
}

/* Runs pack_results() on all above index 1; the failure is then the call's. */
static int pack_protected(lua_State *L)
{
    lua_pushcfunction(L, pack_results);
    lua_insert(L, 2);
    return lua_pcall(L, lua_gettop(L) - 2, 1, 1);
}

/* True as soon as the owner has asked, whenever the message arrives: what has
 * not begun by then never does.  Pairs with ask_to_cancel(). */
static bool is_cancelled(const Call *call)
{
    return __atomic_load_n(&call->cancelled, __ATOMIC_ACQUIRE);
}

/* Body of the task in the thread: call, as light userdata.  Runs also when the
 * task was cancelled before it began. */
static int call_body(lua_State *L)
{
    Call *call = lua_touserdata(L, 1);
    LuaTask *t = task_on_this_stack();
    int status = LUA_OK;

    lua_settop(L, 0);
    call->runner = t;
    lua_pushcfunction(L, alua_traceback);
    if (!t->root.fired && !is_cancelled(call)) {
        lua_pushcfunction(L, call_run);
        lua_pushlightuserdata(L, call);
        status = lua_pcall(L, 1, LUA_MULTRET, 1);
        status = status == LUA_OK ? pack_protected(L) : status;
    }
    running_remove(call->thread, call);
    if (lua_gettop(L) == 1 || (status != LUA_OK && is_own_cancel(L, t))) {
        call_finish(call, CALL_CANCELLED, NULL);
    } else if (status == LUA_OK) {
        call_finish(call, CALL_DONE, lua_touserdata(L, -1));
    } else {
        call_finish(call, CALL_FAILED, take_error(L));
    }
    return 0;
}

/* Protected: call. */
static int spawn_runner(lua_State *L)
{
    Call *call = lua_touserdata(L, 1);

    lua_pushcfunction(L, call_body);
    lua_insert(L, 1);
    call->runner = task_spawn(L, call->thread->vm, 1);
    call->runner->must_run = true;
    return 0;
}

bool call_serve(lua_State *L, Thread *t)
{
    Call *call = t->waiting;

    if (!call) {
        return false;
    }
    t->waiting = call->next;
    if (!t->waiting) {
        t->waiting_tail = &t->waiting;
    }
    if (is_cancelled(call)) {
        call_finish(call, CALL_CANCELLED, NULL);
        return true;
    }
    running_add(t, call);
    lua_pushcfunction(L, spawn_runner);
    lua_pushlightuserdata(L, call);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        running_remove(t, call);
        call_finish(call, CALL_FAILED, NULL);
    }
    return true;
}

void call_abandon_all(Thread *t)
{
    Call *call;

    while ((call = t->waiting)) {
        t->waiting = call->next;
        call_finish(call, CALL_CANCELLED, NULL);
    }
    t->waiting_tail = &t->waiting;
    while ((call = t->running)) {
        running_remove(t, call);
        call_finish(call, CALL_CANCELLED, NULL);
    }
}

static void start_deliver(PortNode *node)
{
    Call *call = call_of(node, offsetof(Call, start));
    Thread *t = call->thread;

    call->next = NULL;
    *t->waiting_tail = call;
    t->waiting_tail = &call->next;
    if (t->server) {
        task_wake(t->server);
    }
}

static void cancel_deliver(PortNode *node)
{
    Call *call = call_of(node, offsetof(Call, cancel));

    if (call->runner) {
        task_request_cancel(call->runner);
    }
    call_unref(call);
}

/* ---- the owner ---------------------------------------------------------- */

static void finish_deliver(PortNode *node)
{
    Call *call = call_of(node, offsetof(Call, finish));

    call->finished = true;
    call->thread->owner->vm->priv->calls--;
    if (call->waiter) {
        task_wake(call->waiter);
    }
    call_unref(call); /* the reference that travelled with the request */
}

static void ask_to_cancel(Call *call)
{
    __atomic_store_n(&call->cancelled, true, __ATOMIC_RELEASE);
    call_ref(call);
    if (port_post(call->thread->port, &call->cancel) != PORT_POSTED) {
        call_unref(call);
    }
}

/* True when the wait was cancelled (and that was reported). */
static bool wait_finish(Call *call, LuaTask *t)
{
    bool cancelled = false;

    call->waiter = t;
    while (!call->finished) {
        if (cancelled) {
            task_park_uncancellable(t, PARK_ON_WORLD);
        } else if (task_park(t, PARK_ON_WORLD, -1) == PARK_CANCELLED) {
            cancelled = true;
            ask_to_cancel(call);
        }
    }
    call->waiter = NULL;
    return cancelled;
}

/* Raises the error of the thread, with its traceback. */
static int raise_failure(lua_State *L, Call *call)
{
    CrossPack *message = call->message;

    call->message = NULL;
    if (!message) {
        return luaL_error(L, "iothread '%s': not enough memory for a task",
                          call->thread->name);
    }
    lua_settop(L, 0);
    cross_unpack(L, message);
    lua_settop(L, 2);
    lua_pushfstring(L, "%s\n(in iothread '%s')",
                    lua_isstring(L, 2) ? lua_tostring(L, 2) : "no traceback",
                    call->thread->name);
    lua_replace(L, 2);
    alua_file_traceback(L);
    alua_rethrow(L);
}

/* Body of the owner's task: call, iothread. */
static int call_wait(lua_State *L)
{
    CallRef *ref = lua_touserdata(L, 1);
    Call *call = ref->call;
    LuaTask *t = task_on_this_stack();
    bool cancelled = wait_finish(call, t);

    if (call->state == CALL_CANCELLED) {
        if (!cancelled) { /* because the thread is ending */
            task_request_cancel(t);
            task_throw_pending(L, t);
        }
        task_throw_cancel(L, t);
    }
    if (cancelled) { /* it ended otherwise, as a task of our own might */
        task_unreport(t);
    }
    if (call->state == CALL_FAILED) {
        return raise_failure(L, call);
    }
    CrossPack *message = call->message;
    call->message = NULL;
    return cross_unpack(L, message);
}

static int call_gc(lua_State *L)
{
    CallRef *ref = lua_touserdata(L, 1);

    if (ref->call) {
        call_unref(ref->call);
        ref->call = NULL;
    }
    return 0;
}

static const luaL_Reg call_metamethods[] = {
    {"__gc", call_gc},
    {NULL, NULL},
};

static const AluaClass call_class = {
    .name = "aio.iothread_call",
    .metamethods = call_metamethods,
};

static Call *call_new(Thread *t, CrossPack *request)
{
    Call *call = check_calloc(1, sizeof(*call));

    call->refs = 1;
    call->thread = thread_ref(t);
    call->message = request;
    call->start.deliver = start_deliver;
    call->cancel.deliver = cancel_deliver;
    call->finish.deliver = finish_deliver;
    return call;
}

void call_start(lua_State *L, Thread *t, int self, int nargs)
{
    LuaVM *vm = alua_vm(L);
    CallRef *ref = alua_new_of(L, vm, &call_class, sizeof(*ref), 0);

    lua_insert(L, -(nargs + 2));
    ref->call = call_new(t, cross_pack(L, nargs + 1, &request_words));
    lua_pop(L, nargs + 1);
    lua_pushlightuserdata(L, vm);
    lua_pushcclosure(L, call_wait, 1);
    lua_insert(L, -2);
    lua_pushvalue(L, self);
    LuaTask *task = task_spawn(L, vm, 2); /* may raise: then nothing was sent */
    task->must_run = true;
    call_ref(ref->call);
    vm->priv->calls++;
    if (port_post(t->port, &ref->call->start) != PORT_POSTED) {
        vm->priv->calls--;
        ref->call->state = CALL_CANCELLED; /* it has just ended */
        ref->call->finished = true;
        call_unref(ref->call);
    }
}

void licall_open(lua_State *L)
{
    alua_class(L, &call_class);
}
