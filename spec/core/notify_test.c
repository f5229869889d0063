/*
 * notify_test.c - waking a context from other threads
 */
#include <signal.h>

#include "loop/context.h"
#include "everywhere.h"

typedef struct Peer {
    pthread_t thread;
    AioContext *ctx;
    AioContext *back;
    int rounds;
    int left;  /* home of ctx only */
    int total; /* home of ctx only */
    bool stop; /* atomic */
} Peer;

static void *peer_main(void *opaque)
{
    Peer *peer = opaque;

    qemu_set_current_aio_context(peer->ctx);
    while (!qatomic_load_acquire(&peer->stop)) {
        aio_poll(peer->ctx, true);
    }
    return NULL;
}

static void count(void *opaque)
{
    ((Peer *)opaque)->total++;
}

static void pong(void *opaque);

static void ping(void *opaque) /* in the peer's thread */
{
    Peer *peer = opaque;

    aio_bh_schedule_oneshot(peer->back, pong, peer);
}

static void pong(void *opaque) /* in ours */
{
    Peer *peer = opaque;

    if (--peer->left > 0) {
        aio_bh_schedule_oneshot(peer->ctx, ping, peer);
    }
}

static void ping_pong(int64_t poll_max_ns)
{
    AioContext *ctx = aio_context_new(NULL);
    Peer peer = {.ctx = aio_context_new(NULL),
                 .back = ctx,
                 .left = test_is_slow() ? 300 : 3000};

    aio_context_set_poll_params(ctx, poll_max_ns, 0, 0, NULL);
    aio_context_set_poll_params(peer.ctx, poll_max_ns, 0, 0, NULL);
    aio_poll(ctx, false);
    pthread_create(&peer.thread, NULL, peer_main, &peer);
    aio_bh_schedule_oneshot(peer.ctx, ping, &peer);
    while (peer.left > 0) {
        aio_poll(ctx, true);
    }
    qatomic_store_release(&peer.stop, true);
    aio_notify(peer.ctx);
    pthread_join(peer.thread, NULL);
    aio_context_unref(peer.ctx);
    aio_context_unref(ctx);
}

TEST(no_wake_up_is_lost_in_a_ping_pong_of_sleeping_contexts)
{
    ping_pong(0);
}

TEST(no_wake_up_is_lost_in_a_ping_pong_of_polling_contexts)
{
    ping_pong(32000);
}

static void *flood(void *opaque)
{
    Peer *peer = opaque;

    for (int i = 0; i < peer->rounds; i++) {
        aio_bh_schedule_oneshot(peer->ctx, count, peer);
        if (i % 64 == 0) {
            usleep(20); /* let it fall asleep now and then */
        }
    }
    return NULL;
}

EVERYWHERE(no_wake_up_is_lost_in_a_flood_from_two_threads)
{
    Peer peer = {.ctx = ctx, .rounds = test_is_slow() ? 1000 : 20000};
    pthread_t threads[2];

    aio_poll(ctx, false);
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, flood, &peer);
    }
    while (peer.total < 2 * peer.rounds) {
        aio_poll(ctx, true);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    AioContextStats stats;
    aio_context_get_stats(ctx, &stats);
    /* At most one write per sleep, and one that came late per sleep. */
    ASSERT_CMP(stats.notifies, <=, 2 * stats.blocked + 2);
    ASSERT_EQ(stats.bhs, 2 * peer.rounds);
}

EVERYWHERE(work_queued_at_home_costs_no_notification)
{
    Peer peer = {.ctx = ctx};
    AioContextStats stats;
    QEMUTimer timer;

    aio_poll(ctx, false);
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, count, &peer);
    for (int i = 0; i < 100; i++) {
        aio_bh_schedule_oneshot(ctx, count, &peer);
        timer_mod_ns(&timer, 0);
        ASSERT(aio_poll(ctx, true));
    }
    ASSERT_EQ(peer.total, 200);
    aio_context_get_stats(ctx, &stats);
    ASSERT_EQ(stats.notifies, 0);
    ASSERT_EQ(stats.wakeups, 0);
    ASSERT_EQ(stats.blocked, 0);
}

static AioContext *signal_ctx;

static void on_signal(int sig)
{
    aio_notify(signal_ctx);
}

static void *send_signal(void *opaque)
{
    usleep(2000);
    pthread_kill(*(pthread_t *)opaque, SIGUSR1);
    return NULL;
}

EVERYWHERE(signal_handler_of_the_home_thread_may_notify_it)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    pthread_t self = pthread_self(), thread;

    signal_ctx = ctx;
    aio_poll(ctx, false);
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, send_signal, &self);
    ASSERT(!aio_poll(ctx, true));
    pthread_join(thread, NULL);
}

EVERYWHERE(notification_before_the_wait_is_not_lost)
{

    aio_notify(ctx);
    ASSERT(!aio_poll(ctx, true));
    aio_notify(ctx);
    aio_notify(ctx);
    ASSERT(!aio_poll(ctx, true)); /* both of them at once */
}

static void *notify_main(void *opaque)
{
    aio_notify(opaque);
    return NULL;
}

static void notify_from_afar(AioContext *ctx)
{
    pthread_t thread;

    pthread_create(&thread, NULL, notify_main, ctx);
    pthread_join(thread, NULL);
}

EVERYWHERE(notification_of_a_loop_that_does_not_wait_costs_no_system_call)
{
    AioContextStats stats;

    aio_poll(ctx, false);
    for (int i = 0; i < 3; i++) {
        notify_from_afar(ctx);
        notify_from_afar(ctx);
        ASSERT(!aio_poll(ctx, true)); /* one pass for both, without sleep */
    }
    aio_context_get_stats(ctx, &stats);
    ASSERT_EQ(stats.notifies, 0);
    ASSERT_EQ(stats.blocked, 0);
}

EVERYWHERE(accepted_notification_is_forgotten)
{
    AioContextStats stats;

    aio_poll(ctx, false);
    aio_notify_accept(ctx); /* nothing there: allowed */
    notify_from_afar(ctx);
    aio_notify_accept(ctx);
    ASSERT(!ctx->notified);
    ASSERT(!aio_poll(ctx, false));
    aio_context_get_stats(ctx, &stats);
    ASSERT_EQ(stats.wakeups, 0);
}
