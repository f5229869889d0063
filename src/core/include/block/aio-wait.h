/*
 * block/aio-wait.h - running a loop until a condition holds
 *
 * The home thread of a context may wait for it by polling it.  The thread of
 * the main loop may also wait for other threads' contexts: it polls its own
 * meanwhile, and whoever makes the condition true calls aio_wait_kick().  Any
 * other waiting across threads is refused: two that wait for each other would
 * never end.
 */
#ifndef QEMU_AIO_WAIT_H
#define QEMU_AIO_WAIT_H

#include "block/aio.h"
#include "qemu/main-loop.h"

typedef struct AioWait {
    unsigned num_waiters; /* atomic: inside of AIO_WAIT_WHILE() */
} AioWait;

/* One wait, on the waiter's stack; private. */
typedef struct AioWaiter AioWaiter;
struct AioWaiter {
    AioContext *poll_ctx;   /* what is polled */
    AioContext *locked_ctx; /* what to release meanwhile, or NULL */
    AioWaiter *prev, *next;
};

AIOCTL_BEGIN_DECLS

extern AioWait global_aio_wait;

void aio_wait_begin(AioWaiter *waiter, AioContext *ctx, bool unlock);
void aio_wait_poll(AioWaiter *waiter);
void aio_wait_end(AioWaiter *waiter);

#define AIO_WAIT_WHILE_INTERNAL(ctx, cond, unlock)     \
    ({                                                 \
        AioWaiter aio_waiter_;                         \
        bool aio_waited_ = false;                      \
        aio_wait_begin(&aio_waiter_, (ctx), (unlock)); \
        while ((cond)) {                               \
            aio_wait_poll(&aio_waiter_);               \
            aio_waited_ = true;                        \
        }                                              \
        aio_wait_end(&aio_waiter_);                    \
        aio_waited_;                                   \
    })

/*
 * AIO_WAIT_WHILE: poll as long as @cond is true
 * @ctx: the context that will make it false; NULL: several will
 * @cond: an expression, evaluated between polls; what other threads change in
 *        it is read atomically
 *
 * In the thread of the main loop, with @ctx another thread's: the caller has
 * acquired @ctx at most once, and it is released while polling.  Callbacks of
 * the polled context run inside.
 * Value: true when it had to wait.
 */
#define AIO_WAIT_WHILE(ctx, cond) AIO_WAIT_WHILE_INTERNAL(ctx, cond, true)

/* The same, keeping @ctx acquired if it is. */
#define AIO_WAIT_WHILE_UNLOCKED(ctx, cond) \
    AIO_WAIT_WHILE_INTERNAL(ctx, cond, false)

/*
 * aio_wait_kick: let everybody who waits look at his condition again
 *
 * Any thread, after having changed what a condition may depend on.  Nearly free
 * when nobody waits.
 */
void aio_wait_kick(void);

/*
 * aio_wait_bh_oneshot: run @cb in @ctx as a bottom half, and wait until it has
 * returned
 *
 * Thread of the main loop only; @ctx acquired at most once.
 */
void aio_wait_bh_oneshot(AioContext *ctx, QEMUBHFunc *cb, void *opaque);

/* May the calling thread poll @ctx?  (A context without a home: yes.) */
bool in_aio_context_home_thread(AioContext *ctx);

AIOCTL_END_DECLS
#endif
