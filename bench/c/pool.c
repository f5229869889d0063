/*
 * pool.c - work that does nothing, through the thread pool
 *
 * depth_N: N pieces of work are always on their way; each completion, in the
 * loop's thread, submits the next.  An operation is one of them.
 */
#include "harness.h"

#include "aioctl/context.h"
#include "block/aio.h"
#include "block/thread-pool.h"

static AioContext *ctx;
static ThreadPool *pool;
static uint64_t wanted, submitted, completed;

static int do_nothing(void *opaque)
{
    return 0;
}

static void submit(void);

static void done(void *opaque, int ret)
{
    completed++;
    if (submitted < wanted) {
        submit();
    }
}

static void submit(void)
{
    submitted++;
    thread_pool_submit_aio(pool, do_nothing, NULL, done, NULL);
}

static void open_pool(void)
{
    ctx = aio_context_new(NULL);
    bench_require(ctx != NULL, "aio_context_new");
    pool = aio_get_thread_pool(ctx);
}

static void open_polling(void)
{
    open_pool();
    aio_context_set_poll_params(ctx, 100000, 0, 0, NULL);
}

static void close_pool(void)
{
    aio_context_unref(ctx);
}

static uint64_t run(uint64_t n, unsigned depth)
{
    wanted += n > depth ? n : depth;
    uint64_t start = completed;

    for (unsigned i = 0; i < depth; i++) {
        submit();
    }
    while (completed < wanted) {
        aio_poll(ctx, true);
    }
    return completed - start;
}

static uint64_t run_1(uint64_t n)
{
    return run(n, 1);
}

static uint64_t run_64(uint64_t n)
{
    return run(n, 64);
}

const BenchCase bench_cases[] = {
    {"depth_1", run_1, open_pool, close_pool},
    {"depth_64", run_64, open_pool, close_pool},
    {"polling_1", run_1, open_polling, close_pool},
    {"polling_64", run_64, open_polling, close_pool},
    {NULL, NULL, NULL, NULL},
};
