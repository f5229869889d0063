/*
 * pool_size_test.c - how many threads a pool has, and who wakes them
 *
 * How long an idle worker waits is ours, and wake-ups are counted: --wrap.
 */
#include "pool_rig.h"

/* ---- how long idle workers wait ----------------------------------------- */

static bool impatient; /* atomic */
static int asked_ms;   /* atomic: what workers wanted to wait last */

bool __real_qemu_cond_timedwait(QemuCond *cond, QemuMutex *mutex, int ms);
bool __wrap_qemu_cond_timedwait(QemuCond *cond, QemuMutex *mutex, int ms);

bool __wrap_qemu_cond_timedwait(QemuCond *cond, QemuMutex *mutex, int ms)
{
    qatomic_set(&asked_ms, ms);
    return __real_qemu_cond_timedwait(cond, mutex,
                                      qatomic_read(&impatient) ? 1 : ms);
}

static int signals; /* atomic: wake-ups of workers, and of who frees the pool */

void __real_qemu_cond_signal(QemuCond *cond);
void __wrap_qemu_cond_signal(QemuCond *cond);

void __wrap_qemu_cond_signal(QemuCond *cond)
{
    qatomic_inc(&signals);
    __real_qemu_cond_signal(cond);
}

/* ---- size --------------------------------------------------------------- */

static void wait_for_threads(int n)
{
    while (threads_now() != n) {
        sched_yield();
    }
}

TEST(threads_are_started_one_after_the_other_as_they_find_work)
{
    Job jobs[12];

    set_up(0, 12);
    for (int i = 0; i < 12; i++) {
        submit(&jobs[i], i, true);
        ASSERT_CMP(threads_now(), <=, i + 1);
    }
    for (int i = 0; i < 12; i++) {
        wait_until_running(&jobs[i]); /* each was woken by the one before */
    }
    ASSERT_EQ(threads_now(), 12);
    for (int i = 0; i < 12; i++) {
        release(&jobs[i]);
        wait_for(&jobs[i]);
    }
    tear_down();
}

TEST(burst_for_a_busy_pool_wakes_nobody)
{
    Job first, jobs[50];

    set_up(1, 1);
    submit(&first, 0, true);
    wait_until_running(&first);
    int before = qatomic_read(&signals);
    for (int i = 0; i < 50; i++) {
        submit(&jobs[i], i, false);
    }
    release(&first);
    for (int i = 0; i < 50; i++) {
        wait_for(&jobs[i]);
    }
    ASSERT_EQ(qatomic_read(&signals), before); /* the worker saw the queue */
    wait_for(&first);
    tear_down();
}

TEST(idle_threads_above_the_minimum_leave_after_ten_seconds)
{
    Job jobs[8];

    set_up(2, 8);
    for (int i = 0; i < 8; i++) {
        submit(&jobs[i], i, true);
    }
    for (int i = 0; i < 8; i++) {
        wait_until_running(&jobs[i]);
    }
    qatomic_set(&impatient, true);
    for (int i = 0; i < 8; i++) {
        release(&jobs[i]);
        wait_for(&jobs[i]);
    }
    wait_for_threads(2);
    usleep(5000); /* several times what these wait */
    ASSERT_EQ(threads_now(), 2);
    ASSERT_EQ(qatomic_read(&asked_ms), 10000);
    submit(&jobs[0], 0, false); /* and they work on */
    wait_for(&jobs[0]);
    tear_down();
}

TEST(a_smaller_maximum_takes_effect_when_busy_threads_finish)
{
    Job jobs[6];

    set_up(0, 6);
    for (int i = 0; i < 6; i++) {
        submit(&jobs[i], i, true);
    }
    for (int i = 0; i < 6; i++) {
        wait_until_running(&jobs[i]);
    }
    aio_context_set_thread_pool_params(ctx, 0, 2, NULL);
    ASSERT_EQ(threads_now(), 6); /* nobody is interrupted */
    for (int i = 0; i < 6; i++) {
        release(&jobs[i]);
        wait_for(&jobs[i]);
    }
    wait_for_threads(2);
    aio_context_set_thread_pool_params(ctx, 5, 6, NULL);
    ASSERT_EQ(threads_now(), 5); /* a minimum is there at once */
    tear_down();
}

TEST(a_smaller_maximum_does_not_wait_for_the_queue_to_be_empty)
{
    Job jobs[10];

    set_up(0, 6);
    for (int i = 0; i < 10; i++) {
        submit(&jobs[i], i, true);
    }
    for (int i = 0; i < 6; i++) {
        wait_until_running(&jobs[i]);
    }
    aio_context_set_thread_pool_params(ctx, 0, 2, NULL);
    for (int i = 0; i < 6; i++) {
        release(&jobs[i]);
        wait_for(&jobs[i]);
    }
    wait_for_threads(2); /* with work left for four */
    wait_until_running(&jobs[6]);
    wait_until_running(&jobs[7]);
    ASSERT_EQ(qatomic_read(&jobs[8].ran), 0);
    for (int i = 6; i < 10; i++) {
        release(&jobs[i]);
        wait_for(&jobs[i]);
    }
    tear_down();
}

TEST(refused_limits_name_the_values_and_the_range)
{
    Error *err = NULL;

    set_up(1, 4);
    aio_context_set_thread_pool_params(ctx, 9, 4, &err);
    ASSERT(err);
    ASSERT(strstr(error_get_pretty(err), "min 9, max 4"));
    ASSERT(strstr(error_get_pretty(err), "min <= max"));
    error_free(err);
    aio_context_set_thread_pool_params(ctx, -1, INT64_MAX, NULL); /* no errp */
    ASSERT_EQ(ctx->thread_pool_min, 1);
    ASSERT_EQ(ctx->thread_pool_max, 4);
    tear_down();
}
