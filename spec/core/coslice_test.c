/*
 * coslice_test.c - coroutines of one slice follow each other
 *
 * What may not change by their switching to one another directly: the order,
 * what a slice is, who entered whom, and whose lock is held.
 */
#include <pthread.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "test.h"

typedef struct Body {
    AioContext *ctx;
    Coroutine *co;
    char *log;
    char letter;
    int rounds;
} Body;

static void note(Body *body)
{
    body->log[strlen(body->log)] = body->letter;
}

static void note_late(void *opaque)
{
    note(opaque);
}

/* The end is in capitals. */
static void coroutine_fn yield_rounds(void *opaque)
{
    Body *body = opaque;

    for (int i = 0; i < body->rounds; i++) {
        note(body);
        aio_co_ready(body->ctx, qemu_coroutine_self());
        qemu_coroutine_yield();
        ASSERT_PTR_EQ(qemu_get_current_aio_context(), body->ctx);
    }
    body->letter += 'A' - 'a';
    note(body);
}

static void start(Body *body)
{
    aio_co_ready(body->ctx, qemu_coroutine_create(yield_rounds, body));
}

TEST(some_end_some_yield_and_the_order_stays)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body body[4];

    aio_poll(ctx, false);
    for (int i = 0; i < 4; i++) {
        body[i] = (Body){
            .ctx = ctx, .log = log, .letter = 'a' + i, .rounds = i % 2 * 2};
        start(&body[i]);
    }
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "AbCd");
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "AbCdbd");
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "AbCdbdBD");
    ASSERT(!aio_poll(ctx, false));
    aio_context_unref(ctx);
}

/* ---- more than one slice ------------------------------------------------ */

TEST(poll_more_runs_as_many_slices_as_were_asked_for)
{
    AioContext *ctx = aio_context_new(NULL);
    AioContextStats before, after;
    char log[16] = "";
    Body a = {.ctx = ctx, .log = log, .letter = 'a', .rounds = 4};
    Body b = {.ctx = ctx, .log = log, .letter = 'b', .rounds = 1};

    aio_poll(ctx, false);
    aio_context_get_stats(ctx, &before);
    start(&a);
    start(&b);
    ASSERT(aio_poll_more(ctx, true, 2));
    ASSERT_STR_EQ(log, "abaBa");
    aio_context_get_stats(ctx, &after);
    ASSERT_EQ(after.iterations - before.iterations, 3);
    ASSERT_EQ(after.coroutines - before.coroutines, 5);
    ASSERT(aio_poll(ctx, true)); /* the bound is not left behind */
    ASSERT_STR_EQ(log, "abaBaa");
    ASSERT(aio_poll_more(ctx, true, 100));
    ASSERT_STR_EQ(log, "abaBaaA");
    ASSERT(!aio_poll_more(ctx, false, 100));
    aio_context_unref(ctx);
}

typedef struct Event {
    Body body;
    void (*happen)(struct Event *event);
    Body late;
    QEMUTimer timer;
    EventNotifier notifier;
} Event;

static void coroutine_fn yield_after_event(void *opaque)
{
    Event *event = opaque;

    yield_rounds(&event->body);
    event->body.letter = 'e';
    event->happen(event);
    yield_rounds(&event->body);
}

static Event *running;

static void on_notifier(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    note(&running->late);
}

/* @happen makes something due: it runs before the next slice.  Beside an fd
 * there is a next slice only where the monitor knows, without asking the
 * kernel, that the fd is not ready. */
static void check_event(void (*happen)(Event *event), const char *expected)
{
    AioContext *ctx = aio_context_new(NULL);
    Error *err = NULL;

    if (!aio_context_set_fdmon(ctx, "io_uring!", &err)) {
        SKIP("%s", error_get_pretty(err));
    }

    char log[16] = "";
    Event event = {
        .body = {.ctx = ctx, .log = log, .letter = 'b', .rounds = 1},
        .happen = happen,
        .late = {.ctx = ctx, .log = log, .letter = '!'},
    };

    running = &event;
    ASSERT_EQ(event_notifier_init(&event.notifier, false), 0);
    aio_set_event_notifier(ctx, &event.notifier, false, on_notifier, NULL,
                           NULL);
    aio_timer_init(ctx, &event.timer, QEMU_CLOCK_REALTIME, SCALE_NS, note_late,
                   &event.late);
    aio_poll(ctx, false);
    aio_co_ready(ctx, qemu_coroutine_create(yield_after_event, &event));
    ASSERT(aio_poll_more(ctx, true, 100));
    ASSERT_STR_EQ(log, "bBe");
    ASSERT(aio_poll_more(ctx, true, 100));
    ASSERT_STR_EQ(log, expected);
    aio_poll(ctx, false);
    aio_set_event_notifier(ctx, &event.notifier, false, NULL, NULL, NULL);
    event_notifier_cleanup(&event.notifier);
    aio_context_unref(ctx);
}

static void schedule_bh(Event *event)
{
    aio_bh_schedule_oneshot(event->body.ctx, note_late, &event->late);
}

static void arm_timer(Event *event)
{
    timer_mod_ns(&event->timer, 0);
}

static void set_notifier(Event *event)
{
    event_notifier_set(&event->notifier);
}

static void only_notify(Event *event)
{
    aio_notify(event->body.ctx);
}

static void *notify_from_thread(void *opaque)
{
    Event *event = opaque;

    aio_bh_schedule_oneshot(event->body.ctx, note_late, &event->late);
    return NULL;
}

static void schedule_remotely(Event *event)
{
    pthread_t thread;

    pthread_create(&thread, NULL, notify_from_thread, event);
    pthread_join(thread, NULL);
}

TEST(poll_more_returns_when_a_bottom_half_is_scheduled)
{
    check_event(schedule_bh, "bBe!E");
}

TEST(poll_more_returns_when_a_timer_is_due)
{
    check_event(arm_timer, "bBe!E");
}

TEST(poll_more_returns_when_an_fd_is_ready)
{
    check_event(set_notifier, "bBe!E");
}

TEST(poll_more_returns_when_notified)
{
    check_event(only_notify, "bBeE");
}

TEST(poll_more_returns_when_another_thread_schedules_something)
{
    check_event(schedule_remotely, "bBe!E");
}

/* ---- who entered whom --------------------------------------------------- */

static void coroutine_fn note_and_end(void *opaque)
{
    note(opaque);
}

static void coroutine_fn note_yield_note(void *opaque)
{
    Body *body = opaque;

    note(body);
    qemu_coroutine_yield();
    note(body);
}

static void coroutine_fn enter_other(void *opaque)
{
    Body *body = opaque;

    note(body);
    qemu_coroutine_enter(body->co);
    note(body);
    qemu_coroutine_enter(body->co);
    note(body);
}

TEST(coroutine_entered_by_one_of_the_slice_yields_to_that_one)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body inner = {.ctx = ctx, .log = log, .letter = 'i'};
    Body a = {.ctx = ctx, .log = log, .letter = 'a'};
    Body b = {.ctx = ctx, .log = log, .letter = 'b'};

    aio_poll(ctx, false);
    a.co = qemu_coroutine_create(note_yield_note, &inner);
    aio_co_ready(ctx, qemu_coroutine_create(enter_other, &a));
    start(&b);
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "aiaiaB");
    aio_context_unref(ctx);
}

static void coroutine_fn wake_other(void *opaque)
{
    Body *body = opaque;

    aio_co_wake(body->co);
    note(body);
    qemu_coroutine_yield();
    note(body);
}

TEST(woken_coroutine_runs_before_the_rest_of_the_slice)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body woken = {.ctx = ctx, .log = log, .letter = 'w'};
    Body a = {.ctx = ctx, .log = log, .letter = 'a'};
    Body b = {.ctx = ctx, .log = log, .letter = 'b'};

    aio_poll(ctx, false);
    a.co = qemu_coroutine_create(note_yield_note, &woken);
    qemu_coroutine_enter(a.co);
    Coroutine *co = qemu_coroutine_create(wake_other, &a);
    aio_co_ready(ctx, co);
    start(&b);
    ASSERT(aio_poll_more(ctx, true, 100));
    ASSERT_STR_EQ(log, "wawB");
    aio_co_ready(ctx, co);
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "wawBa");
    aio_context_unref(ctx);
}

static void coroutine_fn poll_inside(void *opaque)
{
    Body *body = opaque;

    note(body);
    aio_poll(body->ctx, false);
    note(body);
    aio_co_ready(body->ctx, qemu_coroutine_self());
    qemu_coroutine_yield();
    note(body);
}

TEST(nested_poll_has_a_slice_of_its_own_and_gives_the_outer_one_back)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body a = {.ctx = ctx, .log = log, .letter = 'a', .rounds = 1};
    Body p = {.ctx = ctx, .log = log, .letter = 'p'};
    Body b = {.ctx = ctx, .log = log, .letter = 'b', .rounds = 3};

    aio_poll(ctx, false);
    start(&a);
    aio_co_ready(ctx, qemu_coroutine_create(poll_inside, &p));
    start(&b);
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "apbAp");
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "apbApbp");
    ASSERT(aio_poll_more(ctx, true, 100));
    ASSERT_STR_EQ(log, "apbApbpbB");
    aio_context_unref(ctx);
}

/* ---- the context's lock ------------------------------------------------- */

static void *try_lock(void *opaque)
{
    AioContext **ctx = opaque;

    aio_context_acquire(*ctx);
    aio_context_release(*ctx);
    *ctx = NULL;
    return NULL;
}

/* Waits for another thread to take the lock: we must not hold it. */
static void coroutine_fn need_free_lock(void *opaque)
{
    Body *body = opaque;
    AioContext *ctx = body->ctx;
    pthread_t thread;

    pthread_create(&thread, NULL, try_lock, &ctx);
    pthread_join(thread, NULL);
    note(body);
}

TEST(lock_is_held_for_scheduled_coroutines_and_not_for_ready_ones)
{
    AioContext *ctx = aio_context_new(NULL);
    char log[16] = "";
    Body ready = {.ctx = ctx, .log = log, .letter = 'r'};
    Body scheduled = {.ctx = ctx, .log = log, .letter = 's'};

    aio_poll(ctx, false);
    for (int i = 0; i < 2; i++) {
        aio_co_ready(ctx, qemu_coroutine_create(need_free_lock, &ready));
        aio_co_schedule(ctx, qemu_coroutine_create(note_and_end, &scheduled));
    }
    aio_co_ready(ctx, qemu_coroutine_create(need_free_lock, &ready));
    ASSERT(aio_poll_more(ctx, true, 100));
    ASSERT_STR_EQ(log, "rsrsr");
    aio_context_unref(ctx);
}

/* ---- misuse ------------------------------------------------------------- */

static void coroutine_fn end_scheduled(void *opaque)
{
    aio_co_ready(opaque, qemu_coroutine_self());
}

static void run_end_scheduled(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_poll(ctx, false);
    aio_co_ready(ctx, qemu_coroutine_create(end_scheduled, ctx));
    aio_poll(ctx, true);
}

TEST(coroutine_that_ends_while_it_is_ready_aborts)
{
    ASSERT_ABORTS(run_end_scheduled, NULL,
                  "ended while scheduled in "
                  "'aio_co_ready'");
}
