/*
 * aio_wait.c - running a loop until a condition holds
 *
 * Waiters stand in a list, with the context that each polls.  A kick notifies
 * all these contexts, so that each aio_poll() returns and the condition is
 * looked at again.  A kick between the look and the poll is not lost: the
 * notification stays until the next poll has seen it.
 *
 *     waiter                        kicker
 *     num_waiters++                 makes the condition false
 *     full barrier  (W)             full barrier  (K, pairs with W)
 *     looks at the condition        looks at num_waiters
 *
 * Either the waiter sees the condition or the kicker sees the waiter.
 *
 * Rule: the kicker touches nothing of the waiter's after making the condition
 * false, except under the list's lock, which the waiter takes to leave.
 */
#include "block/aio-wait.h"

#include "aioctl/context.h"
#include "base/check.h"
#include "loop/context.h"
#include "qemu/atomic.h"

AioWait global_aio_wait;

static QemuMutex waiters_lock = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .initialized = true,
};
static AioWaiter *waiters; /* under the lock */

bool in_aio_context_home_thread(AioContext *ctx)
{
    return aio_context_in_home_thread(ctx);
}

/* ---- waiting ------------------------------------------------------------ */

static AioContext *context_to_poll(AioContext *ctx)
{
    AioContext *main_ctx = qemu_get_aio_context();

    if (ctx && in_aio_context_home_thread(ctx)) {
        return ctx;
    }
    CHECKF(main_ctx && in_aio_context_home_thread(main_ctx),
           "thread %d waits for a context of another thread; only the thread "
           "of the main loop may",
           qemu_get_thread_id());
    return main_ctx;
}

void aio_wait_begin(AioWaiter *waiter, AioContext *ctx, bool unlock)
{
    waiter->poll_ctx = context_to_poll(ctx);
    waiter->locked_ctx = NULL;
    if (unlock && ctx && waiter->poll_ctx != ctx) {
        unsigned depth = context_lock_depth(ctx);

        CHECKF(depth <= 1,
               "AIO_WAIT_WHILE() for a context that is acquired %u times: its "
               "own thread would wait for ever",
               depth);
        waiter->locked_ctx = depth ? ctx : NULL;
    }

    qemu_mutex_lock(&waiters_lock);
    waiter->prev = NULL;
    waiter->next = waiters;
    if (waiters) {
        waiters->prev = waiter;
    }
    waiters = waiter;
    qemu_mutex_unlock(&waiters_lock);
    qatomic_inc(&global_aio_wait.num_waiters);
    smp_mb(); /* W */
}

void aio_wait_poll(AioWaiter *waiter)
{
    if (waiter->locked_ctx) {
        aio_context_release(waiter->locked_ctx);
    }
    aio_poll(waiter->poll_ctx, true);
    if (waiter->locked_ctx) {
        aio_context_acquire(waiter->locked_ctx);
    }
}

void aio_wait_end(AioWaiter *waiter)
{
    qatomic_dec(&global_aio_wait.num_waiters);
    qemu_mutex_lock(&waiters_lock);
    if (waiter->prev) {
        waiter->prev->next = waiter->next;
    } else {
        waiters = waiter->next;
    }
    if (waiter->next) {
        waiter->next->prev = waiter->prev;
    }
    qemu_mutex_unlock(&waiters_lock);
}

void aio_wait_kick(void)
{
    smp_mb(); /* K */
    if (likely(!qatomic_read(&global_aio_wait.num_waiters))) {
        return;
    }
    qemu_mutex_lock(&waiters_lock);
    for (AioWaiter *waiter = waiters; waiter; waiter = waiter->next) {
        aio_notify(waiter->poll_ctx);
    }
    qemu_mutex_unlock(&waiters_lock);
}

/* ---- a bottom half and its end ------------------------------------------ */

typedef struct WaitedBH {
    QEMUBHFunc *cb;
    void *opaque;
    bool done; /* atomic */
} WaitedBH;

static void waited_bh(void *opaque)
{
    WaitedBH *bh = opaque;

    bh->cb(bh->opaque);
    qatomic_store_release(&bh->done, true); /* bh is gone */
    aio_wait_kick();
}

void aio_wait_bh_oneshot(AioContext *ctx, QEMUBHFunc *cb, void *opaque)
{
    WaitedBH bh = {.cb = cb, .opaque = opaque};

    CHECKF(qemu_in_main_thread(),
           "aio_wait_bh_oneshot() outside of the main thread");
    aio_bh_schedule_oneshot_full(ctx, waited_bh, &bh, "aio_wait_bh_oneshot");
    AIO_WAIT_WHILE(ctx, !qatomic_load_acquire(&bh.done));
}
