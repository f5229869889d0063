/*
 * pool_rig.h - a pool, and work that a test holds and releases
 */
#ifndef POOL_RIG_H
#define POOL_RIG_H

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "block/block.h"
#include "block/thread-pool.h"
#include "engine/thread_pool_int.h"
#include "everywhere.h"
#include "loop/context.h"
#include "qapi/error.h"
#include "qemu/coroutine.h"

static AioContext *ctx;
static ThreadPool *pool;

static inline void set_up(int64_t min, int64_t max)
{
    Error *err = NULL;

    ctx = aio_context_new(NULL);
    aio_context_set_thread_pool_params(ctx, min, max, &err);
    ASSERT(!err);
    pool = aio_get_thread_pool(ctx);
}

static inline void tear_down(void)
{
    aio_context_unref(ctx);
}

static inline int threads_now(void)
{
    int n;

    qemu_mutex_lock(&pool->lock);
    n = pool->threads;
    qemu_mutex_unlock(&pool->lock);
    return n;
}

/* ---- work --------------------------------------------------------------- */

typedef struct Job {
    int number;
    int ran; /* atomic: the place in the order of running, from 1 */
    int calls, ret;
    bool hold; /* atomic: the worker stays until this is false */
} Job;

static int run_order, call_order[16], call_count;

static inline int run_job(void *opaque)
{
    Job *job = opaque;

    qatomic_set(&job->ran, qatomic_fetch_inc(&run_order) + 1);
    while (qatomic_load_acquire(&job->hold)) {
        sched_yield();
    }
    return 100 + job->number;
}

static inline void job_done(void *opaque, int ret)
{
    Job *job = opaque;

    job->calls++;
    job->ret = ret;
    call_order[call_count++ % 16] = job->number;
}

static inline BlockAIOCB *submit(Job *job, int number, bool hold)
{
    *job = (Job){.number = number, .hold = hold};
    return thread_pool_submit_aio(pool, run_job, job, job_done, job);
}

static inline void wait_until_running(Job *job)
{
    while (!qatomic_read(&job->ran)) {
        sched_yield();
    }
}

static inline void release(Job *job)
{
    qatomic_store_release(&job->hold, false);
}

static inline void wait_for(Job *job)
{
    while (!job->calls) {
        aio_poll(ctx, true);
    }
}

#endif
