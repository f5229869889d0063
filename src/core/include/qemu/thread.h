/*
 * qemu/thread.h - threads, locks and events
 *
 * Thin layers over POSIX threads: a failing call is a programmer error and
 * aborts with the object's kind.  Condition variables use the monotonic clock.
 * Nothing here may be used in a coroutine to wait for another coroutine of the
 * same thread: it blocks the thread.
 */
#ifndef QEMU_THREAD_H
#define QEMU_THREAD_H

#include <pthread.h>

#include "qemu/lockcnt.h"
#include "qemu/osdep.h"

typedef struct QemuMutex {
    pthread_mutex_t lock;
    bool initialized;
} QemuMutex;

/* May be taken again by its owner; as many unlocks release it. */
typedef struct QemuRecMutex {
    QemuMutex m;
} QemuRecMutex;

typedef struct QemuCond {
    pthread_cond_t cond;
    bool initialized;
} QemuCond;

typedef struct QemuSemaphore {
    QemuMutex mutex;
    QemuCond cond;
    unsigned int count;
} QemuSemaphore;

/* For a few instructions at a time: waiters keep their processor. */
typedef struct QemuSpin {
    int value; /* 0: free */
} QemuSpin;

/* A flag that threads can wait for.  value: see base/event.c. */
typedef struct QemuEvent {
    unsigned value;
    bool initialized;
} QemuEvent;

typedef struct QemuThread {
    pthread_t thread;
} QemuThread;

#define QEMU_THREAD_JOINABLE 0
#define QEMU_THREAD_DETACHED 1

AIOCTL_BEGIN_DECLS

void qemu_mutex_init(QemuMutex *mutex);
void qemu_mutex_destroy(QemuMutex *mutex); /* must be unlocked */
void qemu_mutex_lock(QemuMutex *mutex);
int qemu_mutex_trylock(QemuMutex *mutex); /* 0 when taken, else -EBUSY */
void qemu_mutex_unlock(QemuMutex *mutex);

void qemu_rec_mutex_init(QemuRecMutex *mutex);
void qemu_rec_mutex_destroy(QemuRecMutex *mutex);
void qemu_rec_mutex_lock(QemuRecMutex *mutex);
int qemu_rec_mutex_trylock(QemuRecMutex *mutex);
void qemu_rec_mutex_unlock(QemuRecMutex *mutex);

void qemu_spin_init(QemuSpin *spin);
void qemu_spin_destroy(QemuSpin *spin); /* must be unlocked */
void qemu_spin_lock(QemuSpin *spin);
bool qemu_spin_trylock(QemuSpin *spin); /* true: somebody has it */
bool qemu_spin_locked(QemuSpin *spin);
void qemu_spin_unlock(QemuSpin *spin);

/* Wake-ups may be spurious: test the condition in a loop. */
void qemu_cond_init(QemuCond *cond);
void qemu_cond_destroy(QemuCond *cond);
void qemu_cond_signal(QemuCond *cond);
void qemu_cond_broadcast(QemuCond *cond);
void qemu_cond_wait(QemuCond *cond, QemuMutex *mutex);
/* Returns false when @ms milliseconds went by without a wake-up. */
bool qemu_cond_timedwait(QemuCond *cond, QemuMutex *mutex, int ms);

void qemu_sem_init(QemuSemaphore *sem, int init);
void qemu_sem_destroy(QemuSemaphore *sem);
void qemu_sem_post(QemuSemaphore *sem);
void qemu_sem_wait(QemuSemaphore *sem);
/* Returns 0, or -1 after @ms milliseconds (0: only try). */
int qemu_sem_timedwait(QemuSemaphore *sem, int ms);

/*
 * Events: set() before a wait() makes the wait return; everything written
 * before the set is seen after the wait.  One thread resets and waits (reset,
 * test the condition, wait); any thread may set.
 */
void qemu_event_init(QemuEvent *ev, bool init);
void qemu_event_destroy(QemuEvent *ev);
void qemu_event_set(QemuEvent *ev);
void qemu_event_reset(QemuEvent *ev);
void qemu_event_wait(QemuEvent *ev);

/*
 * qemu_thread_create: run start_routine(arg) in a new thread
 * @name: shown by ps and gdb (first 15 bytes); may be NULL
 * @mode: QEMU_THREAD_JOINABLE or _DETACHED
 *
 * All signals are blocked in the new thread.  Aborts when the system refuses;
 * aio_thread_create() reports instead.
 */
void qemu_thread_create(QemuThread *thread, const char *name,
                        void *(*start_routine)(void *), void *arg, int mode);

/* The same, returning 0 or a negative errno. */
int aio_thread_create(QemuThread *thread, const char *name,
                      void *(*start_routine)(void *), void *arg, int mode);

void *qemu_thread_join(QemuThread *thread); /* what the thread returned */
void qemu_thread_get_self(QemuThread *thread);
bool qemu_thread_is_self(QemuThread *thread);
void qemu_thread_exit(void *retval) QEMU_NORETURN;

AIOCTL_END_DECLS
#endif
