/*
 * coschedule_test.c - coroutines in a context
 */
#include <pthread.h>
#include <stdlib.h>

#include "aioctl/context.h"
#include "aioctl/coroutine.h"
#include "block/aio.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "qemu/coroutine_int.h"
#include "test.h"

typedef struct Body {
    AioContext *ctx;
    AioContext *other_ctx;
    Coroutine *co;
    char *log;
    char letter;
    int rounds;
    int done;
} Body;

static void note(Body *body)
{
    body->log[strlen(body->log)] = body->letter;
}

static void coroutine_fn note_and_end(void *opaque)
{
    note(opaque);
}

static void coroutine_fn yield_rounds(void *opaque)
{
    Body *body = opaque;

    for (int i = 0; i < body->rounds; i++) {
        note(body);
        aio_co_ready(body->ctx, qemu_coroutine_self());
        qemu_coroutine_yield();
    }
    body->done = 1;
}

TEST(scheduled_and_ready_coroutines_run_first_in_first_out)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body body[4];

    aio_poll(ctx, false);
    for (int i = 0; i < 4; i++) {
        body[i] = (Body){.ctx = ctx, .log = log, .letter = 'a' + i};
        Coroutine *co = qemu_coroutine_create(note_and_end, &body[i]);
        if (i % 2) {
            aio_co_schedule(ctx, co);
        } else {
            aio_co_ready(ctx, co);
        }
    }
    ASSERT_STR_EQ(log, "");
    ASSERT_EQ(aio_compute_timeout(ctx), 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "abcd");
    ASSERT(!aio_poll(ctx, false));
    aio_context_unref(ctx);
}

TEST(coroutine_that_makes_itself_ready_runs_once_per_pass)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body a = {.ctx = ctx, .log = log, .letter = 'a', .rounds = 3};
    Body b = {.ctx = ctx, .log = log, .letter = 'b', .rounds = 3};

    aio_poll(ctx, false);
    aio_co_ready(ctx, qemu_coroutine_create(yield_rounds, &a));
    aio_co_ready(ctx, qemu_coroutine_create(yield_rounds, &b));
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "ab");
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "abab");
    while (aio_poll(ctx, false)) {
    }
    ASSERT_STR_EQ(log, "ababab");
    ASSERT_EQ(a.done + b.done, 2);
    aio_context_unref(ctx);
}

static void log_letter(void *opaque)
{
    note(opaque);
}

TEST(coroutines_are_the_last_phase_of_the_tick)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body co = {.ctx = ctx, .log = log, .letter = 'c'};
    Body bh = {.ctx = ctx, .log = log, .letter = 'b'};
    Body timer = {.ctx = ctx, .log = log, .letter = 't'};
    QEMUTimer ts;

    aio_poll(ctx, false);
    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, log_letter, &timer);
    aio_co_schedule(ctx, qemu_coroutine_create(note_and_end, &co));
    timer_mod_ns(&ts, 0);
    aio_bh_schedule_oneshot(ctx, log_letter, &bh);
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "btc");
    aio_context_unref(ctx);
}

static void schedule_twice(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    Body body = {0};
    Coroutine *co = qemu_coroutine_create(note_and_end, &body);

    aio_co_schedule(ctx, co);
    aio_co_schedule(ctx, co);
}

static void schedule_and_ready(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    Body body = {0};
    Coroutine *co = qemu_coroutine_create(note_and_end, &body);

    aio_poll(ctx, false);
    aio_co_schedule(ctx, co);
    aio_co_ready(ctx, co);
}

TEST(scheduling_twice_aborts_naming_who_was_first)
{
    ASSERT_ABORTS(schedule_twice, NULL,
                  "already scheduled in 'aio_co_schedule'");
    ASSERT_ABORTS(schedule_and_ready, NULL,
                  "already scheduled in 'aio_co_schedule'");
}

static void coroutine_fn wait_for_wake(void *opaque)
{
    Body *body = opaque;

    for (int i = 0; i < body->rounds; i++) {
        qemu_coroutine_yield();
    }
    note(body);
    body->done = 1;
}

static void coroutine_fn wake_and_note(void *opaque)
{
    Body *body = opaque;

    aio_co_wake(body->co); /* runs when we end, not here */
    note(body);
}

TEST(wake_outside_of_coroutines_enters_at_once_and_inside_when_one_yields)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body a = {.ctx = ctx, .log = log, .letter = 'a', .rounds = 1};
    Body b = {.ctx = ctx, .log = log, .letter = 'b'};

    aio_poll(ctx, false);
    Coroutine *co = qemu_coroutine_create(wait_for_wake, &a);
    aio_co_enter(ctx, co);
    ASSERT_STR_EQ(log, "");
    aio_co_wake(co);
    ASSERT_STR_EQ(log, "a");

    a.co = b.co = qemu_coroutine_create(wait_for_wake, &a);
    aio_co_enter(ctx, b.co);
    aio_co_enter(ctx, qemu_coroutine_create(wake_and_note, &b));
    ASSERT_STR_EQ(log, "aba");
    aio_context_unref(ctx);
}

typedef struct Chain {
    AioContext *ctx;
    int left;
} Chain;

static void coroutine_fn chain_link(void *opaque)
{
    Chain *chain = opaque;

    if (--chain->left > 0) {
        aio_co_enter(chain->ctx, qemu_coroutine_create(chain_link, chain));
    }
}

TEST(chain_of_coroutines_that_enter_each_other_does_not_grow_the_stack)
{
    AioContext *ctx = aio_context_new(NULL);
    Chain chain = {ctx, test_is_slow() ? 500 : 25000};

    aio_poll(ctx, false);
    aio_co_enter(ctx, qemu_coroutine_create(chain_link, &chain));
    ASSERT_EQ(chain.left, 0);
    aio_context_unref(ctx);
}

typedef struct Worker {
    pthread_t thread;
    AioContext *ctx;
    bool stop; /* atomic */
} Worker;

static void *worker_main(void *opaque)
{
    Worker *worker = opaque;

    qemu_set_current_aio_context(worker->ctx);
    while (!qatomic_load_acquire(&worker->stop)) {
        aio_poll(worker->ctx, true);
    }
    return NULL;
}

static void worker_start(Worker *worker)
{
    worker->ctx = aio_context_new(NULL);
    pthread_create(&worker->thread, NULL, worker_main, worker);
}

static void worker_end(Worker *worker)
{
    qatomic_store_release(&worker->stop, true);
    aio_notify(worker->ctx);
    pthread_join(worker->thread, NULL);
    aio_context_unref(worker->ctx);
}

static void coroutine_fn travel(void *opaque)
{
    Body *body = opaque;

    for (int i = 0; i < body->rounds; i++) {
        aio_co_reschedule_self(body->other_ctx);
        ASSERT_PTR_EQ(qemu_get_current_aio_context(), body->other_ctx);
        aio_co_reschedule_self(body->ctx);
        ASSERT_PTR_EQ(qemu_get_current_aio_context(), body->ctx);
    }
    aio_co_reschedule_self(body->ctx); /* nothing to do */
    body->done = 1;
}

TEST(coroutine_travels_between_threads)
{
    AioContext *ctx = aio_context_new(NULL);
    Worker worker = {0};

    worker_start(&worker);
    Body body = {.ctx = ctx,
                 .other_ctx = worker.ctx,
                 .rounds = test_is_slow() ? 50 : 500};
    aio_poll(ctx, false);
    aio_co_enter(ctx, qemu_coroutine_create(travel, &body));
    while (!body.done) {
        aio_poll(ctx, true);
    }
    worker_end(&worker);
    aio_context_unref(ctx);
}

static void coroutine_fn ask_to_be_woken(void *opaque)
{
    Body *body = opaque;

    for (int i = 0; i < body->rounds; i++) {
        qatomic_store_release(&body->co, qemu_coroutine_self());
        qemu_coroutine_yield();
        ASSERT_PTR_EQ(qemu_get_current_aio_context(), body->ctx);
    }
    body->done = 1;
}

static void *wake_from_afar(void *opaque)
{
    Body *body = opaque;

    for (int i = 0; i < body->rounds; i++) {
        Coroutine *co;

        while (!(co = qatomic_xchg(&body->co, NULL))) {
            sched_yield();
        }
        /* It said so just before it yields: its own thread sorts that out by
         * running it only from its loop. */
        aio_co_wake(co);
    }
    return NULL;
}

TEST(wake_from_a_plain_thread_runs_the_coroutine_at_home)
{
    AioContext *ctx = aio_context_new(NULL);
    Body body = {.ctx = ctx, .rounds = test_is_slow() ? 50 : 1000};
    pthread_t thread;

    aio_poll(ctx, false);
    pthread_create(&thread, NULL, wake_from_afar, &body);
    aio_co_schedule(ctx, qemu_coroutine_create(ask_to_be_woken, &body));
    while (!body.done) {
        aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    aio_context_unref(ctx);
}

static void coroutine_fn poll_in_coroutine(void *opaque)
{
    Body *body = opaque;

    aio_poll(body->ctx, true); /* runs what the outer slice still had */
    note(body);
}

TEST(nested_poll_in_a_coroutine_runs_the_rest_of_the_slice)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body a = {.ctx = ctx, .log = log, .letter = 'a'};
    Body b = {.ctx = ctx, .log = log, .letter = 'b'};

    aio_poll(ctx, false);
    aio_co_ready(ctx, qemu_coroutine_create(poll_in_coroutine, &a));
    aio_co_ready(ctx, qemu_coroutine_create(note_and_end, &b));
    aio_poll(ctx, true);
    ASSERT_STR_EQ(log, "ba");
    aio_context_unref(ctx);
}

static void leave_scheduled(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_co_schedule(ctx, qemu_coroutine_create(note_and_end, NULL));
    aio_context_unref(ctx);
}

TEST(destroying_a_context_with_scheduled_coroutines_aborts)
{
    ASSERT_ABORTS(leave_scheduled, NULL, "aio_co_schedule");
}

typedef struct Neighbour {
    Coroutine *co;
    AioContext *ctx;
    int rounds;
} Neighbour;

static void coroutine_fn stay_at_home(void *opaque)
{
    Neighbour *n = opaque;

    for (;;) {
        ASSERT_PTR_EQ(qemu_get_current_aio_context(), n->ctx);
        ASSERT_PTR_EQ(qemu_coroutine_get_aio_context(n->co), n->ctx);
        if (n->rounds++ == 1) {
            return;
        }
        qemu_coroutine_yield();
    }
}

static void coroutine_fn wake_neighbour(void *opaque)
{
    aio_co_wake(((Neighbour *)opaque)->co);
}

TEST(coroutine_woken_by_one_of_another_context_of_the_thread_keeps_its_own)
{
    AioContext *a = aio_context_new(NULL), *b = aio_context_new(NULL);
    Neighbour n = {.ctx = b};

    aio_poll(a, false);
    aio_poll(b, false);
    n.co = qemu_coroutine_create(stay_at_home, &n);
    aio_co_schedule(b, n.co);
    aio_poll(b, false);
    aio_co_schedule(a, qemu_coroutine_create(wake_neighbour, &n));
    aio_poll(a, false);
    ASSERT_EQ(n.rounds, 1);
    aio_poll(b, true);
    ASSERT_EQ(n.rounds, 2);
    aio_context_unref(a);
    aio_context_unref(b);
}
