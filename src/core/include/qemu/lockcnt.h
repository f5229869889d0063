/*
 * qemu/lockcnt.h - a count of visitors and the lock that protects what they see
 *
 * Visitors walk a list with the count raised (inc ... dec).  A writer takes the
 * lock to insert at any time, but frees elements only when it holds the lock
 * and the count is zero.  Raising the count from zero waits for the lock, so a
 * locker that sees zero knows that no visitor appears; raising it from non-zero
 * never waits.
 *
 * All functions may be called from any thread.  The lock is not recursive, and
 * a visitor may take it (the count stays raised).
 */
#ifndef QEMU_LOCKCNT_H
#define QEMU_LOCKCNT_H

#include <stdbool.h>

#include "aioctl/decls.h"

typedef struct QemuLockCnt {
    unsigned count; /* bits 0-1: state of the lock; the rest: visitors */
} QemuLockCnt;

AIOCTL_BEGIN_DECLS

/* Count zero, unlocked. */
void qemu_lockcnt_init(QemuLockCnt *lockcnt);

/* Aborts when there are visitors or the lock is held. */
void qemu_lockcnt_destroy(QemuLockCnt *lockcnt);

/* Become a visitor; waits for the lock only when the count is zero. */
void qemu_lockcnt_inc(QemuLockCnt *lockcnt);

/* Stop being a visitor. */
void qemu_lockcnt_dec(QemuLockCnt *lockcnt);

/* Stop being a visitor; if that was the last one, return true with the lock
 * held.  Waits for the lock when another thread has it. */
bool qemu_lockcnt_dec_and_lock(QemuLockCnt *lockcnt);

/* If the caller is the only visitor, stop being one and return true with the
 * lock held; else return false and remain a visitor. */
bool qemu_lockcnt_dec_if_lock(QemuLockCnt *lockcnt);

void qemu_lockcnt_lock(QemuLockCnt *lockcnt);
void qemu_lockcnt_unlock(QemuLockCnt *lockcnt);

/* Become a visitor while holding the lock, and drop the lock. */
void qemu_lockcnt_inc_and_unlock(QemuLockCnt *lockcnt);

/* Number of visitors: exact only while the caller holds the lock, and even
 * then only "zero" stays true. */
unsigned qemu_lockcnt_count(QemuLockCnt *lockcnt);

AIOCTL_END_DECLS
#endif
