/*
 * busypoll_home_test.c - what the callbacks of busy polling do to the loop that
 * calls them
 */
#include "loop/context.h"
#include "everywhere.h"

typedef struct Poller {
    AioContext *ctx;
    int fd;
    QEMUTimer timer;
    QEMUBH *bh;
    bool fired, stop;
} Poller;

static void read_event(void *opaque)
{
    Poller *p = opaque;
    uint64_t value;

    ASSERT_EQ(read(p->fd, &value, sizeof(value)), sizeof(value));
}

static bool find_nothing(void *opaque)
{
    return false;
}

static void never(void *opaque)
{
    FAIL("io_poll has found nothing");
}

/* A handler that takes part in busy polling of @budget_ns. */
static void begin_polling(Poller *p, AioPollFn *io_poll, int64_t budget_ns)
{
    p->fd = new_event();
    poke(p->fd);
    aio_set_fd_handler(p->ctx, p->fd, false, read_event, NULL, io_poll, never,
                       p);
    aio_poll(p->ctx, true);
    aio_context_set_poll_params(p->ctx, budget_ns, 0, 0, NULL);
    ASSERT(busypoll_allowed(p->ctx));
    p->ctx->poll_ns = budget_ns;
}

static void end_polling(Poller *p)
{
    unset(p->ctx, p->fd);
    close(p->fd);
}

static void arm_timer(void *opaque)
{
    Poller *p = opaque;

    timer_mod_ns(&p->timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + SCALE_MS);
}

EVERYWHERE(timer_that_io_poll_begin_arms_is_not_overslept)
{
    Poller p = {.ctx = ctx};

    aio_timer_init(ctx, &p.timer, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag,
                   &p.fired);
    begin_polling(&p, find_nothing, 50 * SCALE_US);
    aio_set_fd_poll(ctx, p.fd, arm_timer, NULL);
    while (!p.fired) {
        aio_poll(ctx, true); /* or for ever */
    }
    end_polling(&p);
}

static bool schedule_bh(void *opaque)
{
    qemu_bh_schedule(((Poller *)opaque)->bh);
    return false;
}

EVERYWHERE(bottom_half_that_io_poll_schedules_ends_polling)
{
    Poller p = {.ctx = ctx};
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    p.bh = aio_bh_new(ctx, set_flag, &p.fired);
    begin_polling(&p, schedule_bh, 5 * NANOSECONDS_PER_SECOND);
    aio_poll(ctx, true);
    ASSERT(p.fired);
    ASSERT_CMP(qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start, <,
               2 * NANOSECONDS_PER_SECOND);
    end_polling(&p);
    qemu_bh_delete(p.bh);
}

static void remove_me(void *opaque)
{
    Poller *p = opaque;

    unset(p->ctx, p->fd);
    p->stop = true;
}

EVERYWHERE(io_poll_end_may_remove_its_handler_while_glib_prepares)
{
    Poller p = {.ctx = ctx};

    begin_polling(&p, find_nothing, SCALE_MS);
    aio_set_fd_poll(ctx, p.fd, NULL, remove_me);
    aio_notify(ctx); /* polling finds this, and goes on in the next pass */
    aio_poll(ctx, true);
    ASSERT(ctx->poll_started);
    aio_prepare(ctx);
    ASSERT(p.stop);
    close(p.fd);
}
