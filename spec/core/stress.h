/*
 * stress.h - contexts in threads of their own, and numbers that fit the build
 */
#ifndef STRESS_H
#define STRESS_H

#include <time.h>

#include "everywhere.h"

/* Fewer rounds where everything is slow. */
static inline int scaled(int n)
{
    return test_is_slow() ? (n + 9) / 10 : n;
}

/*
 * For whoever waits in a loop for another thread.  On a busy machine a thread
 * that yields has its next turn after everybody else, at each of thousands of
 * rounds; one that sleeps has it soon after it wakes up.
 */
static inline void step_aside(void)
{
    static __thread unsigned times;
    struct timespec moment = {.tv_nsec = 1};

    if (++times % 1024) {
        cpu_relax();
    } else {
        nanosleep(&moment, NULL);
    }
}

/* Xorshift: the same sequence in every run of a thread with the same seed. */
static inline unsigned random_next(unsigned *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static inline AioContext *context_on(const char *monitor)
{
    AioContext *ctx = aio_context_new(NULL);

    ASSERT(ctx);
    ASSERT(aio_context_set_fdmon(ctx, monitor, NULL));
    return ctx;
}

/* A thread that polls a context until told to stop. */
typedef struct TestLoop {
    pthread_t thread;
    const char *monitor;
    int64_t poll_max_ns;
    AioContext *ctx; /* atomic: appears when the loop is about to run */
    bool stop;       /* in the loop's thread */
} TestLoop;

static inline void *test_loop_main(void *opaque)
{
    TestLoop *loop = opaque;
    AioContext *ctx = context_on(loop->monitor);

    aio_context_set_poll_params(ctx, loop->poll_max_ns, 0, 0, NULL);
    aio_poll(ctx, false);
    qatomic_store_release(&loop->ctx, ctx);
    while (!loop->stop) {
        aio_poll(ctx, true);
    }
    while (aio_poll(ctx, false)) {
        /* what was on its way when we were told to stop */
    }
    aio_context_unref(ctx);
    return NULL;
}

static inline void test_loop_start(TestLoop *loop, const char *monitor)
{
    loop->monitor = monitor;
    loop->stop = false;
    loop->ctx = NULL;
    ASSERT_EQ(pthread_create(&loop->thread, NULL, test_loop_main, loop), 0);
    while (!qatomic_load_acquire(&loop->ctx)) {
        step_aside();
    }
}

static inline void test_loop_stop(TestLoop *loop)
{
    aio_bh_schedule_oneshot(loop->ctx, set_flag, &loop->stop);
    pthread_join(loop->thread, NULL);
}

static inline void on_every_monitor(void (*scenario)(const char *monitor))
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        if (aio_fdmon_probe(*name, NULL)) {
            scenario(*name);
        }
    }
}

#define ON_EVERY_MONITOR(name)                  \
    static void name##_on(const char *monitor); \
    TEST(name)                                  \
    {                                           \
        on_every_monitor(name##_on);            \
    }                                           \
    static void name##_on(const char *monitor)

#endif
