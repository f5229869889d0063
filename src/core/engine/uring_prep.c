/*
 * uring_prep.c - requests as submission entries
 *
 * Rule: an entry names its request by address; only uring_prep_cancel() may
 * name a request that has another entry.
 */
#include "engine/uring_int.h"

#ifdef CONFIG_LINUX_IO_URING

enum {
    RW_MAX = 0x7ffff000, /* what the kernel transfers at once, at most */
};

static unsigned clamp_len(size_t len)
{
    return len > RW_MAX ? RW_MAX : (unsigned)len;
}

static void prep_read(const Ring *ring, struct io_uring_sqe *sqe,
                      const AioRequest *req)
{
    unsigned len = clamp_len(req->len);
    uint64_t offset = (uint64_t)req->offset;

    if (ring_has_buffer(ring, req->buf_index)) {
        io_uring_prep_read_fixed(sqe, req->fd, req->base, len, offset,
                                 req->buf_index);
    } else {
        io_uring_prep_read(sqe, req->fd, req->base, len, offset);
    }
}

static void prep_write(const Ring *ring, struct io_uring_sqe *sqe,
                       const AioRequest *req)
{
    unsigned len = clamp_len(req->len);
    uint64_t offset = (uint64_t)req->offset;

    if (ring_has_buffer(ring, req->buf_index)) {
        io_uring_prep_write_fixed(sqe, req->fd, req->base, len, offset,
                                  req->buf_index);
    } else {
        io_uring_prep_write(sqe, req->fd, req->base, len, offset);
    }
}

static void prep_op(const Ring *ring, struct io_uring_sqe *sqe,
                    const AioRequest *req)
{
    switch (req->op) {
    case AIO_OP_NOP:
        io_uring_prep_nop(sqe);
        break;
    case AIO_OP_READ:
        prep_read(ring, sqe, req);
        break;
    case AIO_OP_WRITE:
        prep_write(ring, sqe, req);
        break;
    case AIO_OP_READV:
        io_uring_prep_readv(sqe, req->fd, req->iov, (unsigned)req->iovcnt,
                            (uint64_t)req->offset);
        break;
    case AIO_OP_WRITEV:
        io_uring_prep_writev(sqe, req->fd, req->iov, (unsigned)req->iovcnt,
                             (uint64_t)req->offset);
        break;
    case AIO_OP_FSYNC:
        io_uring_prep_fsync(sqe, req->fd, 0);
        break;
    case AIO_OP_FDATASYNC:
        io_uring_prep_fsync(sqe, req->fd, IORING_FSYNC_DATASYNC);
        break;
    default:
        CHECK(req->op == AIO_OP_FALLOCATE);
        io_uring_prep_fallocate(sqe, req->fd, req->flags, req->offset,
                                (off_t)req->len);
    }
}

void uring_prep(const Ring *ring, struct io_uring_sqe *sqe,
                const AioRequest *req)
{
    prep_op(ring, sqe, req);
    if (ring_has_file(ring, req->file_slot, req->fd)) {
        sqe->fd = req->file_slot;
        sqe->flags |= IOSQE_FIXED_FILE;
    }
}

void uring_prep_cancel(Ring *ring, AioRequest *req)
{
    RingTag tag = private_of(req)->flags & REQ_POLL ? RING_RETRY : RING_REQUEST;
    struct io_uring_sqe *sqe = ring_sqe(ring);

    io_uring_prep_cancel64(sqe, (uintptr_t)req | tag, 0);
    ring_tag(sqe, NULL, RING_IGNORE);
}
#endif
