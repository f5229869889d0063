/*
 * scrub.c - the disk scrubber at work: damage, repair, cancellation, errors
 */
#include "qemu/osdep.h"
#include "qemu/units.h"

#include "block/aio-wait.h"
#include "block/block.h"
#include "consumer.h"
#include "qapi/error.h"
#include "qemu/iov.h"
#include "qemu/main-loop.h"
#include "qemu/memalign.h"
#include "scrub.h"
#include "sysemu/iothread.h"

static const unsigned damaged[] = {0, 7, 8, 31, SCRUB_CHUNKS - 1};

typedef struct ScrubRun {
    AioContext *ctx;
    const ScrubDriver *drv;
    ScrubDisk *disk;
    ScrubOptions opts;
    ScrubStats stats;
    int fd, ret;
    bool running; /* atomic */
    Error *err;
} ScrubRun;

/* For Linux AIO past the page cache, where the file system knows how. */
static int disk_file(Error **errp)
{
    Error *local_err = NULL;
    int fd = scratch_file(O_DIRECT, &local_err);

    if (fd >= 0) {
        return fd;
    }
    error_free(local_err);
    return scratch_file(0, errp);
}

static void disk_fill(int fd)
{
    uint8_t *buf = qemu_memalign(SCRUB_ALIGN, SCRUB_CHUNK);

    for (unsigned i = 0; i < SCRUB_CHUNKS; i++) {
        scrub_chunk_fill(buf, i);
        g_assert_cmpint(pwrite(fd, buf, SCRUB_CHUNK, i * SCRUB_CHUNK), ==,
                        SCRUB_CHUNK);
    }
    qemu_vfree(buf);
}

/* Zeroes in the middle of some chunks. */
static void disk_damage(int fd)
{
    uint8_t *zeroes = qemu_memalign(SCRUB_ALIGN, SCRUB_ALIGN);

    memset(zeroes, 0, SCRUB_ALIGN);
    for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
        off_t offset = damaged[i] * SCRUB_CHUNK + 2 * SCRUB_ALIGN;

        g_assert(buffer_is_zero(zeroes, SCRUB_ALIGN));
        g_assert_cmpint(pwrite(fd, zeroes, SCRUB_ALIGN, offset), ==,
                        SCRUB_ALIGN);
    }
    qemu_vfree(zeroes);
}

static void disk_verify(int fd)
{
    uint8_t *buf = qemu_memalign(SCRUB_ALIGN, SCRUB_CHUNK);

    for (unsigned i = 0; i < SCRUB_CHUNKS; i++) {
        g_assert_cmpint(pread(fd, buf, SCRUB_CHUNK, i * SCRUB_CHUNK), ==,
                        SCRUB_CHUNK);
        g_assert(scrub_chunk_is_good(buf, i));
    }
    qemu_vfree(buf);
}

/* ---- in the context's thread -------------------------------------------- */

static void run_done(void *opaque, int ret)
{
    ScrubRun *run = opaque;

    run->ret = ret;
    qatomic_set_mb(&run->running, false);
}

static void run_open(void *opaque)
{
    ScrubRun *run = opaque;

    run->disk = scrub_disk_open(run->fd, run->ctx, run->drv, &run->err);
}

static void run_start(void *opaque)
{
    ScrubRun *run = opaque;

    memset(&run->stats, 0, sizeof(run->stats));
    scrub_start(run->disk, &run->opts, &run->stats, run_done, run);
}

static void run_scrub(ScrubRun *run)
{
    run->running = true;
    aio_bh_schedule_oneshot(run->ctx, run_start, run);
    aio_context_acquire(run->ctx);
    AIO_WAIT_WHILE(run->ctx, qatomic_mb_read(&run->running));
    aio_context_release(run->ctx);
}

/* The graph changes only when nobody scrubs a chunk. */
static void run_scrub_while_graph_changes(ScrubRun *run)
{
    unsigned writes = 0;

    run->running = true;
    aio_bh_schedule_oneshot(run->ctx, run_start, run);
    while (qatomic_mb_read(&run->running)) {
        bdrv_graph_wrlock();
        assert_bdrv_graph_writable();
        writes++;
        bdrv_graph_wrunlock();
        aio_poll(qemu_get_aio_context(), false);
    }
    g_assert_cmpuint(writes, >, 0);
}

static void check_repairs(ScrubRun *run)
{
    run->opts = (ScrubOptions){.workers = 12, .depth = 5};
    disk_damage(run->fd);
    run_scrub(run);
    g_assert_cmpint(run->ret, ==, 0);
    g_assert_cmpuint(run->stats.checked, ==, SCRUB_CHUNKS);
    g_assert_cmpuint(run->stats.repaired, ==, ARRAY_SIZE(damaged));
    g_assert_cmpuint(run->stats.in_flight, ==, 0);
    g_assert_cmpuint(run->stats.in_flight_max, ==, run->opts.depth);
    disk_verify(run->fd);

    run->opts.pause_ns = SCALE_US;
    run_scrub_while_graph_changes(run);
    g_assert_cmpint(run->ret, ==, 0);
    g_assert_cmpuint(run->stats.checked, ==, SCRUB_CHUNKS);
    g_assert_cmpuint(run->stats.repaired, ==, 0);
}

static void check_in_iothread(const ScrubDriver *drv, IOThread *iothread)
{
    ScrubRun run = {.ctx = iothread_get_aio_context(iothread), .drv = drv};

    run.fd = disk_file(&error_fatal);
    disk_fill(run.fd);
    aio_wait_bh_oneshot(run.ctx, run_open, &run);
    if (!run.disk) {
        printf("# left out: %s\n", error_get_pretty(run.err));
        error_free(run.err);
        close(run.fd);
        return;
    }
    check_repairs(&run);
    scrub_disk_close(run.disk);
    printf("# scrubbed with %s\n", drv->name);
}

/* ---- in the main context ------------------------------------------------ */

static void check_cancel(void)
{
    ScrubRun run = {.ctx = qemu_get_aio_context()};
    ScrubOptions opts = {
        .workers = 3, .depth = 2, .pause_ns = 3600 * NANOSECONDS_PER_SECOND};
    BlockAIOCB *acb;

    run.fd = disk_file(&error_fatal);
    disk_fill(run.fd);
    run.disk =
        scrub_disk_open(run.fd, run.ctx, &scrub_drivers[0], &error_abort);
    run.running = true;
    acb = scrub_start(run.disk, &opts, &run.stats, run_done, &run);
    while (run.stats.checked < opts.workers) {
        aio_poll(run.ctx, true);
    }
    bdrv_aio_cancel(acb); /* they sleep for an hour */
    g_assert(!run.running);
    g_assert_cmpint(run.ret, ==, -ECANCELED);
    g_assert_cmpuint(run.stats.checked, ==, opts.workers);
    scrub_disk_close(run.disk);
}

static void check_errors(void)
{
    AioContext *ctx = qemu_get_aio_context();
    Error *err = NULL;
    int fd = scratch_file(0, &error_fatal);

    g_assert(!ftruncate(fd, SCRUB_CHUNK + 1));
    g_assert(!scrub_disk_open(fd, ctx, &scrub_drivers[0], &err));
    g_assert(strstr(error_get_pretty(err), "no disk of whole chunks"));
    error_free_or_abort(&err);
    g_assert(!scrub_disk_open(fd, ctx, &scrub_drivers[0], NULL));
    close(fd);

    aio_context_set_thread_pool_params(ctx, 5, 4, &err);
    g_assert(err);
    error_free_or_abort(&err);
    g_assert_cmpint(scratch_file(O_DIRECTORY, &err), ==, -1);
    g_assert(g_str_has_prefix(error_get_pretty(err), "Could not open '"));
    error_free_or_abort(&err);
}

void scrub_selftest(void)
{
    IOThread *iothread = iothread_create("scrub", &error_abort);

    for (size_t i = 0; i < ARRAY_SIZE(scrub_drivers); i++) {
        check_in_iothread(&scrub_drivers[i], iothread);
    }
    check_cancel();
    check_errors();
    iothread_destroy(iothread);
}
