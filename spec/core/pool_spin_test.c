/*
 * pool_spin_test.c - looking for work for a while before sleeping
 */
#include <time.h>

#include "pool_rig.h"

static bool one_processor(void)
{
    return busypoll_single_cpu();
}

static void let_worker_spin(int64_t ns)
{
    qemu_mutex_lock(&pool->lock);
    pool->worker_spin.ns = ns;
    qemu_mutex_unlock(&pool->lock);
}

static bool a_worker_spins(void)
{
    qemu_mutex_lock(&pool->lock);
    bool spins = pool->spinning;
    qemu_mutex_unlock(&pool->lock);
    return spins;
}

TEST(who_waited_for_short_looks_next_time_and_who_waited_in_vain_does_not)
{
    Spin spin = {.max_ns = 50000};

    if (one_processor()) {
        SKIP("with one processor nobody spins");
    }
    spin_learn(&spin, 3000);
    ASSERT_CMP(spin.ns, >, 0);
    for (int i = 0; i < 10; i++) {
        spin_learn(&spin, 49000);
    }
    ASSERT_EQ(spin.ns, 50000); /* grows, up to the limit */
    spin_learn(&spin, 60000);
    ASSERT_EQ(spin.ns, 0);
    spin_learn(&spin, 60000);
    ASSERT_EQ(spin.ns, 0);
}

TEST(with_one_processor_nobody_begins_to_look)
{
    Spin spin = {.max_ns = 50000};
    cpu_set_t old, one;
    int cpu = 0;

    ASSERT_EQ(sched_getaffinity(0, sizeof(old), &old), 0);
    while (!CPU_ISSET(cpu, &old)) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    spin_learn(&spin, 3000);
    ASSERT_EQ(spin.ns, 0);
    ASSERT_EQ(sched_setaffinity(0, sizeof(old), &old), 0);
}

TEST(work_that_comes_while_a_worker_looks_is_run_by_it)
{
    Job first, second;

    set_up(0, 4);
    let_worker_spin(10 * NANOSECONDS_PER_SECOND);
    submit(&first, 1, false);
    wait_for(&first);
    while (!a_worker_spins()) {
        sched_yield();
    }
    submit(&second, 2, false);
    wait_for(&second);
    ASSERT_EQ(second.ret, 102);
    ASSERT_EQ(threads_now(), 1);
    let_worker_spin(0);
    submit(&first, 1, false); /* ends the last look, which was a long one */
    wait_for(&first);
    tear_down();
}

TEST(a_pool_can_be_freed_and_limited_while_a_worker_looks)
{
    Job job;

    for (int i = 0; i < 4; i++) {
        set_up(0, 2);
        let_worker_spin(NANOSECONDS_PER_SECOND / 200);
        submit(&job, 1, false);
        wait_for(&job);
        if (i & 1) {
            aio_context_set_thread_pool_params(ctx, 0, 1, NULL);
        }
        tear_down(); /* joins it */
    }
}

static int64_t processor_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

TEST(a_pool_without_work_costs_no_processor)
{
    struct timespec pause = {.tv_nsec = 20000000};
    Job job;

    set_up(0, 2);
    for (int i = 0; i < 200; i++) { /* short work: everybody learns to look */
        submit(&job, 1, false);
        wait_for(&job);
    }
    int64_t before_ns = processor_ns();
    nanosleep(&pause, NULL);
    ASSERT_CMP(processor_ns() - before_ns, <, 5000000);
    ASSERT(!a_worker_spins());
    tear_down();
}
