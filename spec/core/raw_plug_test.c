/*
 * raw_plug_test.c - block/raw-aio.h: plugs, limits, states and misuse; on Linux
 * AIO and io_uring
 */
#include "raw_rig.h"

static int batches(AioContext *ctx)
{
    AioContextStats stats;

    aio_context_get_stats(ctx, &stats);
    return (int)stats.batches;
}

/* ---- plugs and limits --------------------------------------------------- */

static void plug(Rig *rig)
{
    if (rig->laio) {
        laio_io_plug(NULL, rig->laio);
    } else {
        luring_io_plug(NULL, rig->luring);
    }
}

static void unplug(Rig *rig)
{
    if (rig->laio) {
        laio_io_unplug(NULL, rig->laio, 0);
    } else {
        luring_io_unplug(NULL, rig->luring);
    }
}

static void start_many(Rig *rig, Transfer *ts, int count, uint64_t dev_batch)
{
    for (int i = 0; i < count; i++) {
        ts[i] = (Transfer){.rig = rig,
                           .type = QEMU_AIO_WRITE,
                           .offset = (uint64_t)i * BLOCK,
                           .len = BLOCK,
                           .dev_max_batch = dev_batch};
        start(&ts[i]);
    }
}

static void wait_for_many(Transfer *ts, int count)
{
    for (int i = 0; i < count; i++) {
        wait_for(&ts[i]);
        ASSERT_EQ(ts[i].ret, 0);
    }
}

ON_BOTH(nothing_is_submitted_before_the_outermost_unplug)
{
    Transfer ts[3];

    plug(rig);
    plug(rig);
    int before = batches(rig->ctx);
    start_many(rig, ts, 3, 0);
    unplug(rig);
    ASSERT_EQ(batches(rig->ctx), before);
    unplug(rig);
    ASSERT_EQ(batches(rig->ctx), before + 1);
    wait_for_many(ts, 3);
}

ON_BOTH(plug_holds_back_no_more_than_a_full_batch)
{
    enum { COUNT = 128 };
    static Transfer ts[COUNT];
    int full = rig->laio ? 32 : 128;

    plug(rig);
    int before = batches(rig->ctx);
    start_many(rig, ts, full - 1, 0);
    ASSERT_EQ(batches(rig->ctx), before);
    start_many(rig, ts + full - 1, 1, 0);
    ASSERT_EQ(batches(rig->ctx), before + 1);
    unplug(rig);
    wait_for_many(ts, full);
}

ON_BOTH(max_batch_of_the_context_limits_what_is_held_back)
{
    Transfer ts[10];

    aio_context_set_aio_params(rig->ctx, 5, &error_abort);
    for (int plugged = 0; plugged < 2; plugged++) {
        if (plugged) {
            plug(rig);
        }
        int before = batches(rig->ctx);
        start_many(rig, ts, 4, 0);
        ASSERT_EQ(batches(rig->ctx), before);
        start_many(rig, ts + 4, 6, 0);
        ASSERT_EQ(batches(rig->ctx), before + 2);
        if (plugged) {
            unplug(rig);
        }
        ASSERT_EQ(batches(rig->ctx), before + 2); /* nothing was left */
        wait_for_many(ts, 10);
    }
    aio_context_set_aio_params(rig->ctx, 0, &error_abort);
}

ON_BOTH(wish_of_the_device_lowers_the_batch_of_linux_aio)
{
    Transfer ts[6];

    if (!rig->laio) {
        return; /* has no such parameter */
    }
    int before = batches(rig->ctx);
    start_many(rig, ts, 2, 3);
    ASSERT_EQ(batches(rig->ctx), before);
    start_many(rig, ts + 2, 1, 3);
    ASSERT_EQ(batches(rig->ctx), before + 1);
    aio_context_set_aio_params(rig->ctx, 2, &error_abort);
    start_many(rig, ts + 3, 2, 3); /* the lower of both */
    ASSERT_EQ(batches(rig->ctx), before + 2);
    aio_context_set_aio_params(rig->ctx, 0, &error_abort);
    start_many(rig, ts + 5, 1, 0);
    ASSERT_EQ(batches(rig->ctx), before + 2); /* no wish, no effect */
    wait_for_many(ts, 6);
}

/* ---- states ------------------------------------------------------------- */

TEST(setting_up_twice_gives_the_same_state)
{
    AioContext *ctx = aio_context_new(NULL);
    LinuxAioState *laio = aio_setup_linux_aio(ctx, NULL);
    LuringState *luring = aio_setup_linux_io_uring(ctx, NULL);

    if (laio) {
        ASSERT_PTR_EQ(aio_setup_linux_aio(ctx, NULL), laio);
        ASSERT_PTR_EQ(aio_get_linux_aio(ctx), laio);
    }
    if (luring) {
        ASSERT_PTR_EQ(aio_setup_linux_io_uring(ctx, NULL), luring);
        ASSERT_PTR_EQ(aio_get_linux_io_uring(ctx), luring);
    }
    aio_context_unref(ctx);
}

TEST(state_of_ones_own_works_while_attached)
{
    LinuxAioState *laio = laio_init(NULL);
    LuringState *luring = luring_init(NULL);
    Rig rig = {.ctx = aio_context_new(NULL), .fd = open_file()};

    ASSERT_EQ(posix_memalign((void **)&rig.buf, BLOCK, 4 * BLOCK), 0);
    memset(rig.buf, 'x', 4 * BLOCK);
    if (laio) {
        laio_attach_aio_context(laio, rig.ctx);
        rig.laio = laio;
        ASSERT_EQ(transfer(&rig, QEMU_AIO_WRITE, 0, BLOCK), 0);
        rig.laio = NULL;
        laio_detach_aio_context(laio, rig.ctx);
        laio_cleanup(laio);
    }
    if (luring) {
        luring_attach_aio_context(luring, rig.ctx);
        rig.luring = luring;
        ASSERT_EQ(transfer(&rig, QEMU_AIO_READ, 0, BLOCK), 0);
        ASSERT_EQ(transfer(&rig, QEMU_AIO_FLUSH, 0, 0), 0);
        luring_detach_aio_context(luring, rig.ctx);
        luring_cleanup(luring);
    }
    free(rig.buf);
    close(rig.fd);
    aio_context_unref(rig.ctx);
}

TEST(refused_set_up_returns_null_and_says_why)
{
    AioContext *ctx = aio_context_new(NULL);
    Error *err = NULL;

#if !defined(CONFIG_LINUX_IO_URING) || !defined(CONFIG_LINUX_AIO)
    SKIP("this build lacks an engine, and names that as the reason");
#endif
    setenv("AIOCTL_NO_IO_URING", "1", 1);
    setenv("AIOCTL_NO_LINUX_AIO", "1", 1);
    ASSERT_PTR_EQ(aio_setup_linux_aio(ctx, &err), NULL);
    ASSERT(strstr(error_get_pretty(err), "AIOCTL_NO_LINUX_AIO"));
    error_free(err);
    err = NULL;
    ASSERT_PTR_EQ(aio_setup_linux_io_uring(ctx, &err), NULL);
    ASSERT(strstr(error_get_pretty(err), "AIOCTL_NO_IO_URING"));
    error_free(err);
    ASSERT_PTR_EQ(laio_init(NULL), NULL);
    ASSERT_PTR_EQ(luring_init(NULL), NULL);
    aio_context_unref(ctx);
}

/* ---- misuse ------------------------------------------------------------- */

static void get_laio_early(void *opaque)
{
    aio_get_linux_aio(aio_context_new(NULL));
}

static void get_luring_early(void *opaque)
{
    aio_get_linux_io_uring(aio_context_new(NULL));
}

static void ioctl_transfer(void *opaque)
{
    on_both(opaque);
}

static void coroutine_fn transfer_of_unknown_type(Rig *rig)
{
    transfer(rig, QEMU_AIO_IOCTL, 0, BLOCK);
}

static void coroutine_fn transfer_outside(Rig *rig)
{
    Transfer t = {.rig = rig, .type = QEMU_AIO_READ, .len = BLOCK};

    transfer_main(&t);
}

static void unplug_once_too_often(Rig *rig)
{
    unplug(rig);
}

TEST(misuse_aborts_naming_the_mistake)
{
    ASSERT_ABORTS(get_laio_early, NULL, "call aio_setup_linux_aio() first");
    ASSERT_ABORTS(get_luring_early, NULL,
                  "call aio_setup_linux_io_uring() first");
    ASSERT_ABORTS(ioctl_transfer, transfer_of_unknown_type,
                  "of unknown type 0x4");
    ASSERT_ABORTS(ioctl_transfer, transfer_outside, "outside of coroutines");
    ASSERT_ABORTS(ioctl_transfer, unplug_once_too_often, "plug_depth > 0");
}
