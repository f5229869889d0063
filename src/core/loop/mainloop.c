/*
 * mainloop.c - the main context, and the big lock
 *
 * The main context is an ordinary one that can be found from anywhere.  The big
 * lock is what other threads take to keep out each other; the main thread
 * counts as its owner at any time, except between qemu_mutex_unlock_iothread()
 * and qemu_mutex_lock_iothread().
 */
#include "qemu/main-loop.h"

#include "loop/context.h"
#include "loop/timerlist.h"
#include "qemu/atomic.h"

static AioContext *main_context; /* atomic; set once */
static QemuMutex big_lock;

QEMU_DEFINE_STATIC_CO_TLS(bool, big_lock_held)

int qemu_init_main_loop(Error **errp)
{
    CHECKF(!qemu_get_aio_context(), "qemu_init_main_loop() called twice");

    AioContext *ctx = aio_context_new(errp);

    if (!ctx) {
        return -EMFILE;
    }
    qemu_mutex_init(&big_lock);
    qemu_set_current_aio_context(ctx);
    qatomic_store_release(&main_context, ctx);
    qemu_mutex_lock_iothread();
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

void main_loop_wait(int nonblocking)
{
    aio_poll(qemu_get_aio_context(), !nonblocking);
}

QEMUTimerListGroup *timer_main_group(void)
{
    AioContext *ctx = qemu_get_aio_context();

    CHECKF(ctx, "a timer without a context, before qemu_init_main_loop()");
    return &ctx->tlg;
}

/* ---- the big lock ------------------------------------------------------- */

bool qemu_mutex_iothread_locked(void)
{
    return get_big_lock_held();
}

void qemu_mutex_lock_iothread(void)
{
    CHECKF(!get_big_lock_held(), "this thread already has the big lock");
    qemu_mutex_lock(&big_lock);
    set_big_lock_held(true);
}

void qemu_mutex_unlock_iothread(void)
{
    CHECKF(get_big_lock_held(), "this thread does not have the big lock");
    set_big_lock_held(false);
    qemu_mutex_unlock(&big_lock);
}

/* ---- the main context's handlers and bottom halves ---------------------- */

void qemu_set_fd_handler(int fd, IOHandler *fd_read, IOHandler *fd_write,
                         void *opaque)
{
    aio_set_fd_handler(qemu_get_aio_context(), fd, false, fd_read, fd_write,
                       NULL, NULL, opaque);
}

void event_notifier_set_handler(EventNotifier *e, EventNotifierHandler *handler)
{
    aio_set_event_notifier(qemu_get_aio_context(), e, false, handler, NULL,
                           NULL);
}

QEMUBH *qemu_bh_new_full(QEMUBHFunc *cb, void *opaque, const char *name)
{
    return aio_bh_new_full(qemu_get_aio_context(), cb, opaque, name);
}
