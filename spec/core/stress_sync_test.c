/*
 * stress_sync_test.c - locks of coroutines that change context while they hold
 * or want them
 */
#include "qemu/coroutine.h"
#include "stress.h"

enum { LOOPS = 4, WANDERERS = 24 };

/* Plain variables: only the locks keep them right. */
typedef struct Market {
    TestLoop loops[LOOPS];
    int rounds;
    CoMutex mutex;
    int64_t count; /* under mutex */
    CoRwlock rwlock;
    int64_t left, right; /* under rwlock: equal */
    int arrived;         /* atomic */
} Market;

typedef struct Wanderer {
    Market *market;
    unsigned random;
    int64_t counted, written;
} Wanderer;

static void coroutine_fn wander(Wanderer *w)
{
    if (random_next(&w->random) % 2) {
        unsigned to = random_next(&w->random) % LOOPS;
        aio_co_reschedule_self(w->market->loops[to].ctx);
    }
}

static void coroutine_fn count(Wanderer *w)
{
    Market *m = w->market;
    QEMU_LOCK_GUARD(&m->mutex);
    int64_t before = m->count;

    wander(w);
    m->count = before + 1;
    w->counted++;
}

static void coroutine_fn look(Wanderer *w)
{
    Market *m = w->market;

    qemu_co_rwlock_rdlock(&m->rwlock);
    int64_t left = m->left;
    wander(w);
    ASSERT_EQ(m->right, left);
    ASSERT_EQ(m->left, left);
    qemu_co_rwlock_unlock(&m->rwlock);
}

static void coroutine_fn change(Wanderer *w)
{
    Market *m = w->market;
    bool upgrade = random_next(&w->random) % 2;

    if (upgrade) {
        qemu_co_rwlock_rdlock(&m->rwlock);
        wander(w);
        qemu_co_rwlock_upgrade(&m->rwlock);
    } else {
        qemu_co_rwlock_wrlock(&m->rwlock);
    }
    m->left++;
    wander(w);
    m->right++;
    w->written++;
    if (random_next(&w->random) % 2) {
        qemu_co_rwlock_downgrade(&m->rwlock);
        ASSERT_EQ(m->right, m->left);
    }
    qemu_co_rwlock_unlock(&m->rwlock);
}

static void coroutine_fn wanderer_main(void *opaque)
{
    static void (*const doings[])(Wanderer *) = {count, look, change};
    Wanderer *w = opaque;
    Market *m = w->market;

    for (int i = 0; i < m->rounds; i++) {
        doings[random_next(&w->random) % ARRAY_SIZE(doings)](w);
        if (i % 16 == 0) {
            qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, i % 5 * 1000);
        }
    }
    qatomic_inc(&m->arrived);
}

ON_EVERY_MONITOR(locks_hold_while_their_holders_change_context)
{
    Market m = {.rounds = scaled(1000)};
    Wanderer wanderers[WANDERERS];
    int64_t counted = 0, written = 0;

    qemu_co_mutex_init(&m.mutex);
    qemu_co_rwlock_init(&m.rwlock);
    for (int i = 0; i < LOOPS; i++) {
        m.loops[i].poll_max_ns = i % 2 ? 0 : 10000;
        test_loop_start(&m.loops[i], monitor);
    }
    for (int i = 0; i < WANDERERS; i++) {
        wanderers[i] = (Wanderer){.market = &m, .random = 77 + (unsigned)i};
        aio_co_schedule(m.loops[i % LOOPS].ctx,
                        qemu_coroutine_create(wanderer_main, &wanderers[i]));
    }
    while (qatomic_load_acquire(&m.arrived) < WANDERERS) {
        usleep(500);
    }
    for (int i = 0; i < LOOPS; i++) {
        test_loop_stop(&m.loops[i]);
    }
    for (int i = 0; i < WANDERERS; i++) {
        counted += wanderers[i].counted;
        written += wanderers[i].written;
    }
    ASSERT_EQ(m.count, counted);
    ASSERT_EQ(m.left, written);
    ASSERT_EQ(m.right, written);
}
