/*
 * bh_test.c - bottom halves
 */
#include <signal.h>

#include "qemu/main-loop.h"
#include "everywhere.h"

typedef struct Log {
    AioContext *ctx;
    char text[64];
    int runs;
    QEMUBH *bh;
    QEMUBH *other;
} Log;

static void count(void *opaque)
{
    (*(int *)opaque)++;
}

static void letter(void *opaque)
{
    Log **slot = opaque;
    size_t length = strlen((*slot)->text);

    /* A slot's place in the array is its letter. */
    (*slot)->text[length] = (char)('a' + (slot - (Log **)(*slot)->other));
}

EVERYWHERE(bh_runs_once_however_often_scheduled)
{
    int runs = 0;
    QEMUBH *bh = aio_bh_new(ctx, count, &runs);

    qemu_bh_schedule(bh);
    qemu_bh_schedule(bh);
    ASSERT(aio_poll(ctx, false));
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(runs, 1);
    qemu_bh_delete(bh);
    ASSERT(!aio_poll(ctx, false)); /* deleting is no progress */
}

EVERYWHERE(bottom_halves_run_first_in_first_out)
{
    Log log = {.ctx = ctx};
    Log *slots[4] = {&log, &log, &log, &log};
    QEMUBH *bh[4];

    log.other = (QEMUBH *)slots;
    aio_poll(ctx, false);
    for (int i = 0; i < 4; i++) {
        bh[i] = aio_bh_new(ctx, letter, &slots[i]);
    }
    qemu_bh_schedule(bh[2]);
    aio_bh_schedule_oneshot(ctx, letter, &slots[0]);
    qemu_bh_schedule(bh[3]);
    qemu_bh_schedule(bh[1]);
    aio_poll(ctx, false);
    ASSERT_STR_EQ(log.text, "cadb");
    for (int i = 0; i < 4; i++) {
        qemu_bh_delete(bh[i]);
    }
    aio_poll(ctx, false);
}

static void again(void *opaque)
{
    Log *log = opaque;

    if (++log->runs < 10) {
        qemu_bh_schedule(log->bh);
    }
}

EVERYWHERE(bh_that_schedules_itself_runs_once_per_pass)
{
    Log log = {0};

    log.bh = aio_bh_new(ctx, again, &log);
    qemu_bh_schedule(log.bh);
    for (int i = 1; i <= 10; i++) {
        ASSERT(aio_poll(ctx, i == 10));
        ASSERT_EQ(log.runs, i);
    }
    ASSERT(!aio_poll(ctx, false));
    qemu_bh_delete(log.bh);
    aio_poll(ctx, false);
}

EVERYWHERE(cancelled_bh_does_not_run_and_may_be_scheduled_again)
{
    int runs = 0;
    QEMUBH *bh = aio_bh_new(ctx, count, &runs);

    qemu_bh_schedule(bh);
    qemu_bh_cancel(bh);
    ASSERT_EQ(aio_compute_timeout(ctx), -1);
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(runs, 0);
    qemu_bh_schedule(bh);
    ASSERT_EQ(aio_compute_timeout(ctx), 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(runs, 1);
    qemu_bh_schedule(bh);
    qemu_bh_cancel(bh);
    qemu_bh_schedule(bh);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(runs, 2);
    qemu_bh_delete(bh);
    aio_poll(ctx, false);
}

static void delete_self(void *opaque)
{
    Log *log = opaque;

    log->runs++;
    qemu_bh_delete(log->bh);
}

EVERYWHERE(bh_may_delete_itself_and_is_never_called_after_delete)
{
    Log log = {0};

    log.bh = aio_bh_new(ctx, delete_self, &log);
    qemu_bh_schedule(log.bh);
    ASSERT(aio_poll(ctx, false));
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(log.runs, 1);

    log.bh = aio_bh_new(ctx, delete_self, &log);
    qemu_bh_schedule(log.bh);
    qemu_bh_delete(log.bh);
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(log.runs, 1);
}

static void nested(void *opaque)
{
    Log *log = opaque;

    log->runs++;
    qemu_bh_schedule(log->bh); /* pushed after the slice: nested runs it */
    ASSERT(aio_poll(log->ctx, false));
    ASSERT_EQ(log->runs, 102); /* the rest of our slice, then that one */
}

static void add_hundred(void *opaque)
{
    ((Log *)opaque)->runs += 100;
}

EVERYWHERE(nested_poll_runs_what_the_outer_slice_still_had)
{
    Log log = {.ctx = ctx};
    QEMUBH *first = aio_bh_new(ctx, nested, &log);
    QEMUBH *second = aio_bh_new(ctx, add_hundred, &log);

    log.bh = aio_bh_new(ctx, count, &log.runs);
    qemu_bh_schedule(first);
    qemu_bh_schedule(second);
    ASSERT(aio_poll(ctx, false));
    ASSERT_EQ(log.runs, 102);
    ASSERT(!aio_poll(ctx, false));
    qemu_bh_delete(first);
    qemu_bh_delete(second);
    qemu_bh_delete(log.bh);
    aio_poll(ctx, false);
}

static int64_t time_of_idle_bh(AioContext *ctx, QEMUBH *bh)
{
    qemu_bh_schedule_idle(bh);
    ASSERT_EQ(aio_compute_timeout(ctx), 10 * SCALE_MS);
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    ASSERT(!aio_poll(ctx, true));
    return qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start;
}

/* The kernel may interrupt a wait, as when an earlier ring is torn down: the
 * longest wait of several decides. */
EVERYWHERE(idle_bh_waits_at_most_ten_milliseconds_and_is_no_progress)
{
    int runs = 0, tries = 0;
    int64_t longest = 0;
    QEMUBH *bh = aio_bh_new(ctx, count, &runs);

    aio_poll(ctx, false);
    while (longest < 9 * SCALE_MS && tries < 100) {
        longest = MAX(longest, time_of_idle_bh(ctx, bh));
        ASSERT_EQ(runs, ++tries);
    }
    ASSERT_CMP(longest, >=, 9 * SCALE_MS);

    qemu_bh_schedule_idle(bh);
    qemu_bh_schedule(bh); /* now it is urgent */
    ASSERT_EQ(aio_compute_timeout(ctx), 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(runs, tries + 1);
    qemu_bh_delete(bh);
    aio_poll(ctx, false);
}

typedef struct Flood {
    AioContext *ctx;
    int number;
    int *seen; /* last number per thread */
    int *total;
    int thread;
} Flood;

static void flood_one(void *opaque)
{
    Flood *flood = opaque;

    ASSERT_EQ(flood->seen[flood->thread], flood->number - 1);
    flood->seen[flood->thread] = flood->number;
    (*flood->total)++;
    free(flood);
}

static void *flood_thread(void *opaque)
{
    Flood *pattern = opaque;
    int n = test_is_slow() ? 2000 : 20000;

    for (int i = 1; i <= n; i++) {
        Flood *flood = malloc(sizeof(*flood));
        *flood = *pattern;
        flood->number = i;
        aio_bh_schedule_oneshot(flood->ctx, flood_one, flood);
    }
    return NULL;
}

EVERYWHERE(one_shots_of_each_thread_run_in_its_order_and_none_is_lost)
{
    int n = test_is_slow() ? 2000 : 20000;
    int seen[3] = {0}, total = 0;
    pthread_t threads[3];
    Flood patterns[3];

    for (int i = 0; i < 3; i++) {
        patterns[i] = (Flood){ctx, 0, seen, &total, i};
        pthread_create(&threads[i], NULL, flood_thread, &patterns[i]);
    }
    while (total < 3 * n) {
        aio_poll(ctx, true);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        ASSERT_EQ(seen[i], n);
    }
}

static QEMUBH *signal_bh;

static void on_signal(int sig)
{
    qemu_bh_schedule(signal_bh);
}

typedef struct SignalSender {
    pthread_t target;
    bool stop; /* atomic */
} SignalSender;

/* Signals that come before the last one was handled count as one with it: so
 * many as it takes. */
static void *signal_sender(void *opaque)
{
    SignalSender *sender = opaque;

    while (!qatomic_read(&sender->stop)) {
        pthread_kill(sender->target, SIGUSR1);
        usleep(100);
    }
    return NULL;
}

static void keep_busy(void *opaque)
{
    Log *log = opaque;

    if (!log->other) {
        qemu_bh_schedule(log->bh);
    }
}

EVERYWHERE(bh_may_be_scheduled_by_a_signal_handler_of_the_home_thread)
{
    Log log = {.ctx = ctx};
    struct sigaction action = {.sa_handler = on_signal};
    SignalSender sender = {.target = pthread_self()};
    pthread_t thread;

    signal_bh = aio_bh_new(ctx, count, &log.runs);
    log.bh = aio_bh_new(ctx, keep_busy, &log);
    aio_poll(ctx, false);
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, signal_sender, &sender);
    qemu_bh_schedule(log.bh);
    while (log.runs < 100) {
        aio_poll(ctx, false); /* changes its queue all the time */
    }
    log.other = log.bh;
    while (log.runs < 150) {
        aio_poll(ctx, true); /* now the handler has to wake it */
    }
    qatomic_set(&sender.stop, true);
    pthread_join(thread, NULL);
    signal(SIGUSR1, SIG_IGN);
    qemu_bh_delete(signal_bh);
    qemu_bh_delete(log.bh);
    aio_poll(ctx, false);
}

static void *delete_bhs(void *opaque)
{
    QEMUBH **bhs = opaque;

    for (int i = 0; i < 100; i++) {
        qemu_bh_delete(bhs[i]);
    }
    return NULL;
}

EVERYWHERE(bh_may_be_deleted_by_another_thread)
{
    QEMUBH *bhs[100];
    int runs = 0;
    pthread_t thread;

    for (int i = 0; i < 100; i++) {
        bhs[i] = aio_bh_new(ctx, count, &runs);
    }
    aio_poll(ctx, false);
    pthread_create(&thread, NULL, delete_bhs, bhs);
    for (int i = 0; i < 1000; i++) {
        aio_poll(ctx, false);
    }
    pthread_join(thread, NULL);
    aio_poll(ctx, false);
    ASSERT_EQ(runs, 0);
}
