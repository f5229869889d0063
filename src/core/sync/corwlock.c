/*
 * corwlock.c - many readers or one writer, among coroutines
 *
 * Those who cannot have the lock at once leave a ticket, on their own stack, in
 * one queue for readers and writers.  Whoever changes the owners also grants
 * the tickets at the front that have become possible: it counts them as owners
 * first, and wakes them afterwards.  So nobody has to look again when it runs,
 * and nobody overtakes.
 *
 * Rule: owners, queue and tickets are touched under lock->mutex only; a ticket
 * that was granted dies when its coroutine is woken.
 */
#include "base/check.h"
#include "block/aio.h"
#include "coro/thread.h"

enum { WRITER = -1 };

struct CoRwTicket {
    Coroutine *co;
    bool read;
    QSIMPLEQ_ENTRY(CoRwTicket) next;
};

typedef QSIMPLEQ_HEAD(TicketQueue, CoRwTicket) TicketQueue;

void qemu_co_rwlock_init(CoRwlock *lock)
{
    qemu_mutex_init(&lock->mutex);
    lock->owners = 0;
    QSIMPLEQ_INIT(&lock->tickets);
}

static bool grantable(const CoRwlock *lock, bool read)
{
    return read ? lock->owners >= 0 : lock->owners == 0;
}

static void add_owner(CoRwlock *lock, bool read)
{
    lock->owners = read ? lock->owners + 1 : WRITER;
}

static Coroutine *running(void)
{
    CHECKF(qemu_in_coroutine(), "a CoRwlock is used outside of coroutines");
    return qemu_coroutine_self();
}

/* Unlocks, having granted what can be granted.  Ends: each round takes a ticket
 * off the queue, and nobody adds to it meanwhile. */
static void grant_and_unlock(CoRwlock *lock)
{
    TicketQueue granted = QSIMPLEQ_HEAD_INITIALIZER(granted);
    CoRwTicket *ticket;

    while ((ticket = QSIMPLEQ_FIRST(&lock->tickets)) &&
           grantable(lock, ticket->read)) {
        QSIMPLEQ_REMOVE_HEAD(&lock->tickets, next);
        add_owner(lock, ticket->read);
        QSIMPLEQ_INSERT_TAIL(&granted, ticket, next);
    }
    qemu_mutex_unlock(&lock->mutex);

    while ((ticket = QSIMPLEQ_FIRST(&granted))) {
        QSIMPLEQ_REMOVE_HEAD(&granted, next);
        aio_co_wake(ticket->co);
    }
}

/* Called with the mutex held, returns without. */
static void coroutine_fn wait_and_unlock(CoRwlock *lock, bool read)
{
    CoRwTicket ticket = {.co = qemu_coroutine_self(), .read = read};

    QSIMPLEQ_INSERT_TAIL(&lock->tickets, &ticket, next);
    grant_and_unlock(lock); /* an upgrader may have been the last reader */
    qemu_coroutine_yield();
}

static void coroutine_fn take(CoRwlock *lock, bool read)
{
    Coroutine *self = running();

    qemu_mutex_lock(&lock->mutex);
    if (QSIMPLEQ_EMPTY(&lock->tickets) && grantable(lock, read)) {
        add_owner(lock, read);
        qemu_mutex_unlock(&lock->mutex);
    } else {
        wait_and_unlock(lock, read);
    }
    self->locks_held++;
}

void coroutine_fn qemu_co_rwlock_rdlock(CoRwlock *lock)
{
    take(lock, true);
}

void coroutine_fn qemu_co_rwlock_wrlock(CoRwlock *lock)
{
    take(lock, false);
}

void coroutine_fn qemu_co_rwlock_unlock(CoRwlock *lock)
{
    Coroutine *self = running();

    CHECKF(self->locks_held > 0,
           "coroutine '%s' unlocks a CoRwlock that it "
           "does not hold",
           coroutine_name(self));
    self->locks_held--;
    qemu_mutex_lock(&lock->mutex);
    CHECKF(lock->owners != 0, "a CoRwlock that is not locked is unlocked");
    lock->owners = lock->owners == WRITER ? 0 : lock->owners - 1;
    grant_and_unlock(lock);
}

void coroutine_fn qemu_co_rwlock_downgrade(CoRwlock *lock)
{
    qemu_mutex_lock(&lock->mutex);
    CHECKF(lock->owners == WRITER, "a CoRwlock is downgraded that is not "
                                   "locked for writing");
    lock->owners = 1;
    grant_and_unlock(lock);
}

void coroutine_fn qemu_co_rwlock_upgrade(CoRwlock *lock)
{
    qemu_mutex_lock(&lock->mutex);
    CHECKF(lock->owners > 0, "a CoRwlock is upgraded that is not locked for "
                             "reading");
    if (lock->owners == 1 && QSIMPLEQ_EMPTY(&lock->tickets)) {
        lock->owners = WRITER;
        qemu_mutex_unlock(&lock->mutex);
    } else {
        lock->owners--;
        wait_and_unlock(lock, false);
    }
}
