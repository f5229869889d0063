/*
 * tick_test.c - what aio_poll() returns, when it sleeps, what it frees
 */
#include <signal.h>

#include "loop/context.h"
#include "qemu/coroutine.h"
#include "everywhere.h"

static void nothing(void *opaque)
{
}

static void coroutine_fn nothing_in_coroutine(void *opaque)
{
}

/* ---- progress ----------------------------------------------------------- */

EVERYWHERE(handlers_and_coroutines_are_progress)
{
    Side reader = {.fd = new_event()}, writer = {.fd = new_event()};

    set_reader(ctx, &reader, on_read_drain);
    ASSERT(!aio_poll(ctx, false));
    poke(reader.fd);
    ASSERT(aio_poll(ctx, true));
    aio_set_fd_handler(ctx, writer.fd, false, NULL, on_write, NULL, NULL,
                       &writer);
    ASSERT(aio_poll(ctx, true));
    unset(ctx, writer.fd);
    ASSERT(!aio_poll(ctx, false));
    aio_co_schedule(ctx, qemu_coroutine_create(nothing_in_coroutine, NULL));
    ASSERT(aio_poll(ctx, true));
    ASSERT(!aio_poll(ctx, false));
    unset(ctx, reader.fd);
    close(reader.fd);
    close(writer.fd);
}

/* ---- sleeping ----------------------------------------------------------- */

static void on_signal(int sig)
{
}

typedef struct Waker {
    pthread_t target;
    AioContext *ctx;
    bool awake; /* atomic */
} Waker;

static void *send_signals(void *opaque)
{
    Waker *waker = opaque;

    while (!qatomic_load_acquire(&waker->awake)) {
        usleep(1000);
        pthread_kill(waker->target, SIGUSR1);
    }
    return NULL;
}

EVERYWHERE(signal_ends_a_sleep_without_progress)
{
    struct sigaction action = {.sa_handler = on_signal};
    Waker waker = {.target = pthread_self()};
    pthread_t thread;

    aio_poll(ctx, false);
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, send_signals, &waker);
    ASSERT(!aio_poll(ctx, true)); /* nothing registered: would sleep on */
    qatomic_store_release(&waker.awake, true);
    pthread_join(thread, NULL);
    signal(SIGUSR1, SIG_IGN);
}

static void *send_notifications(void *opaque)
{
    Waker *waker = opaque;

    while (!qatomic_load_acquire(&waker->awake)) {
        usleep(5000);
        aio_notify(waker->ctx);
    }
    return NULL;
}

EVERYWHERE(blocking_poll_sleeps_although_no_fd_is_registered)
{
    uint64_t blocked = ctx->stats.blocked, passes = ctx->stats.iterations;
    Waker waker = {.ctx = ctx};
    pthread_t thread;

    pthread_create(&thread, NULL, send_notifications, &waker);
    while (ctx->stats.blocked_ns < SCALE_MS) {
        ASSERT(!aio_poll(ctx, true));
    }
    qatomic_store_release(&waker.awake, true);
    pthread_join(thread, NULL);
    ASSERT_CMP(ctx->stats.blocked, >, blocked);
    ASSERT_CMP(ctx->stats.iterations, <, passes + 20);
}

EVERYWHERE(poll_that_must_not_block_does_not_sleep)
{
    Side side = {.fd = new_event()};

    set_reader(ctx, &side, on_read);
    for (int i = 0; i < 50; i++) {
        ASSERT(!aio_poll(ctx, false));
    }
    ASSERT_EQ(ctx->stats.blocked, 0);
    ASSERT_EQ(ctx->stats.blocked_ns, 0);
    unset(ctx, side.fd);
    close(side.fd);
}

/* ---- freeing ------------------------------------------------------------ */

typedef struct Remover {
    AioContext *ctx;
    int fd;
    AioHandler *node;
    bool ran;
} Remover;

static AioHandler *find(AioContext *ctx, int fd)
{
    qemu_mutex_lock(&ctx->list_lock);
    AioHandler *node = handler_find(ctx, fd);
    qemu_mutex_unlock(&ctx->list_lock);
    return node;
}

static void remove_and_poll(void *opaque)
{
    Remover *r = opaque;

    r->ran = true;
    r->node = find(r->ctx, r->fd);
    unset(r->ctx, r->fd);
    aio_poll(r->ctx, false);
    /* Still our memory: only the outermost poll frees. */
    ASSERT(r->node->deleted);
    ASSERT_EQ(r->node->fd, r->fd);
    ASSERT_EQ(r->ctx->deleted_count, 1);
}

EVERYWHERE(only_the_outermost_poll_frees_removed_handlers)
{
    Remover r = {.ctx = ctx, .fd = new_event()};

    aio_set_fd_handler(ctx, r.fd, false, remove_and_poll, NULL, NULL, NULL, &r);
    poke(r.fd);
    while (!r.ran) {
        ASSERT(aio_poll(ctx, true));
    }
    for (int i = 0; i < 3 && ctx->deleted_count; i++) {
        aio_poll(ctx, false); /* io_uring: when the kernel has let go */
    }
    ASSERT_EQ(ctx->deleted_count, 0);
    close(r.fd);
}

/* ---- the same fd, outside and inside ------------------------------------ */

static void poll_while_ready(void *opaque)
{
    Side *side = opaque;

    if (++side->reads == 1) {
        ASSERT(aio_poll(side->ctx, true)); /* not drained: calls us again */
        ASSERT_EQ(side->reads, 2);
        uint64_t value;
        ASSERT_EQ(read(side->fd, &value, sizeof(value)), sizeof(value));
    }
}

EVERYWHERE(nested_poll_calls_the_running_handler_again_while_its_fd_is_ready)
{
    Side side = {.fd = new_event()};

    set_reader(ctx, &side, poll_while_ready);
    poke(side.fd);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(side.reads, 2);
    /* A report from before the drain may be left, but not two. */
    aio_poll(ctx, false);
    ASSERT_CMP(side.reads, <=, 3);
    int reads = side.reads;
    for (int i = 0; i < 5; i++) {
        ASSERT(!aio_poll(ctx, false));
    }
    ASSERT_EQ(side.reads, reads);
    unset(ctx, side.fd);
    close(side.fd);
}

/* ---- timers come last --------------------------------------------------- */

static void timer_looks(void *opaque)
{
    Remover *r = opaque;

    r->ran = true;
    ASSERT_EQ(r->ctx->walking, 0);
    ASSERT_EQ(r->ctx->deleted_count, 0);
}

static void schedule_timer(void *opaque)
{
    timer_mod_ns(opaque, 0);
}

EVERYWHERE(timers_run_when_no_walk_is_on_and_one_armed_in_the_tick_runs_in_it)
{
    Remover r = {.ctx = ctx};
    QEMUTimer timer;

    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, timer_looks, &r);
    aio_bh_schedule_oneshot(ctx, schedule_timer, &timer);
    ASSERT(aio_poll(ctx, false));
    ASSERT(r.ran);
    aio_bh_schedule_oneshot(ctx, nothing, NULL);
    ASSERT(aio_poll(ctx, true));
}
