/*
 * comisuse_test.c - what the core says about coroutines that are misused
 */
#include "block/aio.h"
#include "qemu/coroutine.h"
#include "test.h"

static void coroutine_fn enter_self(void *opaque)
{
    aio_co_enter(opaque, qemu_coroutine_self());
}

static void coroutine_enters_itself(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_poll(ctx, false);
    aio_co_enter(ctx, qemu_coroutine_create(enter_self, ctx));
}

static void wake_before_it_ran(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    qemu_set_current_aio_context(ctx);
    aio_co_wake(qemu_coroutine_create(enter_self, ctx));
}

static void coroutine_fn move_from_nowhere(void *opaque)
{
    aio_co_reschedule_self(opaque);
}

static void moves_without_context(void *opaque)
{
    qemu_coroutine_enter(
        qemu_coroutine_create(move_from_nowhere, aio_context_new(NULL)));
}

static void coroutine_fn enter_argument(void *opaque)
{
    qemu_coroutine_enter(*(Coroutine **)opaque);
}

static void coroutine_fn end_at_once(void *opaque)
{
}

static void enters_what_has_ended(void *opaque)
{
    Coroutine *co = qemu_coroutine_create(end_at_once, NULL);

    qemu_coroutine_enter(co);
    qemu_coroutine_enter(co);
}

static void reenters(void *opaque)
{
    Coroutine *co = qemu_coroutine_create(enter_argument, &co);

    qemu_coroutine_enter(co);
}

static void schedules_twice(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    Coroutine *co = qemu_coroutine_create(enter_self, ctx);

    aio_co_schedule(ctx, co);
    aio_co_schedule(ctx, co);
}

static void enters_what_is_scheduled(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    Coroutine *co = qemu_coroutine_create(enter_self, ctx);

    aio_co_schedule(ctx, co);
    qemu_coroutine_enter(co);
}

static void leaves_one_scheduled(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_co_schedule(ctx, qemu_coroutine_create(enter_self, ctx));
    aio_context_unref(ctx);
}

static void coroutine_fn keep_mutex(void *opaque)
{
    qemu_co_mutex_lock(opaque);
}

static void ends_with_mutex(void *opaque)
{
    static CoMutex mutex;

    qemu_co_mutex_init(&mutex);
    qemu_coroutine_enter(qemu_coroutine_create(keep_mutex, &mutex));
}

static void yields_outside(void *opaque)
{
    qemu_coroutine_yield();
}

TEST(misuse_names_the_coroutines_function_and_where_it_was_created)
{
    ASSERT_ABORTS(coroutine_enters_itself, NULL,
                  "'enter_self, created at coroutine_enters_itself+0x");
    ASSERT_ABORTS(coroutine_enters_itself, NULL, "enters itself");
    ASSERT_ABORTS(wake_before_it_ran, NULL, "has not run in a context yet");
    ASSERT_ABORTS(moves_without_context, NULL, "without a context");
    ASSERT_ABORTS(reenters, NULL, "'enter_argument, created at reenters+0x");
    ASSERT_ABORTS(reenters, NULL, "re-entered recursively");
    ASSERT_ABORTS(enters_what_has_ended, NULL,
                  "'end_at_once, created at enters_what_has_ended+0x");
    ASSERT_ABORTS(enters_what_has_ended, NULL, "it has ended");
    ASSERT_ABORTS(schedules_twice, NULL,
                  "'enter_self, created at schedules_twice+0x");
    ASSERT_ABORTS(schedules_twice, NULL,
                  "was already scheduled in 'aio_co_schedule'");
    ASSERT_ABORTS(enters_what_is_scheduled, NULL,
                  "was already scheduled in 'aio_co_schedule'");
    ASSERT_ABORTS(leaves_one_scheduled, NULL,
                  "'enter_self, created at leaves_one_scheduled+0x");
    ASSERT_ABORTS(ends_with_mutex, NULL,
                  "'keep_mutex, created at ends_with_mutex+0x");
    ASSERT_ABORTS(yields_outside, NULL, "yields to nobody");
}
