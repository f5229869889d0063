/*
 * slow.c - slices that hold the loop too long, told while they do
 *
 * A thread of its own looks a few times per limit at a mark, which is another
 * number in each slice and odd inside of one.  When it has been the same odd
 * number for the limit, the thread sends SIGURG to the VM's thread, whose
 * handler puts a hook on the innermost lua_State, as Ctrl-C does; the hook
 * prints where the slice stands.  So a slice itself costs no clock and no
 * system call, and a loop that sleeps is not woken.
 *
 * A slice that is inside of a C function is told when that returns.
 *
 * Rule: the hook is taken off by the end of its slice, and gives way to
 * the hook that was there before.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "liothread.h"
#include "qapi/error.h"
#include "qemu/thread.h"
#include "slice.h"
#include "task_private.h"

enum { LOOKS_PER_LIMIT = 8 };

struct SlowGuard {
    LuaVM *vm;
    int64_t limit_ns;
    QemuThread thread;
    QemuSemaphore stop;

    /* atomic */
    uint64_t mark;   /* set by the VM's thread */
    uint64_t wanted; /* the mark that is too old; set by the guard's thread */
    int64_t since;   /* how long it has been there; set before wanted */

    /* the VM's thread and its signal handler */
    uint64_t told;
    lua_State *hooked;
    lua_Hook old_hook;
    int old_mask, old_count;
};

static __thread SlowGuard *volatile guard_here; /* for the signal handler */

/* ---- the report --------------------------------------------------------- */

/* Appends the thread, when it is not the program's own. */
static void describe_thread(const LuaVM *vm, char *buf, size_t size)
{
    const Thread *t = vm->priv->iothread;
    size_t used = strlen(buf);

    if (t) {
        snprintf(buf + used, size - used, " in thread '%s'",
                 t->name ? t->name : "");
    }
}

static void describe(const LuaVM *vm, const LuaHandle *h, const LuaTask *t,
                     char *buf, size_t size)
{
    if (h) {
        handle_describe(h, buf, size);
    } else if (t && t->handle) {
        task_describe(t, buf, size);
    } else {
        snprintf(buf, size, "a callback");
    }
    describe_thread(vm, buf, size);
}

static long long held_ms(const SlowGuard *g)
{
    int64_t since = __atomic_load_n(&g->since, __ATOMIC_RELAXED);

    return (clock_monotonic_ns() - since) / CLOCK_NS_PER_MS;
}

/* Protected: guard. */
static int report(lua_State *L)
{
    SlowGuard *g = lua_touserdata(L, 1);
    LuaVM *vm = g->vm;
    char what[240];

    describe(vm, vm->callback, vm->callback ? NULL : vm->current, what,
             sizeof(what));
    luaL_traceback(L, L, NULL, 1);
    fflush(stdout);
    fprintf(stderr, "aioctl: slow: %s has held the loop for %lld ms\n%s\n",
            what, held_ms(g), lua_tostring(L, -1));
    return 0;
}

static void unhook(SlowGuard *g, lua_State *L)
{
    g->hooked = NULL;
    lua_sethook(L, g->old_hook, g->old_mask, g->old_count);
}

static bool is_overdue(const SlowGuard *g)
{
    return __atomic_load_n(&g->wanted, __ATOMIC_ACQUIRE) ==
           __atomic_load_n(&g->mark, __ATOMIC_RELAXED);
}

static void hook(lua_State *L, lua_Debug *ar)
{
    SlowGuard *g = guard_here;

    if (!g || g->hooked != L) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    unhook(g, L);
    if (!is_overdue(g) || !lua_checkstack(L, LUA_MINSTACK)) {
        return;
    }
    g->told = g->mark;
    lua_pushcfunction(L, report);
    lua_pushlightuserdata(L, g);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        g->told = 0; /* no memory for it: at the end, then */
    }
}

static void on_signal(int sig)
{
    SlowGuard *g = guard_here;
    lua_State *L = g ? g->vm->priv->inner : NULL;

    if (!L || g->hooked || !is_overdue(g)) {
        return;
    }
    g->old_hook = lua_gethook(L);
    g->old_mask = lua_gethookmask(L);
    g->old_count = lua_gethookcount(L);
    g->hooked = L;
    lua_sethook(L, hook,
                LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* ---- around slices ------------------------------------------------------ */

void slow_mark(LuaVM *vm, bool inside)
{
    SlowGuard *g = vm->priv->guard;
    uint64_t next = ((g->mark >> 1) + 1) << 1 | inside;

    __atomic_store_n(&g->mark, next, __ATOMIC_RELAXED);
}

void slow_check(LuaVM *vm, const LuaHandle *h, LuaTask *t)
{
    SlowGuard *g = vm->priv->guard;
    char what[240];

    if (likely(!is_overdue(g))) {
        return;
    }
    if (g->hooked) {
        if (lua_gethook(g->hooked) == hook) {
            unhook(g, g->hooked);
        }
        g->hooked = NULL;
    }
    if (g->told == g->mark) {
        fprintf(stderr, "aioctl: slow: that took %lld ms in all\n", held_ms(g));
        return;
    }
    describe(vm, h, t, what, sizeof(what));
    fflush(stdout);
    fprintf(stderr, "aioctl: slow: %s held the loop for %lld ms, in C\n", what,
            held_ms(g));
}

/* ---- the thread --------------------------------------------------------- */

static void look(SlowGuard *g, uint64_t *seen, int64_t *since)
{
    uint64_t mark = __atomic_load_n(&g->mark, __ATOMIC_RELAXED);
    int64_t now = clock_monotonic_ns();

    if (mark != *seen) {
        *seen = mark;
        *since = now;
    }
    if (!(mark & 1) || now - *since < g->limit_ns || g->wanted == mark) {
        return;
    }
    __atomic_store_n(&g->since, *since, __ATOMIC_RELAXED);
    __atomic_store_n(&g->wanted, mark, __ATOMIC_RELEASE);
    pthread_kill(g->vm->priv->thread, SIGURG);
}

static void *guard_main(void *opaque)
{
    SlowGuard *g = opaque;
    int64_t period = g->limit_ns / LOOKS_PER_LIMIT / CLOCK_NS_PER_MS;
    int ms = (int)MAX(1, MIN(period, 1000));
    uint64_t seen = 0;
    int64_t since = 0;

    while (qemu_sem_timedwait(&g->stop, ms) != 0) {
        look(g, &seen, &since);
    }
    return NULL;
}

/* Threads of ours begin with all signals blocked. */
static void let_signal_in(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int64_t vm_guard_limit(const LuaVM *vm)
{
    return vm->priv->guard ? vm->priv->guard->limit_ns : 0;
}

bool vm_guard_start(LuaVM *vm, int64_t limit_ns, Error **errp)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    SlowGuard *g = calloc(1, sizeof(*g));

    sigemptyset(&action.sa_mask);
    if (!g || sigaction(SIGURG, &action, NULL) != 0) {
        error_setg_errno(errp, errno, "--slow: cannot be watched for");
        free(g);
        return false;
    }
    g->vm = vm;
    g->limit_ns = limit_ns;
    g->mark = 2;
    let_signal_in();
    vm->priv->guard = g;
    vm->priv->watch |= WATCH_GUARD;
    guard_here = g;
    qemu_sem_init(&g->stop, 0);
    qemu_thread_create(&g->thread, "aio-slow", guard_main, g,
                       QEMU_THREAD_JOINABLE);
    return true;
}

void vm_guard_stop(LuaVM *vm)
{
    SlowGuard *g = vm->priv->guard;

    if (!g) {
        return;
    }
    qemu_sem_post(&g->stop);
    qemu_thread_join(&g->thread);
    qemu_sem_destroy(&g->stop);
    guard_here = NULL;
    if (g->hooked) {
        unhook(g, g->hooked);
    }
    vm->priv->watch &= ~WATCH_GUARD;
    vm->priv->guard = NULL;
    free(g);
}
