/*
 * stress_context_test.c - coroutines that travel between contexts, and contexts
 * that come and go while others use them
 */
#include "aioctl/request.h"
#include "qemu/coroutine.h"
#include "stress.h"

/* ---- travelling coroutines ---------------------------------------------- */

enum { LOOPS = 4, TRAVELLERS = 16 };

typedef struct Journey {
    TestLoop loops[LOOPS];
    int hops;
    int arrived; /* atomic */
} Journey;

typedef struct Traveller {
    Journey *journey;
    unsigned random;
} Traveller;

static void coroutine_fn travel(void *opaque)
{
    Traveller *t = opaque;
    Journey *j = t->journey;

    for (int i = 0; i < j->hops; i++) {
        AioContext *to = j->loops[random_next(&t->random) % LOOPS].ctx;

        aio_co_reschedule_self(to);
        ASSERT_PTR_EQ(qemu_get_current_aio_context(), to);
        ASSERT(aio_context_in_home_thread(to));
    }
    qatomic_inc(&j->arrived);
}

ON_EVERY_MONITOR(coroutines_travel_between_four_contexts)
{
    Journey j = {.hops = scaled(2000)};
    Traveller travellers[TRAVELLERS];

    for (int i = 0; i < LOOPS; i++) {
        j.loops[i].poll_max_ns = i % 2 ? 0 : 10000;
        test_loop_start(&j.loops[i], monitor);
    }
    for (int i = 0; i < TRAVELLERS; i++) {
        travellers[i] = (Traveller){&j, 11 + (unsigned)i};
        aio_co_schedule(j.loops[i % LOOPS].ctx,
                        qemu_coroutine_create(travel, &travellers[i]));
    }
    while (qatomic_load_acquire(&j.arrived) < TRAVELLERS) {
        usleep(500);
    }
    for (int i = 0; i < LOOPS; i++) {
        test_loop_stop(&j.loops[i]);
    }
}

/* ---- woken from plain threads ------------------------------------------- */

typedef struct Sleeper {
    AioContext *ctx;
    Coroutine *co; /* atomic: parked, or about to be */
    int rounds;
    bool ended; /* atomic */
} Sleeper;

static void coroutine_fn sleeper_main(void *opaque)
{
    Sleeper *s = opaque;

    for (int i = 0; i < s->rounds; i++) {
        qatomic_store_release(&s->co, qemu_coroutine_self());
        qemu_coroutine_yield();
    }
    qatomic_store_release(&s->ended, true);
}

static void *wake_main(void *opaque)
{
    Sleeper *s = opaque;

    while (!qatomic_load_acquire(&s->ended)) {
        Coroutine *co = qatomic_xchg(&s->co, (Coroutine *)NULL);

        if (co) {
            aio_co_wake(co);
        } else {
            step_aside();
        }
    }
    return NULL;
}

ON_EVERY_MONITOR(coroutines_are_woken_before_and_after_they_have_yielded)
{
    enum { SLEEPERS = 3 };
    TestLoop loop = {0};
    Sleeper sleepers[SLEEPERS];
    pthread_t threads[SLEEPERS];

    test_loop_start(&loop, monitor);
    for (int i = 0; i < SLEEPERS; i++) {
        sleepers[i] = (Sleeper){.ctx = loop.ctx, .rounds = scaled(5000)};
        aio_co_schedule(loop.ctx,
                        qemu_coroutine_create(sleeper_main, &sleepers[i]));
        pthread_create(&threads[i], NULL, wake_main, &sleepers[i]);
    }
    for (int i = 0; i < SLEEPERS; i++) {
        pthread_join(threads[i], NULL);
    }
    test_loop_stop(&loop);
}

/* ---- the last word of a context ----------------------------------------- */

typedef struct Mayfly {
    AioContext *ctx; /* atomic: alive, and waiting for its end */
    const char *monitor;
    int rounds;
    bool over; /* in the context's thread */
} Mayfly;

static void coroutine_fn end_of_day(void *opaque)
{
    ((Mayfly *)opaque)->over = true;
}

/* Each context ends with the first thing that is scheduled in it, while the
 * scheduler may not have returned yet. */
static void *mayfly_main(void *opaque)
{
    Mayfly *m = opaque;

    for (int i = 0; i < m->rounds; i++) {
        AioContext *ctx = context_on(m->monitor);

        m->over = false;
        aio_poll(ctx, false);
        qatomic_store_release(&m->ctx, ctx);
        while (!m->over) {
            aio_poll(ctx, true);
        }
        aio_context_unref(ctx);
    }
    return NULL;
}

ON_EVERY_MONITOR(what_is_scheduled_in_a_context_may_end_it)
{
    Mayfly m = {.monitor = monitor, .rounds = scaled(3000)};
    pthread_t thread;

    pthread_create(&thread, NULL, mayfly_main, &m);
    for (int i = 0; i < m.rounds; i++) {
        AioContext *ctx;

        while (!(ctx = qatomic_xchg(&m.ctx, (AioContext *)NULL))) {
            step_aside();
        }
        if (i % 2) {
            aio_co_schedule(ctx, qemu_coroutine_create(end_of_day, &m));
        } else {
            aio_bh_schedule_oneshot(ctx, set_flag, &m.over);
        }
    }
    pthread_join(thread, NULL);
}

/* ---- everything at once ------------------------------------------------- */

typedef struct Maker {
    const char *monitor;
    int rounds;
    unsigned random;
} Maker;

typedef struct Use {
    AioContext *ctx;
    int bhs, timers, fds, coroutines, requests;
    int event;
} Use;

static void used_bh(void *opaque)
{
    ((Use *)opaque)->bhs++;
}

static void used_timer(void *opaque)
{
    ((Use *)opaque)->timers++;
}

static void used_fd(void *opaque)
{
    Use *use = opaque;

    use->fds++;
    unset(use->ctx, use->event);
}

static void coroutine_fn used_coroutine(void *opaque)
{
    ((Use *)opaque)->coroutines++;
}

static void used_request(AioRequest *req)
{
    ((Use *)req->opaque)->requests++;
}

static bool used_up(const Use *use)
{
    return use->bhs == 2 && use->timers && use->fds && use->coroutines &&
           use->requests == 2;
}

static void use_everything(AioContext *ctx, const AioEngine *engine)
{
    Use use = {.ctx = ctx, .event = new_event()};
    QEMUBH *bh = aio_bh_new(ctx, used_bh, &use);
    QEMUTimer timer;
    AioRequest reqs[2];

    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, used_timer,
                   &use);
    timer_mod_ns(&timer, 0);
    aio_set_fd_handler(ctx, use.event, false, used_fd, NULL, NULL, NULL, &use);
    poke(use.event);
    qemu_bh_schedule(bh);
    aio_bh_schedule_oneshot(ctx, used_bh, &use);
    aio_co_schedule(ctx, qemu_coroutine_create(used_coroutine, &use));
    for (int i = 0; i < 2; i++) {
        reqs[i] = (AioRequest){.op = i ? AIO_OP_FSYNC : AIO_OP_NOP,
                               .fd = use.event,
                               .done = used_request,
                               .opaque = &use};
        aio_request_submit(ctx, engine, &reqs[i]);
    }
    while (!used_up(&use)) {
        aio_poll(ctx, true);
    }
    qemu_bh_delete(bh);
    close(use.event);
}

static void *maker_main(void *opaque)
{
    Maker *m = opaque;
    const char *const *engines = aio_engine_names();

    for (int i = 0; i < m->rounds; i++) {
        AioContext *ctx = context_on(m->monitor);
        unsigned n = 0;

        while (engines[n]) {
            n++;
        }
        use_everything(ctx,
                       aio_engine_get(ctx, engines[random_next(&m->random) % n],
                                      true, NULL, NULL));
        aio_context_unref(ctx);
    }
    return NULL;
}

ON_EVERY_MONITOR(contexts_are_made_used_and_destroyed_in_parallel)
{
    enum { MAKERS = 4 };
    Maker makers[MAKERS];
    pthread_t threads[MAKERS];

    for (int i = 0; i < MAKERS; i++) {
        makers[i] = (Maker){monitor, scaled(60), 5 + (unsigned)i};
        pthread_create(&threads[i], NULL, maker_main, &makers[i]);
    }
    for (int i = 0; i < MAKERS; i++) {
        pthread_join(threads[i], NULL);
    }
}
