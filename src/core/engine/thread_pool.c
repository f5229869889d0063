/*
 * thread_pool.c - worker threads: queue, wake-ups, growing and shrinking
 *
 * Work waits in one FIFO under one lock.  At most one worker at a time is
 * "waking" (signalled or starting, and has taken nothing yet); whoever takes an
 * item wakes the next one if more is queued.  So a burst costs its submitter
 * one wake-up, and no more threads run than find work.  The last one to go idle
 * is the first to be woken: the others get cold and leave after ten seconds.
 *
 * A worker that runs out of work may look for more before it sleeps
 * (thread_pool_spin.c); while one does, nobody is woken.
 *
 * Finished items go to a lock-free stack; the push that finds it empty
 * schedules the completion bottom half (thread_pool_aiocb.c).
 *
 * The rule that keeps it right: a Worker is freed only by thread_pool_free(),
 * after every thread was joined, because another worker may still be about to
 * signal it.  Its memory is reused for later threads (pool->left, pool->spare).
 */
#include "engine/thread_pool_queue.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fork.h"
#include "loop/context.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"

enum { IDLE_EXIT_MS = 10000, THREADS_MAX = INT_MAX };

static void *worker_main(void *opaque);

/* ---- workers; the lock is held ------------------------------------------ */

static void idle_remove(ThreadPool *pool, Worker *w)
{
    for (Worker **p = &pool->idle; *p; p = &(*p)->next_idle) {
        if (*p == w) {
            *p = w->next_idle;
            return;
        }
    }
}

static Worker *idle_pop(ThreadPool *pool)
{
    Worker *w = pool->idle;

    if (w) {
        pool->idle = w->next_idle;
        w->woken = true;
    }
    return w;
}

/* A worker without a thread, ready to be used again. */
static Worker *worker_reuse(ThreadPool *pool)
{
    Worker *w = pool->spare;

    if (w) {
        pool->spare = w->next_idle;
        return w;
    }
    w = pool->left;
    if (w) {
        pool->left = w->next_idle;
        pthread_join(w->thread, NULL); /* it holds no lock: returns at once */
    }
    return w;
}

static Worker *worker_alloc(ThreadPool *pool)
{
    Worker *w = calloc(1, sizeof(*w));

    if (w) {
        w->pool = pool;
        w->next_all = pool->all;
        pool->all = w;
        qemu_cond_init(&w->wake);
    }
    return w;
}

/* Workers take no signals: those belong to the threads with a loop. */
static int start_thread(Worker *w)
{
    sigset_t all, old;
    int ret;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ret = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -ret;
}

static bool pool_spawn(ThreadPool *pool)
{
    Worker *w = worker_reuse(pool);

    if (!w) {
        w = worker_alloc(pool);
    }
    if (!w) {
        return false;
    }
    w->woken = false;
    if (start_thread(w) < 0) {
        w->next_idle = pool->spare;
        pool->spare = w;
        return false;
    }
    pool->threads++;
    return true;
}

/* Without any thread nothing queued would ever end. */
static void pool_fail_queue(ThreadPool *pool)
{
    ThreadPoolItem *item;

    while ((item = queue_pop(pool))) {
        item->state = POOL_ITEM_FAILED;
        thread_pool_push_done(pool, item);
    }
}

/*
 * See to it that somebody will take the head of the queue.  Returns a worker
 * that the caller signals after dropping the lock, or NULL.
 */
static Worker *pool_kick(ThreadPool *pool)
{
    Worker *w;

    if (!pool->queue_head || pool->waking || pool->spinning) {
        return NULL;
    }
    w = idle_pop(pool);
    if (w) {
        pool->waking = true;
        pool->woken_ns = clock_monotonic_ns();
    } else if (pool->threads < pool->max || pool->threads == 0) {
        pool->waking = pool_spawn(pool);
        if (!pool->waking && pool->threads == 0) {
            pool_fail_queue(pool);
        }
    }
    return w;
}

static void unlock_and_wake(ThreadPool *pool, Worker *w)
{
    qemu_mutex_unlock(&pool->lock);
    if (w) {
        qemu_cond_signal(&w->wake);
    }
}

/* ---- the threads -------------------------------------------------------- */

static void worker_run(Worker *w, ThreadPoolItem *item)
{
    ThreadPool *pool = w->pool;

    item->state = POOL_ITEM_RUNNING;
    unlock_and_wake(pool, pool_kick(pool));
    item->run(item);
    thread_pool_push_done(pool, item);
    qemu_mutex_lock(&pool->lock);
}

/* Returns false when the worker should leave. */
static bool worker_idle(Worker *w)
{
    ThreadPool *pool = w->pool;
    bool in_time = true;
    int64_t since_ns = clock_monotonic_ns();

    if (pool_spin(pool, since_ns)) {
        return true;
    }
    if (pool->stopping || pool->threads > pool->max) {
        return false;
    }
    w->woken = false;
    w->next_idle = pool->idle;
    pool->idle = w;
    while (!w->woken && in_time) {
        in_time = qemu_cond_timedwait(&w->wake, &pool->lock, IDLE_EXIT_MS);
    }
    if (w->woken) {
        pool->waking = false;
        spin_learn(&pool->worker_spin, pool->woken_ns - since_ns);
        return true;
    }
    idle_remove(pool, w);
    return pool->threads <= pool->min;
}

static void *worker_main(void *opaque)
{
    Worker *w = opaque;
    ThreadPool *pool = w->pool;
    ThreadPoolItem *item;
    Worker *heir;

    pthread_setname_np(pthread_self(), "aio-worker");
    qemu_mutex_lock(&pool->lock);
    pool->waking = false;
    do {
        while ((item = queue_pop(pool))) {
            worker_run(w, item);
            if (pool->threads > pool->max) {
                break;
            }
        }
    } while (worker_idle(w));
    pool->threads--;
    heir = pool_kick(pool); /* before we are on the list it reuses from */
    w->next_idle = pool->left;
    pool->left = w;
    qemu_cond_signal(&pool->someone_left);
    unlock_and_wake(pool, heir);
    return NULL;
}

/* ---- after a fork ------------------------------------------------------- */

/*
 * The threads stayed in the parent, and one of them may have held the lock.
 * What they work on is the parent's: here it never ends.
 */
static void pool_leave_parent(ThreadPool *pool)
{
    if (likely(pool->fork_count == fork_count)) {
        return;
    }
    pool->fork_count = fork_count;
    qemu_mutex_init(&pool->lock);
    qemu_cond_init(&pool->someone_left);
    pool->queue_head = pool->queue_tail = NULL;
    for (Worker *w = pool->all, *next; w; w = next) {
        next = w->next_all; /* its condition cannot be destroyed: waited for */
        free(w);
    }
    pool->all = pool->idle = pool->left = pool->spare = NULL;
    pool->threads = 0;
    pool->waking = pool->spinning = pool->stopping = false;
    pool->finished = NULL;
    pool->done = NULL;
    pool->done_tail = &pool->done;
    pool->done_count = pool->in_flight = 0;
}

/* ---- home thread -------------------------------------------------------- */

void thread_pool_enqueue(ThreadPool *pool, ThreadPoolItem *item)
{
    CHECKF(aio_context_in_home_thread(pool->ctx),
           "work (%s) for the thread pool of a context of another thread; "
           "submit it in a bottom half of that context",
           thread_pool_item_name(item));
    pool_leave_parent(pool);
    pool->in_flight++;
    item->state = POOL_ITEM_QUEUED;
    qemu_mutex_lock(&pool->lock);
    queue_push(pool, item);
    unlock_and_wake(pool, pool_kick(pool));
}

bool thread_pool_cancel(ThreadPool *pool, ThreadPoolItem *item)
{
    bool queued;

    CHECK(aio_context_in_home_thread(pool->ctx));
    if (pool->fork_count != fork_count) {
        return false; /* the parent's */
    }
    qemu_mutex_lock(&pool->lock);
    queued = item->state == POOL_ITEM_QUEUED;
    if (queued) {
        queue_remove(pool, item);
        item->state = POOL_ITEM_CANCELLED;
    }
    qemu_mutex_unlock(&pool->lock);
    if (queued) {
        thread_pool_push_done(pool, item);
    }
    return queued;
}

void thread_pool_update_params(ThreadPool *pool, AioContext *ctx)
{
    Worker *w, *wake = NULL;

    pool_leave_parent(pool);
    qemu_mutex_lock(&pool->lock);
    qemu_mutex_lock(&ctx->list_lock); /* inside: the last one to set wins */
    pool->min = (int)ctx->thread_pool_min;
    pool->max = (int)ctx->thread_pool_max;
    qemu_mutex_unlock(&ctx->list_lock);
    while (pool->threads < pool->min && pool_spawn(pool)) {
        /* bounded by min, which is at most max */
    }
    for (int n = pool->threads - pool->max; n > 0; n--) {
        w = idle_pop(pool);
        if (!w) {
            break; /* busy ones see the new limit when they finish */
        }
        w->next_idle = wake;
        wake = w;
    }
    while (wake) {
        w = wake;
        wake = w->next_idle;
        qemu_cond_signal(&w->wake);
    }
    unlock_and_wake(pool, pool_kick(pool));
}

void aio_context_set_thread_pool_params(AioContext *ctx, int64_t min,
                                        int64_t max, Error **errp)
{
    ThreadPool *pool;

    if (min < 0 || max < 1 || max > THREADS_MAX || min > max) {
        error_setg(errp,
                   "thread pool: min %lld, max %lld; 0 <= min <= max and "
                   "1 <= max <= %d are needed",
                   (long long)min, (long long)max, THREADS_MAX);
        return;
    }
    qemu_mutex_lock(&ctx->list_lock);
    ctx->thread_pool_min = min;
    ctx->thread_pool_max = max;
    pool = ctx->thread_pool;
    qemu_mutex_unlock(&ctx->list_lock);
    if (pool) {
        thread_pool_update_params(pool, ctx);
    }
}

ThreadPool *thread_pool_new(AioContext *ctx)
{
    ThreadPool *pool = check_calloc(1, sizeof(*pool));

    pool->ctx = ctx ? ctx : qemu_get_aio_context();
    pool->done_tail = &pool->done;
    pool->fork_count = fork_count;
    pool->worker_spin.max_ns = WORKER_SPIN_MAX_NS;
    pool->loop_spin.max_ns = LOOP_SPIN_MAX_NS;
    qemu_mutex_init(&pool->lock);
    qemu_cond_init(&pool->someone_left);
    pool->bh = aio_bh_new_full(pool->ctx, thread_pool_complete_bh, pool,
                               "thread pool completions");
    thread_pool_update_params(pool, pool->ctx);
    return pool;
}

/* Joins one worker that has left; false when none remain.  Takes the lock. */
static bool pool_join_one(ThreadPool *pool)
{
    Worker *w;
    bool more;

    qemu_mutex_lock(&pool->lock);
    while (!(w = pool->left) && pool->threads > 0) {
        Worker *idle = idle_pop(pool);

        if (idle) {
            qemu_cond_signal(&idle->wake);
        }
        qemu_cond_wait(&pool->someone_left, &pool->lock);
    }
    more = w != NULL;
    if (w) {
        pool->left = w->next_idle;
    }
    qemu_mutex_unlock(&pool->lock);
    if (w) {
        pthread_join(w->thread, NULL);
    }
    return more;
}

static void free_workers(Worker *w)
{
    while (w) {
        Worker *next = w->next_all;

        qemu_cond_destroy(&w->wake);
        free(w);
        w = next;
    }
}

void thread_pool_free(ThreadPool *pool)
{
    if (!pool) {
        return;
    }
    pool_leave_parent(pool);
    thread_pool_check_idle(pool);
    qemu_mutex_lock(&pool->lock);
    pool->stopping = true;
    qemu_mutex_unlock(&pool->lock);
    while (pool_join_one(pool)) {
        /* bounded by the number of threads: none starts any more */
    }
    free_workers(pool->all);
    qemu_bh_delete(pool->bh);
    qemu_cond_destroy(&pool->someone_left);
    qemu_mutex_destroy(&pool->lock);
    free(pool);
}
