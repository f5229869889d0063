/*
 * pool_peer.c - the cases of pool.c, by uv_queue_work()
 */
#include "harness.h"

#include <stddef.h>

#ifdef HAVE_LIBUV
#include <uv.h>

enum { DEPTH_MAX = 64 };

static uv_loop_t uv;
static uv_work_t work[DEPTH_MAX];
static uint64_t wanted, submitted, completed;

static void do_nothing(uv_work_t *req)
{
}

static void done(uv_work_t *req, int status)
{
    completed++;
    if (submitted < wanted) {
        submitted++;
        uv_queue_work(&uv, req, do_nothing, done);
    }
}

static void open_uv(void)
{
    bench_require(uv_loop_init(&uv) == 0, "uv_loop_init");
}

static void close_uv(void)
{
    uv_loop_close(&uv);
}

static uint64_t run(uint64_t n, unsigned depth)
{
    wanted += n > depth ? n : depth;
    uint64_t start = completed;

    for (unsigned i = 0; i < depth; i++) {
        submitted++;
        uv_queue_work(&uv, &work[i], do_nothing, done);
    }
    uv_run(&uv, UV_RUN_DEFAULT);
    return completed - start;
}

static uint64_t run_1(uint64_t n)
{
    return run(n, 1);
}

static uint64_t run_64(uint64_t n)
{
    return run(n, DEPTH_MAX);
}
#endif

const BenchCase bench_cases[] = {
#ifdef HAVE_LIBUV
    {"uv_depth_1", run_1, open_uv, close_uv},
    {"uv_depth_64", run_64, open_uv, close_uv},
#endif
    {NULL, NULL, NULL, NULL},
};
