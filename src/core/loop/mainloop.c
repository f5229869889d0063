/*
 * mainloop.c - the main context, and the handlers that nested polls leave alone
 *
 * The main context is an ordinary one that can be found from anywhere.  Beside
 * it stands the context of the "iohandlers": what qemu_set_fd_handler() sets is
 * run by main_loop_wait() only, so that code that polls the main context to
 * wait for its own requests is not called back by the world outside.
 *
 * main_loop_wait() makes one pass over the main context, and then over the
 * other, if that has something to do.  While the first one sleeps it watches
 * the other's epoll set, and has a timer for the other's deadline.  A nested
 * poll that finds the set readable stops watching it, lest it spin.
 *
 * Programs that never use the second context do not pay for it.
 *
 * Rule: everything here belongs to the main thread, but for the two pointers
 * and the mark that the second context is in use.
 */
#include "qemu/main-loop.h"

#include "loop/context.h"
#include "loop/timerlist.h"
#include "qemu/atomic.h"

static AioContext *main_context; /* atomic */

static struct {
    AioContext *ctx; /* atomic */
    bool used;       /* atomic; set once */
    bool pending;    /* its epoll set was readable */
    int watched_fd;  /* by the main context; -1: not watched */
    unsigned depth;  /* of the main context in main_loop_wait()'s own pass */
    QEMUTimer deadline;
} iohandler;

/* ---- the second context ------------------------------------------------- */

/* Nobody sleeps in main_loop_wait() when a nested pass ends. */
static void is_awake(AioContext *ctx)
{
}

static void stop_watching(AioContext *ctx)
{
    if (iohandler.watched_fd >= 0) {
        aio_set_fd_handler(ctx, iohandler.watched_fd, false, NULL, NULL, NULL,
                           NULL, NULL);
        iohandler.watched_fd = -1;
    }
}

static void set_is_readable(void *opaque)
{
    AioContext *ctx = opaque;

    iohandler.pending = true;
    if (ctx->depth != iohandler.depth) {
        stop_watching(ctx);
    }
}

static void deadline_passed(void *opaque)
{
    /* It has ended the sleep. */
}

static bool iohandler_setup(AioContext *ctx, Error **errp)
{
    AioContext *io = aio_context_new(errp);

    if (!io) {
        return false;
    }
    if (!aio_context_set_fdmon(io, "epoll!", errp)) {
        aio_context_unref(io);
        return false;
    }
    io->shown_as = ctx;
    iohandler.used = false;
    iohandler.pending = false;
    iohandler.watched_fd = -1;
    aio_timer_init(ctx, &iohandler.deadline, QEMU_CLOCK_REALTIME, SCALE_NS,
                   deadline_passed, NULL);
    qatomic_store_release(&iohandler.ctx, io);
    return true;
}

static void main_loop_destroy(AioContext *ctx)
{
    AioContext *io = iohandler.ctx;

    stop_watching(ctx);
    timer_del(&iohandler.deadline);
    qatomic_set(&main_context, NULL);
    qatomic_set(&iohandler.ctx, NULL);
    aio_context_unref(io);
}

static const ContextHook main_loop_hook = {.destroy = main_loop_destroy};

AioContext *iohandler_get_aio_context(void)
{
    AioContext *io = qatomic_load_acquire(&iohandler.ctx);

    CHECKF(io, "no iohandlers before qemu_init_main_loop()");
    if (!qatomic_read(&iohandler.used)) {
        qatomic_store_release(&iohandler.used, true);
        aio_notify(qemu_get_aio_context());
    }
    return io;
}

/* ---- the main context --------------------------------------------------- */

int qemu_init_main_loop(Error **errp)
{
    CHECKF(!qemu_get_aio_context(), "qemu_init_main_loop() called twice");
    init_clocks(NULL);

    AioContext *ctx = aio_context_new(errp);

    if (!ctx) {
        return -EMFILE;
    }
    qemu_set_current_aio_context(ctx);
    if (!iohandler_setup(ctx, errp)) {
        qemu_set_current_aio_context(NULL);
        aio_context_unref(ctx);
        return -EMFILE;
    }
    context_add_hook(ctx, &main_loop_hook);
    /* Pairs with qemu_get_aio_context(). */
    qatomic_store_release(&main_context, ctx);
    if (!qemu_mutex_iothread_locked()) {
        qemu_mutex_lock_iothread();
    }
    return 0;
}

AioContext *qemu_get_aio_context(void)
{
    return qatomic_load_acquire(&main_context);
}

void qemu_notify_event(void)
{
    AioContext *ctx = qemu_get_aio_context();

    if (ctx) {
        aio_notify(ctx);
    }
}

QEMUTimerListGroup *timer_main_group(void)
{
    AioContext *ctx = qemu_get_aio_context();

    CHECKF(ctx, "a timer without a context, before qemu_init_main_loop()");
    return &ctx->tlg;
}

/* ---- one pass ----------------------------------------------------------- */

void main_loop_begin_sleep(AioContext *ctx)
{
    ctx->unlock_depth = 0;
    if (qemu_mutex_iothread_locked()) {
        qemu_mutex_unlock_iothread();
        ctx->unlocked = true;
    }
}

void main_loop_end_sleep(AioContext *ctx)
{
    if (ctx->unlocked) {
        ctx->unlocked = false;
        qemu_mutex_lock_iothread();
    }
}

/* Only the sleep of this very pass gives up the big lock; a pass without a
 * sleep does so before. */
static void main_pass(AioContext *ctx, bool blocking)
{
    unsigned outer = ctx->unlock_depth;

    big_lock_let_in();
    ctx->unlock_depth = ctx->depth + 1;
    aio_poll(ctx, blocking);
    ctx->unlock_depth = outer;
}

/* From here on what happens to @io wakes the main context.  False: something
 * has happened already. */
static bool iohandler_begin(AioContext *ctx, AioContext *io)
{
    if (!io->source) {
        io->source_wake = is_awake;
    }

    bool idle = !notify_begin_source(io);

    idle &= !aio_prepare(io);
    int fd = io->fdmon->poll_fd ? io->fdmon->poll_fd(io) : -1;
    if (fd != iohandler.watched_fd) {
        stop_watching(ctx);
        if (fd >= 0) {
            aio_set_fd_handler(ctx, fd, false, set_is_readable, NULL, NULL,
                               NULL, ctx);
            iohandler.watched_fd = fd;
        }
    }
    int64_t timeout = aio_compute_timeout(io);
    if (timeout > 0) {
        timer_mod_ns(&iohandler.deadline,
                     qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + timeout);
    }
    return idle && fd >= 0 && timeout && !iohandler.pending;
}

static void iohandler_end(AioContext *io, bool idle)
{
    timer_del(&iohandler.deadline);
    notify_end_source(io);
    /* Idle bottom halves have waited as long as the main context slept. */
    if (!idle || iohandler.pending || bh_timeout(io) >= 0 ||
        aio_compute_timeout(io) == 0) {
        iohandler.pending = false;
        aio_poll(io, false);
    }
}

void main_loop_wait(int nonblocking)
{
    AioContext *ctx = qemu_get_aio_context();
    AioContext *io = iohandler.ctx;

    CHECKF(ctx, "main_loop_wait() before qemu_init_main_loop()");
    if (!qatomic_load_acquire(&iohandler.used)) {
        main_pass(ctx, !nonblocking);
        return;
    }

    unsigned outer = iohandler.depth;
    bool idle = iohandler_begin(ctx, io);

    iohandler.depth = ctx->depth + 1;
    main_pass(ctx, idle && !nonblocking);
    iohandler.depth = outer;
    iohandler_end(io, idle);
}

/* ---- the main context's handlers and bottom halves ---------------------- */

void qemu_set_fd_handler(int fd, IOHandler *fd_read, IOHandler *fd_write,
                         void *opaque)
{
    aio_set_fd_handler(iohandler_get_aio_context(), fd, false, fd_read,
                       fd_write, NULL, NULL, opaque);
}

void event_notifier_set_handler(EventNotifier *e, EventNotifierHandler *handler)
{
    aio_set_event_notifier(iohandler_get_aio_context(), e, false, handler, NULL,
                           NULL);
}

QEMUBH *qemu_bh_new_full(QEMUBHFunc *cb, void *opaque, const char *name)
{
    return aio_bh_new_full(qemu_get_aio_context(), cb, opaque, name);
}
