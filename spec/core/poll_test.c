/*
 * poll_test.c - the tick: order, progress, nesting, who may poll
 */
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"
#include "everywhere.h"

typedef struct Step {
    AioContext *ctx;
    char *log;
    char letter;
    int fd;
    int depth;
} Step;

static void note(void *opaque)
{
    Step *step = opaque;

    step->log[strlen(step->log)] = step->letter;
}

static void note_and_drain(void *opaque)
{
    Step *step = opaque;
    uint64_t value;

    note(opaque);
    ASSERT_EQ(read(step->fd, &value, sizeof(value)), sizeof(value));
}

static void coroutine_fn note_in_coroutine(void *opaque)
{
    note(opaque);
}

static int full_event(void)
{
    int fd = new_event();

    poke(fd);
    return fd;
}

EVERYWHERE(one_tick_runs_its_phases_in_the_documented_order)
{
    char log[16] = "";
    Step co = {ctx, log, 'c', -1, 0}, timer = {ctx, log, 't', -1, 0};
    Step fd = {ctx, log, 'f', full_event(), 0}, bh = {ctx, log, 'b', -1, 0};
    QEMUTimer ts;

    aio_poll(ctx, false);
    aio_co_schedule(ctx, qemu_coroutine_create(note_in_coroutine, &co));
    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, note, &timer);
    timer_mod_ns(&ts, 0);
    aio_set_fd_handler(ctx, fd.fd, false, note_and_drain, NULL, NULL, NULL,
                       &fd);
    aio_bh_schedule_oneshot(ctx, note, &bh);
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "bftc");
    aio_set_fd_handler(ctx, fd.fd, false, NULL, NULL, NULL, NULL, NULL);
    close(fd.fd);
}

static void schedule_all(void *opaque)
{
    Step *step = opaque;

    if (step->depth++ < 100) {
        aio_bh_schedule_oneshot(step->ctx, schedule_all, step);
    }
}

EVERYWHERE(bottom_halves_without_end_do_not_starve_the_other_phases)
{
    char log[16] = "";
    Step busy = {ctx, log, '-', -1, 0}, timer = {ctx, log, 't', -1, 0};
    Step fd = {ctx, log, 'f', full_event(), 0};
    QEMUTimer ts;

    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, note, &timer);
    timer_mod_ns(&ts, 0);
    aio_set_fd_handler(ctx, fd.fd, false, note_and_drain, NULL, NULL, NULL,
                       &fd);
    aio_bh_schedule_oneshot(ctx, schedule_all, &busy);
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(log, "ft");
    while (aio_poll(ctx, false)) {
    }
    aio_set_fd_handler(ctx, fd.fd, false, NULL, NULL, NULL, NULL, NULL);
    close(fd.fd);
}

static void nothing(void *opaque)
{
}

EVERYWHERE(progress_is_what_ran_except_idle_work_deletions_and_notifications)
{
    QEMUBH *bh = aio_bh_new(ctx, nothing, NULL);
    QEMUTimer *timer =
        aio_timer_new(ctx, QEMU_CLOCK_REALTIME, SCALE_NS, nothing, NULL);

    ASSERT(!aio_poll(ctx, false));
    qemu_bh_schedule_idle(bh);
    ASSERT(!aio_poll(ctx, false));
    qemu_bh_schedule(bh);
    ASSERT(aio_poll(ctx, false));
    aio_notify(ctx);
    ASSERT(!aio_poll(ctx, true));
    timer_mod_ns(timer, 0);
    ASSERT(aio_poll(ctx, false));
    timer_free(timer);
    qemu_bh_schedule(bh);
    qemu_bh_delete(bh);
    ASSERT(!aio_poll(ctx, false));
}

static void poll_deeper(void *opaque)
{
    Step *step = opaque;

    ASSERT(aio_context_is_dispatching(step->ctx));
    if (step->depth++ < 20) {
        aio_bh_schedule_oneshot(step->ctx, poll_deeper, step);
        ASSERT(aio_poll(step->ctx, true));
    }
}

static void coroutine_fn poll_deeper_in_coroutine(void *opaque)
{
    poll_deeper(opaque);
}

EVERYWHERE(every_kind_of_callback_may_poll_again)
{
    Step step = {.ctx = ctx};
    QEMUTimer ts;

    ASSERT(!aio_context_is_dispatching(ctx));
    aio_bh_schedule_oneshot(ctx, poll_deeper, &step);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(step.depth, 21);

    step.depth = 10;
    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, poll_deeper, &step);
    timer_mod_ns(&ts, 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(step.depth, 21);

    step.depth = 10;
    aio_co_ready(ctx, qemu_coroutine_create(poll_deeper_in_coroutine, &step));
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(step.depth, 21);
    ASSERT(!aio_context_is_dispatching(ctx));
    ASSERT(!aio_poll(ctx, false));
}

static void rearm_and_poll(void *opaque)
{
    Step *step = opaque;

    if (step->depth++ < 5) {
        timer_mod_ns((QEMUTimer *)step->log, 0);
        ASSERT(aio_poll(step->ctx, true));
    }
}

EVERYWHERE(timer_callback_may_rearm_and_wait_for_itself)
{
    QEMUTimer ts;
    Step step = {.ctx = ctx, .log = (char *)&ts};

    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, rearm_and_poll,
                   &step);
    timer_mod_ns(&ts, 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(step.depth, 6);
}

static void *poll_elsewhere(void *opaque)
{
    aio_poll(opaque, false);
    return NULL;
}

static void poll_from_two_threads(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    pthread_t thread;

    aio_poll(ctx, false);
    pthread_create(&thread, NULL, poll_elsewhere, ctx);
    pthread_join(thread, NULL);
}

TEST(polling_from_another_thread_aborts_naming_both)
{
    ASSERT_ABORTS(poll_from_two_threads, NULL, "whose home is thread");
}

TEST(context_whose_home_thread_has_ended_may_be_adopted)
{
    AioContext *ctx = aio_context_new(NULL);
    pthread_t thread;

    ASSERT(aio_context_in_home_thread(ctx));
    pthread_create(&thread, NULL, poll_elsewhere, ctx);
    pthread_join(thread, NULL);
    ASSERT(aio_context_in_home_thread(ctx));
    ASSERT(!aio_poll(ctx, false));
    aio_context_unref(ctx);
}

static void *try_home(void *opaque)
{
    return aio_context_in_home_thread(opaque) ? opaque : NULL;
}

TEST(several_contexts_may_live_in_one_thread)
{
    AioContext *a = aio_context_new(NULL), *b = aio_context_new(NULL);
    pthread_t thread;
    void *result;

    ASSERT_PTR_EQ(qemu_get_current_aio_context(), NULL);
    aio_poll(a, false);
    aio_poll(b, false);
    aio_poll(a, false);
    ASSERT_PTR_EQ(qemu_get_current_aio_context(), a);
    pthread_create(&thread, NULL, try_home, b);
    pthread_join(thread, &result);
    ASSERT_PTR_EQ(result, NULL);
    aio_context_unref(a);
    ASSERT_PTR_EQ(qemu_get_current_aio_context(), NULL);
    aio_context_unref(b);
}

static void set_current_twice(void *opaque)
{
    qemu_set_current_aio_context(aio_context_new(NULL));
    qemu_set_current_aio_context(aio_context_new(NULL));
}

TEST(thread_has_one_assigned_context_at_most)
{
    AioContext *ctx = aio_context_new(NULL);

    qemu_set_current_aio_context(ctx);
    ASSERT_PTR_EQ(qemu_get_current_aio_context(), ctx);
    qemu_set_current_aio_context(NULL);
    ASSERT_PTR_EQ(qemu_get_current_aio_context(), NULL);
    aio_context_unref(ctx);
    ASSERT_ABORTS(set_current_twice, NULL, "already has a context");
}

TEST(main_loop_is_a_context_that_can_be_found)
{
    char log[4] = "";
    Step bh = {NULL, log, 'b', -1, 0}, timer = {NULL, log, 't', -1, 0};

    ASSERT_PTR_EQ(qemu_get_aio_context(), NULL);
    ASSERT_EQ(qemu_init_main_loop(NULL), 0);
    ASSERT_PTR_EQ(qemu_get_current_aio_context(), qemu_get_aio_context());
    ASSERT(qemu_mutex_iothread_locked());
    QEMUBH *half = qemu_bh_new(note, &bh);
    QEMUTimer *ts = timer_new_ns(QEMU_CLOCK_REALTIME, note, &timer);
    qemu_bh_schedule(half);
    timer_mod_ns(ts, 0);
    main_loop_wait(false);
    ASSERT_STR_EQ(log, "bt");
    qemu_bh_delete(half);
    timer_free(ts);
    main_loop_wait(true);
    AioContext *ctx = qemu_get_aio_context();
    qemu_set_current_aio_context(NULL);
    aio_context_unref(ctx);
}
