/*
 * thread_pool_done.c - the way home of finished work
 *
 * Workers push on a lock-free stack; one bottom half empties it, puts the
 * items in order and completes them.
 *
 * The rule that keeps it right: a pass completes at most what had finished when
 * it began, so completions that queue new work cannot keep the loop from its
 * timers and fds.  What a pass interrupted by a nested aio_poll() has left over
 * is found by thread_pool_before_wait().
 */
#include "engine/thread_pool_int.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "qemu/atomic.h"

void thread_pool_push_done(ThreadPool *pool, ThreadPoolItem *item)
{
    ThreadPoolItem *old = __atomic_load_n(&pool->finished, __ATOMIC_RELAXED);

    if (!old) {
        qatomic_set_i64(&pool->finished_ns, clock_monotonic_ns());
    }
    do {
        item->next = old;
        /* Pairs with the exchange in collect(): publishes item's result. */
    } while (!__atomic_compare_exchange_n(&pool->finished, &old, item, true,
                                          __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    if (!old) {
        qemu_bh_schedule(pool->bh);
    }
}

/* Appends what has finished to pool->done, oldest first. */
static void collect(ThreadPool *pool)
{
    ThreadPoolItem *item, *next, *ordered = NULL;
    ThreadPoolItem *newest = /* pairs with thread_pool_push_done() */
        __atomic_exchange_n(&pool->finished, NULL, __ATOMIC_ACQUIRE);

    for (item = newest; item; item = next) {
        next = item->next;
        item->next = ordered;
        ordered = item;
        pool->done_count++;
    }
    if (newest) {
        *pool->done_tail = ordered;
        pool->done_tail = &newest->next;
    }
}

static ThreadPoolItem *done_pop(ThreadPool *pool)
{
    ThreadPoolItem *item = pool->done;

    pool->done = item->next;
    pool->done_count--;
    if (!pool->done) {
        pool->done_tail = &pool->done;
    }
    return item;
}

void thread_pool_complete_bh(void *opaque)
{
    ThreadPool *pool = opaque;
    ThreadPoolItem *item;
    unsigned budget;

    pool_expected(pool);
    collect(pool);
    budget = pool->done_count;
    pool->completing++;
    while (budget-- && pool->done) { /* a nested pass may have taken some */
        item = done_pop(pool);
        pool->in_flight--;
        item->complete(item);
    }
    pool->completing--;
}

void thread_pool_before_wait(ThreadPool *pool)
{
    if (pool->done) {
        qemu_bh_schedule(pool->bh);
    }
    pool_expect(pool);
}

void thread_pool_check_idle(ThreadPool *pool)
{
    const char *first = "none";
    unsigned queued = 0;

    CHECKF(!pool->completing, "a thread pool is freed by a callback of its own "
                              "work");
    if (likely(pool->in_flight == 0)) {
        return;
    }
    qemu_mutex_lock(&pool->lock);
    if (pool->queue_head) {
        first = thread_pool_item_name(pool->queue_head);
    }
    for (ThreadPoolItem *item = pool->queue_head; item; item = item->next) {
        queued++;
    }
    CHECKF(pool->in_flight == 0,
           "a thread pool is freed with %u functions in flight, of which %u "
           "have not begun (first: %s); wait for their callbacks",
           pool->in_flight, queued, first);
}

int thread_pool_item_error(const ThreadPoolItem *item)
{
    switch (item->state) {
    case POOL_ITEM_CANCELLED:
        return -ECANCELED;
    case POOL_ITEM_FAILED:
        return -EAGAIN;
    default:
        CHECK(item->state == POOL_ITEM_RUNNING);
        return 0;
    }
}
