/*
 * base/lockcnt.c - QemuLockCnt in one futex word
 *
 * Bits 0-1 are the lock: FREE, LOCKED, or WAITERS (locked, and somebody may
 * sleep).  The rest counts visitors in steps of ONE.  Two rules:
 *
 *   - the count leaves zero only while the lock is FREE, or by the locker's own
 *     inc_and_unlock; so "locked and zero" stays zero;
 *   - whoever sleeps has set WAITERS first, nothing but unlocking clears it,
 *     and the unlocker that does wakes everybody.  Those who find the lock
 *     taken again set it again: no wake-up is lost.
 *
 * Waking everybody looks wasteful, but the visitors among them all go on at
 * once, and contention is rare: lockers hold it for a few instructions.
 *
 * Every change of the word is a sequentially consistent exchange, which pairs
 * with all others.  docs/protocols/lockcnt.pml is a model of this file: change
 * both.
 */
#include "qemu/lockcnt.h"

#include "base/check.h"
#include "base/futex.h"
#include "qemu/atomic.h"

enum { FREE = 0, LOCKED = 1, WAITERS = 2, STATE = 3, ONE = 4 };

static unsigned visitors(unsigned word)
{
    return word / ONE;
}

/* One step of a loop: on failure *word is refreshed. */
static bool try_change(QemuLockCnt *lockcnt, unsigned *word, unsigned next)
{
    return __atomic_compare_exchange_n(&lockcnt->count, word, next, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Marks the lock contended and sleeps until it may be free. */
static void sleep_on_lock(QemuLockCnt *lockcnt, unsigned *word)
{
    unsigned contended = (*word & ~(unsigned)STATE) | WAITERS;
    if (*word == contended || try_change(lockcnt, word, contended)) {
        futex_wait(&lockcnt->count, contended);
        *word = qatomic_read(&lockcnt->count);
    }
}

void qemu_lockcnt_init(QemuLockCnt *lockcnt)
{
    qatomic_set(&lockcnt->count, 0);
}

void qemu_lockcnt_destroy(QemuLockCnt *lockcnt)
{
    unsigned word = qatomic_read(&lockcnt->count);
    CHECKF(word == 0, "lockcnt destroyed with %u visitors, lock %s",
           visitors(word), word & STATE ? "held" : "free");
}

void qemu_lockcnt_inc(QemuLockCnt *lockcnt)
{
    unsigned word = qatomic_read(&lockcnt->count);
    /* Ends: each failure means that another thread made progress. */
    for (;;) {
        if (visitors(word) == 0 && (word & STATE) != FREE) {
            sleep_on_lock(lockcnt, &word);
        } else if (try_change(lockcnt, &word, word + ONE)) {
            return;
        }
    }
}

void qemu_lockcnt_dec(QemuLockCnt *lockcnt)
{
    unsigned old = qatomic_fetch_sub(&lockcnt->count, ONE);
    CHECKF(visitors(old) > 0, "a QemuLockCnt without visitors is left");
}

bool qemu_lockcnt_dec_and_lock(QemuLockCnt *lockcnt)
{
    unsigned word = qatomic_read(&lockcnt->count);
    for (;;) {
        CHECKF(visitors(word) > 0, "a QemuLockCnt without visitors is left");
        if (visitors(word) > 1) {
            if (try_change(lockcnt, &word, word - ONE)) {
                return false;
            }
        } else if ((word & STATE) == FREE) {
            if (try_change(lockcnt, &word, LOCKED)) {
                return true;
            }
        } else {
            sleep_on_lock(lockcnt, &word);
        }
    }
}

bool qemu_lockcnt_dec_if_lock(QemuLockCnt *lockcnt)
{
    unsigned word = qatomic_read(&lockcnt->count);
    CHECKF(visitors(word) > 0, "a QemuLockCnt without visitors is left");
    /* One visitor and a free lock is exactly this word. */
    while (word == ONE) {
        if (try_change(lockcnt, &word, LOCKED)) {
            return true;
        }
    }
    return false;
}

void qemu_lockcnt_lock(QemuLockCnt *lockcnt)
{
    unsigned word = qatomic_read(&lockcnt->count);
    for (;;) {
        if ((word & STATE) == FREE) {
            if (try_change(lockcnt, &word, word | LOCKED)) {
                return;
            }
        } else {
            sleep_on_lock(lockcnt, &word);
        }
    }
}

static void unlock_adding(QemuLockCnt *lockcnt, unsigned n)
{
    unsigned word = qatomic_read(&lockcnt->count);
    unsigned next;
    do {
        CHECKF((word & STATE) != FREE, "a free QemuLockCnt is unlocked");
        next = (word & ~(unsigned)STATE) + n;
    } while (!try_change(lockcnt, &word, next));
    if ((word & STATE) == WAITERS) {
        futex_wake(&lockcnt->count, INT_MAX);
    }
}

void qemu_lockcnt_unlock(QemuLockCnt *lockcnt)
{
    unlock_adding(lockcnt, 0);
}

void qemu_lockcnt_inc_and_unlock(QemuLockCnt *lockcnt)
{
    unlock_adding(lockcnt, ONE);
}

unsigned qemu_lockcnt_count(QemuLockCnt *lockcnt)
{
    return visitors(qatomic_read(&lockcnt->count));
}
