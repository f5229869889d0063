/*
 * qemu/lockable.h - one way to hold any kind of lock for a scope
 *
 * QEMU_MAKE_LOCKABLE(&x) turns a pointer to a known kind of lock into a
 * QemuLockable that lives until the end of the enclosing block.
 *
 *     QEMU_LOCK_GUARD(&s->lock);              until the end of the block
 *     WITH_QEMU_LOCK_GUARD(&s->lock) { ... }  for these statements; return,
 *                                             break and goto unlock, too
 */
#ifndef QEMU_LOCKABLE_H
#define QEMU_LOCKABLE_H

#include "qemu/coroutine-core.h"
#include "qemu/thread.h"

typedef void QemuLockUnlockFunc(void *);

struct QemuLockable {
    void *object;
    QemuLockUnlockFunc *lock;
    QemuLockUnlockFunc *unlock;
};

AIOCTL_BEGIN_DECLS
/* Described in qemu/coroutine.h. */
void coroutine_fn qemu_co_mutex_lock(CoMutex *mutex);
void coroutine_fn qemu_co_mutex_unlock(CoMutex *mutex);
AIOCTL_END_DECLS

#define QLOCKABLE_PAIR_(x, lock_fn, unlock_fn)                       \
    &(QemuLockable)                                                  \
    {                                                                \
        .object = (void *)(x),                                       \
        .lock = (QemuLockUnlockFunc *)(void (*)(void))(lock_fn),     \
        .unlock = (QemuLockUnlockFunc *)(void (*)(void))(unlock_fn), \
    }

/* clang-format off */
#define QLOCKABLE_OF_(x, ...)                                         \
    _Generic((x),                                                     \
        QemuLockable *: (x),                                          \
        QemuMutex *:                                                  \
            QLOCKABLE_PAIR_(x, qemu_mutex_lock, qemu_mutex_unlock),   \
        QemuRecMutex *:                                               \
            QLOCKABLE_PAIR_(x, qemu_rec_mutex_lock,                   \
                            qemu_rec_mutex_unlock),                   \
        QemuSpin *:                                                   \
            QLOCKABLE_PAIR_(x, qemu_spin_lock, qemu_spin_unlock),     \
        CoMutex *:                                                    \
            QLOCKABLE_PAIR_(x, qemu_co_mutex_lock,                    \
                            qemu_co_mutex_unlock)                     \
        __VA_ARGS__)
/* clang-format on */

/* NULL, of any of the types or plain, stays NULL: guards of NULL do nothing.
 * The other form does not compile for a plain NULL. */
#define QEMU_MAKE_LOCKABLE(x) \
    qemu_lockable_if((x), QLOCKABLE_OF_(x, , void * : (QemuLockable *)NULL))
#define QEMU_MAKE_LOCKABLE_NONNULL(x) QLOCKABLE_OF_(x)

static inline QemuLockable *qemu_lockable_if(const void *x, QemuLockable *l)
{
    return x ? l : NULL;
}

static inline void qemu_lockable_lock(QemuLockable *x)
{
    x->lock(x->object);
}

static inline void qemu_lockable_unlock(QemuLockable *x)
{
    x->unlock(x->object);
}

static inline QemuLockable *qemu_lockable_auto_lock(QemuLockable *x)
{
    if (x) {
        qemu_lockable_lock(x);
    }
    return x;
}

static inline void qemu_lockable_auto_unlock(QemuLockable **x)
{
    if (*x) {
        qemu_lockable_unlock(*x);
    }
}

#define QLOCKABLE_AUTO_ __attribute__((cleanup(qemu_lockable_auto_unlock)))

#define QEMU_LOCK_GUARD(x)                                      \
    QLOCKABLE_AUTO_ __attribute__((unused)) QemuLockable *glue( \
        qemu_lockable_auto, __COUNTER__) =                      \
        qemu_lockable_auto_lock(QEMU_MAKE_LOCKABLE(x))

#define WITH_QEMU_LOCK_GUARD_(x, var)                                \
    for (QLOCKABLE_AUTO_ QemuLockable *var =                         \
             qemu_lockable_auto_lock(QEMU_MAKE_LOCKABLE_NONNULL(x)); \
         var; qemu_lockable_auto_unlock(&var), var = NULL)
#define WITH_QEMU_LOCK_GUARD(x) \
    WITH_QEMU_LOCK_GUARD_(x, glue(qemu_lockable_auto, __COUNTER__))

#endif
