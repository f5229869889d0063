/*
 * timer_rules_test.c - what users of timers may rely on
 */
#include <pthread.h>
#include <sys/prctl.h>

#include "qemu/main-loop.h"
#include "timer_rig.h"

/* ---- deadlines ---------------------------------------------------------- */

TEST(scale_applies_to_mod_and_not_to_mod_ns)
{
    static const int scales[] = {SCALE_NS, SCALE_US, SCALE_MS};
    AioContext *ctx = aio_context_new(NULL);

    for (unsigned i = 0; i < ARRAY_SIZE(scales); i++) {
        QEMUTimer *ts =
            aio_timer_new(ctx, QEMU_CLOCK_REALTIME, scales[i], ring, NULL);
        const int64_t far = 1LL << 40;

        timer_mod(ts, far);
        ASSERT_EQ(timer_expire_time_ns(ts), far * scales[i]);
        timer_mod_ns(ts, far);
        ASSERT_EQ(timer_expire_time_ns(ts), far);
        timer_mod_anticipate_ns(ts, far + 1);
        ASSERT_EQ(timer_expire_time_ns(ts), far);
        timer_mod_anticipate_ns(ts, far - 1);
        ASSERT_EQ(timer_expire_time_ns(ts), far - 1);
        timer_del(ts);
        timer_mod_anticipate(ts, far); /* not pending: arms it */
        ASSERT_EQ(timer_expire_time_ns(ts), far * scales[i]);
        timer_del(ts);
        ASSERT_EQ(timer_expire_time_ns(ts), UINT64_MAX);
        timer_free(ts);
    }
    aio_context_unref(ctx);
}

TEST(overdue_timer_has_a_deadline_of_zero_and_the_poll_does_not_sleep)
{
    AioContext *ctx = aio_context_new(NULL);
    Alarm alarm;

    alarm_init(&alarm, ctx, QEMU_CLOCK_REALTIME);
    ASSERT_EQ(timerlist_deadline_ns(alarm.ts.timer_list), -1);
    timer_mod_ns(&alarm.ts, 1);
    ASSERT_EQ(timerlist_deadline_ns(alarm.ts.timer_list), 0);
    ASSERT(timerlist_expired(alarm.ts.timer_list));
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(alarm.rings, 1);
    aio_context_unref(ctx);
}

TEST(attributes_select_which_deadlines_of_a_clock_count)
{
    AioContext *ctx = aio_context_new(NULL);
    QEMUTimer inner, outer;
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    aio_timer_init(ctx, &inner, QEMU_CLOCK_VIRTUAL, SCALE_NS, ring, NULL);
    aio_timer_init_with_attrs(ctx, &outer, QEMU_CLOCK_VIRTUAL, SCALE_NS,
                              QEMU_TIMER_ATTR_EXTERNAL, ring, NULL);
    ASSERT_EQ(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL,
                                         (int)QEMU_TIMER_ATTR_ALL),
              -1);
    timer_mod_ns(&inner, now + 2000 * NANOSECONDS_PER_SECOND);
    timer_mod_ns(&outer, now + 1000 * NANOSECONDS_PER_SECOND);
    ASSERT_CMP(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL,
                                          (int)QEMU_TIMER_ATTR_ALL),
               <=, 1000 * NANOSECONDS_PER_SECOND);
    ASSERT_CMP(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL,
                                          ~QEMU_TIMER_ATTR_EXTERNAL),
               >, 1900 * NANOSECONDS_PER_SECOND);
    /* The loop sleeps until either, as the original's does. */
    ASSERT_CMP(aio_compute_timeout(ctx), <=, 1000 * NANOSECONDS_PER_SECOND);
    timer_del(&inner);
    timer_del(&outer);
    aio_context_unref(ctx);
}

TEST(main_loop_makes_timed_waits_as_exact_as_the_kernel_can)
{
    ASSERT_EQ(prctl(PR_SET_TIMERSLACK, 50000UL, 0, 0, 0), 0);
    ASSERT_EQ(qemu_init_main_loop(NULL), 0);
    ASSERT_EQ(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 1);
    AioContext *ctx = qemu_get_aio_context();
    qemu_set_current_aio_context(NULL);
    aio_context_unref(ctx);
}

/* ---- who is told -------------------------------------------------------- */

static void count_notification(void *opaque, QEMUClockType type)
{
    ASSERT_EQ(type, QEMU_CLOCK_HOST);
    ++*(int *)opaque;
}

TEST(only_a_new_first_deadline_notifies_and_deleting_does_not)
{
    int told = 0;
    QEMUTimerListGroup group;
    QEMUTimer ts[3];

    memset(&group, 0, sizeof(group));
    group.tl[QEMU_CLOCK_HOST] =
        timerlist_new(QEMU_CLOCK_HOST, count_notification, &told);
    for (int i = 0; i < 3; i++) {
        timer_init_full(&ts[i], &group, QEMU_CLOCK_HOST, SCALE_NS, 0, ring,
                        NULL);
    }
    timer_mod_ns(&ts[0], 1000);
    ASSERT_EQ(told, 1);
    timer_mod_ns(&ts[1], 2000);
    timer_mod_ns(&ts[2], 1000); /* equal is not sooner */
    ASSERT_EQ(told, 1);
    timer_mod_ns(&ts[1], 500);
    ASSERT_EQ(told, 2);
    timer_mod_ns(&ts[1], 600); /* later, and still the first */
    timer_mod_anticipate_ns(&ts[1], 700);
    ASSERT_EQ(told, 2);
    timer_del(&ts[1]);
    timer_del(&ts[1]); /* harmless */
    ASSERT_EQ(told, 2);
    qemu_clock_notify(QEMU_CLOCK_HOST);
    ASSERT_EQ(told, 3);
    timer_del(&ts[0]);
    timer_del(&ts[2]);
    timerlist_free(group.tl[QEMU_CLOCK_HOST]);
}

/* ---- callbacks ---------------------------------------------------------- */

EVERYWHERE(timer_that_rearms_itself_rings_once_per_round)
{
    Alarm alarm;

    for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
        alarm_init(&alarm, ctx, clocks[i]);
        alarm.rearm_ns = 200 * SCALE_US;
        alarm.rounds = 5;
        timer_mod_ns(&alarm.ts, 0);
        wait_for_ring(&alarm, 5);
        ASSERT(!aio_poll(ctx, false));
    }
}

static void rearm_past_then_note(void *opaque)
{
    Alarm *alarm = opaque;

    alarm->rings++;
    timer_mod_ns(&alarm->ts, alarm->rings % 2 ? 0 : -5);
}

EVERYWHERE(rearming_in_the_past_leaves_room_for_fds_and_bottom_halves)
{
    Alarm alarm = {.ctx = ctx};
    Side side = {.fd = new_event()};
    bool bh_ran = false;

    aio_timer_init(ctx, &alarm.ts, QEMU_CLOCK_REALTIME, SCALE_NS,
                   rearm_past_then_note, &alarm);
    set_reader(ctx, &side, on_read);
    timer_mod_ns(&alarm.ts, 0);
    poke(side.fd);
    for (int i = 1; i <= 10; i++) {
        bh_ran = false;
        aio_bh_schedule_oneshot(ctx, set_flag, &bh_ran);
        ASSERT(aio_poll(ctx, true));
        ASSERT(bh_ran);
        ASSERT_EQ(alarm.rings, i); /* once in each pass */
        ASSERT_EQ(side.reads, i);
    }
    timer_del(&alarm.ts);
    unset(ctx, side.fd);
    close(side.fd);
}

/* Bottom to top: 1 in its callback, 2 told to end. */
typedef struct Slow {
    QEMUTimer ts;
    int phase; /* atomic */
} Slow;

static void callback_until_told(void *opaque)
{
    Slow *slow = opaque;

    qatomic_store_release(&slow->phase, 1);
    while (qatomic_load_acquire(&slow->phase) != 2) {
        sched_yield();
    }
}

static void *delete_while_running(void *opaque)
{
    Slow *slow = opaque;

    while (qatomic_load_acquire(&slow->phase) != 1) {
        sched_yield();
    }
    ASSERT(!timer_pending(&slow->ts)); /* it is off the list already */
    timer_del(&slow->ts);              /* would hang, if it waited */
    qatomic_store_release(&slow->phase, 2);
    return NULL;
}

TEST(deleting_does_not_wait_for_a_callback_of_another_thread)
{
    AioContext *ctx = aio_context_new(NULL);
    Slow slow = {.phase = 0};
    pthread_t thread;

    aio_timer_init(ctx, &slow.ts, QEMU_CLOCK_REALTIME, SCALE_NS,
                   callback_until_told, &slow);
    timer_mod_ns(&slow.ts, 0);
    pthread_create(&thread, NULL, delete_while_running, &slow);
    ASSERT(aio_poll(ctx, true));
    pthread_join(thread, NULL);
    aio_context_unref(ctx);
}

static void *arm_soon(void *opaque)
{
    Alarm *alarm = opaque;

    usleep(2000);
    timer_mod_ns(&alarm->ts, qemu_clock_get_ns(alarm->clock) + 100 * SCALE_US);
    return NULL;
}

EVERYWHERE(timer_of_each_clock_armed_from_afar_ends_the_sleep)
{
    Side plain = {.fd = new_event()};

    set_reader(ctx, &plain, on_read);
    for (unsigned i = 0; i < ARRAY_SIZE(clocks); i++) {
        Alarm alarm;
        pthread_t thread;

        alarm_init(&alarm, ctx, clocks[i]);
        aio_poll(ctx, false);
        pthread_create(&thread, NULL, arm_soon, &alarm);
        wait_for_ring(&alarm, 1);
        pthread_join(thread, NULL);
    }
    unset(ctx, plain.fd);
    close(plain.fd);
}

/* ---- last words --------------------------------------------------------- */

static void leave_pending(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    static Alarm alarm;

    aio_timer_init(ctx, &alarm.ts, QEMU_CLOCK_HOST, SCALE_NS, ring, &alarm);
    timer_mod_ns(&alarm.ts, INT64_MAX);
    aio_context_unref(ctx);
}

static void deinit_pending(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    QEMUTimer *ts =
        aio_timer_new(ctx, QEMU_CLOCK_REALTIME, SCALE_MS, ring, NULL);

    timer_mod_ns(ts, INT64_MAX);
    timer_deinit(ts);
}

static void scale_of_zero(void *opaque)
{
    QEMUTimer ts;

    aio_timer_init(aio_context_new(NULL), &ts, QEMU_CLOCK_HOST, 0, ring, NULL);
}

TEST(pending_timers_at_the_end_are_named_with_callback_and_creator)
{
    ASSERT_ABORTS(leave_pending, NULL, "callback ring, opaque");
    ASSERT_ABORTS(leave_pending, NULL, "made at leave_pending+0x");
    ASSERT_ABORTS(deinit_pending, NULL,
                  "callback ring, made at deinit_pending");
    ASSERT_ABORTS(scale_of_zero, NULL, "a scale of 0 ns");
}
