/*
 * clock_api_test.c - questions about clocks, timers of the main context, and
 * the short forms of making timers
 */
#include "everywhere.h"
#include "qemu/main-loop.h"

enum { HOUR_S = 3600 };

static const QEMUClockType clocks[] = {QEMU_CLOCK_REALTIME, QEMU_CLOCK_VIRTUAL,
                                       QEMU_CLOCK_HOST, QEMU_CLOCK_VIRTUAL_RT};

static void count_up(void *opaque)
{
    ++*(int *)opaque;
}

static AioContext *main_begin(void)
{
    ASSERT_EQ(qemu_init_main_loop(NULL), 0);
    return qemu_get_aio_context();
}

static void main_end(AioContext *ctx)
{
    qemu_set_current_aio_context(NULL);
    aio_context_unref(ctx);
}

TEST(a_clock_knows_whether_timers_wait_on_it_and_are_overdue)
{
    AioContext *ctx = aio_context_new(NULL);
    int rings = 0;

    for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
        QEMUTimer *timer =
            aio_timer_new(ctx, clocks[i], SCALE_NS, count_up, &rings);

        ASSERT(qemu_clock_use_for_deadline(clocks[i]));
        ASSERT(!qemu_clock_has_timers(clocks[i]));
        ASSERT(!qemu_clock_expired(clocks[i]));
        timer_mod_ns(timer, qemu_clock_get_ns(clocks[i]) +
                                HOUR_S * NANOSECONDS_PER_SECOND);
        ASSERT(qemu_clock_has_timers(clocks[i]));
        ASSERT(!qemu_clock_expired(clocks[i]));
        timer_mod_ns(timer, 1);
        ASSERT(qemu_clock_expired(clocks[i]));
        aio_poll(ctx, false);
        ASSERT_EQ(rings, i + 1);
        ASSERT(!qemu_clock_has_timers(clocks[i]));
        timer_free(timer);
    }
    aio_context_unref(ctx);
}

TEST(clocks_agree_on_their_units)
{
    for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
        int64_t ms = qemu_clock_get_ms(clocks[i]);
        int64_t us = qemu_clock_get_us(clocks[i]);
        int64_t ns = qemu_clock_get_ns(clocks[i]);

        ASSERT_CMP(us, >=, ms * 1000);
        ASSERT_CMP(ns, >=, us * 1000);
        ASSERT_CMP(ns, <, (ms + 1000) * SCALE_MS);
    }
    ASSERT_CMP(get_clock(), >=,
               qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - 1000000000);
    ASSERT_CMP(get_clock(), <=, qemu_clock_get_ns(QEMU_CLOCK_REALTIME));
    ASSERT_CMP(get_clock_realtime(), >, get_clock());
}

TEST(timers_without_a_group_are_the_main_contexts)
{
    AioContext *ctx = main_begin();
    QEMUTimer plain, ns, us, ms;
    QEMUTimer *all[] = {&plain, &ns, &us, &ms, NULL, NULL, NULL, NULL};
    int rings = 0;

    timer_init(&plain, QEMU_CLOCK_REALTIME, SCALE_US, count_up, &rings);
    timer_init_ns(&ns, QEMU_CLOCK_HOST, count_up, &rings);
    timer_init_us(&us, QEMU_CLOCK_VIRTUAL, count_up, &rings);
    timer_init_ms(&ms, QEMU_CLOCK_VIRTUAL_RT, count_up, &rings);
    all[4] = timer_new(QEMU_CLOCK_REALTIME, SCALE_MS, count_up, &rings);
    all[5] = timer_new_ns(QEMU_CLOCK_HOST, count_up, &rings);
    all[6] = timer_new_us(QEMU_CLOCK_VIRTUAL, count_up, &rings);
    all[7] = timer_new_ms(QEMU_CLOCK_VIRTUAL_RT, count_up, &rings);
    static const int64_t scales[] = {1000,    1, 1000, 1000000,
                                     1000000, 1, 1000, 1000000};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        timer_mod(all[i], 3);
        ASSERT_EQ(timer_expire_time_ns(all[i]), 3 * scales[i]);
        ASSERT(timer_expired(all[i], 3) && !timer_expired(all[i], 2));
    }
    ASSERT(qemu_clock_run_timers(QEMU_CLOCK_HOST));
    ASSERT_EQ(rings, 2);
    ASSERT(!qemu_clock_run_timers(QEMU_CLOCK_HOST));
    ASSERT(qemu_clock_run_all_timers());
    ASSERT_EQ(rings, 8);
    ASSERT(!qemu_clock_run_all_timers());
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        ASSERT(!timer_pending(all[i]));
    }
    for (size_t i = 4; i < ARRAY_SIZE(all); i++) {
        timer_free(all[i]);
    }
    main_end(ctx);
}

TEST(timers_keep_attributes_that_deadlines_may_leave_out)
{
    AioContext *ctx = aio_context_new(NULL);
    QEMUTimer here;
    int rings = 0;
    QEMUTimer *outside =
        aio_timer_new_with_attrs(ctx, QEMU_CLOCK_VIRTUAL, SCALE_MS,
                                 QEMU_TIMER_ATTR_EXTERNAL, count_up, &rings);

    aio_timer_init_with_attrs(ctx, &here, QEMU_CLOCK_VIRTUAL, SCALE_MS, 0,
                              count_up, &rings);
    ASSERT_EQ(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL, ~0), -1);
    timer_mod(outside, 1);
    ASSERT_EQ(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL, ~0), 0);
    ASSERT_EQ(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL, 0), -1);
    timer_mod_ns(&here, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                            HOUR_S * NANOSECONDS_PER_SECOND);
    ASSERT_CMP(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL, 0), >, 0);
    aio_poll(ctx, false);
    ASSERT_EQ(rings, 1);
    timer_del(&here);
    timer_deinit(&here);
    timer_free(outside);
    aio_context_unref(ctx);
}

/* ---- a loop of the program's own ---------------------------------------- */

static void is_sooner(void *opaque, QEMUClockType type)
{
    ++*(int *)opaque;
}

TEST(a_program_may_have_timer_lists_of_its_own)
{
    QEMUTimerListGroup group;
    int wakes = 0, rings = 0;

    timerlistgroup_init(&group, is_sooner, &wakes);
    QEMUTimer *timer = timer_new_full(&group, QEMU_CLOCK_REALTIME, SCALE_NS, 0,
                                      count_up, &rings);
    ASSERT_EQ(timerlistgroup_deadline_ns(&group), -1);
    timer_mod_ns(timer, 5);
    ASSERT_EQ(wakes, 1);
    ASSERT_EQ(timerlistgroup_deadline_ns(&group), 0);
    ASSERT_EQ(timerlist_get_clock(group.tl[QEMU_CLOCK_HOST]), QEMU_CLOCK_HOST);
    ASSERT(timerlist_has_timers(group.tl[QEMU_CLOCK_REALTIME]));
    qemu_clock_notify(QEMU_CLOCK_REALTIME);
    ASSERT_EQ(wakes, 2);
    ASSERT(timerlistgroup_run_timers(&group));
    ASSERT_EQ(rings, 1);
    ASSERT(!timerlistgroup_run_timers(&group));
    timer_free(timer);
    timerlistgroup_deinit(&group);
}
