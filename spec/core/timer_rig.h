/*
 * timer_rig.h - timers on every clock, which note when they ring
 */
#ifndef TIMER_RIG_H
#define TIMER_RIG_H

#include "everywhere.h"

static const QEMUClockType clocks[] = {QEMU_CLOCK_REALTIME, QEMU_CLOCK_VIRTUAL,
                                       QEMU_CLOCK_HOST, QEMU_CLOCK_VIRTUAL_RT};

typedef struct Alarm {
    QEMUTimer ts;
    AioContext *ctx;
    QEMUClockType clock;
    int64_t rearm_ns; /* not 0: arms itself so far from now */
    int64_t seen_ns;  /* the clock, when it rang */
    int rings;
    int rounds;
} Alarm;

static inline void ring(void *opaque)
{
    Alarm *alarm = opaque;

    alarm->rings++;
    alarm->seen_ns = qemu_clock_get_ns(alarm->clock);
    if (alarm->rearm_ns && --alarm->rounds > 0) {
        timer_mod_ns(&alarm->ts, alarm->seen_ns + alarm->rearm_ns);
    }
}

static inline void alarm_init(Alarm *alarm, AioContext *ctx,
                              QEMUClockType clock)
{
    *alarm = (Alarm){.ctx = ctx, .clock = clock};
    aio_timer_init(ctx, &alarm->ts, clock, SCALE_NS, ring, alarm);
}

static inline void wait_for_ring(Alarm *alarm, int rings)
{
    while (alarm->rings < rings) {
        aio_poll(alarm->ctx, true);
    }
    ASSERT_EQ(alarm->rings, rings);
}

#endif
