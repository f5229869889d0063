/*
 * block/raw-aio.h - whole transfers on Linux AIO and io_uring, for coroutines
 *
 * Unlike an AioRequest (aioctl/request.h), a transfer here is complete or an
 * error: a read that meets the end of the file is filled with zeroes, a write
 * that the device cuts short fails with -ENOSPC.
 *
 * The states belong to a context: aio_setup_linux_aio() and
 * aio_setup_linux_io_uring() make them, aio_get_*() return them.
 */
#ifndef QEMU_RAW_AIO_H
#define QEMU_RAW_AIO_H

#include "aioctl/decls.h"
#include "block/block.h"
#include "qemu/coroutine.h"
#include "qemu/iov.h"

AIOCTL_BEGIN_DECLS

/* What a transfer does: exactly one of these. */
#define QEMU_AIO_READ 0x0001
#define QEMU_AIO_WRITE 0x0002
#define QEMU_AIO_IOCTL 0x0004
#define QEMU_AIO_FLUSH 0x0008
#define QEMU_AIO_DISCARD 0x0010
#define QEMU_AIO_WRITE_ZEROES 0x0020
#define QEMU_AIO_COPY_RANGE 0x0040
#define QEMU_AIO_TRUNCATE 0x0080
#define QEMU_AIO_TYPE_MASK                                              \
    (QEMU_AIO_READ | QEMU_AIO_WRITE | QEMU_AIO_IOCTL | QEMU_AIO_FLUSH | \
     QEMU_AIO_DISCARD | QEMU_AIO_WRITE_ZEROES | QEMU_AIO_COPY_RANGE |   \
     QEMU_AIO_TRUNCATE)

/* Flags of a transfer. */
#define QEMU_AIO_MISALIGNED 0x1000
#define QEMU_AIO_BLKDEV 0x2000
#define QEMU_AIO_NO_FALLBACK 0x4000

/* Linux AIO: reads and writes of files opened with O_DIRECT. */
typedef struct LinuxAioState LinuxAioState;

/*
 * laio_init, laio_cleanup: a state that belongs to no context yet; attach it
 * before use, detach it (with nothing in flight) before cleaning up.
 */
LinuxAioState *laio_init(Error **errp);
void laio_cleanup(LinuxAioState *s);
void laio_attach_aio_context(LinuxAioState *s, AioContext *new_context);
void laio_detach_aio_context(LinuxAioState *s, AioContext *old_context);

/*
 * laio_co_submit: transfer all of @qiov at @offset, parking the coroutine
 * @bs: ignored
 * @type: QEMU_AIO_READ or QEMU_AIO_WRITE
 * @dev_max_batch: submit at the latest when so many are queued; 0: no wish
 * Returns: 0 or a negative errno.
 */
int coroutine_fn laio_co_submit(BlockDriverState *bs, LinuxAioState *s, int fd,
                                uint64_t offset, QEMUIOVector *qiov, int type,
                                uint64_t dev_max_batch);

/*
 * Queue transfers from plug to the matching unplug (nestable).  When as many
 * are queued as the context's max_batch says (by default 32, with io_uring
 * 128), or as the device wishes, they are submitted meanwhile.
 */
void laio_io_plug(BlockDriverState *bs, LinuxAioState *s);
void laio_io_unplug(BlockDriverState *bs, LinuxAioState *s,
                    uint64_t dev_max_batch);

/* io_uring: reads, writes and flushes of any file. */
typedef struct LuringState LuringState;

LuringState *luring_init(Error **errp);
void luring_cleanup(LuringState *s);
void luring_attach_aio_context(LuringState *s, AioContext *new_context);
void luring_detach_aio_context(LuringState *s, AioContext *old_context);

/* As laio_co_submit(); @type may also be QEMU_AIO_FLUSH (@qiov NULL). */
int coroutine_fn luring_co_submit(BlockDriverState *bs, LuringState *s, int fd,
                                  uint64_t offset, QEMUIOVector *qiov,
                                  int type);
void luring_io_plug(BlockDriverState *bs, LuringState *s);
void luring_io_unplug(BlockDriverState *bs, LuringState *s);

AIOCTL_END_DECLS
#endif
