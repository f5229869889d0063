/*
 * stress_notify_test.c - wake-ups from many threads: none is lost
 *
 * Every scenario hangs, and so misses its deadline, when one is.
 */
#include "stress.h"

enum { SENDERS = 3 };

/* ---- bottom halves ------------------------------------------------------ */

typedef struct Flood {
    TestLoop loop;
    int rounds;
    QEMUBH *bh;
    uint64_t latest; /* atomic: what the bottom half is to see */
    uint64_t seen;   /* atomic */
    int one_shots;   /* in the loop's thread */
} Flood;

static void note_latest(void *opaque)
{
    Flood *flood = opaque;

    qatomic_store_release(&flood->seen, qatomic_load_acquire(&flood->latest));
}

static void count_one_shot(void *opaque)
{
    ((Flood *)opaque)->one_shots++;
}

static void *flood_main(void *opaque)
{
    Flood *flood = opaque;

    for (int i = 0; i < flood->rounds; i++) {
        aio_bh_schedule_oneshot(flood->loop.ctx, count_one_shot, flood);
        uint64_t mine = qatomic_add_fetch(&flood->latest, 1);
        qemu_bh_schedule(flood->bh);
        /* Now and then wait for it, so that the loop falls asleep. */
        while (i % 16 == 0 && qatomic_load_acquire(&flood->seen) < mine) {
            step_aside();
        }
    }
    return NULL;
}

static void flood_of_bottom_halves(const char *monitor, int64_t poll_max_ns)
{
    Flood flood = {.loop.poll_max_ns = poll_max_ns, .rounds = scaled(10000)};
    pthread_t threads[SENDERS];

    test_loop_start(&flood.loop, monitor);
    flood.bh = aio_bh_new(flood.loop.ctx, note_latest, &flood);
    for (int i = 0; i < SENDERS; i++) {
        pthread_create(&threads[i], NULL, flood_main, &flood);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    while (qatomic_load_acquire(&flood.seen) < flood.latest) {
        step_aside();
    }
    qemu_bh_delete(flood.bh);
    test_loop_stop(&flood.loop);
    ASSERT_EQ(flood.one_shots, SENDERS * flood.rounds);
}

ON_EVERY_MONITOR(no_bottom_half_is_lost_when_the_loop_sleeps)
{
    flood_of_bottom_halves(monitor, 0);
}

ON_EVERY_MONITOR(no_bottom_half_is_lost_when_the_loop_polls)
{
    flood_of_bottom_halves(monitor, 20000);
}

/* ---- deleting and cancelling -------------------------------------------- */

typedef struct Canceller {
    AioContext *ctx;
    int rounds;
} Canceller;

static void alive(void *opaque)
{
    ASSERT_EQ(qatomic_read((int *)opaque), 1);
}

static void free_last(void *opaque)
{
    qatomic_set((int *)opaque, 0);
    free(opaque);
}

/* A deleted bottom half is not called: its data goes in the pass after. */
static void *canceller_main(void *opaque)
{
    Canceller *c = opaque;

    for (int i = 0; i < c->rounds; i++) {
        int *data = calloc(1, sizeof(*data));
        QEMUBH *bh = aio_bh_new(c->ctx, alive, data);

        *data = 1;
        qemu_bh_schedule(bh);
        if (i % 3) {
            qemu_bh_cancel(bh);
        }
        if (i % 2) {
            qemu_bh_schedule(bh);
        }
        qemu_bh_delete(bh);
        aio_bh_schedule_oneshot(c->ctx, free_last, data);
    }
    return NULL;
}

ON_EVERY_MONITOR(bottom_halves_are_made_cancelled_and_deleted_from_afar)
{
    TestLoop loop = {0};
    pthread_t threads[SENDERS];

    test_loop_start(&loop, monitor);
    Canceller c = {.ctx = loop.ctx, .rounds = scaled(10000)};
    for (int i = 0; i < SENDERS; i++) {
        pthread_create(&threads[i], NULL, canceller_main, &c);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    test_loop_stop(&loop);
}

/* ---- notifiers ---------------------------------------------------------- */

typedef struct Ringer {
    EventNotifier notifier;   /* first */
    uint64_t asked, answered; /* atomic */
    AioContext *ctx;
    int rounds;
} Ringer;

static void answer(EventNotifier *notifier)
{
    Ringer *r = container_of(notifier, Ringer, notifier);

    event_notifier_test_and_clear(notifier);
    qatomic_store_release(&r->answered, qatomic_load_acquire(&r->asked));
}

static void *ringer_main(void *opaque)
{
    Ringer *r = opaque;

    for (int i = 0; i < r->rounds; i++) {
        uint64_t mine = qatomic_add_fetch(&r->asked, 1);

        event_notifier_set(&r->notifier);
        aio_notify(r->ctx); /* noise */
        while (i % 4 == 0 && qatomic_load_acquire(&r->answered) < mine) {
            step_aside();
        }
    }
    while (qatomic_load_acquire(&r->answered) < r->asked) {
        step_aside();
    }
    return NULL;
}

static void *noise_main(void *opaque)
{
    Ringer *r = opaque;

    for (int i = 0; i < r->rounds; i++) {
        aio_notify(r->ctx);
    }
    return NULL;
}

ON_EVERY_MONITOR(no_notifier_goes_unheard_in_a_storm_of_notifications)
{
    TestLoop loop = {0};
    Ringer ringers[SENDERS];
    pthread_t threads[SENDERS], noise;

    test_loop_start(&loop, monitor);
    for (int i = 0; i < SENDERS; i++) {
        ringers[i] = (Ringer){.ctx = loop.ctx, .rounds = scaled(2000)};
        ASSERT_EQ(event_notifier_init(&ringers[i].notifier, false), 0);
        aio_set_event_notifier(loop.ctx, &ringers[i].notifier, false, answer,
                               NULL, NULL);
        pthread_create(&threads[i], NULL, ringer_main, &ringers[i]);
    }
    pthread_create(&noise, NULL, noise_main, &ringers[0]);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        aio_set_event_notifier(loop.ctx, &ringers[i].notifier, false, NULL,
                               NULL, NULL);
    }
    pthread_join(noise, NULL);
    test_loop_stop(&loop);
    for (int i = 0; i < SENDERS; i++) {
        event_notifier_cleanup(&ringers[i].notifier);
    }
}

/* ---- timers ------------------------------------------------------------- */

typedef struct Alarm {
    QEMUTimer timer;
    uint64_t asked, rung; /* atomic */
    int rounds;
    unsigned random;
} Alarm;

static void ring(void *opaque)
{
    Alarm *alarm = opaque;

    qatomic_store_release(&alarm->rung, qatomic_load_acquire(&alarm->asked));
}

static void *alarm_main(void *opaque)
{
    Alarm *alarm = opaque;

    for (int i = 0; i < alarm->rounds; i++) {
        int64_t far = qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + SCALE_MS;
        int64_t near = far - SCALE_MS + random_next(&alarm->random) % 20000;

        timer_mod_ns(&alarm->timer, far);
        if (i % 5 == 0) {
            timer_del(&alarm->timer);
        }
        uint64_t mine = qatomic_add_fetch(&alarm->asked, 1);
        timer_mod_ns(&alarm->timer, near);
        while (qatomic_load_acquire(&alarm->rung) < mine) {
            step_aside();
        }
    }
    return NULL;
}

ON_EVERY_MONITOR(timers_armed_and_deleted_from_afar_ring)
{
    TestLoop loop = {0};
    Alarm alarms[SENDERS];
    pthread_t threads[SENDERS];

    test_loop_start(&loop, monitor);
    for (int i = 0; i < SENDERS; i++) {
        alarms[i] = (Alarm){.rounds = scaled(2000), .random = 7 + (unsigned)i};
        aio_timer_init(loop.ctx, &alarms[i].timer, QEMU_CLOCK_REALTIME,
                       SCALE_NS, ring, &alarms[i]);
        pthread_create(&threads[i], NULL, alarm_main, &alarms[i]);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    test_loop_stop(&loop);
}

static void *clock_main(void *opaque)
{
    int *rounds = opaque;

    for (int i = 0; i < *rounds; i++) {
        qemu_clock_enable(QEMU_CLOCK_VIRTUAL, i % 2);
    }
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, true);
    return NULL;
}

typedef struct Ticker {
    QEMUTimer timer;
    int ticks;
} Ticker;

/* Always due: its list runs whenever it may. */
static void tick(void *opaque)
{
    Ticker *ticker = opaque;

    ticker->ticks++;
    timer_mod_ns(&ticker->timer, 0);
}

TEST(a_clock_is_stopped_and_started_while_its_timers_run)
{
    AioContext *ctx = aio_context_new(NULL);
    Ticker ticker = {.ticks = 0};
    int rounds = scaled(20000), before;
    pthread_t thread;
    bool stopped = false;

    aio_timer_init(ctx, &ticker.timer, QEMU_CLOCK_VIRTUAL, SCALE_NS, tick,
                   &ticker);
    tick(&ticker);
    pthread_create(&thread, NULL, clock_main, &rounds);
    for (int i = 0; i < rounds; i++) {
        aio_poll(ctx, false);
    }
    pthread_join(thread, NULL);
    before = ticker.ticks;
    aio_poll(ctx, true);
    ASSERT_EQ(ticker.ticks, before + 1);
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, false);
    stopped = !aio_poll(ctx, false);
    ASSERT(stopped);
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, true);
    timer_del(&ticker.timer);
    aio_context_unref(ctx);
}
