/*
 * fd.c - an fd becomes ready and its handler runs, beside 0 to 10,000 idle ones
 *
 * Each operation writes an eventfd and ticks until the handler has read it, all
 * in one thread: what fd_peer.c does with the bare system calls.  "fd" is a
 * handler of aio_set_fd_handler(), "notifier" one of aio_set_event_notifier();
 * "tick" is a bottom half in a context that also watches an fd.
 */
#include "harness.h"

#include <unistd.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "idle.h"
#include "qemu/event_notifier.h"

static AioContext *ctx;
static uint64_t events;
static EventNotifier notifier;
static QEMUBH *bh;
static int idle_count;

static void on_idle(void *opaque)
{
    bench_require(0, "an idle fd that stays idle");
}

static void open_context(const char *monitor, int idle)
{
    ctx = aio_context_new(NULL);
    bench_require(ctx != NULL, "aio_context_new");
    bench_require(aio_context_set_fdmon(ctx, monitor, NULL), monitor);
    bench_require(event_notifier_init(&notifier, false) == 0, "eventfd");
    idle_count = idle;
    idle_open(idle);
    for (int i = 0; i < idle; i++) {
        aio_set_fd_handler(ctx, idle_fds[i], false, on_idle, NULL, NULL, NULL,
                           NULL);
    }
}

static void close_context(void)
{
    int fd = event_notifier_get_fd(&notifier);

    for (int i = 0; i < idle_count; i++) {
        aio_set_fd_handler(ctx, idle_fds[i], false, NULL, NULL, NULL, NULL,
                           NULL);
    }
    aio_set_fd_handler(ctx, fd, false, NULL, NULL, NULL, NULL, NULL);
    event_notifier_cleanup(&notifier);
    aio_context_unref(ctx);
    idle_close();
}

/* ---- the handlers ------------------------------------------------------- */

static void on_fd(void *opaque)
{
    uint64_t value;

    bench_require(read(event_notifier_get_fd(&notifier), &value, 8) == 8,
                  "read");
    events++;
}

static void on_notifier(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    events++;
}

static void open_fd(const char *monitor, int idle)
{
    open_context(monitor, idle);
    aio_set_fd_handler(ctx, event_notifier_get_fd(&notifier), false, on_fd,
                       NULL, NULL, NULL, NULL);
}

static void open_notifier(const char *monitor, int idle)
{
    open_context(monitor, idle);
    aio_set_event_notifier(ctx, &notifier, false, on_notifier, NULL, NULL);
}

static uint64_t run_fd(uint64_t n)
{
    uint64_t start = events, value = 1;
    int fd = event_notifier_get_wfd(&notifier);

    while (events - start < n) {
        bench_require(write(fd, &value, 8) == 8, "write");
        aio_poll(ctx, true);
    }
    return events - start;
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

/* ---- a bottom half per tick, with one plain fd -------------------------- */

static void on_bh(void *opaque)
{
    events++;
}

static void open_tick(const char *monitor, int idle)
{
    open_fd(monitor, idle);
    bh = aio_bh_new(ctx, on_bh, NULL);
}

static void close_tick(void)
{
    qemu_bh_delete(bh);
    aio_poll(ctx, false);
    close_context();
}

static uint64_t run_tick(uint64_t n)
{
    uint64_t start = events;

    while (events - start < n) {
        qemu_bh_schedule(bh);
        aio_poll(ctx, false);
    }
    return events - start;
}

/* ---- every monitor, every number of idle fds ---------------------------- */

#define OPEN(what, monitor, idle)                      \
    static void open_##what##_##monitor##_##idle(void) \
    {                                                  \
        open_##what(#monitor "!", idle);               \
    }
#define OPEN_ALL(what, monitor) \
    OPEN(what, monitor, 0)      \
    OPEN(what, monitor, 64)     \
    OPEN(what, monitor, 1000)   \
    OPEN(what, monitor, 10000)

OPEN_ALL(fd, poll)
OPEN_ALL(fd, epoll)
OPEN_ALL(fd, io_uring)
OPEN_ALL(notifier, poll)
OPEN_ALL(notifier, epoll)
OPEN_ALL(notifier, io_uring)
OPEN(tick, poll, 0)
OPEN(tick, epoll, 0)
OPEN(tick, io_uring, 0)

#define CASE(what, monitor, idle)                           \
    {                                                       \
#what "_" #monitor "_" #idle, run_##what,           \
            open_##what##_##monitor##_##idle, close_context \
    }
#define CASES(what, monitor)                         \
    CASE(what, monitor, 0), CASE(what, monitor, 64), \
        CASE(what, monitor, 1000), CASE(what, monitor, 10000)
#define TICK(monitor)                                                   \
    {                                                                   \
        "tick_" #monitor, run_tick, open_tick_##monitor##_0, close_tick \
    }

const BenchCase bench_cases[] = {
    CASES(fd, poll),
    CASES(fd, epoll),
    CASES(fd, io_uring),
    CASES(notifier, poll),
    CASES(notifier, epoll),
    CASES(notifier, io_uring),
    TICK(poll),
    TICK(epoll),
    TICK(io_uring),
    {NULL, NULL, NULL, NULL},
};
