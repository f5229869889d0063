/*
 * scrub_disk.c - chunks with checksums, read and written by one of three ways
 */
#include "qemu/osdep.h"
#include "qemu/units.h"

#include "qapi/error.h"
#include "qemu/iov.h"
#include "scrub.h"

typedef struct QEMU_PACKED ScrubHeader {
    char magic[4];
    uint32_t index;
    uint64_t sum;
} ScrubHeader;

QEMU_BUILD_BUG_ON(sizeof(ScrubHeader) != 16);
QEMU_BUILD_BUG_ON(sizeof_field(ScrubHeader, sum) != 8);
QEMU_BUILD_BUG_ON(SCRUB_CHUNK % SCRUB_ALIGN);

static uint64_t scrub_sum(const uint8_t *data, size_t len)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i += 8) {
        uint64_t word;

        memcpy(&word, data + i, sizeof(word));
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
        sum ^= sum >> 29;
    }
    return sum;
}

void scrub_chunk_fill(void *chunk, unsigned index)
{
    ScrubHeader *h = chunk;
    uint8_t *data = (uint8_t *)(h + 1);
    size_t len = SCRUB_CHUNK - sizeof(*h);

    for (size_t i = 0; i < len; i++) {
        data[i] = (index + 1) * (i + 3) >> 2;
    }
    memcpy(h->magic, "SCRB", sizeof(h->magic));
    h->index = index;
    h->sum = scrub_sum(data, len);
}

bool scrub_chunk_is_good(const void *chunk, unsigned index)
{
    const ScrubHeader *h = chunk;

    return !memcmp(h->magic, "SCRB", sizeof(h->magic)) && h->index == index &&
           h->sum ==
               scrub_sum((const uint8_t *)(h + 1), SCRUB_CHUNK - sizeof(*h));
}

/* ---- with threads ------------------------------------------------------- */

typedef struct ScrubThreadReq {
    int fd, type;
    uint64_t offset;
    QEMUIOVector *qiov;
} ScrubThreadReq;

static int scrub_thread_rw(void *opaque)
{
    ScrubThreadReq *req = opaque;
    QEMUIOVector *qiov = req->qiov;
    ssize_t n;

    if (req->type & QEMU_AIO_FLUSH) {
        return fdatasync(req->fd) < 0 ? -errno : 0;
    }
    if (req->type & QEMU_AIO_WRITE) {
        n = RETRY_ON_EINTR(
            pwritev(req->fd, qiov->iov, qiov->niov, req->offset));
    } else {
        n = RETRY_ON_EINTR(preadv(req->fd, qiov->iov, qiov->niov, req->offset));
    }
    if (n < 0) {
        return -errno;
    }
    if ((size_t)n < qiov->size) {
        if (req->type & QEMU_AIO_WRITE) {
            return -ENOSPC;
        }
        qemu_iovec_memset(qiov, n, 0, qiov->size - n);
    }
    return 0;
}

static bool threads_open(ScrubDisk *disk, Error **errp)
{
    ERRP_GUARD();

    aio_context_set_thread_pool_params(disk->ctx, 1, 4, errp);
    if (*errp) {
        error_prepend(errp, "Thread pool: ");
        return false;
    }
    return true;
}

static int coroutine_fn threads_co_rw(ScrubDisk *disk, uint64_t offset,
                                      QEMUIOVector *qiov, int type)
{
    ScrubThreadReq req = {disk->fd, type, offset, qiov};

    return thread_pool_submit_co(aio_get_thread_pool(disk->ctx),
                                 scrub_thread_rw, &req);
}

static int coroutine_fn threads_co_flush(ScrubDisk *disk)
{
    return threads_co_rw(disk, 0, NULL, QEMU_AIO_FLUSH);
}

/* ---- with Linux AIO ----------------------------------------------------- */

static bool native_open(ScrubDisk *disk, Error **errp)
{
    return aio_setup_linux_aio(disk->ctx, errp) != NULL;
}

static int coroutine_fn native_co_rw(ScrubDisk *disk, uint64_t offset,
                                     QEMUIOVector *qiov, int type)
{
    return laio_co_submit(NULL, aio_get_linux_aio(disk->ctx), disk->fd, offset,
                          qiov, type, 0);
}

static void native_plug(ScrubDisk *disk)
{
    laio_io_plug(NULL, aio_get_linux_aio(disk->ctx));
}

static void native_unplug(ScrubDisk *disk)
{
    laio_io_unplug(NULL, aio_get_linux_aio(disk->ctx), 0);
}

/* ---- with io_uring ------------------------------------------------------ */

static bool uring_open(ScrubDisk *disk, Error **errp)
{
    return aio_setup_linux_io_uring(disk->ctx, errp) != NULL;
}

static int coroutine_fn uring_co_rw(ScrubDisk *disk, uint64_t offset,
                                    QEMUIOVector *qiov, int type)
{
    return luring_co_submit(NULL, aio_get_linux_io_uring(disk->ctx), disk->fd,
                            offset, qiov, type);
}

static int coroutine_fn uring_co_flush(ScrubDisk *disk)
{
    return luring_co_submit(NULL, aio_get_linux_io_uring(disk->ctx), disk->fd,
                            0, NULL, QEMU_AIO_FLUSH);
}

static void uring_plug(ScrubDisk *disk)
{
    luring_io_plug(NULL, aio_get_linux_io_uring(disk->ctx));
}

static void uring_unplug(ScrubDisk *disk)
{
    luring_io_unplug(NULL, aio_get_linux_io_uring(disk->ctx));
}

const ScrubDriver scrub_drivers[3] = {
    {"threads", threads_open, threads_co_rw, threads_co_flush, NULL, NULL},
    {"native", native_open, native_co_rw, threads_co_flush, native_plug,
     native_unplug},
    {"io_uring", uring_open, uring_co_rw, uring_co_flush, uring_plug,
     uring_unplug},
};

/* ---- all of them -------------------------------------------------------- */

static QTAILQ_HEAD(, ScrubDisk) disks = QTAILQ_HEAD_INITIALIZER(disks);

static bool scrub_check_size(int fd, Error **errp)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        error_setg_errno(errp, errno, "Could not get the size of fd %d", fd);
        return false;
    }
    if (!S_ISREG(st.st_mode) || !QEMU_IS_ALIGNED(st.st_size, SCRUB_CHUNK)) {
        error_setg(errp, "fd %d is no disk of whole chunks", fd);
        error_append_hint(errp, "Its size must be a multiple of %u.\n",
                          (unsigned)SCRUB_CHUNK);
        return false;
    }
    return true;
}

ScrubDisk *scrub_disk_open(int fd, AioContext *ctx, const ScrubDriver *drv,
                           Error **errp)
{
    Error *local_err = NULL;
    ScrubDisk *disk;

    if (!scrub_check_size(fd, errp)) {
        return NULL;
    }
    disk = g_new0(ScrubDisk, 1);
    disk->fd = fd;
    disk->ctx = ctx;
    disk->drv = drv;
    qemu_co_rwlock_init(&disk->layout);
    if (!drv->open(disk, &local_err)) {
        error_propagate_prepend(errp, local_err, "%s: ", drv->name);
        g_free(disk);
        return NULL;
    }
    QTAILQ_INSERT_TAIL(&disks, disk, next);
    return disk;
}

void scrub_disk_close(ScrubDisk *disk)
{
    g_assert(QTAILQ_IN_USE(disk, next));
    QTAILQ_REMOVE(&disks, disk, next);
    close(disk->fd);
    g_free(disk);
}
