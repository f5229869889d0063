/*
 * polling.h - passes of a context that polls before it sleeps
 */
#ifndef POLLING_H
#define POLLING_H

#include "loop/context.h"
#include "everywhere.h"

/* Blocking passes, with a budget of @budget_ns each, until one has polled and
 * then slept for a moment. */
static inline void polling_pass(AioContext *ctx, int64_t budget_ns)
{
    const int64_t moment = (test_is_slow() ? 20 : 1) * (int64_t)SCALE_MS;
    uint64_t polls = ctx->stats.polls;
    bool fired = true;
    QEMUTimer timer;

    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag,
                   &fired);
    while (!fired || ctx->stats.polls == polls) {
        if (fired) {
            fired = false;
            timer_mod_ns(&timer,
                         qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + moment);
        }
        ctx->poll_ns = budget_ns;
        aio_poll(ctx, true);
    }
}

#endif
