/*
 * biglock.c - one lock for all who are not the main thread
 *
 * The main thread has it from qemu_init_main_loop() on, and gives it up only
 * while main_loop_wait() sleeps.  Another thread that takes it stands in for
 * the main thread: its coroutines belong to the main context.
 *
 * main_loop_wait() lets one waiting thread in per pass, even when it does not
 * sleep: unlocking alone would not do, since a mutex goes to whoever is
 * fastest.
 *
 * Rule: the lock says nothing about who may poll; only the home thread may.
 */
#include "base/check.h"
#include "loop/context.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"

static QemuMutex big_lock = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .initialized = true,
};

/* waiting is atomic; entries and entered belong to the lock. */
static unsigned waiting, entries;
static QemuCond entered = {
    .cond = PTHREAD_COND_INITIALIZER,
    .initialized = true,
};

typedef struct BigLockState {
    bool held;
    bool stands_in; /* the thread has no context of its own */
} BigLockState;

QEMU_DEFINE_STATIC_CO_TLS(BigLockState, big_lock_state)

static void stand_in(BigLockState *state)
{
    AioContext *ctx = qemu_get_aio_context();

    if (ctx && !coroutine_thread_context()) {
        coroutine_set_thread_context(ctx);
        state->stands_in = true;
    }
}

static void stand_out(BigLockState *state)
{
    if (state->stands_in) {
        coroutine_set_thread_context(NULL);
        state->stands_in = false;
    }
}

bool qemu_mutex_iothread_locked(void)
{
    return get_big_lock_state().held;
}

void qemu_mutex_lock_iothread(void)
{
    BigLockState *state = get_ptr_big_lock_state();

    CHECKF(!state->held, "this thread already has the big lock");
    qatomic_inc(&waiting);
    qemu_mutex_lock(&big_lock);
    qatomic_dec(&waiting);
    entries++;
    qemu_cond_signal(&entered);
    state->held = true;
    stand_in(state);
}

void qemu_mutex_unlock_iothread(void)
{
    BigLockState *state = get_ptr_big_lock_state();

    CHECKF(state->held, "this thread does not have the big lock");
    stand_out(state);
    state->held = false;
    qemu_mutex_unlock(&big_lock);
}

void big_lock_let_in(void)
{
    if (!qemu_mutex_iothread_locked()) {
        return;
    }

    unsigned seen = entries;

    /* Ends: the lock is free now, so one of those who wait gets it. */
    while (entries == seen && qatomic_read(&waiting)) {
        qemu_cond_wait(&entered, &big_lock);
    }
}

void qemu_cond_wait_iothread(QemuCond *cond)
{
    CHECKF(qemu_mutex_iothread_locked(), "a wait without the big lock");
    qemu_cond_wait(cond, &big_lock);
}

bool qemu_cond_timedwait_iothread(QemuCond *cond, int ms)
{
    CHECKF(qemu_mutex_iothread_locked(), "a wait without the big lock");
    return qemu_cond_timedwait(cond, &big_lock, ms);
}

bool qemu_in_main_thread(void)
{
    AioContext *ctx = qemu_get_aio_context();

    return qemu_mutex_iothread_locked() || (ctx && context_is_home(ctx));
}
