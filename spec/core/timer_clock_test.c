/*
 * timer_clock_test.c - the clocks that timers go by
 *
 * The wall clock is ours: base/clock.c is asked through --wrap, so that it can
 * be put forward and back.
 */
#include <pthread.h>

#include "base/clock.h"
#include "timer_rig.h"

/* ---- the wall clock ----------------------------------------------------- */

int64_t __real_clock_realtime_ns(void);
int64_t __wrap_clock_realtime_ns(void);

static int64_t jump_ns; /* atomic */

int64_t __wrap_clock_realtime_ns(void)
{
    return __real_clock_realtime_ns() + qatomic_read_i64(&jump_ns);
}

/* ---- every clock -------------------------------------------------------- */

EVERYWHERE(timer_of_each_clock_ends_the_sleep_in_time_and_not_early)
{
    Side plain = {.fd = new_event()};

    set_reader(ctx, &plain, on_read);
    for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
        Alarm alarm;

        alarm_init(&alarm, ctx, clocks[i]);
        int64_t deadline = qemu_clock_get_ns(clocks[i]) + 3 * SCALE_MS;
        timer_mod_ns(&alarm.ts, deadline);
        wait_for_ring(&alarm, 1);
        ASSERT_CMP(alarm.seen_ns, >=, deadline);
        ASSERT(!timer_pending(&alarm.ts));
    }
    ASSERT_EQ(plain.reads, 0);
    unset(ctx, plain.fd);
    close(plain.fd);
}

TEST(each_clock_shows_the_time_that_it_stands_for)
{
    struct timespec mono, wall;

    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
        int64_t s = clocks[i] == QEMU_CLOCK_HOST ? wall.tv_sec : mono.tv_sec;
        int64_t ms = qemu_clock_get_ms(clocks[i]);

        ASSERT_CMP(ms, >=, s * 1000);
        ASSERT_CMP(ms, <=, (s + 60) * 1000);
        ASSERT_CMP(qemu_clock_get_us(clocks[i]), >=, ms * 1000);
        ASSERT_CMP(qemu_clock_get_ns(clocks[i]), >=, ms * SCALE_MS);
    }
}

TEST(each_clock_is_enabled_from_the_start)
{
    AioContext *ctx = aio_context_new(NULL);

    for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
        Alarm alarm;

        alarm_init(&alarm, ctx, clocks[i]);
        timer_mod_ns(&alarm.ts, 0);
        ASSERT_EQ(aio_compute_timeout(ctx), 0);
        ASSERT(aio_poll(ctx, false));
        ASSERT_EQ(alarm.rings, 1);
    }
    aio_context_unref(ctx);
}

TEST(disabled_clock_stops_its_own_timers_only)
{
    AioContext *ctx = aio_context_new(NULL);

    for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
        Alarm alarms[ARRAY_SIZE(clocks)];

        qemu_clock_enable(clocks[i], false);
        for (unsigned j = 0; j < ARRAY_SIZE(clocks); j++) {
            alarm_init(&alarms[j], ctx, clocks[j]);
            timer_mod_ns(&alarms[j].ts, 0);
        }
        ASSERT(aio_poll(ctx, false));
        ASSERT(!aio_poll(ctx, false));
        for (unsigned j = 0; j < ARRAY_SIZE(clocks); j++) {
            ASSERT_EQ(alarms[j].rings, i == j ? 0 : 1);
        }
        ASSERT_EQ(timerlist_deadline_ns(alarms[i].ts.timer_list), -1);
        qemu_clock_enable(clocks[i], true);
        ASSERT(aio_poll(ctx, false));
        ASSERT_EQ(alarms[i].rings, 1);
    }
    aio_context_unref(ctx);
}

static void *enable_soon(void *opaque)
{
    usleep(3000);
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, true);
    return NULL;
}

EVERYWHERE(enabling_a_clock_wakes_the_context_that_sleeps)
{
    Side plain = {.fd = new_event()};
    Alarm alarm;
    pthread_t thread;

    set_reader(ctx, &plain, on_read);
    alarm_init(&alarm, ctx, QEMU_CLOCK_VIRTUAL);
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, false);
    timer_mod_ns(&alarm.ts, 0);
    aio_poll(ctx, false);
    ASSERT_EQ(aio_compute_timeout(ctx), -1);
    pthread_create(&thread, NULL, enable_soon, NULL);
    wait_for_ring(&alarm, 1);
    pthread_join(thread, NULL);
    unset(ctx, plain.fd);
    close(plain.fd);
}

/* ---- the wall clock jumps ----------------------------------------------- */

TEST(host_timer_follows_a_wall_clock_that_is_put_forward)
{
    AioContext *ctx = aio_context_new(NULL);
    Alarm alarm;

    alarm_init(&alarm, ctx, QEMU_CLOCK_HOST);
    timer_mod_ns(&alarm.ts, qemu_clock_get_ns(QEMU_CLOCK_HOST) +
                                3600 * NANOSECONDS_PER_SECOND);
    ASSERT(!aio_poll(ctx, false));
    qatomic_set_i64(&jump_ns, 3601 * NANOSECONDS_PER_SECOND);
    ASSERT_EQ(aio_compute_timeout(ctx), 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(alarm.rings, 1);
    aio_context_unref(ctx);
}

TEST(host_timer_waits_on_when_the_wall_clock_is_put_back)
{
    AioContext *ctx = aio_context_new(NULL);
    Alarm host, mono;

    alarm_init(&host, ctx, QEMU_CLOCK_HOST);
    alarm_init(&mono, ctx, QEMU_CLOCK_REALTIME);
    timer_mod_ns(&host.ts, qemu_clock_get_ns(QEMU_CLOCK_HOST) + SCALE_MS);
    timer_mod_ns(&mono.ts, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + SCALE_MS);
    qatomic_set_i64(&jump_ns, -3600 * NANOSECONDS_PER_SECOND);
    wait_for_ring(&mono, 1); /* which does not care */
    ASSERT_EQ(host.rings, 0);
    ASSERT_CMP(aio_compute_timeout(ctx), >, 3000 * NANOSECONDS_PER_SECOND);
    qatomic_set_i64(&jump_ns, 0);
    wait_for_ring(&host, 1);
    aio_context_unref(ctx);
}
