/*
 * raw_aio.c - block/raw-aio.h: complete transfers, on top of requests
 *
 * A transfer is a request in the frame of the coroutine that waits, submitted
 * again for what a short read has left over.
 */
#include "block/raw-aio.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "engine/state.h"
#include "qapi/error.h"

typedef struct Transfer {
    AioRequest req;
    Coroutine *co;
} Transfer;

static void transfer_done(AioRequest *req)
{
    Transfer *t = req->opaque;

    aio_co_wake(t->co);
}

/* Like the system call: may be short. */
static int64_t coroutine_fn co_request(RawState *s, AioRequest req)
{
    Transfer t = {.req = req, .co = qemu_coroutine_self()};

    t.req.buf_index = -1;
    t.req.done = transfer_done;
    t.req.opaque = &t;
    CHECKF(qemu_in_coroutine(), "a transfer outside of coroutines");
    CHECKF(s->ctx, "a transfer by a state that is attached to no context");
    engine_state(s->ctx)->device_batch = s->device_batch;
    aio_request_submit(s->ctx, s->engine, &t.req);
    engine_state(s->ctx)->device_batch = 0;
    qemu_coroutine_yield();
    return t.req.ret;
}

/*
 * Reads on after a short read, until @qiov is full or the file has ended.  With
 * O_DIRECT the end of the file can show as EINVAL: what follows a last, odd
 * block is not aligned.
 */
static int coroutine_fn co_read_rest(RawState *s, int fd, uint64_t offset,
                                     QEMUIOVector *qiov, size_t done)
{
    QEMUIOVector rest;
    int64_t ret;

    do {
        qemu_iovec_init_slice(&rest, qiov, done, qiov->size - done);
        ret = co_request(s, (AioRequest){
                                .op = AIO_OP_READV,
                                .fd = fd,
                                .offset = (int64_t)(offset + done),
                                .iov = rest.iov,
                                .iovcnt = rest.niov,
                            });
        qemu_iovec_destroy(&rest);
        if (ret > 0) {
            done += (size_t)ret;
        }
    } while (ret > 0 && done < qiov->size);
    if (ret < 0 && ret != -EINVAL) {
        return (int)ret;
    }
    qemu_iovec_memset(qiov, done, 0, qiov->size - done);
    return 0;
}

static int coroutine_fn co_transfer(RawState *s, int fd, uint64_t offset,
                                    QEMUIOVector *qiov, int type)
{
    int64_t ret;

    CHECKF(type == QEMU_AIO_READ || type == QEMU_AIO_WRITE,
           "a transfer of fd %d of unknown type %#x", fd, type);
    if (qiov->size == 0) {
        return 0;
    }
    /* A request takes a negative offset for the file's position. */
    if (offset > INT64_MAX || qiov->size > INT64_MAX - offset) {
        return -EINVAL;
    }
    ret = co_request(
        s, (AioRequest){
               .op = type == QEMU_AIO_READ ? AIO_OP_READV : AIO_OP_WRITEV,
               .fd = fd,
               .offset = (int64_t)offset,
               .iov = qiov->iov,
               .iovcnt = qiov->niov,
           });
    if (ret < 0) {
        return (int)ret;
    }
    if ((size_t)ret == qiov->size) {
        return 0;
    }
    if (type == QEMU_AIO_WRITE) {
        return -ENOSPC;
    }
    return co_read_rest(s, fd, offset, qiov, (size_t)ret);
}

/* ---- states ------------------------------------------------------------- */

static RawState *raw_init(const AioEngine *engine, Error **errp)
{
    RawState *s;

    if (!engine || !engine->probe(errp)) {
        return NULL;
    }
    s = check_calloc(1, sizeof(*s));
    s->engine = engine;
    return s;
}

static void raw_cleanup(RawState *s)
{
    CHECK(!s->ctx); /* detach first; a context frees its own */
    free(s);
}

static void raw_attach(RawState *s, AioContext *ctx)
{
    CHECK(!s->ctx && ctx);
    s->ctx = ctx;
}

static void raw_detach(RawState *s, AioContext *ctx)
{
    CHECK(s->ctx == ctx);
    s->ctx = NULL;
}

/* ---- Linux AIO ---------------------------------------------------------- */

LinuxAioState *laio_init(Error **errp)
{
    return (LinuxAioState *)raw_init(engine_lookup("linux_aio", errp), errp);
}

void laio_cleanup(LinuxAioState *s)
{
    raw_cleanup((RawState *)s);
}

void laio_attach_aio_context(LinuxAioState *s, AioContext *new_context)
{
    raw_attach((RawState *)s, new_context);
}

void laio_detach_aio_context(LinuxAioState *s, AioContext *old_context)
{
    raw_detach((RawState *)s, old_context);
}

int coroutine_fn laio_co_submit(BlockDriverState *bs, LinuxAioState *s, int fd,
                                uint64_t offset, QEMUIOVector *qiov, int type,
                                uint64_t dev_max_batch)
{
    ((RawState *)s)->device_batch = dev_max_batch;
    return co_transfer((RawState *)s, fd, offset, qiov, type);
}

void laio_io_plug(BlockDriverState *bs, LinuxAioState *s)
{
    aio_request_plug(((RawState *)s)->ctx);
}

void laio_io_unplug(BlockDriverState *bs, LinuxAioState *s,
                    uint64_t dev_max_batch)
{
    aio_request_unplug(((RawState *)s)->ctx);
}

struct LinuxAioState *aio_setup_linux_aio(AioContext *ctx, Error **errp)
{
    return aio_engine_get(ctx, "linux_aio!", true, NULL, errp) ? ctx->linux_aio
                                                               : NULL;
}

struct LinuxAioState *aio_get_linux_aio(AioContext *ctx)
{
    CHECKF(ctx->linux_aio, "call aio_setup_linux_aio() first");
    return ctx->linux_aio;
}

/* ---- io_uring ----------------------------------------------------------- */

LuringState *luring_init(Error **errp)
{
    return (LuringState *)raw_init(engine_lookup("io_uring", errp), errp);
}

void luring_cleanup(LuringState *s)
{
    raw_cleanup((RawState *)s);
}

void luring_attach_aio_context(LuringState *s, AioContext *new_context)
{
    raw_attach((RawState *)s, new_context);
}

void luring_detach_aio_context(LuringState *s, AioContext *old_context)
{
    raw_detach((RawState *)s, old_context);
}

int coroutine_fn luring_co_submit(BlockDriverState *bs, LuringState *s, int fd,
                                  uint64_t offset, QEMUIOVector *qiov, int type)
{
    if (type == QEMU_AIO_FLUSH) {
        return (int)co_request((RawState *)s, (AioRequest){
                                                  .op = AIO_OP_FDATASYNC,
                                                  .fd = fd,
                                              });
    }
    return co_transfer((RawState *)s, fd, offset, qiov, type);
}

void luring_io_plug(BlockDriverState *bs, LuringState *s)
{
    aio_request_plug(((RawState *)s)->ctx);
}

void luring_io_unplug(BlockDriverState *bs, LuringState *s)
{
    aio_request_unplug(((RawState *)s)->ctx);
}

struct LuringState *aio_setup_linux_io_uring(AioContext *ctx, Error **errp)
{
    return aio_engine_get(ctx, "io_uring!", false, NULL, errp)
               ? ctx->linux_io_uring
               : NULL;
}

struct LuringState *aio_get_linux_io_uring(AioContext *ctx)
{
    CHECKF(ctx->linux_io_uring, "call aio_setup_linux_io_uring() first");
    return ctx->linux_io_uring;
}
