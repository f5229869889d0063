/*
 * qemu/main-loop.h - the main context, and bottom halves that can wait
 *
 * A program may have one main context: qemu_init_main_loop() creates it and
 * makes the calling thread its home.  That thread always counts as holding the
 * big lock.
 */
#ifndef QEMU_MAIN_LOOP_H
#define QEMU_MAIN_LOOP_H

#include "block/aio.h"

AIOCTL_BEGIN_DECLS

/* Creates the main context; call once, from the thread that will run it.
 * Returns 0, or a negative errno with @errp set. */
int qemu_init_main_loop(Error **errp);

/* The main context; NULL before qemu_init_main_loop().  Any thread. */
AioContext *qemu_get_aio_context(void);

/* Makes the main context's aio_poll() return; any thread, signal handlers. */
void qemu_notify_event(void);

/* One pass over the main context. */
void main_loop_wait(int nonblocking);

/* The big lock: excludes other threads that take it, and the main thread only
 * while that has given it up with qemu_mutex_unlock_iothread(). */
bool qemu_mutex_iothread_locked(void);
void qemu_mutex_lock_iothread(void);
void qemu_mutex_unlock_iothread(void);

/* aio_set_fd_handler() on the main context, without the polling callbacks. */
void qemu_set_fd_handler(int fd, IOHandler *fd_read, IOHandler *fd_write,
                         void *opaque);
void event_notifier_set_handler(EventNotifier *e,
                                EventNotifierHandler *handler);

/* A bottom half of the main context. */
QEMUBH *qemu_bh_new_full(QEMUBHFunc *cb, void *opaque, const char *name);
#define qemu_bh_new(cb, opaque) \
    qemu_bh_new_full((cb), (opaque), (stringify(cb)))

/*
 * qemu_bh_schedule_idle: run @bh when there is nothing better to do
 *
 * It runs with the next bottom halves, at the latest after 10 ms (at once when
 * called from another thread than the home); aio_poll() does not count it as
 * progress.  Any thread.
 */
void qemu_bh_schedule_idle(QEMUBH *bh);

AIOCTL_END_DECLS
#endif
