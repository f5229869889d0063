/*
 * pool_rules_test.c - what users of a thread pool may rely on
 */
#include "pool_rig.h"

TEST(work_runs_and_calls_back_first_in_first_out)
{
    Job jobs[10];

    set_up(0, 1);
    for (int i = 0; i < 10; i++) {
        submit(&jobs[i], i, i == 0);
    }
    release(&jobs[0]);
    for (int i = 0; i < 10; i++) {
        wait_for(&jobs[i]);
    }
    for (int i = 0; i < 10; i++) {
        ASSERT_EQ(jobs[i].ran, i + 1);
        ASSERT_EQ(call_order[i], i);
        ASSERT_EQ(jobs[i].calls, 1);
        ASSERT_EQ(jobs[i].ret, 100 + i);
    }
    tear_down();
}

TEST(pool_is_made_when_first_asked_for_and_then_stays)
{
    AioContextParams params;

    ctx = aio_context_new(NULL);
    aio_context_get_params(ctx, &params);
    ASSERT_EQ(params.thread_pool_min, 0);
    ASSERT_CMP(params.thread_pool_max, >=, 16);
    ASSERT_CMP(params.thread_pool_max, <=, 64);
    ASSERT_PTR_EQ(ctx->thread_pool, NULL);
    pool = aio_get_thread_pool(ctx);
    ASSERT_PTR_EQ(aio_get_thread_pool(ctx), pool);
    ASSERT_EQ(threads_now(), 0); /* no work, no threads */
    tear_down();
}

/* ---- cancelling --------------------------------------------------------- */

TEST(cancelling_in_each_state_gives_exactly_one_callback)
{
    Job queued, running, finished;
    BlockAIOCB *acb;

    set_up(0, 1);
    acb = submit(&finished, 1, false);
    while (!__atomic_load_n(&pool->finished, __ATOMIC_ACQUIRE)) {
        sched_yield();
    }
    bdrv_aio_cancel_async(acb); /* too late: only the callback is missing */
    ASSERT_EQ(finished.calls, 0);

    acb = submit(&running, 2, true);
    wait_until_running(&running);
    bdrv_aio_cancel_async(acb); /* too late as well */

    acb = submit(&queued, 3, false);
    bdrv_aio_cancel_async(acb);
    ASSERT_EQ(queued.calls, 0); /* never from inside of the call */
    wait_for(&queued);
    release(&running);
    wait_for(&running);
    wait_for(&finished);
    aio_poll(ctx, false);
    ASSERT_EQ(finished.calls + running.calls + queued.calls, 3);
    ASSERT_EQ(finished.ret, 101);
    ASSERT_EQ(running.ret, 102);
    ASSERT_EQ(queued.ret, -ECANCELED);
    ASSERT_EQ(queued.ran, 0);
    tear_down();
}

static void release_soon(void *opaque)
{
    release(opaque);
}

TEST(cancelling_and_waiting_runs_the_loop_until_running_work_has_ended)
{
    Job job;
    BlockAIOCB *acb;

    set_up(0, 4);
    acb = submit(&job, 5, true);
    wait_until_running(&job);
    aio_bh_schedule_oneshot(ctx, release_soon, &job);
    bdrv_aio_cancel(acb);
    ASSERT_EQ(job.calls, 1);
    ASSERT_EQ(job.ret, 105);
    tear_down();
}

/* ---- fairness ----------------------------------------------------------- */

typedef struct Flood {
    int rounds;
    bool stop;
} Flood;

static int nothing(void *opaque)
{
    return 0;
}

static void flood_on(void *opaque, int ret)
{
    Flood *flood = opaque;

    flood->rounds++;
    if (!flood->stop) {
        thread_pool_submit_aio(pool, nothing, NULL, flood_on, flood);
    }
}

TEST(completions_without_end_leave_room_for_timers_and_fds)
{
    Flood flood = {0};
    Side side = {.fd = new_event()};
    bool rang = false;
    QEMUTimer ts;

    set_up(0, 4);
    set_reader(ctx, &side, on_read);
    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag, &rang);
    for (int i = 0; i < 64; i++) {
        thread_pool_submit_aio(pool, nothing, NULL, flood_on, &flood);
    }
    while (flood.rounds < 1000) {
        aio_poll(ctx, true);
    }
    poke(side.fd);
    timer_mod_ns(&ts, 0);
    side.reads = 0;
    for (int i = 0; i < 3; i++) {
        aio_poll(ctx, true);
    }
    ASSERT(rang);
    ASSERT_CMP(side.reads, >=, 1);
    flood.stop = true;
    while (pool->in_flight) {
        aio_poll(ctx, true);
    }
    unset(ctx, side.fd);
    close(side.fd);
    tear_down();
}

/* Always something more has finished when the callback returns. */
static void flood_and_wait(void *opaque, int ret)
{
    Flood *flood = opaque;

    flood->rounds++;
    if (!flood->stop) {
        thread_pool_submit_aio(pool, nothing, NULL, flood_and_wait, flood);
        while (!__atomic_load_n(&pool->finished, __ATOMIC_ACQUIRE)) {
            sched_yield();
        }
    }
}

TEST(a_pass_calls_back_only_what_had_finished_when_it_began)
{
    Flood flood = {0};

    set_up(0, 4);
    thread_pool_submit_aio(pool, nothing, NULL, flood_and_wait, &flood);
    while (flood.rounds == 0) {
        aio_poll(ctx, true);
    }
    for (int i = 2; i < 50; i++) {
        ASSERT(aio_poll(ctx, true));
        ASSERT_EQ(flood.rounds, i);
    }
    flood.stop = true;
    while (pool->in_flight) {
        aio_poll(ctx, true);
    }
    tear_down();
}

static void coroutine_fn submit_two_deep(void *opaque)
{
    int *ended = opaque;

    ASSERT_EQ(thread_pool_submit_co(pool, nothing, NULL), 0);
    ASSERT_PTR_EQ(qemu_get_current_aio_context(), ctx);
    ++*ended;
}

static void start_and_wait(void *opaque, int ret)
{
    int *ended = opaque;

    aio_co_enter(ctx, qemu_coroutine_create(submit_two_deep, ended));
    while (*ended == 0) {
        aio_poll(ctx, true);
    }
}

TEST(completion_may_poll_until_a_coroutine_that_it_started_has_ended)
{
    int ended = 0;

    set_up(0, 2);
    thread_pool_submit_aio(pool, nothing, NULL, start_and_wait, &ended);
    while (pool->in_flight) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(ended, 1);
    tear_down();
}

/* ---- misuse ------------------------------------------------------------- */

static void free_busy(void *opaque)
{
    Job jobs[3];

    set_up(0, 1);
    submit(&jobs[0], 0, true);
    wait_until_running(&jobs[0]);
    submit(&jobs[1], 1, true);
    submit(&jobs[2], 2, true);
    thread_pool_free(pool);
}

static void free_inside(void *opaque, int ret)
{
    thread_pool_free(opaque);
}

static void free_in_callback(void *opaque)
{
    ThreadPool *own;

    set_up(0, 1);
    own = thread_pool_new(ctx);
    thread_pool_submit_aio(own, nothing, NULL, free_inside, own);
    for (;;) {
        aio_poll(ctx, true);
    }
}

static void *submit_from_afar(void *opaque)
{
    thread_pool_submit(pool, nothing, NULL);
    return NULL;
}

static void submit_elsewhere(void *opaque)
{
    pthread_t thread;

    set_up(0, 1);
    aio_poll(ctx, false);
    pthread_create(&thread, NULL, submit_from_afar, NULL);
    pthread_join(thread, NULL);
}

static void submit_co_outside(void *opaque)
{
    set_up(0, 1);
    thread_pool_submit_co(pool, nothing, NULL);
}

TEST(misuse_aborts_naming_the_function)
{
    ASSERT_ABORTS(free_busy, NULL,
                  "3 functions in flight, of which 2 have not begun (first: "
                  "run_job)");
    ASSERT_ABORTS(free_in_callback, NULL, "by a callback of its own work");
    ASSERT_ABORTS(submit_elsewhere, NULL, "work (nothing)");
    ASSERT_ABORTS(submit_co_outside, NULL, "outside of coroutines");
}
