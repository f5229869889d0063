/*
 * limits_context_test.c - a great many contexts: side by side, and one after
 * the other
 */
#include "quantity.h"
#include "qemu/coroutine.h"

/* ---- side by side ------------------------------------------------------- */

enum { CONTEXTS = 100, LAPS = 50 };

typedef struct Ring {
    AioContext *ctx[CONTEXTS];
    int visits[CONTEXTS]; /* each in its context's thread */
    int arrived;          /* atomic: tokens that have made their laps */
} Ring;

typedef struct Token {
    Ring *ring;
    int place, hops;
} Token;

/* Through every context, over and over. */
static void token_cb(void *opaque)
{
    Token *token = opaque;
    Ring *ring = token->ring;

    ASSERT_PTR_EQ(qemu_get_current_aio_context(), ring->ctx[token->place]);
    ring->visits[token->place]++;
    if (--token->hops == 0) {
        qatomic_inc(&ring->arrived);
        return;
    }
    token->place = (token->place + 1) % CONTEXTS;
    aio_bh_schedule_oneshot(ring->ctx[token->place], token_cb, token);
}

static void tokens_start(Ring *ring, Token *tokens, int laps)
{
    for (int i = 0; i < CONTEXTS; i++) {
        tokens[i] = (Token){ring, i, CONTEXTS * laps};
    }
    for (int i = 0; i < CONTEXTS; i++) {
        aio_bh_schedule_oneshot(ring->ctx[i], token_cb, &tokens[i]);
    }
}

ON_EVERY_MONITOR(a_hundred_contexts_in_threads_pass_tokens_to_each_other)
{
    int laps = limit_of(LAPS, 10, "laps");
    TestLoop loops[CONTEXTS] = {{0}};
    Token tokens[CONTEXTS];
    Ring ring = {{0}, {0}, 0};

    for (int i = 0; i < CONTEXTS; i++) {
        test_loop_start(&loops[i], monitor);
        ring.ctx[i] = loops[i].ctx;
    }
    tokens_start(&ring, tokens, laps);
    while (qatomic_load_acquire(&ring.arrived) < CONTEXTS) {
        usleep(1000);
    }
    for (int i = 0; i < CONTEXTS; i++) {
        test_loop_stop(&loops[i]);
        ASSERT_EQ(ring.visits[i], CONTEXTS * laps);
    }
}

static void ring_poll_all(Ring *ring)
{
    for (int i = 0; i < CONTEXTS; i++) {
        aio_poll(ring->ctx[i], false);
    }
}

ON_EVERY_MONITOR(a_hundred_contexts_of_one_thread_are_polled_in_turn)
{
    int laps = limit_of(LAPS, 10, "laps");
    Token tokens[CONTEXTS];
    Ring ring = {{0}, {0}, 0};

    for (int i = 0; i < CONTEXTS; i++) {
        ring.ctx[i] = context_on(monitor);
    }
    ring_poll_all(&ring);
    tokens_start(&ring, tokens, laps);
    while (ring.arrived < CONTEXTS) {
        ring_poll_all(&ring);
    }
    for (int i = 0; i < CONTEXTS; i++) {
        ASSERT_EQ(ring.visits[i], CONTEXTS * laps);
        aio_context_unref(ring.ctx[i]);
    }
}

/* ---- one after the other ------------------------------------------------ */

enum { GENERATIONS = 10000, WARM = 200 };

static void coroutine_fn yield_once(void *opaque)
{
    int *steps = opaque;

    ++*steps;
    aio_co_schedule(qemu_get_current_aio_context(), qemu_coroutine_self());
    qemu_coroutine_yield();
    ++*steps;
}

/* A short life with a bottom half, a timer, a descriptor and a coroutine. */
static void live(const char *monitor)
{
    AioContext *ctx = context_on(monitor);
    bool bh_ran = false, timer_ran = false;
    int steps = 0;
    Side side = {.fd = new_event()};
    QEMUTimer *timer =
        aio_timer_new(ctx, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag, &timer_ran);

    set_reader(ctx, &side, on_read_drain);
    poke(side.fd);
    timer_mod_ns(timer, 1);
    aio_bh_schedule_oneshot(ctx, set_flag, &bh_ran);
    aio_co_enter(ctx, qemu_coroutine_create(yield_once, &steps));
    while (!bh_ran || !timer_ran || !side.reads || steps < 2) {
        aio_poll(ctx, true);
    }
    timer_free(timer);
    unset(ctx, side.fd);
    close(side.fd);
    aio_context_unref(ctx);
}

ON_EVERY_MONITOR(ten_thousand_contexts_leave_no_descriptor_and_no_memory_behind)
{
    int n = limit_of(GENERATIONS, 10, "contexts");

    for (int i = 0; i < WARM; i++) {
        live(monitor);
    }
    int fds = test_count_fds();
    int64_t heap = heap_bytes(), rss = rss_bytes();
    for (int i = 0; i < n; i++) {
        live(monitor);
    }
    ASSERT_EQ(test_count_fds(), fds);
    heap = heap_bytes() - heap;
    rss = rss_bytes() - rss;
    printf("# %s: after %d contexts %lld bytes more allocated, %lld resident\n",
           monitor, n, (long long)heap, (long long)rss);
    if (!getenv("AIOCTL_TEST_SLOW")) { /* valgrind answers mallinfo2() with 0 */
        ASSERT_CMP(heap, <, 4096);     /* less than half a byte of each */
    }
    if (test_is_slow()) {
        printf("# slow build: its tools keep freed memory resident\n");
    } else {
        ASSERT_CMP(rss, <, 512 << 10);
    }
}
