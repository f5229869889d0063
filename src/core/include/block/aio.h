/*
 * block/aio.h - the event loop: AioContext
 *
 * A context waits for file descriptors, and runs bottom halves, timers and
 * coroutines, all in one thread: its home.  A context without a home adopts the
 * first thread that polls it; polling it from another thread aborts.
 *
 * One pass of aio_poll() does, in this order: wait for fds; bottom halves, a
 * slice taken at the start of the phase, first in first out; ready handlers,
 * first in first out; timers by deadline; coroutines that became ready.
 *
 * Threads: unless said otherwise a function may be called from any thread.
 */
#ifndef QEMU_AIO_H
#define QEMU_AIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aioctl/decls.h"
#include "block/graph-lock.h"
#include "qapi/error.h"
#include "qemu/coroutine-core.h"
#include "qemu/event_notifier.h"
#include "qemu/osdep.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"

AIOCTL_BEGIN_DECLS

typedef struct AioContext AioContext;
typedef struct AioHandler AioHandler;
typedef struct BlockAIOCB BlockAIOCB;
typedef struct BlockDriverState BlockDriverState;
typedef struct QEMUBH QEMUBH;
typedef struct _GSource GSource;

/* ---- requests with a completion callback -------------------------------- */

/* Gets 0 or a byte count, or a negative errno. */
typedef void BlockCompletionFunc(void *opaque, int ret);

/* What every request of one kind has in common. */
typedef struct AIOCBInfo {
    void (*cancel_async)(BlockAIOCB *acb); /* NULL: cannot be cancelled */
    AioContext *(*get_aio_context)(BlockAIOCB *acb);
    size_t aiocb_size; /* of the structure that starts with a BlockAIOCB */
} AIOCBInfo;

/* The start of every request; the reference count is not atomic. */
struct BlockAIOCB {
    const AIOCBInfo *aiocb_info;
    BlockDriverState *bs;
    BlockCompletionFunc *cb;
    void *opaque;
    int refcnt;
};

/* Allocates aiocb_info->aiocb_size bytes with one reference; what follows the
 * BlockAIOCB is not initialised.  Home thread of the request's context. */
void *qemu_aio_get(const AIOCBInfo *aiocb_info, BlockDriverState *bs,
                   BlockCompletionFunc *cb, void *opaque);
void qemu_aio_unref(void *p);
void qemu_aio_ref(void *p);

/* ---- types -------------------------------------------------------------- */

/* First in, first out. */
typedef QTAILQ_HEAD(, AioHandler) AioHandlerList;
typedef QSLIST_HEAD(, AioHandler) AioHandlerSList;

/* For code that names them: our loop keeps bottom halves in another way. */
typedef QSLIST_HEAD(, QEMUBH) BHList;
typedef struct BHListSlice BHListSlice;
struct BHListSlice {
    BHList bh_list;
    QSIMPLEQ_ENTRY(BHListSlice) next;
};

typedef void QEMUBHFunc(void *opaque);
typedef bool AioPollFn(void *opaque);
typedef void IOHandler(void *opaque);

struct ThreadPool;
struct LinuxAioState;
struct LuringState;

/*
 * aio_poll_disabled: is there a handler without an io_poll callback?
 *
 * (Busy polling goes on regardless: such handlers' fds are looked at between
 * the rounds of io_poll callbacks.)
 */
bool aio_poll_disabled(AioContext *ctx);

/* What a file descriptor monitor does for the loop. */
typedef struct FDMonOps {
    /*
     * update: the set of watched fds changes
     * @old_node: what was watched so far; NULL: the fd is new
     * @new_node: what is to be watched from now on; NULL: nothing.  May be
     *            @old_node itself, whose events have changed.
     *
     * Called with the context's list lock held, from any thread: never blocks.
     */
    void (*update)(AioContext *ctx, AioHandler *old_node, AioHandler *new_node);

    /*
     * wait: append the handlers whose fds are ready to @ready_list
     * @timeout: nanoseconds; 0: do not wait; -1: for ever
     *
     * Home thread, without the list lock.
     * Returns: how many became ready; 0 after a timeout or a signal.
     */
    int (*wait)(AioContext *ctx, AioHandlerList *ready_list, int64_t timeout);

    /*
     * need_wait: would wait() have something to report or to hand to the
     * kernel?  Ends busy polling.  A monitor that cannot tell from user space
     * answers whether it watches anything at all.  Home thread.
     */
    bool (*need_wait)(AioContext *ctx);
} FDMonOps;

/* ---- life --------------------------------------------------------------- */

/*
 * aio_context_new: create a context, with one reference
 *
 * Cheap: the monitor is set up when first needed.
 * Returns: NULL with @errp set when the event notifier cannot be created.
 */
AioContext *aio_context_new(Error **errp);
void aio_context_ref(AioContext *ctx);

/*
 * aio_context_unref: drop a reference
 *
 * The last one destroys the context: in the home thread, or when the home
 * thread will not poll it again.  Bottom halves, pending timers, handlers and
 * scheduled coroutines must be gone; what is left over is named and the program
 * aborts.  Timers that are not pending and coroutines that have yielded are not
 * noticed, and may not be used any more.
 *
 * A bottom half or a coroutine may end the context it was scheduled in:
 * destruction waits for those who are still inside the scheduling function.
 */
void aio_context_unref(AioContext *ctx);

/* Used by aio_context_new() and by the last aio_context_unref(). */
void aio_context_setup(AioContext *ctx);
void aio_context_destroy(AioContext *ctx);

/* A recursive lock for data that several threads share with the context's
 * callbacks.  aio_poll() does not take it. */
void aio_context_acquire(AioContext *ctx);
void aio_context_release(AioContext *ctx);

/* ---- bottom halves ------------------------------------------------------ */

#ifndef stringify
#define stringify(s) tostring(s)
#define tostring(s) #s
#endif

/*
 * aio_bh_schedule_oneshot_full: run @cb once, as soon as possible
 * @name: kept by pointer, for messages
 */
void aio_bh_schedule_oneshot_full(AioContext *ctx, QEMUBHFunc *cb, void *opaque,
                                  const char *name);
#define aio_bh_schedule_oneshot(ctx, cb, opaque) \
    aio_bh_schedule_oneshot_full((ctx), (cb), (opaque), (stringify(cb)))

/*
 * aio_bh_new_full: create a bottom half: a callback that can be scheduled
 * @name: kept by pointer, for messages
 *
 * Scheduling allocates nothing, never blocks, and is allowed in any thread and
 * in signal handlers.
 */
QEMUBH *aio_bh_new_full(AioContext *ctx, QEMUBHFunc *cb, void *opaque,
                        const char *name);
#define aio_bh_new(ctx, cb, opaque) \
    aio_bh_new_full((ctx), (cb), (opaque), (stringify(cb)))

/* Calls the callback, scheduled or not.  Home thread. */
void aio_bh_call(QEMUBH *bh);

/* Runs what was scheduled when called (nested: also what outer calls still have
 * before them).  Home thread.  Returns: 1 if a callback ran that counts as
 * progress, else 0. */
int aio_bh_poll(AioContext *ctx);

/*
 * qemu_bh_schedule: run @bh at the next opportunity
 *
 * Once, however often it is called before the callback starts.  A bottom half
 * that schedules itself runs again in the next pass, not in this one.
 */
void qemu_bh_schedule(QEMUBH *bh);

/* Undoes qemu_bh_schedule(); from other threads than the home this can come too
 * late. */
void qemu_bh_cancel(QEMUBH *bh);

/* Cancels, and frees in the next pass; allowed in the callback itself.  Do not
 * touch @bh afterwards. */
void qemu_bh_delete(QEMUBH *bh);

/* ---- waking up ---------------------------------------------------------- */

/* Makes a waiting aio_poll() return, and one that is about to wait look again
 * at what there is to do.  Also for signal handlers. */
void aio_notify(AioContext *ctx);

/* The other half, called by the loop before it looks at anything. */
void aio_notify_accept(AioContext *ctx);

/* ---- running ------------------------------------------------------------ */

/*
 * aio_poll: one pass
 * @blocking: whether to wait until there is something to do
 *
 * Home thread.  May be called from any callback, bottom half, timer or
 * coroutine of the same context.
 * Returns: true when something was done: a bottom half (not an idle one), a
 * handler, a timer or a coroutine ran.  false is possible with @blocking: after
 * aio_notify(), a signal, or an idle bottom half.
 */
bool aio_poll(AioContext *ctx, bool blocking);

/* The pieces of a pass for another loop that waits on our behalf (a GSource):
 * is there anything to do before the wait, after it; do it.  Home thread. */
bool aio_prepare(AioContext *ctx);
bool aio_pending(AioContext *ctx);
void aio_dispatch(AioContext *ctx);

/* Nanoseconds a blocking pass may wait: 0 when there is something to do, -1 for
 * ever.  Home thread. */
int64_t aio_compute_timeout(AioContext *ctx);

/* ---- file descriptors --------------------------------------------------- */

/*
 * aio_set_fd_handler: set, change or (all callbacks NULL) remove a handler
 * @is_external: ignored while aio_disable_external() is in force
 * @io_read: called when the fd is readable, was hung up, or has an error
 * @io_write: called when it is writable or has an error
 * @io_poll: for busy polling: looks at memory and says whether there is work
 * @io_poll_ready: called when @io_poll said so; without it @io_poll is ignored
 *
 * Level-triggered: a callback that leaves the fd ready is called again in the
 * next pass.  io_read runs before io_write.  Callbacks set by aio_set_fd_poll()
 * survive a change.  Once this returned in the home thread, a removed handler
 * is not called again.  A negative @fd aborts, but to remove one does nothing;
 * an @fd that is not open is never ready.
 */
void aio_set_fd_handler(AioContext *ctx, int fd, bool is_external,
                        IOHandler *io_read, IOHandler *io_write,
                        AioPollFn *io_poll, IOHandler *io_poll_ready,
                        void *opaque);

/* Callbacks for when busy polling of a registered fd begins and ends.  Ignored
 * for an fd without a handler. */
void aio_set_fd_poll(AioContext *ctx, int fd, IOHandler *io_poll_begin,
                     IOHandler *io_poll_end);

/* The same two for an event notifier; the callbacks get the notifier. */
void aio_set_event_notifier(AioContext *ctx, EventNotifier *notifier,
                            bool is_external, EventNotifierHandler *io_read,
                            AioPollFn *io_poll,
                            EventNotifierHandler *io_poll_ready);
void aio_set_event_notifier_poll(AioContext *ctx, EventNotifier *notifier,
                                 EventNotifierHandler *io_poll_begin,
                                 EventNotifierHandler *io_poll_end);

/* Ignore external handlers, nestable; their events are seen afterwards. */
void aio_disable_external(AioContext *ctx);
void aio_enable_external(AioContext *ctx);
bool aio_external_disabled(AioContext *ctx);
/* May a handler with this is_external be run now? */
bool aio_node_check(AioContext *ctx, bool is_external);

/* ---- GLib --------------------------------------------------------------- */

/* A GSource that runs the context in a GMainContext, with a reference for the
 * caller.  Home thread.  The monitor in use stays in use. */
GSource *aio_get_g_source(AioContext *ctx);
/* Prepares the context for it; used by aio_get_g_source(). */
void aio_context_use_g_source(AioContext *ctx);

/* ---- file engines ------------------------------------------------------- */

/* Created on first use.  Home thread. */
struct ThreadPool *aio_get_thread_pool(AioContext *ctx);

/* setup: NULL with @errp set when the kernel refuses; idempotent.  get: aborts
 * unless set up.  Home thread. */
struct LinuxAioState *aio_setup_linux_aio(AioContext *ctx, Error **errp);
struct LinuxAioState *aio_get_linux_aio(AioContext *ctx);
struct LuringState *aio_setup_linux_io_uring(AioContext *ctx, Error **errp);
struct LuringState *aio_get_linux_io_uring(AioContext *ctx);

/* ---- timers of a context ------------------------------------------------ */

/* timer_new_full() and timer_init_full() with the context's own timer lists. */
QEMUTimer *aio_timer_new_with_attrs(AioContext *ctx, QEMUClockType type,
                                    int scale, int attributes, QEMUTimerCB *cb,
                                    void *opaque);
QEMUTimer *aio_timer_new(AioContext *ctx, QEMUClockType type, int scale,
                         QEMUTimerCB *cb, void *opaque);
void aio_timer_init_with_attrs(AioContext *ctx, QEMUTimer *ts,
                               QEMUClockType type, int scale, int attributes,
                               QEMUTimerCB *cb, void *opaque);
void aio_timer_init(AioContext *ctx, QEMUTimer *ts, QEMUClockType type,
                    int scale, QEMUTimerCB *cb, void *opaque);

/* ---- coroutines --------------------------------------------------------- */

/*
 * aio_co_schedule: run @co in @ctx, in the last phase of a pass
 *
 * @co must have yielded, or do so before @ctx gets to it (which is certain when
 * @co itself calls this for the context it runs in).  Nobody else may enter it
 * meanwhile; scheduling it twice aborts, naming who scheduled it first.
 */
void aio_co_schedule(AioContext *ctx, Coroutine *co);

/* Moves the running coroutine to @new_ctx; returns there.  Does nothing when it
 * runs there already. */
void coroutine_fn aio_co_reschedule_self(AioContext *new_ctx);

/* aio_co_enter() in the context where @co ran last. */
void aio_co_wake(Coroutine *co);

/*
 * aio_co_enter: run @co in @ctx
 *
 * Outside of the home thread, or inside a coroutine of another context:
 * scheduled.  Inside a coroutine of @ctx: when that one yields or ends.  Else
 * at once.
 */
void aio_co_enter(AioContext *ctx, Coroutine *co);

/* The context whose loop the calling thread runs: the one being polled, else
 * the one set below, else the one this thread polled first; NULL: none. */
AioContext *qemu_get_current_aio_context(void);

/* Makes the calling thread the home of @ctx; it must have none of its own so
 * far.  NULL gives it up. */
void qemu_set_current_aio_context(AioContext *ctx);

/* ---- settings ----------------------------------------------------------- */

/*
 * aio_context_set_poll_params: adaptive busy polling before a wait
 * @max_ns: at most so long, 0: never
 * @grow: factor to lengthen by, 0: two
 * @shrink: divisor to shorten by, 0: straight to zero
 */
void aio_context_set_poll_params(AioContext *ctx, int64_t max_ns, int64_t grow,
                                 int64_t shrink, Error **errp);

/* @max_batch: most requests in one submission; 0: the engine's default. */
void aio_context_set_aio_params(AioContext *ctx, int64_t max_batch,
                                Error **errp);

/* Threads kept ready, and most threads there may be. */
void aio_context_set_thread_pool_params(AioContext *ctx, int64_t min,
                                        int64_t max, Error **errp);

AIOCTL_END_DECLS
#endif
