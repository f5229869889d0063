/*
 * interrupted_test.c - what a signal handler queues just before the loop sleeps
 *
 * The moment is hit by taking clock_gettime()'s place: the loop reads the clock
 * between computing its timeout and sleeping.
 */
#include <dlfcn.h>
#include <time.h>

#include "loop/context.h"
#include "everywhere.h"

static void (*interrupt)(void *opaque); /* to be called once */
static void *interrupt_opaque;

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    static int (*real)(clockid_t, struct timespec *);
    void (*call)(void *opaque) = interrupt;

    if (!real) {
        real = (int (*)(clockid_t, struct timespec *))(uintptr_t)dlsym(
            RTLD_NEXT, "clock_gettime");
    }
    if (call) {
        interrupt = NULL;
        call(interrupt_opaque);
    }
    return real(clock, ts);
}

static void schedule(void *opaque)
{
    qemu_bh_schedule(opaque);
}

static void notify(void *opaque)
{
    aio_notify(opaque);
}

EVERYWHERE(bh_that_a_signal_schedules_after_the_timeout_was_computed_runs)
{
    bool ran = false;
    QEMUBH *bh = aio_bh_new(ctx, set_flag, &ran);

    aio_poll(ctx, false);
    interrupt_opaque = bh;
    interrupt = schedule;
    ASSERT(aio_poll(ctx, true)); /* or sleeps for ever */
    ASSERT(!interrupt);
    ASSERT(ran);
    qemu_bh_delete(bh);
    aio_poll(ctx, false);
}

EVERYWHERE(notification_of_a_signal_after_the_timeout_was_computed_is_heard)
{
    aio_poll(ctx, false);
    interrupt_opaque = ctx;
    interrupt = notify;
    ASSERT(!aio_poll(ctx, true)); /* or sleeps for ever */
    ASSERT(!interrupt);
}
