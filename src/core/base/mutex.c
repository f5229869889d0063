/*
 * base/mutex.c - mutexes, condition variables, semaphores
 *
 * Every object knows whether it is initialized; use before init or after
 * destroy, and any failing call, aborts naming what failed.
 */
#include "base/check.h"
#include "base/clock.h"
#include "qemu/thread.h"

#define UNUSABLE "used before its init or after its destroy"

static void must(int err, const char *what)
{
    CHECKF(err == 0, "%s: %s", what, strerror(err));
}

static void mutex_init(QemuMutex *mutex, int type)
{
    pthread_mutexattr_t attr;
    must(pthread_mutexattr_init(&attr), "mutex attributes");
    must(pthread_mutexattr_settype(&attr, type), "mutex type");
    must(pthread_mutex_init(&mutex->lock, &attr), "mutex init");
    must(pthread_mutexattr_destroy(&attr), "mutex attributes");
    mutex->initialized = true;
}

void qemu_mutex_init(QemuMutex *mutex)
{
#ifdef AIOCTL_DCHECK
    mutex_init(mutex, PTHREAD_MUTEX_ERRORCHECK);
#else
    mutex_init(mutex, PTHREAD_MUTEX_NORMAL);
#endif
}

void qemu_mutex_destroy(QemuMutex *mutex)
{
    CHECKF(mutex->initialized, UNUSABLE);
    mutex->initialized = false;
    must(pthread_mutex_destroy(&mutex->lock), "mutex destroy");
}

void qemu_mutex_lock(QemuMutex *mutex)
{
    CHECKF(mutex->initialized, UNUSABLE);
    must(pthread_mutex_lock(&mutex->lock), "mutex lock");
}

int qemu_mutex_trylock(QemuMutex *mutex)
{
    CHECKF(mutex->initialized, UNUSABLE);
    int err = pthread_mutex_trylock(&mutex->lock);
    if (err != EBUSY) {
        must(err, "mutex trylock");
    }
    return -err;
}

void qemu_mutex_unlock(QemuMutex *mutex)
{
    CHECKF(mutex->initialized, UNUSABLE);
    must(pthread_mutex_unlock(&mutex->lock), "mutex unlock");
}

void qemu_rec_mutex_init(QemuRecMutex *mutex)
{
    mutex_init(&mutex->m, PTHREAD_MUTEX_RECURSIVE);
}

void qemu_rec_mutex_destroy(QemuRecMutex *mutex)
{
    qemu_mutex_destroy(&mutex->m);
}

void qemu_rec_mutex_lock(QemuRecMutex *mutex)
{
    qemu_mutex_lock(&mutex->m);
}

int qemu_rec_mutex_trylock(QemuRecMutex *mutex)
{
    return qemu_mutex_trylock(&mutex->m);
}

void qemu_rec_mutex_unlock(QemuRecMutex *mutex)
{
    qemu_mutex_unlock(&mutex->m);
}

void qemu_cond_init(QemuCond *cond)
{
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr), "condition attributes");
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "condition clock");
    must(pthread_cond_init(&cond->cond, &attr), "condition init");
    must(pthread_condattr_destroy(&attr), "condition attributes");
    cond->initialized = true;
}

void qemu_cond_destroy(QemuCond *cond)
{
    CHECKF(cond->initialized, UNUSABLE);
    cond->initialized = false;
    must(pthread_cond_destroy(&cond->cond), "condition destroy");
}

void qemu_cond_signal(QemuCond *cond)
{
    CHECKF(cond->initialized, UNUSABLE);
    must(pthread_cond_signal(&cond->cond), "condition signal");
}

void qemu_cond_broadcast(QemuCond *cond)
{
    CHECKF(cond->initialized, UNUSABLE);
    must(pthread_cond_broadcast(&cond->cond), "condition broadcast");
}

void qemu_cond_wait(QemuCond *cond, QemuMutex *mutex)
{
    CHECKF(cond->initialized, UNUSABLE);
    must(pthread_cond_wait(&cond->cond, &mutex->lock), "condition wait");
}

/* False once @deadline (monotonic ns) has passed. */
static bool wait_until(QemuCond *cond, QemuMutex *mutex, int64_t deadline)
{
    struct timespec ts = clock_timespec(deadline);
    CHECKF(cond->initialized, UNUSABLE);
    int err = pthread_cond_timedwait(&cond->cond, &mutex->lock, &ts);
    if (err != ETIMEDOUT) {
        must(err, "condition timed wait");
    }
    return err != ETIMEDOUT;
}

static int64_t deadline_in_ms(int ms)
{
    return clock_monotonic_ns() + MAX(ms, 0) * CLOCK_NS_PER_MS;
}

bool qemu_cond_timedwait(QemuCond *cond, QemuMutex *mutex, int ms)
{
    return wait_until(cond, mutex, deadline_in_ms(ms));
}

void qemu_sem_init(QemuSemaphore *sem, int init)
{
    CHECKF(init >= 0, "semaphore with %d units", init);
    qemu_mutex_init(&sem->mutex);
    qemu_cond_init(&sem->cond);
    sem->count = (unsigned)init;
}

void qemu_sem_destroy(QemuSemaphore *sem)
{
    qemu_cond_destroy(&sem->cond);
    qemu_mutex_destroy(&sem->mutex);
}

void qemu_sem_post(QemuSemaphore *sem)
{
    qemu_mutex_lock(&sem->mutex);
    CHECK(sem->count != UINT_MAX);
    sem->count++;
    /* Under the lock: the waiter may destroy the semaphore right after. */
    qemu_cond_signal(&sem->cond);
    qemu_mutex_unlock(&sem->mutex);
}

void qemu_sem_wait(QemuSemaphore *sem)
{
    qemu_mutex_lock(&sem->mutex);
    while (sem->count == 0) {
        qemu_cond_wait(&sem->cond, &sem->mutex);
    }
    sem->count--;
    qemu_mutex_unlock(&sem->mutex);
}

int qemu_sem_timedwait(QemuSemaphore *sem, int ms)
{
    int64_t deadline = ms > 0 ? deadline_in_ms(ms) : 0;
    bool more = ms > 0;
    qemu_mutex_lock(&sem->mutex);
    while (sem->count == 0 && more) {
        more = wait_until(&sem->cond, &sem->mutex, deadline);
    }
    bool got = sem->count > 0;
    sem->count -= got;
    qemu_mutex_unlock(&sem->mutex);
    return got ? 0 : -1;
}
