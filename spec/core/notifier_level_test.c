/*
 * notifier_level_test.c - an event notifier fires as long as it is set, however
 * its handler clears it, or does not
 *
 * The io_uring monitor hears of writes only where it can tell that a handler
 * has left nothing behind; nobody may see that.
 */
#include "everywhere.h"
#include "qemu/event_notifier.h"

typedef enum Clearing {
    CLEAR,        /* the usual way */
    LEAVE,        /* not at all */
    CLEAR_BY_FD,  /* by read(2) */
    CLEAR_OTHER,  /* another one than its own */
    CLEAR_AND_SET /* ... once, then CLEAR */
} Clearing;

typedef struct Flag {
    EventNotifier notifier; /* first */
    Clearing clearing;
    EventNotifier *other;
    AioContext *ctx;
    int calls;
} Flag;

static void clear_by_fd(EventNotifier *e)
{
    uint64_t value;

    ASSERT_EQ(read(event_notifier_get_fd(e), &value, 8), 8);
}

static void on_flag(EventNotifier *e)
{
    Flag *flag = container_of(e, Flag, notifier);

    flag->calls++;
    switch (flag->clearing) {
    case CLEAR:
        event_notifier_test_and_clear(e);
        break;
    case LEAVE:
        break;
    case CLEAR_BY_FD:
        clear_by_fd(e);
        break;
    case CLEAR_OTHER:
        event_notifier_test_and_clear(flag->other);
        break;
    case CLEAR_AND_SET:
        event_notifier_test_and_clear(e);
        event_notifier_set(e);
        flag->clearing = CLEAR;
        break;
    }
}

static void open_flag(AioContext *ctx, Flag *flag, Clearing clearing)
{
    *flag = (Flag){.ctx = ctx, .clearing = clearing};
    ASSERT_EQ(event_notifier_init(&flag->notifier, false), 0);
    aio_set_event_notifier(ctx, &flag->notifier, false, on_flag, NULL, NULL);
    ASSERT(!aio_poll(ctx, false));
}

static void close_flag(Flag *flag)
{
    aio_set_event_notifier(flag->ctx, &flag->notifier, false, NULL, NULL, NULL);
    event_notifier_cleanup(&flag->notifier);
}

/* Each pass calls the handler, whether it may block or not. */
static void expect_calls(Flag *flag, int count)
{
    for (int i = 1; i <= count; i++) {
        int before = flag->calls;

        ASSERT(aio_poll(flag->ctx, i % 2));
        ASSERT_EQ(flag->calls, before + 1);
    }
}

static void expect_silence(Flag *flag)
{
    int before = flag->calls;

    for (int i = 0; i < 3; i++) {
        ASSERT(!aio_poll(flag->ctx, false));
    }
    ASSERT_EQ(flag->calls, before);
}

EVERYWHERE(notifier_that_its_handler_leaves_set_fires_in_every_pass)
{
    Flag flag;

    open_flag(ctx, &flag, LEAVE);
    event_notifier_set(&flag.notifier);
    expect_calls(&flag, 5);
    flag.clearing = CLEAR;
    expect_calls(&flag, 1);
    expect_silence(&flag);
    close_flag(&flag);
}

EVERYWHERE(notifier_whose_handler_changes_its_mind_misses_nothing)
{
    Flag flag;

    open_flag(ctx, &flag, CLEAR);
    for (int i = 0; i < 20; i++) {
        flag.clearing = i % 3 == 0 ? LEAVE : i % 3 == 1 ? CLEAR_BY_FD : CLEAR;
        event_notifier_set(&flag.notifier);
        expect_calls(&flag, i % 3 == 0 ? 2 : 1);
        if (i % 3 == 0) {
            flag.clearing = CLEAR;
            expect_calls(&flag, 1);
        }
        expect_silence(&flag);
    }
    close_flag(&flag);
}

EVERYWHERE(notifier_set_again_by_its_handler_fires_again)
{
    Flag flag;

    open_flag(ctx, &flag, CLEAR_AND_SET);
    event_notifier_set(&flag.notifier);
    expect_calls(&flag, 2);
    expect_silence(&flag);
    close_flag(&flag);
}

EVERYWHERE(handler_that_clears_another_notifier_has_not_cleared_its_own)
{
    Flag flag, other;

    open_flag(ctx, &other, CLEAR);
    open_flag(ctx, &flag, CLEAR_OTHER);
    flag.other = &other.notifier;
    event_notifier_set(&flag.notifier);
    expect_calls(&flag, 4);
    flag.clearing = CLEAR;
    expect_calls(&flag, 1);
    event_notifier_set(&other.notifier);
    expect_calls(&other, 1);
    expect_silence(&flag);
    close_flag(&flag);
    close_flag(&other);
}

/* One read does not empty it. */
EVERYWHERE(wrapped_semaphore_fires_as_often_as_it_can_be_taken)
{
    Flag flag = {.ctx = ctx, .clearing = CLEAR};
    int fd = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);

    event_notifier_init_fd(&flag.notifier, fd);
    aio_set_event_notifier(ctx, &flag.notifier, false, on_flag, NULL, NULL);
    expect_calls(&flag, 3);
    expect_silence(&flag);
    close_flag(&flag);
}

static void disable_external(void *opaque)
{
    aio_disable_external(opaque);
}

EVERYWHERE(external_notifier_seen_but_not_called_fires_when_enabled)
{
    Flag flag;

    open_flag(ctx, &flag, CLEAR);
    aio_set_event_notifier(ctx, &flag.notifier, true, on_flag, NULL, NULL);
    ASSERT(!aio_poll(ctx, false));
    event_notifier_set(&flag.notifier);
    aio_bh_schedule_oneshot(ctx, disable_external, ctx);
    ASSERT(aio_poll(ctx, false)); /* harvests; then the bottom half runs */
    expect_silence(&flag);
    aio_enable_external(ctx);
    expect_calls(&flag, 1);
    expect_silence(&flag);
    close_flag(&flag);
}

static void poll_inside(EventNotifier *e)
{
    Flag *flag = container_of(e, Flag, notifier);

    flag->calls++;
    event_notifier_test_and_clear(e);
    if (flag->calls == 1) {
        event_notifier_set(e);
        ASSERT(aio_poll(flag->ctx, true));
        ASSERT_EQ(flag->calls, 2);
        event_notifier_set(e); /* after all clearing */
    }
}

EVERYWHERE(notifier_set_after_a_nested_poll_has_cleared_it_fires_again)
{
    Flag flag;

    open_flag(ctx, &flag, CLEAR);
    aio_set_event_notifier(ctx, &flag.notifier, false, poll_inside, NULL, NULL);
    ASSERT(!aio_poll(ctx, false)); /* io_uring: the new poll is in the kernel */
    event_notifier_set(&flag.notifier);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(flag.calls, 2);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(flag.calls, 3);
    expect_silence(&flag);
    close_flag(&flag);
}

static void disable_inside(EventNotifier *e)
{
    Flag *flag = container_of(e, Flag, notifier);

    flag->calls++;
    event_notifier_test_and_clear(e);
    if (flag->calls == 1) {
        event_notifier_set(e);
        aio_bh_schedule_oneshot(flag->ctx, disable_external, flag->ctx);
        ASSERT(aio_poll(flag->ctx, false)); /* as above */
        ASSERT_EQ(flag->calls, 1);
        aio_enable_external(flag->ctx);
    }
}

EVERYWHERE(notifier_seen_but_not_called_in_a_nested_poll_fires_again)
{
    Flag flag;

    open_flag(ctx, &flag, CLEAR);
    aio_set_event_notifier(ctx, &flag.notifier, true, disable_inside, NULL,
                           NULL);
    ASSERT(!aio_poll(ctx, false));
    event_notifier_set(&flag.notifier);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(flag.calls, 1);
    for (int i = 0; i < 3; i++) {
        aio_poll(ctx, false);
    }
    ASSERT_EQ(flag.calls, 2);
    close_flag(&flag);
}
