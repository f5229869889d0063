/*
 * limits_test.c - one context with a great many descriptors, timers and
 * bottom halves
 *
 * Where cost matters it is compared with the cost of a small number, in
 * processor time: what is flat stays below a factor that anything linear
 * exceeds by far.
 */
#include <sys/resource.h>

#include "quantity.h"

/* ---- descriptors -------------------------------------------------------- */

enum { FDS = 10000, FEW = 100, SUBSET = 97, BATCH = 200, BATCHES = 7 };

static int fds_wanted(void)
{
    int n = limit_of(FDS, 10, "descriptors");
    struct rlimit limit;

    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < (rlim_t)n + 100) {
        limit.rlim_cur = MIN((rlim_t)n + 100, limit.rlim_max);
        ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    if (limit.rlim_cur < (rlim_t)n + 100) {
        SKIP("the hard limit of open files is %lu (ulimit -Hn), not %d",
             (unsigned long)limit.rlim_max, n + 100);
    }
    return n;
}

static Side *sides_new(AioContext *ctx, int n)
{
    Side *sides = calloc((size_t)n, sizeof(*sides));

    for (int i = 0; i < n; i++) {
        sides[i].fd = new_event();
        set_reader(ctx, &sides[i], on_read_drain);
    }
    return sides;
}

static void sides_free(AioContext *ctx, Side *sides, int n)
{
    for (int i = 0; i < n; i++) {
        unset(ctx, sides[i].fd);
        close(sides[i].fd);
    }
    free(sides);
}

static int reads_of(const Side *sides, int n)
{
    int reads = 0;

    for (int i = 0; i < n; i++) {
        reads += sides[i].reads;
    }
    return reads;
}

/* Least processor time of one event, found among many. */
static int64_t event_cost(AioContext *ctx, Side *sides, int n)
{
    int64_t best = INT64_MAX;

    for (int batch = 0; batch < BATCHES; batch++) {
        int64_t start = cpu_ns();
        for (int i = 0; i < BATCH; i++) {
            poke(sides[(i * 37) % n].fd);
            ASSERT(aio_poll(ctx, true));
        }
        best = MIN(best, (cpu_ns() - start) / BATCH);
    }
    return best;
}

EVERYWHERE(ten_thousand_descriptors_are_dispatched_each_when_it_is_ready)
{
    int n = fds_wanted();
    Side *sides = sides_new(ctx, n);

    while (aio_poll(ctx, false)) {
    }
    ASSERT_EQ(reads_of(sides, n), 0);
    for (int i = 0; i < n; i++) {
        poke(sides[i].fd);
    }
    while (reads_of(sides, n) < n) {
        ASSERT(aio_poll(ctx, true));
    }
    for (int i = 0; i < n; i += SUBSET) {
        poke(sides[i].fd);
    }
    while (aio_poll(ctx, false)) {
    }
    for (int i = 0; i < n; i++) {
        ASSERT_EQ(sides[i].reads, 1 + (i % SUBSET == 0));
    }
    sides_free(ctx, sides, n);
}

EVERYWHERE(an_event_costs_the_same_among_ten_thousand_descriptors)
{
    if (getenv("AIOCTL_TEST_SLOW")) {
        SKIP("an emulated processor's time says nothing about cost");
    }
    if (!strcmp(aio_context_fdmon(ctx), "poll")) {
        printf("# left out: poll(2) itself looks at every descriptor\n");
        return;
    }
    int n = fds_wanted();
    Side *few = sides_new(ctx, FEW);
    int64_t small = event_cost(ctx, few, FEW);
    Side *rest = sides_new(ctx, n - FEW);
    int64_t large = event_cost(ctx, rest, n - FEW);

    printf("# %s: an event costs %lld ns among %d, %lld ns among %d\n",
           aio_context_fdmon(ctx), (long long)small, FEW, (long long)large, n);
    ASSERT_CMP(large, <, 5 * small);
    sides_free(ctx, rest, n - FEW);
    sides_free(ctx, few, FEW);
}

EVERYWHERE(registering_a_descriptor_costs_the_same_however_many_there_are)
{
    if (getenv("AIOCTL_TEST_SLOW")) {
        SKIP("an emulated processor's time says nothing about cost");
    }
    int n = fds_wanted(), part = n / 10;
    Side *sides = calloc((size_t)n, sizeof(*sides));
    int64_t first = 0, last = 0;

    for (int i = 0; i < n; i++) {
        sides[i].fd = new_event();
        int64_t start = cpu_ns();
        set_reader(ctx, &sides[i], on_read_drain);
        int64_t cost = cpu_ns() - start;
        first += i < part ? cost : 0;
        last += i >= n - part ? cost : 0;
    }
    printf("# %s: the first %d cost %lld ns each, the last %lld ns\n",
           aio_context_fdmon(ctx), part, (long long)first / part,
           (long long)last / part);
    ASSERT_CMP(last, <, 5 * first);
    sides_free(ctx, sides, n);
}

/* ---- timers ------------------------------------------------------------- */

/* Builds with checks look at the whole heap whenever a timer is armed. */
enum { TIMERS = 1000000, DEADLINES = 50000 };

typedef struct Alarms {
    struct Alarm *last;
    int ran;
} Alarms;

typedef struct Alarm {
    QEMUTimer timer;
    Alarms *all;
    int64_t deadline;
    int order; /* of arming */
} Alarm;

static void alarm_cb(void *opaque)
{
    Alarm *alarm = opaque, *last = alarm->all->last;

    if (last) {
        ASSERT_CMP(last->deadline, <=, alarm->deadline);
        if (last->deadline == alarm->deadline) {
            ASSERT_CMP(last->order, <, alarm->order);
        }
    }
    alarm->all->last = alarm;
    alarm->all->ran++;
}

/* @base: the earliest deadline.  Equal ones are frequent. */
static Alarm *alarms_new(AioContext *ctx, Alarms *all, int n, int64_t base)
{
    Alarm *alarms = calloc((size_t)n, sizeof(*alarms));
    unsigned random = 4711;

    ASSERT(alarms);
    for (int i = 0; i < n; i++) {
        Alarm *alarm = &alarms[i];
        alarm->all = all;
        alarm->order = i;
        alarm->deadline = base + random_next(&random) % DEADLINES;
        aio_timer_init(ctx, &alarm->timer, QEMU_CLOCK_REALTIME, SCALE_NS,
                       alarm_cb, alarm);
        timer_mod_ns(&alarm->timer, alarm->deadline);
    }
    return alarms;
}

TEST(a_million_timers_run_by_deadline_and_equal_ones_as_armed)
{
    AioContext *ctx = aio_context_new(NULL);
    int n = limit_of(TIMERS, 100, "timers");
    Alarms all = {NULL, 0};
    Alarm *alarms = alarms_new(ctx, &all, n, 1);

    while (all.ran < n) {
        ASSERT(aio_poll(ctx, false));
    }
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(all.ran, n);
    ASSERT_EQ(aio_compute_timeout(ctx), -1);
    free(alarms);
    aio_context_unref(ctx);
}

TEST(a_million_timers_are_moved_and_deleted_in_any_order)
{
    AioContext *ctx = aio_context_new(NULL);
    int n = limit_of(TIMERS, 100, "timers");
    int64_t hour = INT64_C(3600000000000);
    Alarms all = {NULL, 0};
    Alarm *alarms =
        alarms_new(ctx, &all, n, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + hour);

    ASSERT(!aio_poll(ctx, false));
    for (int i = 0; i < n; i += 2) {
        timer_mod_ns(&alarms[i].timer, alarms[i].deadline + hour);
    }
    for (int64_t i = 0; i < n; i++) { /* a step that is prime to n */
        timer_del(&alarms[i * 999983 % n].timer);
    }
    for (int i = 0; i < n; i++) {
        ASSERT(!timer_pending(&alarms[i].timer));
    }
    ASSERT_EQ(aio_compute_timeout(ctx), -1);
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(all.ran, 0);
    free(alarms);
    aio_context_unref(ctx);
}

/* ---- bottom halves ------------------------------------------------------ */

enum { BHS = 1000000, THREADS = 4 };

typedef struct Flood Flood;

typedef struct Drop {
    Flood *flood;
    QEMUBH *bh; /* NULL: oneshot */
    int runs;
} Drop;

struct Flood {
    AioContext *ctx;
    pthread_t thread;
    Drop *drops;
    int n, ran;
};

static void drop_cb(void *opaque)
{
    Drop *drop = opaque;
    Flood *flood = drop->flood;

    /* Those of one thread run in the order in which it scheduled them. */
    ASSERT_PTR_EQ(drop, &flood->drops[flood->ran]);
    drop->runs++;
    flood->ran++;
}

static void *flood_main(void *opaque)
{
    Flood *flood = opaque;

    for (int i = 0; i < flood->n; i++) {
        Drop *drop = &flood->drops[i];
        drop->flood = flood;
        if (i % 2) {
            aio_bh_schedule_oneshot(flood->ctx, drop_cb, drop);
        } else {
            drop->bh = aio_bh_new(flood->ctx, drop_cb, drop);
            qemu_bh_schedule(drop->bh);
        }
    }
    return NULL;
}

EVERYWHERE(a_million_bottom_halves_of_four_threads_run_once_each_in_order)
{
    int n = limit_of(BHS, 10, "bottom halves") / THREADS, ran = 0;
    Flood floods[THREADS];

    for (int t = 0; t < THREADS; t++) {
        Drop *drops = calloc((size_t)n, sizeof(*drops));
        floods[t] = (Flood){.ctx = ctx, .drops = drops, .n = n};
        ASSERT_EQ(
            pthread_create(&floods[t].thread, NULL, flood_main, &floods[t]), 0);
    }
    while (ran < n * THREADS) {
        aio_poll(ctx, true);
        ran = 0;
        for (int t = 0; t < THREADS; t++) {
            ran += floods[t].ran;
        }
    }
    ASSERT(!aio_poll(ctx, false) || !aio_poll(ctx, false));
    for (int t = 0; t < THREADS; t++) {
        pthread_join(floods[t].thread, NULL);
        for (int i = 0; i < n; i++) {
            ASSERT_EQ(floods[t].drops[i].runs, 1);
            if (floods[t].drops[i].bh) {
                qemu_bh_delete(floods[t].drops[i].bh);
            }
        }
        free(floods[t].drops);
    }
    while (aio_poll(ctx, false)) {
    }
}
