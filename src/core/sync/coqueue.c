/*
 * coqueue.c - coroutines that wait for something, in order
 *
 * A plain list, protected by the lock that the caller passes (or by there being
 * one thread).  A coroutine is taken off the list before it is woken, so that
 * its link is free for the wake-up.  Another thread may wake it before it has
 * yielded: its own context does not get to it until then.
 *
 * Rule: waking all wakes those who wait when it begins.  Who comes back to wait
 * again is not woken twice, so it ends.
 */
#include "base/check.h"
#include "block/aio.h"
#include "qemu/coroutine_int.h"

void qemu_co_queue_init(CoQueue *queue)
{
    QSIMPLEQ_INIT(&queue->entries);
}

void coroutine_fn qemu_co_queue_wait_impl(CoQueue *queue, QemuLockable *lock,
                                          int flags)
{
    Coroutine *self = qemu_coroutine_self();

    CHECKF(qemu_in_coroutine(), "a CoQueue is waited for outside of "
                                "coroutines");
    if (flags & CO_QUEUE_WAIT_FRONT) {
        QSIMPLEQ_INSERT_HEAD(&queue->entries, self, co_queue_next);
    } else {
        QSIMPLEQ_INSERT_TAIL(&queue->entries, self, co_queue_next);
    }
    if (lock) {
        qemu_lockable_unlock(lock);
    }
    qemu_coroutine_yield();
    if (lock) {
        qemu_lockable_lock(lock);
    }
}

static Coroutine *take_first(CoQueue *queue)
{
    Coroutine *co = QSIMPLEQ_FIRST(&queue->entries);

    if (co) {
        QSIMPLEQ_REMOVE_HEAD(&queue->entries, co_queue_next);
    }
    return co;
}

bool coroutine_fn qemu_co_queue_next(CoQueue *queue)
{
    Coroutine *co = take_first(queue);

    if (co) {
        aio_co_wake(co);
    }
    return co;
}

void coroutine_fn qemu_co_queue_restart_all(CoQueue *queue)
{
    qemu_co_enter_all_impl(queue, NULL);
}

static void wake_unlocked(Coroutine *co, QemuLockable *lock)
{
    if (lock) {
        qemu_lockable_unlock(lock);
    }
    aio_co_wake(co);
    if (lock) {
        qemu_lockable_lock(lock);
    }
}

bool qemu_co_enter_next_impl(CoQueue *queue, QemuLockable *lock)
{
    Coroutine *co = take_first(queue);

    if (co) {
        wake_unlocked(co, lock);
    }
    return co;
}

void qemu_co_enter_all_impl(CoQueue *queue, QemuLockable *lock)
{
    CoQueue all;
    Coroutine *co;

    qemu_co_queue_init(&all);
    QSIMPLEQ_CONCAT(&all.entries, &queue->entries);
    while ((co = take_first(&all))) {
        wake_unlocked(co, lock);
    }
}

bool qemu_co_queue_empty(CoQueue *queue)
{
    return QSIMPLEQ_EMPTY(&queue->entries);
}
