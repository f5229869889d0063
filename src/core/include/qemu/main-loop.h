/*
 * qemu/main-loop.h - the main context, and bottom halves that can wait
 *
 * A program may have one main context: qemu_init_main_loop() creates it and
 * makes the calling thread its home, "the main thread".  It ends with its last
 * reference, which the main thread drops.
 */
#ifndef QEMU_MAIN_LOOP_H
#define QEMU_MAIN_LOOP_H

#include "block/aio.h"

/* How much can be taken, and the taking, of a source that pushes bytes. */
typedef int IOCanReadHandler(void *opaque);
typedef void IOReadHandler(void *opaque, const uint8_t *buf, int size);

AIOCTL_BEGIN_DECLS

/* Creates the main context; call once, from the thread that will run it.
 * Returns 0, or a negative errno with @errp set. */
int qemu_init_main_loop(Error **errp);

/* The main context; NULL before qemu_init_main_loop().  Any thread. */
AioContext *qemu_get_aio_context(void);

/* Makes the main context's aio_poll() return; any thread, signal handlers. */
void qemu_notify_event(void);

/*
 * main_loop_wait: one pass over the main context, and over the iohandlers
 *
 * Main thread.  Gives up the big lock while it sleeps; aio_poll() does not.
 */
void main_loop_wait(int nonblocking);

/* ---- the big lock ------------------------------------------------------- */

/*
 * The main thread holds it from qemu_init_main_loop() on, except while
 * main_loop_wait() sleeps.  A thread without a context that takes it has the
 * main context as its current one.
 */
bool qemu_mutex_iothread_locked(void);
void qemu_mutex_lock_iothread(void);
void qemu_mutex_unlock_iothread(void);

/* Condition variables that go with it; false: @ms went by. */
void qemu_cond_wait_iothread(QemuCond *cond);
bool qemu_cond_timedwait_iothread(QemuCond *cond, int ms);

/* The names that QEMU gave them later. */
#define bql_locked() qemu_mutex_iothread_locked()
#define bql_lock() qemu_mutex_lock_iothread()
#define bql_unlock() qemu_mutex_unlock_iothread()

/* Is this the main thread, or one that holds the big lock? */
bool qemu_in_main_thread(void);

/* Says of a function who calls it: the main thread, any thread, or either. */
#define GLOBAL_STATE_CODE() assert(qemu_in_main_thread())
#define IO_CODE() ((void)0)
#define IO_OR_GS_CODE() ((void)0)

/* ---- handlers that only main_loop_wait() runs --------------------------- */

/*
 * A context of the main thread's for the world outside: polling the main
 * context does not run it.  Its callbacks see the main context as the current
 * one.  It is the main context's own; take a reference to keep it longer.
 */
AioContext *iohandler_get_aio_context(void);
GSource *iohandler_get_g_source(void); /* with a reference for the caller */

/* aio_set_fd_handler() there, without the polling callbacks. */
void qemu_set_fd_handler(int fd, IOHandler *fd_read, IOHandler *fd_write,
                         void *opaque);
void event_notifier_set_handler(EventNotifier *e,
                                EventNotifierHandler *handler);

/* ---- bottom halves ------------------------------------------------------ */

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

/* ---- the big lock for a scope ------------------------------------------- */

static inline bool big_lock_auto_lock(void)
{
    bool taken = !qemu_mutex_iothread_locked();

    if (taken) {
        qemu_mutex_lock_iothread();
    }
    return taken;
}

static inline void big_lock_auto_unlock(bool *taken)
{
    if (*taken) {
        qemu_mutex_unlock_iothread();
    }
}

/* Until the end of the enclosing block; nothing when held already. */
#define QEMU_IOTHREAD_LOCK_GUARD()                                    \
    __attribute__((unused, cleanup(big_lock_auto_unlock))) bool glue( \
        big_lock_auto, __COUNTER__) = big_lock_auto_lock()
#define BQL_LOCK_GUARD() QEMU_IOTHREAD_LOCK_GUARD()

#endif
