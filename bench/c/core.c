/*
 * core.c - what one operation of the C core costs
 *
 * Each case has one context in this thread.  Names say what is counted: a
 * scheduled and run bottom half, an event notifier set and handled.  Timers,
 * coroutines, thread pool and files have programs of their own.
 */
#include "harness.h"

#include "aioctl/context.h"
#include "block/aio.h"
#include "qemu/event_notifier.h"

enum { BATCH = 100 };

static AioContext *ctx;
static uint64_t events;
static QEMUBH *bhs[BATCH];
static EventNotifier notifier;

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

static uint64_t run_oneshot100(uint64_t n)
{
    uint64_t start = events;

    while (events - start < n) {
        for (int i = 0; i < BATCH; i++) {
            aio_bh_schedule_oneshot(ctx, count, NULL);
        }
        aio_poll(ctx, false);
    }
    return events - start;
}

/* ---- event notifier: set, wait, handle ---------------------------------- */

static void on_notifier(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    events++;
}

static void open_notifier(const char *monitor)
{
    open_context();
    bench_require(aio_context_set_fdmon(ctx, monitor, NULL), monitor);
    bench_require(event_notifier_init(&notifier, false) == 0, "eventfd");
    aio_set_event_notifier(ctx, &notifier, false, on_notifier, NULL, NULL);
}

static void open_notifier_epoll(void)
{
    open_notifier("epoll!");
}

static void open_notifier_io_uring(void)
{
    open_notifier("io_uring!");
}

static void open_notifier_poll(void)
{
    open_notifier("poll!");
}

static void close_notifier(void)
{
    aio_set_event_notifier(ctx, &notifier, false, NULL, NULL, NULL);
    event_notifier_cleanup(&notifier);
    close_context();
}

static uint64_t run_notifier(uint64_t n)
{
    uint64_t start = events;

    while (events - start < n) {
        event_notifier_set(&notifier);
        aio_poll(ctx, true);
    }
    return events - start;
}

const BenchCase bench_cases[] = {
    {"bh1", run_bh1, open_bhs, close_bhs},
    {"bh100", run_bh100, open_bhs, close_bhs},
    {"oneshot100", run_oneshot100, open_context, close_context},
    {"notifier_poll", run_notifier, open_notifier_poll, close_notifier},
    {"notifier_epoll", run_notifier, open_notifier_epoll, close_notifier},
    {"notifier_io_uring", run_notifier, open_notifier_io_uring, close_notifier},
    {NULL, NULL, NULL, NULL},
};
