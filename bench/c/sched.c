/*
 * sched.c - what coroutines of the core, and scheduling them, cost
 *
 * An operation is one coroutine's whole life (create, life, nest), one enter
 * and yield (switch), or one turn of a coroutine that schedules itself in its
 * context and yields (schedule_N, ready_N: N of them take turns).
 */
#include "harness.h"

#include <stdlib.h>

#include "aioctl/context.h"
#include "aioctl/coroutine.h"
#include "block/aio.h"
#include "qemu/coroutine.h"

enum { DEPTH = 1000 };

static AioContext *ctx;
static uint64_t events;
static Coroutine *yielder;
static bool stopping;

/* ---- without a loop ----------------------------------------------------- */

static void coroutine_fn yield_forever(void *opaque)
{
    while (!stopping) {
        qemu_coroutine_yield();
    }
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

static uint64_t run_switch(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        qemu_coroutine_enter(yielder);
    }
    return n;
}

static void coroutine_fn end_at_once(void *opaque)
{
    events++;
}

static uint64_t run_create(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        qemu_coroutine_enter(qemu_coroutine_create(end_at_once, NULL));
    }
    return n;
}

static void coroutine_fn yield_once(void *opaque)
{
    qemu_coroutine_yield();
    events++;
}

static uint64_t run_life(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        Coroutine *co = qemu_coroutine_create(yield_once, NULL);

        qemu_coroutine_enter(co);
        qemu_coroutine_enter(co);
    }
    return n;
}

/* Enters another one within, as often as *@opaque says. */
static void coroutine_fn nest(void *opaque)
{
    unsigned *depth = opaque;

    if (--*depth > 0) {
        qemu_coroutine_enter(qemu_coroutine_create(nest, depth));
    }
}

static uint64_t run_nest(uint64_t n)
{
    uint64_t done;

    for (done = 0; done < n; done += DEPTH) {
        unsigned depth = DEPTH;

        qemu_coroutine_enter(qemu_coroutine_create(nest, &depth));
    }
    return done;
}

/* ---- in a loop ---------------------------------------------------------- */

static void coroutine_fn schedule_forever(void *opaque)
{
    while (!stopping) {
        events++;
        aio_co_schedule(ctx, qemu_coroutine_self());
        qemu_coroutine_yield();
    }
}

static void coroutine_fn ready_forever(void *opaque)
{
    while (!stopping) {
        events++;
        aio_co_ready(ctx, qemu_coroutine_self());
        qemu_coroutine_yield();
    }
}

static void open_loop(int n, CoroutineEntry *entry)
{
    ctx = aio_context_new(NULL);
    bench_require(ctx != NULL, "aio_context_new");
    aio_poll(ctx, false); /* this is its home */
    stopping = false;
    for (int i = 0; i < n; i++) {
        aio_co_schedule(ctx, qemu_coroutine_create(entry, NULL));
    }
}

static void open_schedule_1(void)
{
    open_loop(1, schedule_forever);
}

static void open_schedule_64(void)
{
    open_loop(64, schedule_forever);
}

static void open_ready_1(void)
{
    open_loop(1, ready_forever);
}

static void open_ready_100(void)
{
    open_loop(100, ready_forever);
}

static void close_loop(void)
{
    stopping = true;
    while (aio_poll(ctx, false)) {
        continue; /* each coroutine runs once more and ends */
    }
    aio_context_unref(ctx);
}

static uint64_t run_loop(uint64_t n)
{
    uint64_t start = events;

    while (events - start < n) {
        aio_poll(ctx, false);
    }
    return events - start;
}

const BenchCase bench_cases[] = {
    {"switch", run_switch, open_yielder, close_yielder},
    {"create", run_create, NULL, NULL},
    {"life", run_life, NULL, NULL},
    {"nest_1000", run_nest, NULL, NULL},
    {"schedule_1", run_loop, open_schedule_1, close_loop},
    {"schedule_64", run_loop, open_schedule_64, close_loop},
    {"ready_1", run_loop, open_ready_1, close_loop},
    {"ready_100", run_loop, open_ready_100, close_loop},
    {NULL, NULL, NULL, NULL},
};
