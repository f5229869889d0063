/*
 * thread_pool_spin.c - looking for work for a while before sleeping
 *
 * To wake a thread costs a system call, and on another processor some 25 us
 * until it runs.  Short work that is queued piece by piece pays that twice per
 * piece, once for the worker and once for the loop.  So each looks for a while
 * before it sleeps, if what it waited for came soon last time: for no longer
 * than sleeping would have taken, and not at all after it waited in vain.  A
 * pool without work does not spin, nor does one that has one processor.
 *
 * The rule that keeps it right: "spinning" is set and cleared with the lock
 * held, and whoever clears it looks at the queue under the same lock.  So work
 * that woke nobody because of it is found.
 */
#include "engine/thread_pool_queue.h"

#include "aioctl/context.h"
#include "base/clock.h"
#include "loop/context.h"

enum { LOOKS_PER_CLOCK = 16 };

void spin_learn(Spin *spin, int64_t idle_ns)
{
    AioPollState state = {
        .poll_ns = spin->ns,
        .block_ns = idle_ns,
        .poll_max_ns = spin->max_ns,
    };
    int64_t ns = aio_poll_budget(&state);

    /* A system call, but only where spinning begins. */
    spin->ns = ns && !spin->ns && busypoll_single_cpu() ? 0 : ns;
}

/* Without the lock. */
static bool look_for_work(const ThreadPool *pool, int64_t until_ns)
{
    do {
        for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (qatomic_read(&pool->queue_head)) {
                return true;
            }
            cpu_relax();
        }
    } while (clock_monotonic_ns() < until_ns);
    return false;
}

bool pool_spin(ThreadPool *pool, int64_t since_ns)
{
    int64_t budget = pool->worker_spin.ns;

    if (!budget || pool->spinning || pool->stopping) {
        return false;
    }
    pool->spinning = true;
    qemu_mutex_unlock(&pool->lock);
    look_for_work(pool, since_ns + budget);
    qemu_mutex_lock(&pool->lock);
    pool->spinning = false;
    return pool->queue_head != NULL;
}

/* ---- the loop ----------------------------------------------------------- */

void pool_expect(ThreadPool *pool)
{
    bool waits = pool->in_flight > 0;

    pool->expect_since_ns = waits ? clock_monotonic_ns() : 0;
    pool->ctx->expect_ns = waits ? pool->loop_spin.ns : 0;
}

void pool_expected(ThreadPool *pool)
{
    int64_t finished_ns = qatomic_read_i64(&pool->finished_ns);

    if (pool->expect_since_ns) {
        spin_learn(&pool->loop_spin,
                   MAX(0, finished_ns - pool->expect_since_ns));
        pool->expect_since_ns = 0;
    }
    pool->ctx->expect_ns = 0;
}
