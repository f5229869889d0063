/*
 * misuse_test.c - what a programmer does wrong ends with a message that says
 * so, instead of a fault somewhere else
 */
#include "aioctl/context.h"
#include "aioctl/request.h"
#include "block/aio.h"
#include "block/thread-pool.h"
#include "qapi/error.h"
#include "qemu/lockcnt.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"
#include "test.h"

static void nothing(void *opaque)
{
}

static void bh_of_main_loop_too_early(void *opaque)
{
    qemu_bh_new(nothing, NULL);
}

static void oneshot_without_context(void *opaque)
{
    aio_bh_schedule_oneshot(qemu_get_aio_context(), nothing, NULL);
}

static void bh_without_callback(void *opaque)
{
    aio_bh_new_full(aio_context_new(NULL), NULL, NULL, "tick");
}

static void oneshot_that_never_runs(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_bh_schedule_oneshot(ctx, nothing, NULL);
    aio_context_unref(ctx);
}

TEST(bottom_halves_need_a_context_and_a_callback)
{
    ASSERT_ABORTS(bh_of_main_loop_too_early, NULL,
                  "bottom half 'nothing' for no context");
    ASSERT_ABORTS(oneshot_without_context, NULL,
                  "bottom half 'nothing' for no context");
    ASSERT_ABORTS(bh_without_callback, NULL,
                  "bottom half 'tick' without a callback");
    ASSERT_ABORTS(oneshot_that_never_runs, NULL,
                  "and run one-shots by aio_poll()");
}

static void wait_without_main_loop(void *opaque)
{
    main_loop_wait(true);
}

TEST(main_loop_is_made_before_it_is_run)
{
    ASSERT_ABORTS(wait_without_main_loop, NULL,
                  "main_loop_wait() before qemu_init_main_loop()");
}

static void arm_zeroed_timer(void *opaque)
{
    QEMUTimer ts = {0};

    timer_mod(&ts, 1);
}

static void anticipate_detached_timer(void *opaque)
{
    QEMUTimer ts;

    aio_timer_init(aio_context_new(NULL), &ts, QEMU_CLOCK_REALTIME, SCALE_MS,
                   nothing, NULL);
    timer_deinit(&ts);
    timer_mod_anticipate(&ts, 1);
}

static void timer_of_unknown_clock(void *opaque)
{
    aio_timer_new(aio_context_new(NULL), (QEMUClockType)17, SCALE_MS, nothing,
                  NULL);
}

TEST(timers_are_armed_between_init_and_deinit)
{
    ASSERT_ABORTS(arm_zeroed_timer, NULL, "before timer_init()");
    ASSERT_ABORTS(anticipate_detached_timer, NULL, "after timer_deinit()");
    ASSERT_ABORTS(timer_of_unknown_clock, NULL,
                  "the unknown clock 17, with callback nothing");
}

static void *choose_monitor(void *ctx)
{
    aio_context_set_fdmon(ctx, "poll", NULL);
    return NULL;
}

static void choose_monitor_elsewhere(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    QemuThread thread;

    aio_poll(ctx, false);
    qemu_thread_create(&thread, "other", choose_monitor, ctx,
                       QEMU_THREAD_JOINABLE);
    qemu_thread_join(&thread);
}

TEST(monitors_are_chosen_at_home)
{
    ASSERT_ABORTS(choose_monitor_elsewhere, NULL,
                  "monitor 'poll' chosen in another thread");
}

static const AioEngine *threads_of(AioContext *ctx)
{
    return aio_engine_get(ctx, "threads", false, NULL, NULL);
}

static void submit_without_callback(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    AioRequest req = {.op = AIO_OP_READ, .fd = 5, .buf_index = -1};

    aio_request_submit(ctx, threads_of(ctx), &req);
}

static void cancel_what_was_not_submitted(void *opaque)
{
    AioRequest req = {.op = AIO_OP_NOP, .buf_index = -1};

    aio_request_cancel(&req);
}

static void unplug_without_plug(void *opaque)
{
    aio_request_unplug(aio_context_new(NULL));
}

static void unregister_unknown_slot(void *opaque)
{
    aio_buffer_unregister(aio_context_new(NULL), 3);
}

TEST(requests_that_cannot_be_are_described)
{
    ASSERT_ABORTS(submit_without_callback, NULL,
                  "a request on fd 5 of op 1, without a callback");
    ASSERT_ABORTS(cancel_what_was_not_submitted, NULL,
                  "a request that was not submitted");
    ASSERT_ABORTS(unplug_without_plug, NULL, "without aio_request_plug()");
    ASSERT_ABORTS(unregister_unknown_slot, NULL,
                  "buffer slot 3 is not registered");
}

static void release_without_acquire(void *opaque)
{
    aio_context_release(aio_context_new(NULL));
}

static void destroy_acquired(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_context_acquire(ctx);
    aio_context_unref(ctx);
}

static void leave_without_visit(void *opaque)
{
    QemuLockCnt lockcnt;

    qemu_lockcnt_init(&lockcnt);
    qemu_lockcnt_dec(&lockcnt);
}

static void lock_zeroed_mutex(void *opaque)
{
    QemuMutex mutex = {0};

    qemu_mutex_lock(&mutex);
}

TEST(locks_are_given_back_by_who_has_them)
{
    ASSERT_ABORTS(release_without_acquire, NULL,
                  "aio_context_release() in a thread that has not acquired");
    ASSERT_ABORTS(destroy_acquired, NULL, "while somebody has acquired it");
    ASSERT_ABORTS(leave_without_visit, NULL, "without visitors is left");
    ASSERT_ABORTS(lock_zeroed_mutex, NULL, "used before its init");
}
