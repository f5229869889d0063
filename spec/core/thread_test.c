/*
 * thread_test.c - locks, events, semaphores, guards, and lockcnt under fire
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "qemu/atomic.h"
#include "qemu/lockable.h"

#define THREADS 4

static int rounds(void)
{
    return test_is_slow() ? 2000 : 20000;
}

static void run_threads(void *(*fn)(void *), void *arg)
{
    QemuThread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        qemu_thread_create(&threads[i], "hammer", fn, arg,
                           QEMU_THREAD_JOINABLE);
    }
    for (int i = 0; i < THREADS; i++) {
        qemu_thread_join(&threads[i]);
    }
}

static void *name_of_self(void *opaque)
{
    static char name[16];
    prctl(PR_GET_NAME, name);
    ASSERT(!qemu_thread_is_self(opaque));
    return name;
}

TEST(a_thread_has_its_name_and_returns_its_result)
{
    QemuThread thread, self;
    qemu_thread_get_self(&self);
    ASSERT(qemu_thread_is_self(&self));
    qemu_thread_create(&thread, "a very long thread name", name_of_self, &self,
                       QEMU_THREAD_JOINABLE);
    ASSERT_STR_EQ(qemu_thread_join(&thread), "a very long thr");
}

/* ---- mutexes ------------------------------------------------------------ */

static QemuMutex mutex;
static QemuRecMutex rec_mutex;
static int counter;

static void *count_with_guards(void *opaque)
{
    for (int i = 0; i < rounds(); i++) {
        WITH_QEMU_LOCK_GUARD(&mutex)
        {
            counter++;
        }
        QEMU_LOCK_GUARD(&mutex);
        counter++;
    }
    return NULL;
}

TEST(guards_hold_the_mutex_for_their_scope)
{
    qemu_mutex_init(&mutex);
    run_threads(count_with_guards, NULL);
    ASSERT_EQ(counter, 2 * THREADS * rounds());
    WITH_QEMU_LOCK_GUARD(&mutex)
    {
        ASSERT_EQ(qemu_mutex_trylock(&mutex), -EBUSY);
        break;
    }
    ASSERT_EQ(qemu_mutex_trylock(&mutex), 0);
    qemu_mutex_unlock(&mutex);
    qemu_mutex_destroy(&mutex);
}

static void *try_rec_mutex(void *opaque)
{
    int ret = qemu_rec_mutex_trylock(&rec_mutex);
    if (ret == 0) {
        qemu_rec_mutex_unlock(&rec_mutex);
    }
    return (void *)(intptr_t)ret;
}

static int try_elsewhere(void)
{
    QemuThread thread;
    qemu_thread_create(&thread, NULL, try_rec_mutex, NULL,
                       QEMU_THREAD_JOINABLE);
    return (int)(intptr_t)qemu_thread_join(&thread);
}

TEST(a_recursive_mutex_is_released_by_the_last_unlock)
{
    qemu_rec_mutex_init(&rec_mutex);
    qemu_rec_mutex_lock(&rec_mutex);
    qemu_rec_mutex_lock(&rec_mutex);
    qemu_rec_mutex_unlock(&rec_mutex);
    ASSERT_EQ(try_elsewhere(), -EBUSY);
    qemu_rec_mutex_unlock(&rec_mutex);
    ASSERT_EQ(try_elsewhere(), 0);
    qemu_rec_mutex_destroy(&rec_mutex);
}

static void use_destroyed(void *opaque)
{
    QemuMutex m;
    qemu_mutex_init(&m);
    qemu_mutex_destroy(&m);
    qemu_mutex_lock(&m);
}

TEST(using_a_destroyed_mutex_aborts)
{
    ASSERT_ABORTS(use_destroyed, NULL, "mutex->initialized");
}

/* ---- waiting ------------------------------------------------------------ */

TEST(timed_waits_end_in_time)
{
    QemuCond cond;
    QemuSemaphore sem;
    int64_t start = clock_monotonic_ns();
    qemu_mutex_init(&mutex);
    qemu_cond_init(&cond);
    qemu_sem_init(&sem, 1);
    qemu_mutex_lock(&mutex);
    ASSERT(!qemu_cond_timedwait(&cond, &mutex, 5));
    qemu_mutex_unlock(&mutex);
    ASSERT_EQ(qemu_sem_timedwait(&sem, 0), 0);
    ASSERT_EQ(qemu_sem_timedwait(&sem, 0), -1);
    ASSERT_EQ(qemu_sem_timedwait(&sem, 5), -1);
    ASSERT_CMP(clock_monotonic_ns() - start, >=, 10 * CLOCK_NS_PER_MS);
    qemu_sem_destroy(&sem);
    qemu_cond_destroy(&cond);
    qemu_mutex_destroy(&mutex);
}

static QemuSemaphore items, slots;

static void *produce(void *opaque)
{
    for (int i = 0; i < rounds() / 4; i++) {
        qemu_sem_wait(&slots);
        qatomic_inc(&counter);
        qemu_sem_post(&items);
    }
    return NULL;
}

TEST(semaphores_carry_every_unit)
{
    QemuThread thread;
    qemu_sem_init(&items, 0);
    qemu_sem_init(&slots, 2);
    qemu_thread_create(&thread, NULL, produce, NULL, QEMU_THREAD_JOINABLE);
    for (int i = 0; i < rounds() / 4; i++) {
        qemu_sem_wait(&items);
        ASSERT_CMP(qatomic_read(&counter), >, i);
        qemu_sem_post(&slots);
    }
    qemu_thread_join(&thread);
    ASSERT_EQ(qemu_sem_timedwait(&items, 0), -1);
    qemu_sem_destroy(&items);
    qemu_sem_destroy(&slots);
}

static QemuEvent ping, pong;
static int ball; /* passed on by the events alone */

static void *return_ball(void *opaque)
{
    for (int i = 0; i < rounds() / 4; i++) {
        qemu_event_wait(&ping);
        qemu_event_reset(&ping);
        ball++;
        qemu_event_set(&pong);
    }
    return NULL;
}

TEST(events_pass_data_and_lose_no_wakeup)
{
    QemuThread thread;
    qemu_event_init(&ping, false);
    qemu_event_init(&pong, false);
    qemu_thread_create(&thread, NULL, return_ball, NULL, QEMU_THREAD_JOINABLE);
    for (int i = 0; i < rounds() / 4; i++) {
        ball++;
        qemu_event_set(&ping);
        qemu_event_wait(&pong);
        qemu_event_reset(&pong);
        ASSERT_EQ(ball, 2 * (i + 1));
    }
    qemu_thread_join(&thread);
    qemu_event_set(&ping);
    qemu_event_set(&ping);
    qemu_event_wait(&ping); /* stays set until reset */
    qemu_event_wait(&ping);
    qemu_event_destroy(&ping);
    qemu_event_destroy(&pong);
}

/* ---- lockcnt ------------------------------------------------------------ */

static QemuLockCnt lockcnt;

TEST(lockcnt_counts_visitors_and_locks)
{
    qemu_lockcnt_init(&lockcnt);
    qemu_lockcnt_inc(&lockcnt);
    qemu_lockcnt_inc(&lockcnt);
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 2);
    ASSERT(!qemu_lockcnt_dec_if_lock(&lockcnt));
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 2);
    ASSERT(!qemu_lockcnt_dec_and_lock(&lockcnt));
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 1);
    qemu_lockcnt_lock(&lockcnt);
    ASSERT(!qemu_lockcnt_dec_if_lock(&lockcnt)); /* locked already */
    qemu_lockcnt_inc(&lockcnt);                  /* from one: never waits */
    qemu_lockcnt_dec(&lockcnt);
    qemu_lockcnt_unlock(&lockcnt);
    ASSERT(qemu_lockcnt_dec_if_lock(&lockcnt));
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 0);
    qemu_lockcnt_inc_and_unlock(&lockcnt);
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 1);
    ASSERT(qemu_lockcnt_dec_and_lock(&lockcnt));
    qemu_lockcnt_unlock(&lockcnt);
    qemu_lockcnt_destroy(&lockcnt);
}

static void destroy_visited(void *opaque)
{
    qemu_lockcnt_init(&lockcnt);
    qemu_lockcnt_inc(&lockcnt);
    qemu_lockcnt_destroy(&lockcnt);
}

TEST(lockcnt_destroyed_with_visitors_aborts)
{
    ASSERT_ABORTS(destroy_visited, NULL, "1 visitors, lock free");
}

/* A cell that visitors read and that may be freed only without visitors.  A
 * breach of the rules shows as a use after free or as a race. */
static int *cell;

static void free_cell(void)
{
    free(cell);
    qatomic_set(&cell, NULL);
}

static void visit(void)
{
    int *seen;
    qemu_lockcnt_inc(&lockcnt);
    seen = qatomic_rcu_read(&cell);
    if (seen) {
        ASSERT_EQ(*seen, 42);
    }
    if (qemu_lockcnt_dec_and_lock(&lockcnt)) {
        free_cell();
        qemu_lockcnt_unlock(&lockcnt);
    }
}

static void publish(void)
{
    qemu_lockcnt_lock(&lockcnt);
    if (!cell) {
        int *fresh = malloc(sizeof(*fresh));
        *fresh = 42;
        qatomic_rcu_set(&cell, fresh);
    }
    counter++;
    if (counter % 2) {
        qemu_lockcnt_inc_and_unlock(&lockcnt);
        qemu_lockcnt_dec(&lockcnt);
    } else {
        qemu_lockcnt_unlock(&lockcnt);
    }
}

static void visit_and_try(void)
{
    qemu_lockcnt_inc(&lockcnt);
    if (qemu_lockcnt_dec_if_lock(&lockcnt)) {
        free_cell();
        qemu_lockcnt_inc_and_unlock(&lockcnt);
    }
    qemu_lockcnt_dec(&lockcnt);
}

static void *torture(void *opaque)
{
    for (int i = 0; i < rounds(); i++) {
        publish();
        visit();
        visit_and_try();
    }
    return NULL;
}

TEST(lockcnt_torture_frees_nothing_that_is_visited)
{
    qemu_lockcnt_init(&lockcnt);
    run_threads(torture, NULL);
    ASSERT_EQ(counter, THREADS * rounds());
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 0);
    free_cell();
    qemu_lockcnt_destroy(&lockcnt);
}

/* ---- clocks ------------------------------------------------------------- */

TEST(clocks_count_nanoseconds)
{
    int64_t mono = clock_monotonic_ns(), cpu = clock_thread_cpu_ns();
    int64_t real = clock_realtime_ns();
    ASSERT_CMP(real, >, 1577836800 * CLOCK_NS_PER_S); /* 2020 */
    while (clock_monotonic_ns() - mono < CLOCK_NS_PER_MS) {
        barrier();
    }
    ASSERT_CMP(clock_thread_cpu_ns(), >, cpu);
    ASSERT_CMP(clock_realtime_ns(), >, real);
    struct timespec ts = clock_timespec(3 * CLOCK_NS_PER_S + 7);
    ASSERT(ts.tv_sec == 3 && ts.tv_nsec == 7);
}
