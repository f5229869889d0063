/*
 * aio_wait_test.c - running a loop until a condition holds
 */
#include "aioctl/context.h"
#include "block/aio-wait.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "sysemu/iothread.h"
#include "test.h"

static void loop_begin(void)
{
    ASSERT_EQ(qemu_init_main_loop(NULL), 0);
}

static void loop_end(void)
{
    AioContext *ctx = qemu_get_aio_context();

    ASSERT_EQ(global_aio_wait.num_waiters, 0);
    qemu_set_current_aio_context(NULL);
    aio_context_unref(ctx);
}

static void count_down(void *opaque)
{
    qatomic_dec((int *)opaque);
}

TEST(home_thread_polls_its_own_context)
{
    AioContext *ctx = aio_context_new(NULL);
    int left = 3;

    aio_poll(ctx, false);
    for (int i = 0; i < 3; i++) {
        aio_bh_schedule_oneshot(ctx, count_down, &left);
    }
    ASSERT(AIO_WAIT_WHILE(ctx, left > 0));
    ASSERT_EQ(left, 0);
    ASSERT(!AIO_WAIT_WHILE(ctx, left > 0));
    aio_context_unref(ctx);
}

static void count_down_and_kick(void *opaque)
{
    usleep(1000);
    qatomic_dec((int *)opaque);
    aio_wait_kick();
}

TEST(main_thread_waits_for_another_context_and_runs_its_own_meanwhile)
{
    int left = 5, own = 1;

    loop_begin();
    IOThread *iothread = iothread_new();
    AioContext *ctx = iothread_get_aio_context(iothread);
    for (int i = 0; i < 5; i++) {
        aio_bh_schedule_oneshot(ctx, count_down_and_kick, &left);
    }
    aio_bh_schedule_oneshot(qemu_get_aio_context(), count_down, &own);
    ASSERT(AIO_WAIT_WHILE(ctx, qatomic_read(&left) > 0));
    ASSERT_EQ(own, 0);
    left = 2;
    aio_bh_schedule_oneshot(ctx, count_down_and_kick, &left);
    aio_bh_schedule_oneshot(ctx, count_down_and_kick, &left);
    ASSERT(AIO_WAIT_WHILE_UNLOCKED(NULL, qatomic_read(&left) > 0));
    iothread_join(iothread);
    loop_end();
}

static void count_down_locked(void *opaque)
{
    AioContext *ctx = qemu_get_current_aio_context();

    aio_context_acquire(ctx);
    count_down_and_kick(opaque);
    aio_context_release(ctx);
}

TEST(acquired_context_is_released_while_waiting_and_held_again_after)
{
    int left = 1;

    loop_begin();
    IOThread *iothread = iothread_new();
    AioContext *ctx = iothread_get_aio_context(iothread);
    aio_context_acquire(ctx);
    aio_bh_schedule_oneshot(ctx, count_down_locked, &left);
    AIO_WAIT_WHILE(ctx, qatomic_read(&left) > 0);
    aio_context_release(ctx);
    left = 1;
    aio_bh_schedule_oneshot(ctx, count_down_locked, &left);
    AIO_WAIT_WHILE(ctx, qatomic_read(&left) > 0); /* not acquired at all */
    iothread_join(iothread);
    loop_end();
}

static void wait_with_two_locks(void *opaque)
{
    int left = 1;

    loop_begin();
    IOThread *iothread = iothread_new();
    AioContext *ctx = iothread_get_aio_context(iothread);
    aio_context_acquire(ctx);
    aio_context_acquire(ctx);
    AIO_WAIT_WHILE(ctx, left > 0);
}

static void wait_in_iothread(void *opaque)
{
    AIO_WAIT_WHILE(NULL, true);
}

static void iothread_waits_for_main(void *opaque)
{
    loop_begin();
    IOThread *iothread = iothread_new();
    aio_bh_schedule_oneshot(iothread_get_aio_context(iothread),
                            wait_in_iothread, NULL);
    for (;;) {
        main_loop_wait(false);
    }
}

static void oneshot_outside(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    int left = 1;

    aio_wait_bh_oneshot(ctx, count_down, &left);
}

TEST(misuse_aborts_naming_the_mistake)
{
    ASSERT_ABORTS(wait_with_two_locks, NULL, "acquired 2 times");
    ASSERT_ABORTS(iothread_waits_for_main, NULL,
                  "only the thread of the main loop may");
    ASSERT_ABORTS(oneshot_outside, NULL, "outside of the main thread");
}

/* ---- kicks are not lost ------------------------------------------------- */

typedef struct Baton {
    int turn; /* atomic */
    int rounds;
} Baton;

/* Hands the turn back as soon as it has it. */
static void *hand_back(void *opaque)
{
    Baton *baton = opaque;

    for (int i = 0; i < baton->rounds; i++) {
        while (qatomic_load_acquire(&baton->turn) != 1) {
            sched_yield();
        }
        qatomic_store_release(&baton->turn, 0);
        aio_wait_kick();
    }
    return NULL;
}

TEST(no_kick_is_lost_between_the_look_and_the_poll)
{
    Baton baton = {.rounds = test_is_slow() ? 1000 : 20000};
    QemuThread thread;

    loop_begin();
    qemu_thread_create(&thread, "kicker", hand_back, &baton,
                       QEMU_THREAD_JOINABLE);
    for (int i = 0; i < baton.rounds; i++) {
        qatomic_store_release(&baton.turn, 1);
        AIO_WAIT_WHILE_UNLOCKED(NULL, qatomic_load_acquire(&baton.turn) == 1);
    }
    qemu_thread_join(&thread);
    loop_end();
}

/* The kick comes from a thread that knows nothing of the waiter's context. */
static void *wait_in_own_context(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);

    AIO_WAIT_WHILE(ctx, qatomic_read((int *)opaque) > 0);
    aio_context_unref(ctx);
    return NULL;
}

TEST(kick_reaches_waiters_in_every_context)
{
    int left = 1;
    QemuThread threads[3];

    for (int i = 0; i < 3; i++) {
        qemu_thread_create(&threads[i], "waiter", wait_in_own_context, &left,
                           QEMU_THREAD_JOINABLE);
    }
    usleep(2000);
    qatomic_set(&left, 0);
    aio_wait_kick();
    for (int i = 0; i < 3; i++) {
        qemu_thread_join(&threads[i]);
    }
}

/* ---- aio_wait_bh_oneshot ------------------------------------------------ */

typedef struct Where {
    AioContext *ctx;
    int calls;
} Where;

static void note_where(void *opaque)
{
    Where *where = opaque;

    where->ctx = qemu_get_current_aio_context();
    where->calls++;
}

TEST(waited_bottom_half_has_run_in_its_context_when_the_call_returns)
{
    loop_begin();
    IOThread *threads[2] = {iothread_new(), iothread_new()};
    for (int i = 0; i < (test_is_slow() ? 200 : 2000); i++) {
        AioContext *ctx = iothread_get_aio_context(threads[i % 2]);
        Where where = {.calls = 0};

        if (i % 3 == 0) {
            aio_context_acquire(ctx);
        }
        aio_wait_bh_oneshot(ctx, note_where, &where);
        if (i % 3 == 0) {
            aio_context_release(ctx);
        }
        ASSERT_EQ(where.calls, 1);
        ASSERT_PTR_EQ(where.ctx, ctx);
    }
    Where where = {.calls = 0};
    aio_wait_bh_oneshot(qemu_get_aio_context(), note_where, &where);
    ASSERT_EQ(where.calls, 1);
    iothread_join(threads[0]);
    iothread_join(threads[1]);
    loop_end();
}
