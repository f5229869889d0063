/*
 * spin.c - locks whose waiters do not sleep
 *
 * Waiters only read, until the lock looks free: the holder's cache line stays
 * where it is.
 */
#include "base/check.h"
#include "qemu/atomic.h"
#include "qemu/thread.h"

void qemu_spin_init(QemuSpin *spin)
{
    qatomic_set(&spin->value, 0);
}

void qemu_spin_destroy(QemuSpin *spin)
{
    CHECKF(!qemu_spin_locked(spin), "a spin lock is destroyed while held");
}

bool qemu_spin_trylock(QemuSpin *spin)
{
    return __atomic_exchange_n(&spin->value, 1, __ATOMIC_ACQUIRE);
}

void qemu_spin_lock(QemuSpin *spin)
{
    /* Ends when the holder unlocks, which it does soon. */
    while (qemu_spin_trylock(spin)) {
        while (qemu_spin_locked(spin)) {
            cpu_relax();
        }
    }
}

bool qemu_spin_locked(QemuSpin *spin)
{
    return qatomic_read(&spin->value);
}

void qemu_spin_unlock(QemuSpin *spin)
{
    CHECKF(qemu_spin_locked(spin), "a spin lock is unlocked that is not held");
    qatomic_store_release(&spin->value, 0);
}
