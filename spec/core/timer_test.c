/*
 * timer_test.c - clocks and timers
 */
#include <pthread.h>
#include <stdlib.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "qemu/atomic.h"
#include "test.h"

typedef struct Entry {
    QEMUTimer timer;
    AioContext *ctx;
    int64_t deadline;
    int *order;
    int place; /* when it fired, from 1 */
    int fires;
} Entry;

static int64_t now_ns(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
}

static void fire(void *opaque)
{
    Entry *entry = opaque;

    entry->fires++;
    if (entry->order) {
        entry->place = ++*entry->order;
    }
}

static void init(AioContext *ctx, Entry *entry, QEMUTimerCB *cb)
{
    entry->ctx = ctx;
    aio_timer_init(ctx, &entry->timer, QEMU_CLOCK_REALTIME, SCALE_NS, cb,
                   entry);
}

TEST(timers_fire_by_deadline_and_equal_ones_in_order_of_arming)
{
    enum { N = 2000 };
    AioContext *ctx = aio_context_new(NULL);
    Entry *entries = calloc(N, sizeof(*entries));
    int order = 0;
    unsigned random = 1;

    for (int i = 0; i < N; i++) {
        init(ctx, &entries[i], fire);
        entries[i].order = &order;
        random = random * 1103515245 + 12345;
        entries[i].deadline = (random >> 16) % 100;
        timer_mod_ns(&entries[i].timer, entries[i].deadline);
    }
    for (int i = 0; i < N; i += 3) { /* moving counts as arming again */
        timer_mod_ns(&entries[i].timer, entries[i].deadline);
    }
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(order, N);
    for (int i = 0; i < N; i++) {
        for (int j = i + 1; j < N; j++) {
            int64_t a = entries[i].deadline, b = entries[j].deadline;
            bool i_first = a != b ? a < b : !(i % 3 == 0 && j % 3 != 0);

            ASSERT_EQ(entries[i].place < entries[j].place, i_first);
        }
    }
    ASSERT(!aio_poll(ctx, false));
    free(entries);
    aio_context_unref(ctx);
}

TEST(random_arming_moving_and_deleting_keeps_the_heap_in_order)
{
    enum { N = 300, STEPS = 30000 };
    AioContext *ctx = aio_context_new(NULL);
    Entry *entries = calloc(N, sizeof(*entries));
    unsigned random = 7;
    int64_t far = now_ns() + 1000 * NANOSECONDS_PER_SECOND;

    for (int i = 0; i < N; i++) {
        init(ctx, &entries[i], fire);
    }
    for (int step = 0; step < STEPS; step++) {
        random = random * 1103515245 + 12345;
        Entry *entry = &entries[(random >> 8) % N];
        if ((random >> 4) % 4 == 0) {
            timer_del(&entry->timer);
            ASSERT(!timer_pending(&entry->timer));
        } else {
            timer_mod_ns(&entry->timer, far + (random >> 20));
            ASSERT_EQ(timer_expire_time_ns(&entry->timer),
                      far + (random >> 20));
        }
    }
    int64_t first = INT64_MAX;
    for (int i = 0; i < N; i++) {
        if (timer_pending(&entries[i].timer)) {
            int64_t t = (int64_t)timer_expire_time_ns(&entries[i].timer);
            first = t < first ? t : first;
        }
    }
    int64_t before = now_ns();
    int64_t deadline = timerlist_deadline_ns(entries[0].timer.timer_list);
    ASSERT_CMP(deadline, <=, first - before);
    ASSERT_CMP(deadline, >=, first - now_ns());
    for (int i = 0; i < N; i++) {
        timer_del(&entries[i].timer);
    }
    ASSERT(!timerlist_has_timers(entries[0].timer.timer_list));
    free(entries);
    aio_context_unref(ctx);
}

static void rearm_in_the_past(void *opaque)
{
    Entry *entry = opaque;

    fire(opaque);
    timer_mod_ns(&entry->timer, 0);
}

TEST(timer_that_rearms_in_the_past_fires_once_per_pass_and_starves_nobody)
{
    AioContext *ctx = aio_context_new(NULL);
    Entry greedy = {0}, modest = {0};

    init(ctx, &greedy, rearm_in_the_past);
    init(ctx, &modest, fire);
    timer_mod_ns(&greedy.timer, 0);
    timer_mod_ns(&modest.timer, 5);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(greedy.fires, 1);
    ASSERT_EQ(modest.fires, 1);
    ASSERT_EQ(timer_expire_time_ns(&greedy.timer), 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(greedy.fires, 2);
    timer_del(&greedy.timer);
    aio_context_unref(ctx);
}

static void free_self(void *opaque)
{
    QEMUTimer **slot = opaque;

    ASSERT(!timer_pending(*slot));
    timer_free(*slot);
    *slot = NULL;
}

TEST(callback_may_free_its_timer)
{
    AioContext *ctx = aio_context_new(NULL);
    QEMUTimer *timer;

    timer =
        aio_timer_new(ctx, QEMU_CLOCK_REALTIME, SCALE_MS, free_self, &timer);
    timer_mod(timer, 1);
    ASSERT(aio_poll(ctx, true));
    ASSERT_PTR_EQ(timer, NULL);
    aio_context_unref(ctx);
}

static void delete_next(void *opaque)
{
    Entry *entry = opaque;

    fire(opaque);
    timer_del(&entry[1].timer);
}

TEST(timer_deleted_by_another_due_timer_does_not_fire)
{
    AioContext *ctx = aio_context_new(NULL);
    Entry entries[2];

    memset(entries, 0, sizeof(entries));

    init(ctx, &entries[0], delete_next);
    init(ctx, &entries[1], fire);
    timer_mod_ns(&entries[0].timer, 1);
    timer_mod_ns(&entries[1].timer, 2);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(entries[1].fires, 0);
    aio_context_unref(ctx);
}

TEST(scales_anticipation_and_expiry_times)
{
    AioContext *ctx = aio_context_new(NULL);
    QEMUTimer *ms = aio_timer_new(ctx, QEMU_CLOCK_HOST, SCALE_MS, fire, NULL);

    ASSERT_EQ(timer_expire_time_ns(ms), UINT64_MAX);
    timer_mod(ms, 1LL << 40);
    ASSERT_EQ(timer_expire_time_ns(ms), (1LL << 40) * SCALE_MS);
    ASSERT(timer_expired(ms, 1LL << 40));
    ASSERT(!timer_expired(ms, (1LL << 40) - 1));
    timer_mod_anticipate(ms, 1LL << 41);
    ASSERT_EQ(timer_expire_time_ns(ms), (1LL << 40) * SCALE_MS);
    timer_mod_anticipate(ms, 1LL << 39);
    ASSERT_EQ(timer_expire_time_ns(ms), (1LL << 39) * SCALE_MS);
    timer_mod_ns(ms, -5); /* clamped */
    ASSERT_EQ(timer_expire_time_ns(ms), 0);
    timer_mod(ms, INT64_MAX); /* saturates */
    ASSERT_CMP(timer_expire_time_ns(ms), >, INT64_MAX / 2);
    timer_free(ms);
    timer_free(NULL);
    ASSERT_EQ(qemu_soonest_timeout(-1, 5), 5);
    ASSERT_EQ(qemu_soonest_timeout(-1, -1), -1);
    ASSERT_EQ(qemu_timeout_ns_to_ms(1), 1);
    ASSERT_EQ(qemu_timeout_ns_to_ms(SCALE_MS), 1);
    ASSERT_EQ(qemu_timeout_ns_to_ms(0), 0);
    ASSERT_EQ(qemu_timeout_ns_to_ms(-1), -1);
    ASSERT_EQ(qemu_timeout_ns_to_ms(INT64_MAX), INT32_MAX);
    aio_context_unref(ctx);
}

TEST(disabled_clock_fires_nothing_and_has_no_deadline)
{
    AioContext *ctx = aio_context_new(NULL);
    int fires = 0;
    Entry entry = {.order = &fires};

    aio_timer_init(ctx, &entry.timer, QEMU_CLOCK_VIRTUAL, SCALE_NS, fire,
                   &entry);
    timer_mod_ns(&entry.timer, 0);
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, false);
    ASSERT_EQ(aio_compute_timeout(ctx), -1);
    ASSERT(!aio_poll(ctx, false));
    ASSERT(timer_pending(&entry.timer));
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, true);
    ASSERT_EQ(aio_compute_timeout(ctx), 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(fires, 1);
    aio_context_unref(ctx);
}

static void disable_own_clock(void *opaque)
{
    fire(opaque);
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL_RT, false); /* must not wait for us */
}

TEST(callback_may_disable_its_own_clock)
{
    AioContext *ctx = aio_context_new(NULL);
    Entry first = {0}, second = {0};

    aio_timer_init(ctx, &first.timer, QEMU_CLOCK_VIRTUAL_RT, SCALE_NS,
                   disable_own_clock, &first);
    aio_timer_init(ctx, &second.timer, QEMU_CLOCK_VIRTUAL_RT, SCALE_NS, fire,
                   &second);
    timer_mod_ns(&first.timer, 0);
    timer_mod_ns(&second.timer, 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(first.fires, 1);
    ASSERT_EQ(second.fires, 0);
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL_RT, true);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(second.fires, 1);
    aio_context_unref(ctx);
}

typedef struct Slow {
    QEMUTimer timer;
    int phase; /* atomic: 1 in the callback, 2 returned */
} Slow;

static void slow_callback(void *opaque)
{
    Slow *slow = opaque;

    qatomic_store_release(&slow->phase, 1);
    usleep(5000);
    qatomic_store_release(&slow->phase, 2);
}

static void *disable_while_running(void *opaque)
{
    Slow *slow = opaque;

    while (qatomic_load_acquire(&slow->phase) == 0) {
        sched_yield();
    }
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, false);
    ASSERT_EQ(qatomic_load_acquire(&slow->phase), 2);
    return NULL;
}

TEST(disabling_a_clock_waits_for_a_callback_of_another_thread)
{
    AioContext *ctx = aio_context_new(NULL);
    Slow slow = {.phase = 0};
    pthread_t thread;

    aio_timer_init(ctx, &slow.timer, QEMU_CLOCK_VIRTUAL, SCALE_NS,
                   slow_callback, &slow);
    pthread_create(&thread, NULL, disable_while_running, &slow);
    timer_mod_ns(&slow.timer, 0);
    ASSERT(aio_poll(ctx, true));
    pthread_join(thread, NULL);
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, true);
    aio_context_unref(ctx);
}

static void *arm_from_afar(void *opaque)
{
    Entry *entry = opaque;

    usleep(2000);
    timer_mod_ns(&entry->timer, now_ns() + 1000);
    return NULL;
}

TEST(timer_armed_by_another_thread_wakes_the_sleeping_context)
{
    AioContext *ctx = aio_context_new(NULL);
    Entry entry = {0}, late = {0};
    pthread_t thread;

    init(ctx, &entry, fire);
    init(ctx, &late, fire);
    timer_mod_ns(&late.timer, now_ns() + 1000 * NANOSECONDS_PER_SECOND);
    aio_poll(ctx, false);
    pthread_create(&thread, NULL, arm_from_afar, &entry);
    while (!entry.fires) {
        aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    ASSERT_EQ(late.fires, 0);
    timer_del(&late.timer);
    aio_context_unref(ctx);
}

static void *hammer(void *opaque)
{
    Entry *entries = opaque;
    int64_t far = now_ns() + 1000 * NANOSECONDS_PER_SECOND;

    for (int i = 0; i < 5000; i++) {
        timer_mod_ns(&entries[i % 8].timer, i % 3 ? far + i : 0);
        timer_del(&entries[(i + 3) % 8].timer);
        timer_pending(&entries[(i + 5) % 8].timer);
    }
    return NULL;
}

TEST(threads_may_arm_and_delete_the_same_timers)
{
    AioContext *ctx = aio_context_new(NULL);
    Entry entries[8];
    pthread_t threads[2];

    memset(entries, 0, sizeof(entries));
    for (int i = 0; i < 8; i++) {
        init(ctx, &entries[i], fire);
    }
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, hammer, entries);
    }
    for (int i = 0; i < 3000; i++) {
        aio_poll(ctx, false);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 8; i++) {
        timer_del(&entries[i].timer);
    }
    ASSERT_EQ(aio_compute_timeout(ctx), -1);
    aio_context_unref(ctx);
}

static void leak_timer(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    QEMUTimer *timer =
        aio_timer_new(ctx, QEMU_CLOCK_REALTIME, SCALE_MS, fire, NULL);
    timer_mod(timer, 1LL << 30);
    aio_context_unref(ctx);
}

TEST(destroying_a_context_with_pending_timers_aborts_and_counts_them)
{
    ASSERT_ABORTS(leak_timer, NULL, "1 timers still pending");
}
