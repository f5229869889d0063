/*
 * cosleep.c - coroutines that wait for time, or for a call
 *
 * w->to_wake is the sleeping coroutine; whoever exchanges it for NULL wakes it,
 * so that a timer and any number of wakers, of any threads, wake it once.
 * While it sleeps co->scheduled says so, and anybody else's attempt to enter it
 * aborts with that name.
 *
 * Rule: the timer belongs to the sleeper's own context, and its callback runs
 * in the same thread as the sleeper; so once the sleeper runs again it can
 * delete the timer without waiting for anything.
 */
#include "base/check.h"
#include "block/aio.h"
#include "coro/thread.h"
#include "qemu/atomic.h"

static const char sleeping[] = "qemu_co_sleep";

void qemu_co_sleep_wake(QemuCoSleep *w)
{
    Coroutine *co = qatomic_xchg(&w->to_wake, NULL);

    if (co) {
        const char *by = qatomic_xchg(&co->scheduled, NULL);

        CHECKF(by == sleeping,
               "coroutine '%s' sleeps but was scheduled in "
               "'%s'",
               coroutine_name(co), by);
        aio_co_wake(co);
    }
}

static void wake(void *opaque)
{
    qemu_co_sleep_wake(opaque);
}

void coroutine_fn qemu_co_sleep(QemuCoSleep *w)
{
    Coroutine *self = qemu_coroutine_self();

    CHECKF(qemu_in_coroutine(), "a sleep outside of coroutines");
    const char *by = qatomic_cmpxchg(&self->scheduled, (const char *)NULL,
                                     (const char *)sleeping);
    CHECKF(!by, "coroutine '%s' goes to sleep, scheduled in '%s'",
           coroutine_name(self), by);
    /* Sequentially consistent: who wakes us sees what we did before. */
    Coroutine *other = qatomic_xchg(&w->to_wake, self);
    CHECKF(!other, "two coroutines sleep on one QemuCoSleep");
    qemu_coroutine_yield();
}

static int64_t deadline_in(QEMUClockType type, int64_t ns)
{
    int64_t now = qemu_clock_get_ns(type);

    return ns > INT64_MAX - now ? INT64_MAX : now + ns;
}

void coroutine_fn qemu_co_sleep_ns_wakeable(QemuCoSleep *w, QEMUClockType type,
                                            int64_t ns)
{
    AioContext *ctx = qemu_get_current_aio_context();
    QEMUTimer ts;

    CHECKF(ctx, "a coroutine sleeps in a thread without a context");
    aio_timer_init(ctx, &ts, type, SCALE_NS, wake, w);
    timer_mod_ns(&ts, deadline_in(type, ns));
    qemu_co_sleep(w);
    timer_del(&ts);
}

void coroutine_fn qemu_co_sleep_ns(QEMUClockType type, int64_t ns)
{
    QemuCoSleep w = {0};

    qemu_co_sleep_ns_wakeable(&w, type, ns);
}

/* ---- a limit to somebody else's time ------------------------------------ */

enum { RUNNING, ENDED, ABANDONED };

/* Shared by the waiter and the new coroutine. */
typedef struct Limited {
    CoroutineEntry *entry;
    void *opaque;
    CleanupFunc *clean;
    QemuCoSleep sleep;
    int state; /* atomic; leaves RUNNING once */
    int refs;  /* atomic */
} Limited;

static void limited_unref(Limited *limited)
{
    if (qatomic_fetch_dec(&limited->refs) == 1) {
        free(limited);
    }
}

static void coroutine_fn limited_entry(void *opaque)
{
    Limited *limited = opaque;

    limited->entry(limited->opaque);
    if (qatomic_cmpxchg(&limited->state, RUNNING, ENDED) == RUNNING) {
        qemu_co_sleep_wake(&limited->sleep);
    } else if (limited->clean) {
        limited->clean(limited->opaque);
    }
    limited_unref(limited);
}

int coroutine_fn qemu_co_timeout(CoroutineEntry *entry, void *opaque,
                                 uint64_t timeout_ns, CleanupFunc *clean)
{
    Limited *limited = check_calloc(1, sizeof(*limited));

    limited->entry = entry;
    limited->opaque = opaque;
    limited->clean = clean;
    limited->refs = 2;
    /* It starts when we yield, asleep. */
    aio_co_enter(qemu_get_current_aio_context(),
                 qemu_coroutine_create(limited_entry, limited));
    qemu_co_sleep_ns_wakeable(&limited->sleep, QEMU_CLOCK_REALTIME,
                              (int64_t)MIN(timeout_ns, (uint64_t)INT64_MAX));
    int state = qatomic_cmpxchg(&limited->state, RUNNING, ABANDONED);
    limited_unref(limited);
    return state == RUNNING ? -ETIMEDOUT : 0;
}
