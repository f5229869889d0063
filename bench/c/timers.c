/*
 * timers.c - what timers of the core cost
 *
 * rearm_N: one of N pending timers, chosen at random, gets another random
 * deadline.  arm_fire_N: N timers are armed in random order of deadlines, which
 * have all come; then one aio_poll() fires them in order.  An operation is one
 * timer.
 */
#include "harness.h"
#include "random.h"

#include <stdlib.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "qemu/timer.h"

static AioContext *ctx;
static QEMUTimer *timers;
static uint32_t timer_count;
static uint32_t state;
static uint64_t events;

static void count(void *opaque)
{
    events++;
}

static void open_timers(uint32_t n)
{
    ctx = aio_context_new(NULL);
    timers = calloc(n, sizeof(*timers));
    bench_require(ctx && timers, "a context with timers");
    timer_count = n;
    state = RANDOM_SEED;
    for (uint32_t i = 0; i < n; i++) {
        aio_timer_init(ctx, &timers[i], QEMU_CLOCK_REALTIME, SCALE_NS, count,
                       NULL);
    }
}

static void close_timers(void)
{
    for (uint32_t i = 0; i < timer_count; i++) {
        timer_del(&timers[i]);
    }
    free(timers);
    aio_context_unref(ctx);
}

/* A deadline that does not come while we measure. */
static int64_t far_deadline(void)
{
    return INT64_MAX / 2 + next_random(&state);
}

static void open_pending(uint32_t n)
{
    open_timers(n);
    for (uint32_t i = 0; i < n; i++) {
        timer_mod(&timers[i], far_deadline());
    }
}

static uint64_t run_rearm(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        timer_mod(&timers[next_random(&state) % timer_count], far_deadline());
    }
    return n;
}

static uint64_t run_arm_fire(uint64_t n)
{
    uint64_t start = events;

    while (events - start < n) {
        for (uint32_t i = 0; i < timer_count; i++) {
            timer_mod(&timers[i], 1 + (next_random(&state) >> 8));
        }
        aio_poll(ctx, false);
    }
    return events - start;
}

#define SIZE(n)                   \
    static void open_##n(void)    \
    {                             \
        open_timers(n);           \
    }                             \
    static void pending_##n(void) \
    {                             \
        open_pending(n);          \
    }
#define CASES(n)                                             \
    {"rearm_" #n, run_rearm, pending_##n, close_timers},     \
    {                                                        \
        "arm_fire_" #n, run_arm_fire, open_##n, close_timers \
    }

SIZE(1)
SIZE(100)
SIZE(1000)
SIZE(10000)
SIZE(100000)
SIZE(1000000)

const BenchCase bench_cases[] = {
    CASES(1),
    CASES(100),
    CASES(1000),
    CASES(10000),
    CASES(100000),
    CASES(1000000),
    {NULL, NULL, NULL, NULL},
};
