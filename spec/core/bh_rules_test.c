/*
 * bh_rules_test.c - bottom halves that meddle with each other, and mistakes
 */
#include "qemu/main-loop.h"
#include "everywhere.h"

typedef struct Log {
    AioContext *ctx;
    int runs;
    QEMUBH *bh;
    QEMUBH *other;
} Log;

static void count(void *opaque)
{
    (*(int *)opaque)++;
}

/* ---- slices ------------------------------------------------------------- */

typedef struct Meddler {
    QEMUBH *mine, *other;
    void (*meddle)(QEMUBH *other);
    int runs;
} Meddler;

static void meddle(void *opaque)
{
    Meddler *m = opaque;

    m->runs++;
    m->meddle(m->other);
}

EVERYWHERE(bh_cancelled_or_deleted_by_one_before_it_in_the_slice_does_not_run)
{
    int runs = 0;
    Meddler m = {.meddle = qemu_bh_cancel};

    m.mine = aio_bh_new(ctx, meddle, &m);
    m.other = aio_bh_new(ctx, count, &runs);
    for (int i = 1; i <= 2; i++) {
        qemu_bh_schedule(m.mine);
        qemu_bh_schedule(m.other);
        ASSERT(aio_poll(ctx, false));
        ASSERT_EQ(m.runs, i);
        ASSERT_EQ(runs, 0);
        m.meddle = qemu_bh_delete;
    }
    qemu_bh_delete(m.mine);
    ASSERT(!aio_poll(ctx, false));
}

static void look_at_timeout(void *opaque)
{
    Log *log = opaque;

    log->runs++;
    ASSERT_EQ(aio_compute_timeout(log->ctx), log->other ? 0 : -1);
}

EVERYWHERE(rest_of_a_slice_that_is_running_keeps_the_loop_from_sleeping)
{
    Log log = {.ctx = ctx};
    int runs = 0;

    log.bh = aio_bh_new(ctx, look_at_timeout, &log);
    log.other = aio_bh_new(ctx, count, &runs);
    qemu_bh_schedule(log.bh);
    qemu_bh_schedule(log.other);
    ASSERT(aio_poll(ctx, false));
    ASSERT_EQ(runs, 1);
    qemu_bh_delete(log.other);
    aio_poll(ctx, false);
    log.other = NULL;
    qemu_bh_schedule(log.bh);
    ASSERT(aio_poll(ctx, false));
    ASSERT_EQ(log.runs, 2);
    qemu_bh_delete(log.bh);
    aio_poll(ctx, false);
}

static void delete_self_and_poll(void *opaque)
{
    Log *log = opaque;

    log->runs++;
    qemu_bh_delete(log->bh);
    ASSERT(!aio_poll(log->ctx, false)); /* frees it: we must not be touched */
}

static void poll_once(void *opaque)
{
    Log *log = opaque;

    log->runs++;
    ASSERT(!aio_poll(log->ctx, false));
}

EVERYWHERE(bh_may_be_freed_by_a_poll_inside_its_own_callback)
{
    Log log = {.ctx = ctx};

    log.bh = aio_bh_new(ctx, delete_self_and_poll, &log);
    qemu_bh_schedule(log.bh);
    ASSERT(aio_poll(ctx, false));
    aio_bh_schedule_oneshot(ctx, poll_once, &log);
    ASSERT(aio_poll(ctx, false));
    ASSERT_EQ(log.runs, 2);
    ASSERT(!aio_poll(ctx, false));
}

TEST(bottom_halves_scheduled_before_a_context_has_a_home_run_there)
{
    AioContext *ctx = aio_context_new(NULL);
    int runs = 0;
    QEMUBH *bh = aio_bh_new(ctx, count, &runs);

    qemu_bh_schedule(bh);
    aio_bh_schedule_oneshot(ctx, count, &runs);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(runs, 2);
    ASSERT(!aio_poll(ctx, false));
    qemu_bh_schedule(bh);
    qemu_bh_delete(bh);
    ASSERT_EQ(aio_bh_poll(ctx), 0);
    aio_bh_schedule_oneshot(ctx, count, &runs);
    ASSERT_EQ(aio_bh_poll(ctx), 1);
    aio_context_unref(ctx);
}

/* ---- mistakes ----------------------------------------------------------- */

static void leak(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_bh_new_full(ctx, count, opaque, "the culprit");
    aio_context_unref(ctx);
}

static void leak_oneshot(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_bh_schedule_oneshot_full(ctx, count, opaque, "never seen");
    aio_context_unref(ctx);
}

TEST(destroying_a_context_aborts_naming_its_leaked_bottom_halves)
{
    ASSERT_ABORTS(leak, NULL, "bh 'the culprit' (opaque");
    ASSERT_ABORTS(leak, NULL, "created at leak+0x");
    ASSERT_ABORTS(leak_oneshot, NULL, "one-shot that never ran 'never seen'");
    ASSERT_ABORTS(leak_oneshot, NULL, "created at leak_oneshot+0x");
}

static void delete_twice(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    QEMUBH *bh = aio_bh_new_full(ctx, count, opaque, "the victim");

    qemu_bh_delete(bh);
    qemu_bh_delete(bh);
}

TEST(deleting_a_bh_twice_aborts_naming_it_and_its_creator)
{
    ASSERT_ABORTS(delete_twice, NULL, "bottom half 'the victim' (created at");
    ASSERT_ABORTS(delete_twice, NULL, "at delete_twice+0x");
}
