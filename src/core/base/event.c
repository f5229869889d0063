/*
 * base/event.c - QemuEvent on a futex
 *
 *   SET    wait returns at once
 *   FREE   not set, nobody sleeps: set needs no system call
 *   BUSY   not set, somebody may sleep: set wakes everybody
 *
 * The word moves FREE -> BUSY (a waiter), FREE or BUSY -> SET (a setter) and
 * SET -> FREE (reset).  A reset when not SET does nothing, so a sleeper's BUSY
 * is never lost.  set is a full barrier and so is reset: "reset, test the
 * condition, wait" against "make it true, set" misses nothing.
 */
#include "qemu/thread.h"

#include "base/check.h"
#include "base/futex.h"
#include "qemu/atomic.h"

enum { EV_SET = 0, EV_FREE = 1, EV_BUSY = 2 };

void qemu_event_init(QemuEvent *ev, bool init)
{
    qatomic_set(&ev->value, init ? EV_SET : EV_FREE);
    ev->initialized = true;
}

void qemu_event_destroy(QemuEvent *ev)
{
    CHECKF(ev->initialized, "used before its init or after its destroy");
    ev->initialized = false;
}

void qemu_event_set(QemuEvent *ev)
{
    CHECKF(ev->initialized, "used before its init or after its destroy");
    if (qatomic_xchg(&ev->value, EV_SET) == EV_BUSY) {
        futex_wake(&ev->value, INT_MAX);
    }
}

void qemu_event_reset(QemuEvent *ev)
{
    CHECKF(ev->initialized, "used before its init or after its destroy");
    (void)qatomic_cmpxchg(&ev->value, EV_SET, EV_FREE);
}

void qemu_event_wait(QemuEvent *ev)
{
    CHECKF(ev->initialized, "used before its init or after its destroy");
    /* Ends when set: every round either sees SET or sleeps.  Acquire: pairs
     * with the exchange in qemu_event_set(). */
    while (qatomic_load_acquire(&ev->value) != EV_SET) {
        if (qatomic_cmpxchg(&ev->value, EV_FREE, EV_BUSY) != EV_SET) {
            futex_wait(&ev->value, EV_BUSY);
        }
    }
}
