/*
 * loop.c - the loop beside the main task, its end, and deadlock
 *
 * The thread's own stack runs aio_poll() on the home context; the main chunk
 * and all tasks are coroutines that it enters.  The loop ends when the main
 * task is over, every ref'd task has ended, and nothing ref'd is armed.
 *
 * Deadlock: a task is parked, no task is ready, nothing that counts in
 * vm->active could wake it, and a non-blocking iteration made no progress.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lcontext.h"
#include "lwait.h"
#include "task_private.h"
#include "vmport.h"

enum { EXIT_DEADLOCK = 3 };
enum { MORE_SLICES = 127 }; /* of tasks, before the loop looks up */
enum { DOUBTFUL_TURNS = 256 };
enum { TURNS_PER_LOOK = 8 }; /* at the heap; a collection takes more */
#define SHUTDOWN_NS (2 * 1000000000LL)
#define REAP_PACE 20 /* collections take at most a twentieth of the time */

static bool nothing_can_happen(const LuaVM *vm)
{
    return vm->active == 0 && vm->ready == 0 && vm->io_in_flight == 0;
}

static bool poll_home(LuaVM *vm, bool blocking, unsigned more)
{
    return vm->driver ? vm->driver->poll(vm->home->ctx, blocking, more)
                      : aio_poll_more(vm->home->ctx, blocking, more);
}

static uint64_t blocked_ns(LuaVM *vm)
{
    AioContextStats stats;

    aio_context_get_stats(vm->home->ctx, &stats);
    return stats.blocked_ns;
}

/* The core does not tell when it waits, but how long, and waits first. */
static bool poll_home_traced(LuaVM *vm, bool blocking, unsigned more)
{
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    uint64_t before = blocked_ns(vm);

    trace_begin("loop", "tick");
    bool progress = poll_home(vm, blocking, more);
    uint64_t waited = blocked_ns(vm) - before;
    trace_end();
    if (waited) {
        trace_slice("loop", "wait", start, (int64_t)waited);
    }
    return progress;
}

/* One iteration, or as many as consist of nothing but running tasks; not when
 * somebody counts them. */
static bool turn(LuaVM *vm, bool blocking)
{
    unsigned more = vm->pollers ? 0 : MORE_SLICES;
    bool progress = unlikely(trace_on) ? poll_home_traced(vm, blocking, more)
                                       : poll_home(vm, blocking, more);

    lcontext_polled(vm, progress);
    return progress;
}

/* The same while it is not certain that what tasks wait for is watched: does
 * not sleep.  Who counts iterations wants his to. */
static QEMU_NOINLINE bool turn_in_doubt(LuaVM *vm, bool blocking)
{
    if (vm->pollers) {
        lwait_settle(vm);
        return turn(vm, blocking);
    }
    bool progress = turn(vm, false);

    if (!progress || ++vm->priv->doubtful_turns >= DOUBTFUL_TURNS) {
        vm->priv->doubtful_turns = 0;
        lwait_settle(vm);
    }
    return progress;
}

static bool loop_turn(LuaVM *vm, bool blocking)
{
    return vm->priv->doubts ? turn_in_doubt(vm, blocking) : turn(vm, blocking);
}

bool vm_in_drivers_callback(LuaVM *vm)
{
    return vm->driver && vm->driver->in_callback(vm->home->ctx);
}

/* Somebody whom we do not see may wake a task. */
static bool others_may_act(LuaVM *vm)
{
    return vm->priv->iothreads_refd > 0 || port_is_known_elsewhere(vm) ||
           (vm->driver && vm->driver->may_act(vm->home->ctx));
}

/* ---- errors nobody joined ----------------------------------------------- */

/* Only a collection tells whether a failed task's handle can still be reached.
 * Paced, so that programs in which tasks fail all the time are not slowed. */
static void reap(LuaVM *vm)
{
    LuaVMPrivate *priv = vm->priv;
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    if (priv->failed == 0) {
        return;
    }
    if (start < priv->reap_next_ns) {
        timer_mod_ns(&priv->reap_timer, priv->reap_next_ns);
        return;
    }
    lua_gc(vm->home->L, LUA_GCCOLLECT, 0);
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    priv->reap_next_ns = now + REAP_PACE * (now - start);
}

/* Work between two iterations; @idle: the next one would block. */
static void attend(LuaVM *vm, bool idle)
{
    LuaVMPrivate *priv = vm->priv;

    if (priv->pace && ++priv->turns % TURNS_PER_LOOK == 0) {
        gcpace_look(vm);
    }
    if (priv->attention & VM_INTERRUPTED) {
        priv->spin_deadline = 0; /* here nothing spins */
        vm_interrupt_deliver(vm);
    }
    if (idle && (priv->attention & VM_REAP)) {
        __atomic_fetch_and(&priv->attention, ~VM_REAP, __ATOMIC_RELAXED);
        reap(vm);
    }
    if (priv->attention & VM_UNCAUGHT) {
        __atomic_fetch_and(&priv->attention, ~VM_UNCAUGHT, __ATOMIC_RELAXED);
        vm_report_uncaught(vm);
    }
    if (priv->retired || priv->pool_count > 4096) {
        task_trim(vm->home->L, vm);
    }
}

/* ---- deadlock ----------------------------------------------------------- */

static int print_tasks(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, 1);

    for (LuaTask *t = vm->priv->live; t; t = t->next) {
        char what[160];

        task_describe(t, what, sizeof(what));
        task_push_traceback(L, t);
        fprintf(stderr, "%s is %s\n%s\n", what, task_state_name(task_state(t)),
                lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return 0;
}

void vm_print_tasks(LuaVM *vm)
{
    lua_State *L = vm->home->L;

    lua_pushcfunction(L, print_tasks);
    lua_pushlightuserdata(L, vm);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
    }
}

static void report_deadlock(LuaVM *vm)
{
    fflush(stdout);
    fprintf(stderr, "aioctl: deadlock: nothing is left that could wake the "
                    "parked tasks\n");
    vm_print_tasks(vm);
}

/* ---- running ------------------------------------------------------------ */

static bool is_over(const LuaVM *vm)
{
    return !vm->priv->main_task && vm->priv->live_refd == 0 && vm->ready == 0 &&
           vm->active == 0 && vm->io_in_flight == 0;
}

int vm_run(LuaVM *vm, LuaTask *main_task)
{
    LuaVMPrivate *priv = vm->priv;

    priv->running = true;
    priv->stop = false;
    priv->pace = vm->prepare_state != NULL; /* the state is the host's own */
    task_make_ready(main_task);
    while (!vm->exiting && !priv->stop) {
        bool over = is_over(vm);
        bool idle = over || vm->ready == 0;

        attend(vm, idle);
        if (vm->exiting || priv->stop || (over && is_over(vm))) {
            break;
        }
        /* Looked at before the turn that is to find what they did last. */
        if (!nothing_can_happen(vm) || others_may_act(vm)) {
            loop_turn(vm, true);
        } else if (!loop_turn(vm, false) && nothing_can_happen(vm) &&
                   !(priv->attention & VM_INTERRUPTED) && !is_over(vm)) {
            report_deadlock(vm);
            vm_request_exit(vm, EXIT_DEADLOCK);
        }
    }
    vm_shutdown(vm);
    vm_report_failed(vm);
    priv->running = false;
    return vm->exit_code;
}

/* Set by main_wrapper() when the chunk returned a status. */
static int main_status(LuaVM *vm, lua_State *L, int base)
{
    int status = (int)lua_tointeger(L, base + 1);

    lua_settop(L, base);
    return status;
}

typedef struct MainCall {
    LuaVM *vm;
    size_t stack_size;
    LuaTask *task;
} MainCall;

static int create_main(lua_State *L)
{
    MainCall *call = lua_touserdata(L, 1);

    call->task = task_new_main(L, call->vm, call->vm->main, call->stack_size);
    return 0;
}

int vm_run_main(LuaVM *vm, lua_CFunction fn, void *arg, size_t stack_size)
{
    lua_State *L = vm->main;
    MainCall call = {.vm = vm, .stack_size = stack_size};
    int base = lua_gettop(L);

    lua_pushcfunction(L, create_main);
    lua_pushlightuserdata(L, &call);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "aioctl: %s\n", lua_tostring(L, -1));
        lua_pop(L, 1);
        return EXIT_FAILURE;
    }
    LuaTask *t = call.task;
    t->nargs = 1;
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, arg);
    int code = vm_run(vm, t);
    if (vm->priv->main_task || vm->priv->exit_caller == t) {
        return code; /* its stack is dead, and so is what lies on L */
    }
    if (t->status != LUA_OK) {
        fprintf(stderr, "aioctl: %s\n",
                lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                               : luaL_typename(L, -1));
        lua_settop(L, base);
        code = code ? code : EXIT_FAILURE;
    } else {
        int status = main_status(vm, L, base);

        code = vm->exiting ? code : status; /* who asked first decides */
    }
    task_free_main(t);
    return code;
}

/* ---- the end
 * ----------------------------------------------------------------------------
 */

void vm_request_exit(LuaVM *vm, int code)
{
    if (!vm->exiting) {
        vm->exiting = true;
        vm->exit_code = code;
    }
    if (vm->home) {
        aio_notify(vm->home->ctx);
    }
}

void vm_shutdown(LuaVM *vm)
{
    LuaVMPrivate *priv = vm->priv;
    LuaTask *caller = priv->exit_caller;
    int64_t deadline = task_deadline(SHUTDOWN_NS);

    if (!vm->home || priv->closed) {
        return;
    }
    iothread_end_all(vm);
    for (LuaTask *t = priv->live; t; t = t->next) {
        task_request_cancel(t);
    }
    if (caller && (!caller->is_main || priv->exit_close)) {
        priv->exit_caller = task_unwind_abandoned(caller) ? NULL : caller;
    }
    while ((priv->live || vm->io_in_flight) &&
           qemu_clock_get_ns(QEMU_CLOCK_REALTIME) < deadline) {
        if (nothing_can_happen(vm) && priv->calls == 0) {
            break; /* parked for good, whatever we do */
        }
        timer_mod_ns(&priv->reap_timer, deadline);
        loop_turn(vm, true);
    }
    timer_del(&priv->reap_timer);
    priv->gave_up = priv->live || vm->io_in_flight;
}

_Noreturn void vm_exit(lua_State *L, LuaVM *vm, int code, bool close)
{
    if (!vm->home) { /* closed: lua_close() runs finalizers */
        exit(code);
    }
    vm_request_exit(vm, code);
    vm->priv->exit_close = close;
    vm->priv->process_exit = true;
    vm->exit_close = close;
    if (vm->priv->iothread) {
        iothread_exits(vm, code);
    }
    if (vm->current && !vm->callback) {
        vm->priv->exit_caller = vm->current;
        task_abandon(vm->current);
    }
    if (vm->priv->iothread) { /* unwind to the thread's own end */
        luaL_checkstack(L, 1, NULL);
        lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
        lua_error(L);
    }
    /* On the loop's stack: there is no way back to it, so end here. */
    if (vm_in_drivers_callback(vm)) {
        vm->priv->gave_up = true; /* no task may run */
    } else {
        vm_shutdown(vm);
    }
    vm_report_failed(vm);
    if (vm->terminate) {
        vm->terminate(vm);
    }
    vm_close(vm);
    if (close) {
        lua_close(vm->main);
    }
    exit(code);
}
