/*
 * context_test.c - life, settings and statistics of a context
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "loop/context.h"
#include "test.h"

TEST(new_context_has_the_documented_settings)
{
    AioContext *ctx = aio_context_new(NULL);
    AioContextParams params;
    AioContextStats stats;

    aio_context_get_params(ctx, &params);
    ASSERT_EQ(params.poll_max_ns, 0);
    ASSERT_EQ(params.max_batch, 0);
    ASSERT_EQ(params.thread_pool_min, 0);
    ASSERT_CMP(params.thread_pool_max, >=, 16);
    ASSERT_CMP(params.thread_pool_max, <=, 64);
    aio_context_get_stats(ctx, &stats);
    ASSERT_EQ(stats.iterations + stats.bhs + stats.timers + stats.fds, 0);
    aio_context_unref(ctx);
}

static void expect_refusal(Error **errp, const char *part)
{
    ASSERT(*errp);
    if (!strstr(error_get_pretty(*errp), part)) {
        FAIL("\"%s\" does not say \"%s\"", error_get_pretty(*errp), part);
    }
    error_free(*errp);
    *errp = NULL;
}

TEST(setters_refuse_what_is_out_of_range_naming_value_and_range)
{
    AioContext *ctx = aio_context_new(NULL);
    AioContextParams params;
    Error *err = NULL;

    aio_context_set_poll_params(ctx, -1, 0, 0, &err);
    expect_refusal(&err, "poll_max_ns is -1, must be from 0 to 10000000000");
    aio_context_set_poll_params(ctx, 1000, -2, 0, &err);
    expect_refusal(&err, "poll_grow is -2");
    aio_context_set_poll_params(ctx, 1000, 0, 1LL << 40, &err);
    expect_refusal(&err, "poll_shrink is 1099511627776");
    aio_context_set_aio_params(ctx, -1, &err);
    expect_refusal(&err, "max_batch is -1, must be from 0");
    aio_context_get_params(ctx, &params);
    ASSERT_EQ(params.poll_max_ns, 0);

    aio_context_set_poll_params(ctx, 50000, 3, 4, &err);
    aio_context_set_aio_params(ctx, 17, &err);
    ASSERT(!err);
    aio_context_get_params(ctx, &params);
    ASSERT_EQ(params.poll_max_ns, 50000);
    ASSERT_EQ(params.poll_grow, 3);
    ASSERT_EQ(params.poll_shrink, 4);
    ASSERT_EQ(params.max_batch, 17);
    aio_context_unref(ctx);
}

TEST(unknown_monitor_is_refused_naming_those_there_are)
{
    AioContext *ctx = aio_context_new(NULL);
    Error *err = NULL;
    char *why;

    ASSERT(!aio_context_set_fdmon(ctx, "kqueue", &err));
    expect_refusal(&err, "no fd monitor 'kqueue'; known are auto");
    ASSERT(!aio_context_set_fdmon(ctx, "", &err));
    expect_refusal(&err, "no fd monitor ''");
    ASSERT(!aio_context_set_fdmon(ctx, "!", NULL));
    ASSERT(!aio_fdmon_probe("nothing", &why));
    ASSERT(strstr(why, "nothing"));
    free(why);
    aio_context_unref(ctx);
}

TEST(monitor_that_the_kernel_refuses_is_replaced_and_the_reason_kept)
{
    AioContext *ctx;
    Error *err = NULL;

    setenv("AIOCTL_NO_EPOLL", "1", 1);
    setenv("AIOCTL_NO_IO_URING", "1", 1);
    ctx = aio_context_new(NULL);
    ASSERT(!aio_context_set_fdmon(ctx, "epoll!", &err));
    expect_refusal(&err, "AIOCTL_NO_EPOLL");
    ASSERT(aio_context_set_fdmon(ctx, "epoll", &err));
    ASSERT_STR_EQ(aio_context_fdmon(ctx), "poll");
    ASSERT(strstr(aio_context_fdmon_fallback(ctx), "epoll"));
    ASSERT(aio_context_set_fdmon(ctx, "auto", &err));
    ASSERT_STR_EQ(aio_context_fdmon(ctx), "poll");
    ASSERT(aio_context_fdmon_fallback(ctx));
    ASSERT(aio_context_set_fdmon(ctx, "poll", &err));
    ASSERT_PTR_EQ(aio_context_fdmon_fallback(ctx), NULL);
    aio_context_unref(ctx);
}

TEST(context_without_fds_sets_no_monitor_up)
{
    AioContext *ctx = aio_context_new(NULL);
    int before = test_count_fds();

    aio_poll(ctx, false);
    ASSERT_PTR_EQ(ctx->fdmon, NULL);
    ASSERT_EQ(test_count_fds(), before);
    aio_context_unref(ctx);
}

static void forgotten(void *opaque)
{
}

static void leave_handler(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_set_fd_handler(ctx, 0, false, forgotten, NULL, NULL, NULL, NULL);
    aio_context_unref(ctx);
}

static void leave_notifier(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    static EventNotifier notifier;

    event_notifier_init(&notifier, false);
    aio_set_event_notifier(ctx, &notifier, false,
                           (EventNotifierHandler *)forgotten, NULL, NULL);
    aio_context_unref(ctx);
}

static void unref_too_often(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_context_ref(ctx);
    ctx->refcnt = 0; /* as the memory of a context that is gone may be */
    aio_context_unref(ctx);
}

static void destroy_inside(void *opaque)
{
    aio_context_unref(opaque);
}

static void destroy_in_own_poll(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_bh_schedule_oneshot(ctx, destroy_inside, ctx);
    aio_poll(ctx, false);
}

TEST(destroying_a_context_in_use_aborts_and_says_how)
{
    ASSERT_ABORTS(leave_handler, NULL,
                  "still has a handler for fd 0 (forgotten, opaque");
    ASSERT_ABORTS(leave_handler, NULL, "set at leave_handler+0x");
    ASSERT_ABORTS(leave_notifier, NULL, "set at leave_notifier+0x");
    ASSERT_ABORTS(unref_too_often, NULL, "without a reference to it");
    ASSERT_ABORTS(destroy_in_own_poll, NULL, "inside of its own aio_poll()");
}

static void *take_lock(void *opaque)
{
    aio_context_acquire(opaque);
    aio_context_release(opaque);
    return NULL;
}

TEST(lock_is_recursive_and_excludes_other_threads)
{
    AioContext *ctx = aio_context_new(NULL);
    pthread_t thread;

    aio_context_acquire(ctx);
    aio_context_acquire(ctx);
    pthread_create(&thread, NULL, take_lock, ctx);
    aio_context_release(ctx);
    aio_context_release(ctx);
    pthread_join(thread, NULL);
    aio_context_unref(ctx);
}

static int waits, ends;

static void hook_wait(AioContext *ctx)
{
    waits++;
}

static void hook_end(AioContext *ctx)
{
    ends++;
}

TEST(hooks_run_before_each_wait_and_at_the_end)
{
    static const ContextHook hook = {hook_wait, hook_end};
    AioContext *ctx = aio_context_new(NULL);

    context_add_hook(ctx, &hook);
    context_add_hook(ctx, &hook);
    aio_poll(ctx, false);
    aio_poll(ctx, false);
    ASSERT_EQ(waits, 2);
    aio_context_unref(ctx);
    ASSERT_EQ(ends, 1);
}

static void *context_life(void *opaque)
{
    for (int i = 0; i < 50; i++) {
        AioContext *ctx = aio_context_new(NULL);
        aio_context_ref(ctx);
        aio_poll(ctx, false);
        aio_context_unref(ctx);
        aio_context_unref(ctx);
    }
    return NULL;
}

TEST(contexts_may_be_made_and_destroyed_in_parallel)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, context_life, NULL);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
}
