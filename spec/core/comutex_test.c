/*
 * comutex_test.c - a mutex among coroutines, of one thread and of four
 */
#include <stdlib.h>

#include "block/aio.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "sysemu/iothread.h"
#include "test.h"

typedef struct Body {
    CoMutex *mutex;
    char *log;
    char letter;
} Body;

static void note(Body *body, char c)
{
    body->log[strlen(body->log)] = c;
}

/* Parks until somebody wakes it, holding the mutex. */
static void coroutine_fn hold(void *opaque)
{
    Body *body = opaque;

    qemu_co_mutex_lock(body->mutex);
    note(body, body->letter);
    qemu_coroutine_yield();
    qemu_co_mutex_assert_locked(body->mutex);
    qemu_co_mutex_unlock(body->mutex);
    note(body, body->letter - 'a' + 'A');
}

static void coroutine_fn pass_through(void *opaque)
{
    Body *body = opaque;

    qemu_co_mutex_lock(body->mutex);
    note(body, body->letter);
    qemu_co_mutex_unlock(body->mutex);
}

/* The thread has no context: wake-ups stay in it. */
TEST(those_who_wait_get_the_mutex_in_order_without_a_context)
{
    CoMutex mutex;
    char log[16] = "";
    Body body[4];
    Coroutine *first = NULL;

    qemu_co_mutex_init(&mutex);
    for (int i = 0; i < 4; i++) {
        body[i] = (Body){&mutex, log, 'a' + i};
        Coroutine *co =
            qemu_coroutine_create(i ? pass_through : hold, &body[i]);
        first = i ? first : co;
        qemu_coroutine_enter(co);
    }
    ASSERT_STR_EQ(log, "a");
    qemu_coroutine_enter(first);
    ASSERT_STR_EQ(log, "aAbcd");
}

static void coroutine_fn unlock_and_relock(void *opaque)
{
    Body *body = opaque;

    qemu_co_mutex_lock(body->mutex);
    qemu_coroutine_yield();
    qemu_co_mutex_unlock(body->mutex);
    qemu_co_mutex_lock(body->mutex); /* too late: it was handed over */
    note(body, body->letter);
    qemu_co_mutex_unlock(body->mutex);
}

TEST(unlocking_hands_over_so_that_relocking_does_not_overtake)
{
    AioContext *ctx = aio_context_new(NULL);
    CoMutex mutex;
    char log[16] = "";
    Body a = {&mutex, log, 'a'}, b = {&mutex, log, 'b'};
    Coroutine *co = qemu_coroutine_create(unlock_and_relock, &a);

    aio_poll(ctx, false);
    qemu_co_mutex_init(&mutex);
    aio_co_enter(ctx, co);
    aio_co_enter(ctx, qemu_coroutine_create(pass_through, &b));
    ASSERT_STR_EQ(log, "");
    aio_co_wake(co);
    ASSERT_STR_EQ(log, "ba");
    aio_context_unref(ctx);
}

/* ---- misuse ------------------------------------------------------------- */

static void coroutine_fn lock_twice(void *opaque)
{
    CoMutex mutex;

    qemu_co_mutex_init(&mutex);
    qemu_co_mutex_lock(&mutex);
    qemu_co_mutex_lock(&mutex);
}

static void coroutine_fn unlock_unlocked(void *opaque)
{
    CoMutex mutex;

    qemu_co_mutex_init(&mutex);
    qemu_co_mutex_unlock(&mutex);
}

static void coroutine_fn lock_and_end(void *opaque)
{
    qemu_co_mutex_lock(opaque);
}

static void run_in_coroutine(void *entry)
{
    static CoMutex mutex;

    qemu_co_mutex_init(&mutex);
    qemu_coroutine_enter(
        qemu_coroutine_create((CoroutineEntry *)entry, &mutex));
}

static void lock_outside(void *opaque)
{
    CoMutex mutex;

    qemu_co_mutex_init(&mutex);
    qemu_co_mutex_lock(&mutex);
}

TEST(misuse_aborts_naming_the_mistake)
{
    ASSERT_ABORTS(run_in_coroutine, lock_twice, "locks a mutex that it holds");
    ASSERT_ABORTS(run_in_coroutine, unlock_unlocked, "is not held by");
    ASSERT_ABORTS(run_in_coroutine, lock_and_end, "ended holding 1 lock");
    ASSERT_ABORTS(lock_outside, NULL, "outside of coroutines");
}

/* ---- guards ------------------------------------------------------------- */

typedef struct AllLocks {
    QemuMutex mutex;
    QemuRecMutex rec;
    QemuSpin spin;
    CoMutex co;
    bool ok;
} AllLocks;

static int leave_by_return(AllLocks *all)
{
    WITH_QEMU_LOCK_GUARD(&all->co)
    {
        qemu_co_mutex_assert_locked(&all->co);
        return 1;
    }
    return 0;
}

static void coroutine_fn guard_all(void *opaque)
{
    AllLocks *all = opaque;
    QemuMutex *none = NULL;

    {
        QEMU_LOCK_GUARD(&all->mutex);
        QEMU_LOCK_GUARD(&all->rec);
        QEMU_LOCK_GUARD(&all->rec);
        QEMU_LOCK_GUARD(&all->spin);
        QEMU_LOCK_GUARD(&all->co);
        QEMU_LOCK_GUARD(none);
        QEMU_LOCK_GUARD(NULL);
        ASSERT(qemu_mutex_trylock(&all->mutex) != 0);
        ASSERT(qemu_spin_locked(&all->spin));
        ASSERT(qemu_spin_trylock(&all->spin));
        qemu_co_mutex_assert_locked(&all->co);
    }
    ASSERT_EQ(leave_by_return(all), 1);
    for (int i = 0; i < 2; i++) {
        WITH_QEMU_LOCK_GUARD(&all->spin)
        {
            break;
        }
        ASSERT(!qemu_spin_locked(&all->spin));
    }
    QemuLockable *lockable = QEMU_MAKE_LOCKABLE(&all->co);
    ASSERT_PTR_EQ(QEMU_MAKE_LOCKABLE(NULL), NULL);
    ASSERT_PTR_EQ(QEMU_MAKE_LOCKABLE(lockable), lockable);
    qemu_lockable_lock(lockable);
    qemu_co_mutex_assert_locked(&all->co);
    qemu_lockable_unlock(lockable);
    all->ok = true;
}

TEST(guards_hold_every_kind_of_lock_for_a_scope)
{
    AllLocks all = {.ok = false};

    qemu_mutex_init(&all.mutex);
    qemu_rec_mutex_init(&all.rec);
    qemu_spin_init(&all.spin);
    qemu_co_mutex_init(&all.co);
    qemu_coroutine_enter(qemu_coroutine_create(guard_all, &all));
    ASSERT(all.ok);
    ASSERT_EQ(qemu_mutex_trylock(&all.mutex), 0);
    qemu_mutex_unlock(&all.mutex);
    qemu_mutex_destroy(&all.mutex);
    qemu_rec_mutex_destroy(&all.rec);
    qemu_spin_destroy(&all.spin);
}

/* ---- four threads ------------------------------------------------------- */

enum { THREADS = 4, PER_THREAD = 8 };

typedef struct Torture {
    CoMutex mutex;
    uint64_t counter; /* plain: the mutex protects it */
    int inside;
    int rounds;
    int left; /* atomic */
    QemuSemaphore done;
} Torture;

/* Goes on in the next pass of its context. */
static void coroutine_fn take_turns(void)
{
    aio_co_schedule(qemu_get_current_aio_context(), qemu_coroutine_self());
    qemu_coroutine_yield();
}

static void coroutine_fn torture(void *opaque)
{
    Torture *t = opaque;

    for (int i = 0; i < t->rounds; i++) {
        qemu_co_mutex_lock(&t->mutex);
        ASSERT_EQ(++t->inside, 1);
        t->counter++;
        if (i % 16 == 0) {
            take_turns();
        }
        ASSERT_EQ(t->inside--, 1);
        qemu_co_mutex_unlock(&t->mutex);
        if (i % 8 == 0) {
            take_turns();
        }
    }
    if (qatomic_fetch_dec(&t->left) == 1) {
        qemu_sem_post(&t->done);
    }
}

TEST(mutex_excludes_coroutines_of_four_threads)
{
    IOThread *threads[THREADS];
    Torture t = {.rounds = test_is_slow() ? 300 : 5000,
                 .left = THREADS * PER_THREAD};

    qemu_co_mutex_init(&t.mutex);
    qemu_sem_init(&t.done, 0);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = iothread_new();
    }
    for (int i = 0; i < THREADS * PER_THREAD; i++) {
        aio_co_schedule(iothread_get_aio_context(threads[i % THREADS]),
                        qemu_coroutine_create(torture, &t));
    }
    qemu_sem_wait(&t.done);
    for (int i = 0; i < THREADS; i++) {
        iothread_join(threads[i]);
    }
    ASSERT_EQ(t.counter, (uint64_t)t.rounds * THREADS * PER_THREAD);
    qemu_sem_destroy(&t.done);
}

/* ---- freed by the next owner -------------------------------------------- */

typedef struct Last {
    CoMutex mutex;
    int users; /* under the mutex */
} Last;

typedef struct LastUser {
    Last *last;
    QemuSemaphore *done;
} LastUser;

static void coroutine_fn use_and_free(void *opaque)
{
    LastUser *user = opaque;
    Last *last = user->last;

    qemu_co_mutex_lock(&last->mutex);
    bool mine = --last->users == 0;
    qemu_co_mutex_unlock(&last->mutex);
    if (mine) {
        memset(last, 0xee, sizeof(*last));
        free(last);
    }
    qemu_sem_post(user->done);
}

TEST(last_owner_may_free_the_mutex_while_the_one_before_still_unlocks)
{
    IOThread *threads[2] = {iothread_new(), iothread_new()};
    QemuSemaphore done;

    qemu_sem_init(&done, 0);
    for (int i = 0; i < (test_is_slow() ? 300 : 3000); i++) {
        Last *last = malloc(sizeof(*last));
        LastUser user = {last, &done};

        qemu_co_mutex_init(&last->mutex);
        last->users = 2;
        for (int j = 0; j < 2; j++) {
            aio_co_schedule(iothread_get_aio_context(threads[j]),
                            qemu_coroutine_create(use_and_free, &user));
        }
        qemu_sem_wait(&done);
        qemu_sem_wait(&done);
    }
    iothread_join(threads[0]);
    iothread_join(threads[1]);
    qemu_sem_destroy(&done);
}
