/*
 * thread_pool_test.c - the public pool: results, cancelling, growing, fairness
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "block/block.h"
#include "block/thread-pool.h"
#include "engine/thread_pool_int.h"
#include "loop/context.h"
#include "qapi/error.h"
#include "test.h"

static AioContext *ctx;
static ThreadPool *pool;

static void set_up(void)
{
    ctx = aio_context_new(NULL);
    pool = aio_get_thread_pool(ctx);
}

static void limits(int64_t min, int64_t max)
{
    Error *err = NULL;

    aio_context_set_thread_pool_params(ctx, min, max, &err);
    ASSERT(!err);
}

static int add_one(void *opaque)
{
    return __atomic_add_fetch((int *)opaque, 1, __ATOMIC_RELAXED);
}

typedef struct Result {
    int calls, ret;
} Result;

static void take_result(void *opaque, int ret)
{
    Result *r = opaque;

    r->calls++;
    r->ret = ret;
}

static void poll_until(const int *value, int wanted)
{
    while (__atomic_load_n(value, __ATOMIC_ACQUIRE) < wanted) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(*value, wanted);
}

/* ---- a gate that holds workers ------------------------------------------ */

typedef struct Gate {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool open;
    int inside, most;
} Gate;

static Gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false,
                    0, 0};

static int pass_gate(void *opaque)
{
    Gate *g = opaque;

    pthread_mutex_lock(&g->lock);
    g->inside++;
    g->most = g->inside > g->most ? g->inside : g->most;
    pthread_cond_broadcast(&g->cond);
    while (!g->open) {
        pthread_cond_wait(&g->cond, &g->lock);
    }
    g->inside--;
    pthread_mutex_unlock(&g->lock);
    return 7;
}

static void wait_inside(Gate *g, int count)
{
    pthread_mutex_lock(&g->lock);
    while (g->inside < count) {
        pthread_cond_wait(&g->cond, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

static void open_gate(Gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->cond);
    pthread_mutex_unlock(&g->lock);
}

/* ---- results ------------------------------------------------------------ */

TEST(a_result_comes_back_once)
{
    int n = 41;
    Result r = {0};

    set_up();
    thread_pool_submit_aio(pool, add_one, &n, take_result, &r);
    ASSERT_EQ(r.calls, 0);
    poll_until(&r.calls, 1);
    ASSERT_EQ(r.ret, 42);
    aio_context_unref(ctx);
}

TEST(nobody_needs_to_wait)
{
    int n = 0;

    set_up();
    for (int i = 0; i < 100; i++) {
        thread_pool_submit(pool, add_one, &n);
    }
    while (pool->in_flight) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(n, 100);
    aio_context_unref(ctx);
}

static int co_sum;

static void coroutine_fn co_main(void *opaque)
{
    int n = 1;

    for (int i = 0; i < 10; i++) {
        co_sum += thread_pool_submit_co(pool, add_one, &n);
    }
    ++*(int *)opaque;
}

TEST(coroutines_park_until_the_function_returns)
{
    int done = 0;

    set_up();
    for (int i = 0; i < 5; i++) {
        aio_co_enter(ctx, qemu_coroutine_create(co_main, &done));
    }
    poll_until(&done, 5);
    ASSERT_EQ(co_sum, 5 * (11 * 12 / 2 - 1));
    aio_context_unref(ctx);
}

static int mask_is_full(void *opaque)
{
    sigset_t set;

    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, SIGINT) && sigismember(&set, SIGTERM) &&
           sigismember(&set, SIGCHLD);
}

TEST(workers_take_no_signals)
{
    Result r = {0};

    set_up();
    thread_pool_submit_aio(pool, mask_is_full, NULL, take_result, &r);
    poll_until(&r.calls, 1);
    ASSERT_EQ(r.ret, 1);
    aio_context_unref(ctx);
}

/* ---- cancelling --------------------------------------------------------- */

TEST(queued_work_can_be_cancelled_and_running_work_cannot)
{
    Result running = {0}, queued[50] = {{0}};
    BlockAIOCB *acb, *acbs[50];

    set_up();
    limits(0, 1);
    acb = thread_pool_submit_aio(pool, pass_gate, &gate, take_result, &running);
    wait_inside(&gate, 1);
    for (int i = 0; i < 50; i++) {
        acbs[i] = thread_pool_submit_aio(pool, pass_gate, &gate, take_result,
                                         &queued[i]);
    }
    for (int i = 0; i < 50; i += 2) {
        bdrv_aio_cancel_async(acbs[i]);
        bdrv_aio_cancel_async(acbs[i]);
        ASSERT_EQ(queued[i].calls, 0);
    }
    bdrv_aio_cancel(acbs[49]); /* waits for the callback */
    ASSERT_EQ(queued[49].calls, 1);
    bdrv_aio_cancel_async(acb);
    open_gate(&gate);
    poll_until(&running.calls, 1);
    ASSERT_EQ(running.ret, 7);
    for (int i = 0; i < 50; i++) {
        poll_until(&queued[i].calls, 1);
        ASSERT_EQ(queued[i].ret, i % 2 == 0 || i == 49 ? -ECANCELED : 7);
    }
    aio_context_unref(ctx);
}

/* ---- size --------------------------------------------------------------- */

TEST(no_more_threads_than_max_work_at_once)
{
    Result r[40] = {{0}};

    set_up();
    limits(0, 8);
    for (int i = 0; i < 40; i++) {
        thread_pool_submit_aio(pool, pass_gate, &gate, take_result, &r[i]);
    }
    wait_inside(&gate, 8); /* and so many do */
    open_gate(&gate);
    for (int i = 0; i < 40; i++) {
        poll_until(&r[i].calls, 1);
    }
    ASSERT_EQ(gate.most, 8);
    aio_context_unref(ctx);
}

static int threads_now(void)
{
    int n;

    qemu_mutex_lock(&pool->lock);
    n = pool->threads;
    qemu_mutex_unlock(&pool->lock);
    return n;
}

TEST(min_threads_are_there_at_once_and_max_shrinks_the_pool)
{
    set_up();
    limits(6, 10);
    ASSERT_EQ(threads_now(), 6);
    limits(0, 2);
    while (threads_now() > 2) {
        usleep(1000);
    }
    limits(0, 10);
    aio_context_unref(ctx);
}

TEST(resizing_under_load_loses_nothing)
{
    static const int sizes[] = {1, 16, 3, 64, 2, 8};
    int n = 0, total = test_is_slow() ? 3000 : 30000;

    set_up();
    for (int i = 0; i < total; i++) {
        thread_pool_submit(pool, add_one, &n);
        if (i % 500 == 0) {
            int max = sizes[(i / 500) % 6];
            limits(max / 2, max);
            aio_poll(ctx, false);
        }
    }
    while (pool->in_flight) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(n, total);
    aio_context_unref(ctx);
}

TEST(limits_out_of_range_are_refused_and_change_nothing)
{
    static const int64_t bad[][2] = {{-1, 4}, {5, 4}, {0, 0}, {0, 1LL << 40}};
    AioContextParams before, after;

    set_up();
    aio_context_get_params(ctx, &before);
    for (int i = 0; i < 4; i++) {
        Error *err = NULL;

        aio_context_set_thread_pool_params(ctx, bad[i][0], bad[i][1], &err);
        ASSERT(err);
        error_free(err);
    }
    aio_context_get_params(ctx, &after);
    ASSERT_EQ(before.thread_pool_max, after.thread_pool_max);
    aio_context_unref(ctx);
}

/* ---- fairness and nesting ----------------------------------------------- */

static int bh_runs, rounds;
static bool stop;

static void count_bh(void *opaque)
{
    bh_runs++;
    stop = bh_runs >= 20;
    if (!stop) {
        qemu_bh_schedule(*(QEMUBH **)opaque);
    }
}

static int nothing(void *opaque)
{
    return 0;
}

static void submit_again(void *opaque, int ret)
{
    rounds++;
    if (!stop) {
        thread_pool_submit_aio(pool, nothing, NULL, submit_again, NULL);
    }
}

TEST(completions_that_submit_again_do_not_starve_the_loop)
{
    QEMUBH *bh;

    set_up();
    bh = aio_bh_new(ctx, count_bh, &bh);
    for (int i = 0; i < 32; i++) {
        thread_pool_submit_aio(pool, nothing, NULL, submit_again, NULL);
    }
    qemu_bh_schedule(bh);
    while (!stop) { /* each tick ends, whatever completes meanwhile */
        int before = bh_runs;

        aio_poll(ctx, false);
        ASSERT_CMP(bh_runs, <=, before + 1);
    }
    while (pool->in_flight) {
        aio_poll(ctx, true);
    }
    qemu_bh_delete(bh);
    aio_context_unref(ctx);
}

static int nested_started, nested_ended;

static void nested_done(void *opaque, int ret)
{
    if (nested_started++ == 0) {
        while (nested_ended < 9) {
            aio_poll(ctx, true);
        }
    }
    nested_ended++;
}

TEST(a_nested_poll_runs_the_other_completions)
{
    set_up();
    for (int i = 0; i < 10; i++) {
        thread_pool_submit_aio(pool, nothing, NULL, nested_done, NULL);
    }
    poll_until(&nested_ended, 10);
    aio_context_unref(ctx);
}

TEST(a_pool_of_ones_own_is_freed_with_all_its_threads)
{
    Result r = {0};
    ThreadPool *own;

    set_up();
    limits(4, 4);
    own = thread_pool_new(ctx);
    thread_pool_submit_aio(own, nothing, NULL, take_result, &r);
    poll_until(&r.calls, 1);
    thread_pool_free(own);
    thread_pool_free(NULL);
    aio_context_unref(ctx);
}

static void free_busy(void *opaque)
{
    set_up();
    thread_pool_submit(pool, pass_gate, &gate);
    thread_pool_free(pool);
}

TEST(freeing_a_pool_with_work_in_it_is_reported)
{
    ASSERT_ABORTS(free_busy, NULL, "in_flight == 0");
}
