/*
 * notify.c - waking a context that waits, and not paying for one that does not
 *
 * Two words decide.  "notified": somebody has queued something since the loop
 * last looked.  "notify_me": the loop waits or is about to (bits 1 and up count
 * nested aio_poll() calls, bit 0 is a GSource between prepare and check), and
 * KICKED: a wake-up for this wait is already on its way.
 *
 *     notifier                          loop
 *     N1  queue the work                L1  notify_me = waiting
 *     N2  notified = true               L2  if notified: do not wait
 *     N3  if notify_me is waiting:      L3  wait
 *     N4     set KICKED; write eventfd  L4  notify_me = 0
 *                                       L5  notified = false; look at the work
 *
 * N2, N3, L1, L2, L4 and L5 are sequentially consistent: N2 then N3 pairs with
 * L1 then L2, so either L2 sees N2 or N3 sees L1, and nobody sleeps on work; N2
 * pairs with L5, so that what was queued before it is seen after L5.  A
 * notifier that finds KICKED leaves the write to whoever set it: its work was
 * queued before it read a notify_me that L4 has not yet overwritten, so it is
 * found at L5 after that very wait.  L1 clears KICKED, so a wake-up is never
 * credited to a later wait; a late write only wakes once too often.
 *
 * All of it, with what poll.c, busypoll.c, bh.c and gsource.c contribute, is
 * modelled in docs/protocols/notify.pml: change both.
 *
 * Rule: notify_me is stored by the home thread only; others only add KICKED.
 */
#include "base/fork.h"
#include "loop/context.h"
#include "qemu/atomic.h"

enum {
    NOTIFY_SOURCE = 1,
    NOTIFY_POLL = 2,
};
#define NOTIFY_KICKED 0x80000000u

/* N3 and N4.  Any thread, signal handlers. */
static void wake(AioContext *ctx)
{
    uint32_t seen;

    /* A failed exchange means that the loop has moved on or that another
     * notifier was first; looking again is as good as having come later. */
    do {
        seen = __atomic_load_n(&ctx->notify_me, __ATOMIC_SEQ_CST);
        if (likely(!seen) || (seen & NOTIFY_KICKED)) {
            return;
        }
    } while (qatomic_cmpxchg(&ctx->notify_me, seen, seen | NOTIFY_KICKED) !=
             seen);

    if (qatomic_read_i64(&ctx->poll_max_ns)) {
        qatomic_set_i64(&ctx->kicked_ns, clock_monotonic_ns());
    }
    __atomic_fetch_add(&ctx->notify_count, 1, __ATOMIC_RELAXED);
    event_notifier_set(&ctx->notifier);
}

void aio_notify(AioContext *ctx)
{
    (void)qatomic_xchg(&ctx->notified, true); /* N2 */
    wake(ctx);
}

void notify_interrupted(AioContext *ctx)
{
    /* Our own stores are in order for ourselves: no barrier is needed.  What a
     * signal handler queues just before L1, poll.c looks at just after. */
    signal_barrier();
    if (unlikely(qatomic_read(&ctx->notify_me))) {
        wake(ctx);
    }
}

void aio_notify_accept(AioContext *ctx)
{
    if (__atomic_load_n(&ctx->notified, __ATOMIC_SEQ_CST)) {
        (void)qatomic_xchg(&ctx->notified, false); /* L5 */
    }
}

static void store_notify_me(AioContext *ctx, uint32_t value)
{
    ctx->notify_me_home = value;
    __atomic_store_n(&ctx->notify_me, value, __ATOMIC_SEQ_CST);
}

bool notify_begin_wait(AioContext *ctx)
{
    store_notify_me(ctx, ctx->notify_me_home + NOTIFY_POLL);  /* L1 */
    return __atomic_load_n(&ctx->notified, __ATOMIC_SEQ_CST); /* L2 */
}

void notify_end_wait(AioContext *ctx)
{
    store_notify_me(ctx, ctx->notify_me_home - NOTIFY_POLL); /* L4 */
}

bool notify_begin_source(AioContext *ctx)
{
    store_notify_me(ctx, ctx->notify_me_home | NOTIFY_SOURCE);
    return __atomic_load_n(&ctx->notified, __ATOMIC_SEQ_CST); /* as L2 */
}

void notify_end_source(AioContext *ctx)
{
    store_notify_me(ctx, ctx->notify_me_home & ~(uint32_t)NOTIFY_SOURCE);
}

/* A tick between prepare and check may have read the eventfd that was written
 * to wake GLib, while KICKED keeps others from writing it again; and GLib's
 * timeout is as old as prepare. */
void notify_end_tick(AioContext *ctx)
{
    if (unlikely(ctx->notify_me_home & NOTIFY_SOURCE)) {
        ctx->source_wake(ctx);
    }
}

/* ---- the notifier as a handler ------------------------------------------ */

static bool is_eventfd(const EventNotifier *e)
{
    return event_notifier_get_fd(e) == event_notifier_get_wfd(e);
}

/* An eventfd whose every write is reported need not be read: it would take
 * 2^64 wake-ups to fill it.  GLib, if it polls the eventfd itself, would turn
 * round and round. */
static bool may_stay_set(const AioContext *ctx)
{
    return ctx->fdmon->knows_edges && is_eventfd(&ctx->notifier) &&
           !ctx->source;
}

/* Parent and child have descriptors of one eventfd: who reads it takes the
 * wake-up of the other, who goes on sleeping behind KICKED. */
static void leave_parents_notifier(AioContext *ctx)
{
    Error *err = NULL;

    notify_destroy(ctx);
    CHECKF(notify_setup(ctx, &err), "in a child: %s", error_get_pretty(err));
}

static void notifier_read(EventNotifier *e)
{
    AioContext *ctx = container_of(e, AioContext, notifier);

    if (unlikely(ctx->notifier_forks != fork_count)) {
        leave_parents_notifier(ctx);
        return;
    }
    ctx->stats.wakeups += may_stay_set(ctx) || event_notifier_test_and_clear(e);
}

bool notify_setup(AioContext *ctx, Error **errp)
{
    int ret = event_notifier_init(&ctx->notifier, false);

    if (ret < 0) {
        error_setg_errno(errp, -ret,
                         "context: cannot create its event "
                         "notifier, see ulimit -n");
        return false;
    }
    ctx->notifier_forks = fork_count;
    aio_set_event_notifier(ctx, &ctx->notifier, false, notifier_read, NULL,
                           NULL);
    handler_mark_notifier(ctx, event_notifier_get_fd(&ctx->notifier),
                          is_eventfd(&ctx->notifier));
    qatomic_set(&ctx->notified, false); /* nothing to look at yet */
    return true;
}

void notify_destroy(AioContext *ctx)
{
    aio_set_event_notifier(ctx, &ctx->notifier, false, NULL, NULL, NULL);
    event_notifier_cleanup(&ctx->notifier);
}
