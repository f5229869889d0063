/*
 * comutex.c - a mutex that parks coroutines
 *
 * One word says everything that several threads have to agree on:
 *
 *     FREE       nobody holds it
 *     HELD       held, nobody in the word's list
 *     a pointer  held; the coroutine that queued last, linked to earlier ones
 *
 * Lockers push themselves by compare-and-swap; the holder, and nobody else,
 * takes the whole list, turns it round into mutex->waiting, and serves that
 * before it looks at the word again.  So waiting coroutines are served in the
 * order in which they queued, and whoever is served owns the mutex before it
 * runs: the word never becomes FREE while somebody waits.
 *
 * A locker that finds the word HELD by another thread first spins for a moment:
 * parking and being woken by another thread costs more than most critical
 * sections.  Spinners take the mutex only when it is FREE, that is, never from
 * somebody who waits.
 *
 * Rule: after the swap to FREE, and after waking the next holder, the mutex is
 * not touched: its new owner may have freed it.
 */
#include "base/check.h"
#include "block/aio.h"
#include "coro/thread.h"
#include "qemu/atomic.h"

enum { FREE = 0, HELD = 1 };

/* About 4 us where PAUSE is slow; a wake-up across threads takes longer. */
enum { SPIN_ROUNDS = 100 };

/* On the stack of the coroutine that waits. */
struct CoMutexWaiter {
    Coroutine *co;
    CoMutexWaiter *next;
};

_Static_assert(_Alignof(CoMutexWaiter) > HELD, "HELD is not a pointer");

void qemu_co_mutex_init(CoMutex *mutex)
{
    *mutex = (CoMutex){.state = FREE};
}

/* On success the holder sees all that earlier holders did. */
static bool change(CoMutex *mutex, uintptr_t *state, uintptr_t next, int order)
{
    return __atomic_compare_exchange_n(&mutex->state, state, next, false, order,
                                       __ATOMIC_RELAXED);
}

/* ---- lock --------------------------------------------------------------- */

static bool try_take(CoMutex *mutex)
{
    uintptr_t state = FREE;

    return change(mutex, &state, HELD, __ATOMIC_ACQUIRE);
}

static bool spin_and_take(CoMutex *mutex, const void *this_thread)
{
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        uintptr_t state = qatomic_read(&mutex->state);

        if (state == FREE && try_take(mutex)) {
            return true;
        }
        /* Behind others, or for a coroutine that waits for us to yield. */
        if (state > HELD || qatomic_read(&mutex->thread) == this_thread) {
            return false;
        }
        cpu_relax();
    }
    return false;
}

/* Takes the mutex, or queues and waits until it has been handed over. */
static void take_or_wait(CoMutex *mutex, Coroutine *self)
{
    CoMutexWaiter waiter = {.co = self};
    uintptr_t state = qatomic_read(&mutex->state);

    CHECKF(qatomic_read(&mutex->holder) != self,
           "coroutine '%s' locks a mutex that it holds", coroutine_name(self));
    /* Ends: each failure means that another thread made progress. */
    for (;;) {
        if (state == FREE) {
            if (change(mutex, &state, HELD, __ATOMIC_ACQUIRE)) {
                return;
            }
            continue;
        }
        waiter.next = state == HELD ? NULL : (CoMutexWaiter *)state;
        /* Release: pairs with the holder's taking the list. */
        if (change(mutex, &state, (uintptr_t)&waiter, __ATOMIC_RELEASE)) {
            break;
        }
    }
    qemu_coroutine_yield();
}

void coroutine_fn qemu_co_mutex_lock(CoMutex *mutex)
{
    CoroutineThread *thread = coroutine_thread();
    Coroutine *self = thread->current;

    CHECKF(self != &thread->leader, "a CoMutex is locked outside of "
                                    "coroutines");
    if (!try_take(mutex) && !spin_and_take(mutex, thread)) {
        take_or_wait(mutex, self);
        thread = coroutine_thread();
    }
    qatomic_set(&mutex->holder, self);
    qatomic_set(&mutex->thread, (const void *)thread);
    self->locks_held++;
}

/* ---- unlock ------------------------------------------------------------- */

/* Frees the mutex and returns NULL, or returns those who wait, longest first.
 */
static CoMutexWaiter *free_or_take_list(CoMutex *mutex)
{
    uintptr_t state = HELD;

    if (change(mutex, &state, FREE, __ATOMIC_RELEASE)) {
        return NULL;
    }
    /* Acquire: pairs with the push. */
    CoMutexWaiter *last = (CoMutexWaiter *)__atomic_exchange_n(
        &mutex->state, HELD, __ATOMIC_ACQUIRE);
    CoMutexWaiter *list = NULL;

    while (last) {
        CoMutexWaiter *earlier = last->next;
        last->next = list;
        list = last;
        last = earlier;
    }
    return list;
}

void coroutine_fn qemu_co_mutex_unlock(CoMutex *mutex)
{
    Coroutine *self = qemu_coroutine_self();

    qemu_co_mutex_assert_locked(mutex);
    qatomic_set(&mutex->holder, NULL);
    self->locks_held--;

    CoMutexWaiter *next = mutex->waiting;

    if (!next) {
        next = free_or_take_list(mutex);
    }
    if (next) {
        mutex->waiting = next->next;
        aio_co_wake(next->co);
    }
}

void coroutine_fn qemu_co_mutex_assert_locked(CoMutex *mutex)
{
    Coroutine *self = qemu_coroutine_self();

    CHECKF(qatomic_read(&mutex->holder) == self,
           "a CoMutex is not held by coroutine '%s'", coroutine_name(self));
}
