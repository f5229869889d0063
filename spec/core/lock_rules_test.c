/*
 * lock_rules_test.c - who waits for whom: the context's lock and lockcnt
 */
#include <pthread.h>

#include "everywhere.h"
#include "loop/context.h"
#include "qemu/lockcnt.h"

/* A thread that does one thing, which may have to wait. */
typedef struct Helper {
    pthread_t thread;
    void (*act)(void *opaque);
    void *opaque;
    bool begun, done; /* atomic */
} Helper;

static void *helper_main(void *opaque)
{
    Helper *helper = opaque;

    qatomic_store_release(&helper->begun, true);
    helper->act(helper->opaque);
    qatomic_store_release(&helper->done, true);
    return NULL;
}

static void helper_start(Helper *helper, void (*act)(void *), void *opaque)
{
    *helper = (Helper){.act = act, .opaque = opaque};
    pthread_create(&helper->thread, NULL, helper_main, helper);
    while (!qatomic_load_acquire(&helper->begun)) {
        sched_yield();
    }
}

/* It had time to get through, if it could. */
static void assert_waits(Helper *helper)
{
    usleep(3000);
    ASSERT(!qatomic_load_acquire(&helper->done));
}

static void assert_ends(Helper *helper)
{
    pthread_join(helper->thread, NULL);
    ASSERT(helper->done);
}

/* ---- the context's lock ------------------------------------------------- */

static void acquire_and_release(void *opaque)
{
    aio_context_acquire(opaque);
    aio_context_release(opaque);
}

TEST(another_thread_gets_the_lock_after_the_last_release)
{
    AioContext *ctx = aio_context_new(NULL);
    Helper helper;

    aio_context_acquire(ctx);
    aio_context_acquire(ctx);
    helper_start(&helper, acquire_and_release, ctx);
    assert_waits(&helper);
    aio_context_release(ctx);
    assert_waits(&helper); /* still held once */
    aio_context_release(ctx);
    assert_ends(&helper);
    aio_context_unref(ctx);
}

typedef struct Holder {
    AioContext *ctx;
    bool held, let_go; /* atomic */
} Holder;

static void hold_lock(void *opaque)
{
    Holder *holder = opaque;

    aio_context_acquire(holder->ctx);
    qatomic_store_release(&holder->held, true);
    while (!qatomic_load_acquire(&holder->let_go)) {
        sched_yield();
    }
    aio_context_release(holder->ctx);
}

EVERYWHERE(polling_takes_no_lock_so_callbacks_run_while_another_thread_has_it)
{
    Side side = {.fd = new_event()};
    Holder holder = {.ctx = ctx};
    bool bh_ran = false, rang = false;
    QEMUTimer ts;
    Helper helper;

    helper_start(&helper, hold_lock, &holder);
    while (!qatomic_load_acquire(&holder.held)) {
        sched_yield();
    }
    set_reader(ctx, &side, on_read_drain);
    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag, &rang);
    poke(side.fd);
    aio_bh_schedule_oneshot(ctx, set_flag, &bh_ran);
    timer_mod_ns(&ts, 0);
    while (!side.reads || !bh_ran || !rang) {
        aio_poll(ctx, true);
    }
    qatomic_store_release(&holder.let_go, true);
    assert_ends(&helper);
    unset(ctx, side.fd);
    close(side.fd);
}

/* ---- lockcnt ------------------------------------------------------------ */

static void visit(void *opaque)
{
    qemu_lockcnt_inc(opaque);
}

static void lock_and_unlock(void *opaque)
{
    qemu_lockcnt_lock(opaque);
    qemu_lockcnt_unlock(opaque);
}

static void leave_and_lock(void *opaque)
{
    ASSERT(qemu_lockcnt_dec_and_lock(opaque));
    qemu_lockcnt_unlock(opaque);
}

TEST(first_visitor_waits_for_the_lock_and_later_ones_do_not)
{
    QemuLockCnt lockcnt;
    Helper helper;

    qemu_lockcnt_init(&lockcnt);
    qemu_lockcnt_lock(&lockcnt);
    helper_start(&helper, visit, &lockcnt);
    assert_waits(&helper);
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 0);
    qemu_lockcnt_unlock(&lockcnt);
    assert_ends(&helper);
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 1);

    qemu_lockcnt_lock(&lockcnt);
    helper_start(&helper, visit, &lockcnt);
    assert_ends(&helper); /* though it is locked */
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 2);
    qemu_lockcnt_unlock(&lockcnt);
    qemu_lockcnt_dec(&lockcnt);
    qemu_lockcnt_dec(&lockcnt);
    qemu_lockcnt_destroy(&lockcnt);
}

TEST(lockers_and_the_last_visitor_wait_for_the_lock)
{
    QemuLockCnt lockcnt;
    Helper locker, last;

    qemu_lockcnt_init(&lockcnt);
    qemu_lockcnt_inc(&lockcnt);
    qemu_lockcnt_lock(&lockcnt);
    helper_start(&locker, lock_and_unlock, &lockcnt);
    helper_start(&last, leave_and_lock, &lockcnt);
    assert_waits(&locker);
    assert_waits(&last);
    qemu_lockcnt_unlock(&lockcnt);
    assert_ends(&locker);
    assert_ends(&last);
    ASSERT_EQ(qemu_lockcnt_count(&lockcnt), 0);
    qemu_lockcnt_destroy(&lockcnt);
}
