/*
 * core.c - what one operation of the C core costs
 *
 * Each case has one context in this thread.  Names say what is counted: a
 * scheduled and run bottom half.  What has an fd, timers, coroutines, thread
 * pool and files have programs of their own.
 */
#include "harness.h"

#include "aioctl/context.h"
#include "block/aio.h"

enum { BATCH = 100 };

static AioContext *ctx;
static uint64_t events;
static QEMUBH *bhs[BATCH];

static void count(void *opaque)
{
    events++;
}

static void open_context(void)
{
    ctx = aio_context_new(NULL);
    bench_require(ctx != NULL, "aio_context_new");
}

static void close_context(void)
{
    aio_context_unref(ctx);
    ctx = NULL;
}

/* ---- bottom halves ------------------------------------------------------ */

static void open_bhs(void)
{
    open_context();
    for (int i = 0; i < BATCH; i++) {
        bhs[i] = aio_bh_new(ctx, count, NULL);
    }
}

static void close_bhs(void)
{
    for (int i = 0; i < BATCH; i++) {
        qemu_bh_delete(bhs[i]);
    }
    aio_poll(ctx, false);
    close_context();
}

static uint64_t run_bhs(uint64_t n, int batch)
{
    uint64_t start = events;

    while (events - start < n) {
        for (int i = 0; i < batch; i++) {
            qemu_bh_schedule(bhs[i]);
        }
        aio_poll(ctx, false);
    }
    return events - start;
}

static uint64_t run_bh1(uint64_t n)
{
    return run_bhs(n, 1);
}

static uint64_t run_bh100(uint64_t n)
{
    return run_bhs(n, BATCH);
}

static uint64_t run_oneshots(uint64_t n, int batch)
{
    uint64_t start = events;

    while (events - start < n) {
        for (int i = 0; i < batch; i++) {
            aio_bh_schedule_oneshot(ctx, count, NULL);
        }
        aio_poll(ctx, false);
    }
    return events - start;
}

static uint64_t run_oneshot1(uint64_t n)
{
    return run_oneshots(n, 1);
}

static uint64_t run_oneshot100(uint64_t n)
{
    return run_oneshots(n, BATCH);
}

const BenchCase bench_cases[] = {
    {"bh1", run_bh1, open_bhs, close_bhs},
    {"bh100", run_bh100, open_bhs, close_bhs},
    {"oneshot1", run_oneshot1, open_context, close_context},
    {"oneshot100", run_oneshot100, open_context, close_context},
    {NULL, NULL, NULL, NULL},
};
