/*
 * core.c - what one operation of the C core costs
 *
 * Each case has one context in this thread.  Names say what is counted: a
 * scheduled and run bottom half, a timer armed and fired, a switch into a
 * coroutine and back, an event notifier set and handled.
 */
#include "harness.h"

#include <stdlib.h>

#include "aioctl/context.h"
#include "aioctl/coroutine.h"
#include "block/aio.h"
#include "qemu/coroutine.h"
#include "qemu/event_notifier.h"
#include "qemu/timer.h"

enum { BATCH = 100, TIMERS_MAX = 100000 };

static AioContext *ctx;
static uint64_t events;
static QEMUBH *bhs[BATCH];
static QEMUTimer *timers[TIMERS_MAX];
static EventNotifier notifier;
static Coroutine *yielder;
static bool stopping;

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

/* ---- timers: one of @outstanding is re-armed, or armed and fired ---- */

static void open_timers(int outstanding)
{
    open_context();
    for (int i = 0; i < outstanding; i++) {
        timers[i] =
            aio_timer_new(ctx, QEMU_CLOCK_REALTIME, SCALE_NS, count, NULL);
        timer_mod(timers[i], INT64_MAX / 2 + i);
    }
}

static void close_timers(void)
{
    for (int i = 0; i < TIMERS_MAX && timers[i]; i++) {
        timer_free(timers[i]);
        timers[i] = NULL;
    }
    close_context();
}

static void open_timers_100(void)
{
    open_timers(100);
}

static void open_timers_10000(void)
{
    open_timers(10000);
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static uint64_t rearm(uint64_t n, uint32_t outstanding)
{
    uint32_t state = 1;

    for (uint64_t i = 0; i < n; i++) {
        uint32_t r = next_random(&state);
        timer_mod(timers[r % outstanding], INT64_MAX / 2 + r);
    }
    return n;
}

static uint64_t run_rearm_100(uint64_t n)
{
    return rearm(n, 100);
}

static uint64_t run_rearm_10000(uint64_t n)
{
    return rearm(n, 10000);
}

static uint64_t run_arm_fire(uint64_t n)
{
    uint64_t start = events;

    while (events - start < n) {
        for (int i = 0; i < BATCH; i++) {
            timer_mod(timers[i], 1);
        }
        aio_poll(ctx, false);
    }
    return events - start;
}

/* ---- coroutines --------------------------------------------------------- */

static void coroutine_fn yield_forever(void *opaque)
{
    while (!stopping) {
        qemu_coroutine_yield();
    }
}

static void coroutine_fn end_at_once(void *opaque)
{
    events++;
}

static void open_yielder(void)
{
    stopping = false;
    yielder = qemu_coroutine_create(yield_forever, NULL);
}

static void close_yielder(void)
{
    stopping = true;
    qemu_coroutine_enter(yielder);
}

static uint64_t run_co_switch(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        qemu_coroutine_enter(yielder);
    }
    return n;
}

static uint64_t run_co_create(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        qemu_coroutine_enter(qemu_coroutine_create(end_at_once, NULL));
    }
    return n;
}

static void coroutine_fn ready_forever(void *opaque)
{
    while (!stopping) {
        events++;
        aio_co_ready(ctx, qemu_coroutine_self());
        qemu_coroutine_yield();
    }
}

static void open_ready(void)
{
    open_context();
    stopping = false;
    for (int i = 0; i < BATCH; i++) {
        aio_co_ready(ctx, qemu_coroutine_create(ready_forever, NULL));
    }
}

static void close_ready(void)
{
    stopping = true;
    while (aio_poll(ctx, false)) {
        continue; /* each coroutine runs once more and ends */
    }
    close_context();
}

static uint64_t run_co_ready(uint64_t n)
{
    uint64_t start = events;

    while (events - start < n) {
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
    {"rearm_100", run_rearm_100, open_timers_100, close_timers},
    {"rearm_10000", run_rearm_10000, open_timers_10000, close_timers},
    {"arm_fire_100", run_arm_fire, open_timers_100, close_timers},
    {"arm_fire_10000", run_arm_fire, open_timers_10000, close_timers},
    {"co_switch", run_co_switch, open_yielder, close_yielder},
    {"co_create", run_co_create, NULL, NULL},
    {"co_ready100", run_co_ready, open_ready, close_ready},
    {"notifier_poll", run_notifier, open_notifier_poll, close_notifier},
    {"notifier_epoll", run_notifier, open_notifier_epoll, close_notifier},
    {"notifier_io_uring", run_notifier, open_notifier_io_uring, close_notifier},
    {NULL, NULL, NULL, NULL},
};
