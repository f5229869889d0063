/*
 * wake.c - bottom halves from one thread to another
 *
 * Ping-pong: two threads, each with a context; a bottom half of one schedules
 * that of the other.  An operation is a round trip.  "2cpu" pins the threads to
 * two processors, "1cpu" to one; "polling" pins nothing and lets both poll for
 * 32 us before they sleep.
 *
 * Flood: four threads schedule one-shots for this one.  That at most one
 * eventfd write is made per sleep is checked, not measured.
 */
#include "harness.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "pin.h"

enum { PRODUCERS = 4, POLLING_NS = 32000 };

typedef struct Setting {
    const char *monitor;
    int cpus;
    int64_t polling_ns;
} Setting;

typedef struct Side {
    AioContext *ctx;
    QEMUBH *bh;
    struct Side *other;
    uint64_t balls, last_ball;
} Side;

static Setting setting;
static Side here, there;
static pthread_t thread;
static sem_t ready;
static int stopping;

static void open_context(AioContext **ctx)
{
    *ctx = aio_context_new(NULL);
    bench_require(*ctx != NULL, "aio_context_new");
    bench_require(aio_context_set_fdmon(*ctx, setting.monitor, NULL),
                  setting.monitor);
    aio_context_set_poll_params(*ctx, setting.polling_ns, 0, 0, NULL);
}

/* A loop that is confined to one processor does not poll. */
static void pin(int which)
{
    if (setting.cpus) {
        pin_thread(which);
    }
}

/* ---- ping-pong ---------------------------------------------------------- */

static void on_ball(void *opaque)
{
    Side *side = opaque;

    if (++side->balls != side->last_ball) {
        qemu_bh_schedule(side->other->bh);
    }
}

static void side_open(Side *side, Side *other)
{
    open_context(&side->ctx);
    side->other = other;
    side->balls = side->last_ball = 0;
    side->bh = aio_bh_new(side->ctx, on_ball, side);
}

static void side_close(Side *side)
{
    qemu_bh_delete(side->bh);
    aio_poll(side->ctx, false);
    aio_context_unref(side->ctx);
}

static void *run_there(void *arg)
{
    pin(setting.cpus - 1);
    side_open(&there, &here);
    sem_post(&ready);
    while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
        aio_poll(there.ctx, true);
    }
    side_close(&there);
    return NULL;
}

static void open_pair(const char *monitor, int cpus, int64_t polling_ns)
{
    setting = (Setting){monitor, cpus, polling_ns};
    stopping = 0;
    pin(0);
    side_open(&here, &there);
    sem_init(&ready, 0, 0);
    bench_require(pthread_create(&thread, NULL, run_there, NULL) == 0,
                  "pthread_create");
    sem_wait(&ready);
}

static void close_pair(void)
{
    __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
    aio_notify(there.ctx);
    pthread_join(thread, NULL);
    side_close(&here);
    sem_destroy(&ready);
}

static uint64_t run_pair(uint64_t n)
{
    here.last_ball = here.balls + n;
    qemu_bh_schedule(there.bh);
    while (here.balls < here.last_ball) {
        aio_poll(here.ctx, true);
    }
    return n;
}

/* ---- flood -------------------------------------------------------------- */

static uint64_t received, flood_share;

static void on_flood(void *opaque)
{
    received++;
}

static void *run_producer(void *arg)
{
    for (uint64_t i = 0; i < flood_share; i++) {
        aio_bh_schedule_oneshot(here.ctx, on_flood, NULL);
    }
    return NULL;
}

static void open_flood(const char *monitor)
{
    setting = (Setting){.monitor = monitor};
    open_context(&here.ctx);
}

static void close_flood(void)
{
    AioContextStats stats;

    aio_context_get_stats(here.ctx, &stats);
    /* A tick announces at most one sleep. */
    bench_require(stats.notifies <= stats.iterations,
                  "one eventfd write per sleep at most");
    aio_context_unref(here.ctx);
}

static uint64_t run_flood(uint64_t n)
{
    pthread_t producers[PRODUCERS];
    uint64_t start = received;

    flood_share = (n + PRODUCERS - 1) / PRODUCERS;
    for (int i = 0; i < PRODUCERS; i++) {
        bench_require(pthread_create(&producers[i], NULL, run_producer, NULL) ==
                          0,
                      "pthread_create");
    }
    while (received - start < flood_share * PRODUCERS) {
        aio_poll(here.ctx, true);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i], NULL);
    }
    return received - start;
}

/* ---- every monitor ------------------------------------------------------ */

#define OPEN(monitor)                           \
    static void open_##monitor##_1cpu(void)     \
    {                                           \
        open_pair(#monitor "!", 1, 0);          \
    }                                           \
    static void open_##monitor##_2cpu(void)     \
    {                                           \
        open_pair(#monitor "!", 2, 0);          \
    }                                           \
    static void open_##monitor##_polling(void)  \
    {                                           \
        open_pair(#monitor "!", 0, POLLING_NS); \
    }                                           \
    static void open_##monitor##_flood(void)    \
    {                                           \
        open_flood(#monitor "!");               \
    }

OPEN(poll)
OPEN(epoll)
OPEN(io_uring)

#define CASES(monitor)                                                         \
    {"bh_" #monitor "_1cpu", run_pair, open_##monitor##_1cpu, close_pair},     \
        {"bh_" #monitor "_2cpu", run_pair, open_##monitor##_2cpu, close_pair}, \
        {"bh_" #monitor "_polling", run_pair, open_##monitor##_polling,        \
         close_pair},                                                          \
    {                                                                          \
        "flood_" #monitor, run_flood, open_##monitor##_flood, close_flood      \
    }

const BenchCase bench_cases[] = {
    CASES(poll),
    CASES(epoll),
    CASES(io_uring),
    {NULL, NULL, NULL, NULL},
};
