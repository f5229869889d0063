/*
 * engine_threads.c - file I/O by ordinary system calls on the thread pool
 *
 * It can do every operation, on every kernel, so the others hand over to it
 * what they lack.  One row of request_ops[] per operation.
 *
 * A request is its own pool item (in AioRequest.private_data), so nothing is
 * allocated.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/check.h"
#include "engine/engine.h"
#include "engine/thread_pool.h"

typedef struct ThreadsPrivate {
    ThreadPoolItem item;
} ThreadsPrivate;

_Static_assert(sizeof(ThreadsPrivate) <=
                   sizeof(((AioRequest *)0)->private_data),
               "an item fits into a request");

static ThreadsPrivate *private_of(AioRequest *req)
{
    return (ThreadsPrivate *)req->private_data;
}

static AioRequest *request_of(ThreadPoolItem *item)
{
    return (AioRequest *)((char *)item - offsetof(AioRequest, private_data));
}

/* ---- the operations, in a worker ---------------------------------------- */

static int64_t do_nop(AioRequest *req)
{
    return 0;
}

static int64_t do_read(AioRequest *req)
{
    if (req->offset < 0) {
        return read(req->fd, req->base, req->len);
    }
    return pread(req->fd, req->base, req->len, req->offset);
}

static int64_t do_write(AioRequest *req)
{
    if (req->offset < 0) {
        return write(req->fd, req->base, req->len);
    }
    return pwrite(req->fd, req->base, req->len, req->offset);
}

static int64_t do_readv(AioRequest *req)
{
    if (req->offset < 0) {
        return readv(req->fd, req->iov, req->iovcnt);
    }
    return preadv(req->fd, req->iov, req->iovcnt, req->offset);
}

static int64_t do_writev(AioRequest *req)
{
    if (req->offset < 0) {
        return writev(req->fd, req->iov, req->iovcnt);
    }
    return pwritev(req->fd, req->iov, req->iovcnt, req->offset);
}

static int64_t do_fsync(AioRequest *req)
{
    return fsync(req->fd);
}

static int64_t do_fdatasync(AioRequest *req)
{
    return fdatasync(req->fd);
}

static int64_t do_fallocate(AioRequest *req)
{
    return fallocate(req->fd, req->flags, req->offset, (off_t)req->len);
}

typedef struct RequestOp {
    int64_t (*run)(AioRequest *req); /* as the system call: -1 and errno */
    short events;                    /* what to wait for after EAGAIN */
} RequestOp;

static const RequestOp request_ops[AIO_OP__MAX] = {
    [AIO_OP_NOP] = {do_nop, 0},
    [AIO_OP_READ] = {do_read, POLLIN},
    [AIO_OP_WRITE] = {do_write, POLLOUT},
    [AIO_OP_READV] = {do_readv, POLLIN},
    [AIO_OP_WRITEV] = {do_writev, POLLOUT},
    [AIO_OP_FSYNC] = {do_fsync, 0},
    [AIO_OP_FDATASYNC] = {do_fdatasync, 0},
    [AIO_OP_FALLOCATE] = {do_fallocate, 0},
};

/* Only fds in non-blocking mode say EAGAIN; ends when they become ready. */
static void wait_ready(int fd, short events)
{
    struct pollfd pfd = {.fd = fd, .events = events};

    poll(&pfd, 1, -1);
}

static int64_t run_op(AioRequest *req)
{
    const RequestOp *op = &request_ops[req->op];
    int64_t ret;

    while ((ret = op->run(req)) < 0) {
        if (errno == EAGAIN && op->events) {
            wait_ready(req->fd, op->events);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return ret;
}

static void threads_run(ThreadPoolItem *item)
{
    AioRequest *req = request_of(item);

    req->ret = req->op == AIO_OP_CALL ? req->call(req->arg) : run_op(req);
}

/* ---- the engine, in the home thread ------------------------------------- */

static void threads_complete(ThreadPoolItem *item)
{
    AioRequest *req = request_of(item);
    int error = thread_pool_item_error(item);

    request_complete(req, error < 0 ? error : req->ret);
}

static void threads_submit(AioContext *ctx, AioRequest *req)
{
    ThreadsPrivate *priv = private_of(req);

    priv->item.run = threads_run;
    priv->item.complete = threads_complete;
    thread_pool_enqueue(aio_get_thread_pool(ctx), &priv->item);
}

static void threads_cancel(AioContext *ctx, AioRequest *req)
{
    thread_pool_cancel(aio_get_thread_pool(ctx), &private_of(req)->item);
}

static bool threads_probe(Error **errp)
{
    return true;
}

static bool threads_setup(AioContext *ctx, Error **errp)
{
    return true; /* the pool comes with the first request */
}

const AioEngine engine_threads = {
    .name = "threads",
    .ops = AIO_OPS_ALL,
    .probe = threads_probe,
    .setup = threads_setup,
    .submit = threads_submit,
    .cancel = threads_cancel,
};
