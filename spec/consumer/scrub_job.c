/*
 * scrub_job.c - coroutines that read, check and repair the chunks of a disk
 */
#include "qemu/osdep.h"
#include "qemu/units.h"

#include "block/aio-wait.h"
#include "block/graph-lock.h"
#include "qapi/error.h"
#include "qemu/iov.h"
#include "qemu/lockable.h"
#include "qemu/memalign.h"
#include "scrub.h"

/* An AIOCB of our own: what the caller of scrub_start() may cancel. */
struct ScrubJob {
    BlockAIOCB common;
    ScrubDisk *disk;
    ScrubOptions opts;
    ScrubStats *stats;
    CoMutex lock;     /* protects next_chunk and *stats */
    CoQueue free_req; /* waits while opts.depth requests are in flight */
    unsigned next_chunk, workers;
    QSIMPLEQ_HEAD(, ScrubSleeper) sleepers;
    bool cancelled;
    int ret;
};

typedef struct ScrubSleeper {
    QemuCoSleep sleep;
    QSIMPLEQ_ENTRY(ScrubSleeper) next;
} ScrubSleeper;

static void coroutine_fn scrub_get_request(ScrubJob *job)
{
    QEMU_LOCK_GUARD(&job->lock);

    while (job->stats->in_flight >= job->opts.depth) {
        qemu_co_queue_wait(&job->free_req, &job->lock);
    }
    job->stats->in_flight++;
    job->stats->in_flight_max =
        MAX(job->stats->in_flight_max, job->stats->in_flight);
}

static void coroutine_fn scrub_put_request(ScrubJob *job)
{
    WITH_QEMU_LOCK_GUARD(&job->lock)
    {
        job->stats->in_flight--;
        qemu_co_queue_next(&job->free_req);
    }
}

/* Two pieces: the drivers see that a vector is one. */
static int coroutine_fn scrub_rw(ScrubJob *job, unsigned chunk, uint8_t *buf,
                                 int type)
{
    ScrubDisk *disk = job->disk;
    QEMUIOVector qiov;
    int ret;

    qemu_iovec_init(&qiov, 1);
    qemu_iovec_add(&qiov, buf, SCRUB_ALIGN);
    qemu_iovec_add(&qiov, buf + SCRUB_ALIGN, SCRUB_CHUNK - SCRUB_ALIGN);
    scrub_get_request(job);
    if (disk->drv->plug) {
        disk->drv->plug(disk);
        disk->drv->unplug(disk);
    }
    ret = disk->drv->co_rw(disk, (uint64_t)chunk * SCRUB_CHUNK, &qiov, type);
    scrub_put_request(job);
    qemu_iovec_destroy(&qiov);
    return ret;
}

static int coroutine_fn scrub_repair(ScrubJob *job, unsigned chunk,
                                     uint8_t *buf)
{
    int ret;

    qemu_co_rwlock_upgrade(&job->disk->layout);
    scrub_chunk_fill(buf, chunk);
    ret = scrub_rw(job, chunk, buf, QEMU_AIO_WRITE);
    if (ret == 0) {
        ret = job->disk->drv->co_flush(job->disk);
    }
    qemu_co_rwlock_downgrade(&job->disk->layout);
    return ret;
}

static int coroutine_fn scrub_chunk(ScrubJob *job, unsigned chunk, uint8_t *buf)
{
    bool good = false;
    int ret;

    GRAPH_RDLOCK_GUARD();
    qemu_co_rwlock_rdlock(&job->disk->layout);
    ret = scrub_rw(job, chunk, buf, QEMU_AIO_READ);
    if (ret == 0) {
        good = scrub_chunk_is_good(buf, chunk);
        ret = good ? 0 : scrub_repair(job, chunk, buf);
    }
    qemu_co_rwlock_unlock(&job->disk->layout);

    QEMU_LOCK_GUARD(&job->lock);
    job->stats->checked++;
    job->stats->errors += ret < 0;
    job->stats->repaired += ret == 0 && !good;
    return ret;
}

static void coroutine_fn scrub_pause(ScrubJob *job)
{
    ScrubSleeper sleeper = {.sleep = {NULL}};

    if (job->opts.pause_ns && !job->cancelled) {
        QSIMPLEQ_INSERT_TAIL(&job->sleepers, &sleeper, next);
        qemu_co_sleep_ns_wakeable(&sleeper.sleep, QEMU_CLOCK_REALTIME,
                                  job->opts.pause_ns);
        QSIMPLEQ_REMOVE(&job->sleepers, &sleeper, ScrubSleeper, next);
    }
}

/* The next chunk, or -1. */
static int coroutine_fn scrub_next(ScrubJob *job)
{
    QEMU_LOCK_GUARD(&job->lock);

    if (job->cancelled || job->ret < 0 || job->next_chunk == SCRUB_CHUNKS) {
        return -1;
    }
    return job->next_chunk++;
}

static void scrub_done(ScrubJob *job)
{
    int ret = job->ret;

    g_assert(qemu_co_queue_empty(&job->free_req));
    if (ret == 0 && job->cancelled && job->next_chunk < SCRUB_CHUNKS) {
        ret = -ECANCELED;
    }
    job->common.cb(job->common.opaque, ret);
    qemu_aio_unref(job);
    aio_wait_kick();
}

static void coroutine_fn scrub_worker(void *opaque)
{
    ScrubJob *job = opaque;
    uint8_t *buf = qemu_memalign(SCRUB_ALIGN, SCRUB_CHUNK);
    int chunk, ret;

    while ((chunk = scrub_next(job)) >= 0) {
        ret = scrub_chunk(job, chunk, buf);
        if (ret < 0) {
            job->ret = ret;
        }
        scrub_pause(job);
    }
    qemu_vfree(buf);
    if (--job->workers == 0) {
        scrub_done(job);
    }
}

static void scrub_cancel_async(BlockAIOCB *acb)
{
    ScrubJob *job = container_of(acb, ScrubJob, common);
    ScrubSleeper *sleeper, *next;

    job->cancelled = true;
    QSIMPLEQ_FOREACH_SAFE(sleeper, &job->sleepers, next, next) {
        qemu_co_sleep_wake(&sleeper->sleep);
    }
}

static AioContext *scrub_get_aio_context(BlockAIOCB *acb)
{
    return container_of(acb, ScrubJob, common)->disk->ctx;
}

static const AIOCBInfo scrub_aiocb_info = {
    .aiocb_size = sizeof(ScrubJob),
    .cancel_async = scrub_cancel_async,
    .get_aio_context = scrub_get_aio_context,
};

BlockAIOCB *scrub_start(ScrubDisk *disk, const ScrubOptions *opts,
                        ScrubStats *stats, BlockCompletionFunc *cb,
                        void *opaque)
{
    ScrubJob *job = qemu_aio_get(&scrub_aiocb_info, NULL, cb, opaque);

    job->disk = disk;
    job->opts = *opts;
    job->stats = stats;
    job->next_chunk = 0;
    job->workers = opts->workers;
    job->cancelled = false;
    job->ret = 0;
    qemu_co_mutex_init(&job->lock);
    qemu_co_queue_init(&job->free_req);
    QSIMPLEQ_INIT(&job->sleepers);
    for (unsigned i = 0; i < opts->workers; i++) {
        aio_co_schedule(disk->ctx, qemu_coroutine_create(scrub_worker, job));
    }
    return &job->common;
}
