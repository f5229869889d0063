/*
 * qemu/coroutine.h - coroutines for those who use them
 *
 * Locks, queues and sleep that park the calling coroutine where the ones of
 * qemu/thread.h would block its thread.  They may be shared by coroutines of
 * any contexts and threads; a coroutine goes on in the context it waited in.
 *
 * Nothing here needs to be destroyed.  An object may be freed as soon as nobody
 * holds it, waits for it, or is going to use it.
 */
#ifndef QEMU_COROUTINE_H
#define QEMU_COROUTINE_H

#include "qemu/coroutine-core.h"
#include "qemu/lockable.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"

struct iovec;
typedef struct CoMutexWaiter CoMutexWaiter;
typedef struct CoRwTicket CoRwTicket;

/* All fields of the four are private. */

struct CoMutex {
    uintptr_t state;        /* see sync/comutex.c */
    CoMutexWaiter *waiting; /* to be served before those in state */
    Coroutine *holder;
    const void *thread; /* where the holder took it */
};

struct CoQueue {
    QSIMPLEQ_HEAD(, Coroutine) entries;
};

struct CoRwlock {
    QemuMutex mutex; /* held for a few instructions, never across a yield */
    int owners;      /* readers; -1: a writer */
    QSIMPLEQ_HEAD(, CoRwTicket) tickets;
};

typedef struct QemuCoSleep {
    Coroutine *to_wake;
} QemuCoSleep;

AIOCTL_BEGIN_DECLS

/*
 * Finished coroutines are kept for reuse, up to a process-wide bound.  A user
 * that expects many at once raises the bound, and lowers it when done.
 */
void qemu_coroutine_inc_pool_size(unsigned int additional_pool_size);
void qemu_coroutine_dec_pool_size(unsigned int additional_pool_size);

/* ---- mutex -------------------------------------------------------------- */

/*
 * CoMutex: one coroutine at a time, first come first served
 *
 * Unlocking hands the mutex to the coroutine that has waited longest; nobody
 * overtakes it.  Only the coroutine that locked it may unlock it.  A coroutine
 * that locks it twice, or ends while holding it, aborts the program.
 */
void qemu_co_mutex_init(CoMutex *mutex);
void coroutine_fn qemu_co_mutex_lock(CoMutex *mutex);
void coroutine_fn qemu_co_mutex_unlock(CoMutex *mutex);
/* Aborts unless the running coroutine holds @mutex. */
void coroutine_fn qemu_co_mutex_assert_locked(CoMutex *mutex);

/* ---- condition queue ---------------------------------------------------- */

/*
 * CoQueue: coroutines waiting for something, in order
 *
 * It has no lock of its own: whoever touches it holds the same @lock (of any
 * kind QEMU_MAKE_LOCKABLE() knows), or NULL when all users are in one thread.
 */
void qemu_co_queue_init(CoQueue *queue);

typedef enum {
    CO_QUEUE_WAIT_FRONT = 1, /* before all who wait already */
} CoQueueWaitFlags;

/*
 * qemu_co_queue_wait: release @lock, wait to be woken, take @lock again
 *
 * There are no spurious wake-ups, but who holds the lock first after a wake-up
 * is open: test the condition in a loop.
 */
#define qemu_co_queue_wait(queue, lock) \
    qemu_co_queue_wait_impl((queue), QEMU_MAKE_LOCKABLE(lock), 0)
#define qemu_co_queue_wait_flags(queue, lock, flags) \
    qemu_co_queue_wait_impl((queue), QEMU_MAKE_LOCKABLE(lock), (flags))
void coroutine_fn qemu_co_queue_wait_impl(CoQueue *queue, QemuLockable *lock,
                                          int flags);

/* Wakes the first; it runs when the caller yields or releases the lock.
 * Returns: false when nobody waited. */
bool coroutine_fn qemu_co_queue_next(CoQueue *queue);

/* Wakes all who wait now. */
void coroutine_fn qemu_co_queue_restart_all(CoQueue *queue);

/*
 * qemu_co_enter_next, qemu_co_enter_all: the same from outside of coroutines
 *
 * Coroutines of the caller's own context run before these return; meanwhile
 * @lock is released.
 */
#define qemu_co_enter_next(queue, lock) \
    qemu_co_enter_next_impl((queue), QEMU_MAKE_LOCKABLE(lock))
#define qemu_co_enter_all(queue, lock) \
    qemu_co_enter_all_impl((queue), QEMU_MAKE_LOCKABLE(lock))
bool qemu_co_enter_next_impl(CoQueue *queue, QemuLockable *lock);
void qemu_co_enter_all_impl(CoQueue *queue, QemuLockable *lock);

bool qemu_co_queue_empty(CoQueue *queue);

/* ---- readers and writers ------------------------------------------------ */

/*
 * CoRwlock: many readers or one writer, first come first served
 *
 * A reader that comes after a waiting writer waits behind it; so a coroutine
 * must not take the read lock twice.
 */
void qemu_co_rwlock_init(CoRwlock *lock);
void coroutine_fn qemu_co_rwlock_rdlock(CoRwlock *lock);
void coroutine_fn qemu_co_rwlock_wrlock(CoRwlock *lock);

/* From reader to writer: at once when the caller is the only reader and nobody
 * waits; else as if it had unlocked and asked again, so that other writers may
 * have been there in between. */
void coroutine_fn qemu_co_rwlock_upgrade(CoRwlock *lock);

/* From writer to reader; no writer gets in between. */
void coroutine_fn qemu_co_rwlock_downgrade(CoRwlock *lock);
void coroutine_fn qemu_co_rwlock_unlock(CoRwlock *lock);

/* ---- time --------------------------------------------------------------- */

/* Waits @ns nanoseconds of clock @type; in a thread that runs a context. */
void coroutine_fn qemu_co_sleep_ns(QEMUClockType type, int64_t ns);

/*
 * qemu_co_sleep_ns_wakeable: the same, cut short by qemu_co_sleep_wake()
 * @w: zeroed; the coroutine's until the sleep ends
 */
void coroutine_fn qemu_co_sleep_ns_wakeable(QemuCoSleep *w, QEMUClockType type,
                                            int64_t ns);

/* Waits for qemu_co_sleep_wake(). */
void coroutine_fn qemu_co_sleep(QemuCoSleep *w);

/* Ends the sleep, if there is one.  Any thread, coroutine or not; who calls it
 * sees to it that @w still exists. */
void qemu_co_sleep_wake(QemuCoSleep *w);

typedef void CleanupFunc(void *opaque);

/*
 * qemu_co_timeout: run entry(opaque) in a new coroutine, but do not wait longer
 * than @timeout_ns for it
 * @clean: called with @opaque when @entry ends after the timeout; may be NULL
 *
 * Returns: 0 when @entry has ended; -ETIMEDOUT when it goes on alone.
 */
int coroutine_fn qemu_co_timeout(CoroutineEntry *entry, void *opaque,
                                 uint64_t timeout_ns, CleanupFunc *clean);

/* ---- descriptors -------------------------------------------------------- */

/* Waits until @fd is readable (or hung up), with a handler in the current
 * context that takes the place of any other that @fd has there. */
void coroutine_fn yield_until_fd_readable(int fd);

/*
 * qemu_co_sendv_recvv: transfer all of @bytes, from @offset bytes into the
 * vector on
 *
 * Yields when the socket is not ready: the caller has a handler on @sockfd that
 * enters the coroutine again.
 * Returns: the bytes transferred, less than asked for at end of file or after
 * an error; a negative errno when there were none.
 */
ssize_t coroutine_fn qemu_co_sendv_recvv(int sockfd, struct iovec *iov,
                                         unsigned iov_cnt, size_t offset,
                                         size_t bytes, bool do_send);
ssize_t coroutine_fn qemu_co_send_recv(int sockfd, void *buf, size_t bytes,
                                       bool do_send);
#define qemu_co_recvv(sockfd, iov, iov_cnt, offset, bytes) \
    qemu_co_sendv_recvv(sockfd, iov, iov_cnt, offset, bytes, false)
#define qemu_co_sendv(sockfd, iov, iov_cnt, offset, bytes) \
    qemu_co_sendv_recvv(sockfd, iov, iov_cnt, offset, bytes, true)
#define qemu_co_recv(sockfd, buf, bytes) \
    qemu_co_send_recv(sockfd, buf, bytes, false)
#define qemu_co_send(sockfd, buf, bytes) \
    qemu_co_send_recv(sockfd, buf, bytes, true)

AIOCTL_END_DECLS
#endif
