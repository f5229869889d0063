/*
 * liothreadrun.c - what runs in an iothread: its VM, serving calls, the end
 *
 * The VM is made before the owner's task goes on, so that its port is there,
 * and takes the IOThread's context as its home.  Its main task serves: it makes
 * a task for each call and parks.  When asked to end it leaves, and the VM
 * shuts down as a program does: all tasks are cancelled and get their time to
 * unwind.
 *
 * What is nobody's in the thread is the owner's: errors that nobody receives,
 * and os.exit(), which ends the whole program.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcontext.h"
#include "liothread.h"

int luaopen_aio_core(lua_State *L);

#define SERVER_STACK_SIZE ((size_t)256 << 10)

/* ---- interrupting Lua code that does not park --------------------------- */

/* Its default action is to do nothing, so a late one harms nobody. */
enum { KICK_SIGNAL = SIGURG };

static __thread LuaVM *volatile kicked_vm;

static void on_kick(int sig)
{
    if (kicked_vm) {
        vm_interrupt(kicked_vm);
    }
}

static void install_kick(void)
{
    struct sigaction old,
        action = {.sa_handler = on_kick, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    if (sigaction(KICK_SIGNAL, NULL, &old) == 0 &&
        (old.sa_handler == SIG_DFL || old.sa_handler == SIG_IGN)) {
        sigaction(KICK_SIGNAL, &action, NULL);
    }
}

static void be_kickable(LuaVM *vm)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t set;

    pthread_once(&once, install_kick);
    kicked_vm = vm;
    sigemptyset(&set);
    sigaddset(&set, KICK_SIGNAL);
    pthread_sigmask(vm ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

void thread_kick(Thread *t)
{
    pthread_kill(t->id, KICK_SIGNAL);
}

/* ---- errors that nobody in the thread receives -------------------------- */

typedef struct Report {
    PortNode node; /* first */
    LuaVM *owner;
    CrossPack *error; /* and its traceback */
    char origin[];
} Report;

static const CrossWords report_words = {.first = "the error"};

/* Protected: error, traceback, Report. */
static int pack_report(lua_State *L)
{
    Report *report = lua_touserdata(L, 3);

    lua_settop(L, 2);
    report->error = cross_pack(L, 2, &report_words);
    return 0;
}

static int to_text(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* Protected, in the owner: Report -> error, traceback. */
static int unpack_report(lua_State *L)
{
    Report *report = lua_touserdata(L, 1);
    CrossPack *error = report->error;

    report->error = NULL;
    lua_settop(L, 0);
    return cross_unpack(L, error);
}

static void report_deliver(PortNode *node)
{
    Report *report = (Report *)node;
    LuaVM *vm = report->owner;
    lua_State *L = vm->priv->inner ? vm->priv->inner : vm->home->L;

    if (lua_checkstack(L, LUA_MINSTACK)) {
        lua_pushcfunction(L, unpack_report);
        lua_pushlightuserdata(L, report);
        if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
            lua_pushnil(L);
        }
        lua_insert(L, -2);
        vm_uncaught(vm, L, report->origin);
    }
    cross_free(report->error);
    free(report);
}

/* The error is at @at, its traceback above it. */
static bool pack_error(lua_State *L, int at, Report *report)
{
    for (int i = 0; i < 2; i++) {
        lua_pushcfunction(L, pack_report);
        lua_pushvalue(L, at);
        lua_pushvalue(L, at + 1);
        lua_pushlightuserdata(L, report);
        if (lua_pcall(L, 3, 0, 0) == LUA_OK) {
            return true;
        }
        lua_pop(L, 1);
        lua_pushcfunction(L, to_text); /* it cannot cross: its text can */
        lua_pushvalue(L, at);
        if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
            return false;
        }
        lua_replace(L, at);
    }
    return false;
}

static void forward_error(LuaVM *vm, lua_State *L, int at, const char *origin)
{
    Thread *t = vm->priv->iothread;
    size_t size = strlen(origin) + strlen(t->name) + 32;
    Report *report = check_calloc(1, sizeof(*report) + size);

    snprintf(report->origin, size, "%s, in iothread '%s'", origin, t->name);
    report->node.deliver = report_deliver;
    report->owner = t->owner->vm;
    if (!pack_error(L, at, report) ||
        port_post(t->owner, &report->node) != PORT_POSTED) {
        fprintf(stderr, "aioctl: error in %s: %s\n", report->origin,
                lua_type(L, at) == LUA_TSTRING ? lua_tostring(L, at)
                                               : luaL_typename(L, at));
        cross_free(report->error);
        free(report);
    }
}

/* ---- os.exit() ---------------------------------------------------------- */

/* In the owner. */
static void exit_deliver(PortNode *node)
{
    Thread *t = (Thread *)((char *)node - offsetof(Thread, exit));
    LuaVM *owner = t->owner->vm;

    pthread_mutex_lock(&t->lock);
    int code = t->exit_code;
    pthread_mutex_unlock(&t->lock);
    owner->priv->process_exit = true;
    vm_request_exit(owner, code);
    if (owner->priv->iothread) {
        iothread_exits(owner, code); /* up to the program's own VM */
    }
    thread_unref(t);
}

void iothread_exits(LuaVM *vm, int code)
{
    Thread *t = thread_ref(vm->priv->iothread);

    pthread_mutex_lock(&t->lock);
    t->exit_code = code;
    pthread_mutex_unlock(&t->lock);
    if (port_post(t->owner, &t->exit) != PORT_POSTED) {
        thread_unref(t);
    }
}

/* ---- life --------------------------------------------------------------- */

static void close_deliver(PortNode *node)
{
    Thread *t = (Thread *)((char *)node - offsetof(Thread, close));

    vm_request_exit(t->vm, EXIT_SUCCESS);
    if (t->server) {
        task_wake(t->server);
    }
    thread_unref(t);
}

static void setup_vm(Thread *t)
{
    LuaVM *vm = t->vm;

    vm->default_fdmon = t->plan.default_fdmon;
    vm->default_engine = t->plan.default_engine;
    vm->log_errors = t->plan.log_errors;
    vm->prepare_state = t->plan.prepare;
    vm->priv->forward = forward_error;
    vm->priv->iothread = t;
    t->close.deliver = close_deliver;
    t->exit.deliver = exit_deliver;
    t->waiting_tail = &t->waiting;
    t->port = port_ref(port_of(vm));
}

/* Protected.  At once, for what arrives needs its classes. */
static int load_core(lua_State *L)
{
    luaL_requiref(L, "aio.core", luaopen_aio_core, 0);
    return 0;
}

static void make_vm(Thread *t, AioContext *ctx)
{
    Error *err = NULL;

    t->L = state_new(&t->plan, &err);
    t->vm = t->L ? vm_open_in(t->L, ctx, &err) : NULL;
    if (!t->vm) {
        t->why = check_strdup(error_get_pretty(err));
        error_free(err);
        return;
    }
    setup_vm(t);
    lua_pushcfunction(t->L, load_core);
    if (lua_pcall(t->L, 0, 0, 0) != LUA_OK) {
        t->why = check_strdup(lua_tostring(t->L, -1));
        return;
    }
    if (t->slow_ns && !vm_guard_start(t->vm, t->slow_ns, &err)) {
        t->why = check_strdup(error_get_pretty(err));
        error_free(err);
    }
}

void thread_begin(AioContext *ctx, void *opaque)
{
    Thread *t = opaque;

    t->id = pthread_self();
}

/* The main task.  Its park counts as one that the world can end: whatever the
 * other tasks of the thread wait for is no deadlock. */
static int serve(lua_State *L)
{
    Thread *t = lua_touserdata(L, 1);
    LuaTask *self = task_on_this_stack();

    t->server = self;
    for (;;) { /* ends when the VM does */
        while (!t->vm->exiting && call_serve(L, t)) {
        }
        if (t->vm->exiting) {
            break; /* what waits is cancelled */
        }
        if (task_park(self, PARK_ON_WORLD, -1) == PARK_CANCELLED) {
            task_unreport(self);
            break;
        }
    }
    t->server = NULL;
    vm_request_exit(t->vm, EXIT_SUCCESS);
    lua_pushinteger(L, EXIT_SUCCESS);
    return 1;
}

/* False when something could not be ended: its memory is still in use. */
static bool end_vm(Thread *t)
{
    LuaVM *vm = t->vm;

    be_kickable(NULL);
    bool stuck = vm->priv->gave_up || vm->io_in_flight > 0;
    vm_close(vm);
    call_abandon_all(t);
    if (!stuck) {
        lua_close(t->L);
    }
    t->L = NULL;
    t->vm = NULL;
    return !stuck;
}

/* Tells the owner whether there is a VM.  False: there is not, or nobody is
 * left who wants to know. */
static bool begin(Thread *t, AioContext *ctx)
{
    make_vm(t, ctx);
    bool ok = !t->why;

    if (!ok && t->L) {
        lua_close(t->L);
    }
    thread_ref(t);
    if (port_post(t->owner, &t->begin) != PORT_POSTED) {
        if (ok) {
            end_vm(t);
        }
        thread_unref(t);
        return false;
    }
    return ok;
}

void thread_body(AioContext *ctx, void *opaque)
{
    Thread *t = opaque;

    if (!begin(t, ctx)) {
        return;
    }
    thread_ref(t);
    be_kickable(t->vm);
    vm_run_main(t->vm, serve, t, SERVER_STACK_SIZE);
    bool ended = end_vm(t);
    pthread_mutex_lock(&t->lock);
    t->done = true;
    t->stuck = !ended;
    pthread_cond_broadcast(&t->done_cond);
    pthread_mutex_unlock(&t->lock);
    if (port_post(t->owner, &t->over) != PORT_POSTED) {
        thread_unref(t);
    }
    if (!ended) { /* no pass may run what is left; the owner will not join */
        for (;;) {
            pause();
        }
    }
}
