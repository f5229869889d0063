/*
 * aioctl/request.h - one file operation, on any engine
 *
 * An AioRequest is caller-owned memory (usually on the stack of the coroutine
 * that waits for it): initialise it, submit it, do not touch it until its
 * callback ran.  Every submitted request gets exactly one callback, in the home
 * thread of its context, never from inside aio_request_submit().
 *
 * The result is what the system call would have returned: a byte count (may be
 * short, 0 at end of file) or a negative errno.  No zero-filling, no retry of
 * short transfers: block/raw-aio.h adds those.  -EINTR and -EAGAIN are retried
 * inside the engine and never seen (but -EAGAIN also says that not one thread
 * could be started for what needs one).
 */
#ifndef AIOCTL_REQUEST_H
#define AIOCTL_REQUEST_H

#include <sys/uio.h>

#include "aioctl/decls.h"
#include "block/aio.h"

AIOCTL_BEGIN_DECLS

typedef enum AioOp {
    AIO_OP_NOP,
    AIO_OP_READ,   /* base, len, offset */
    AIO_OP_WRITE,  /* base, len, offset */
    AIO_OP_READV,  /* iov, iovcnt, offset; iov must outlive the request */
    AIO_OP_WRITEV, /* iov, iovcnt, offset */
    AIO_OP_FSYNC,
    AIO_OP_FDATASYNC,
    AIO_OP_FALLOCATE, /* flags = mode, offset, len */
    AIO_OP_CALL,      /* call(arg): any blocking function, on the thread pool */
    AIO_OP__MAX
} AioOp;

typedef struct AioEngine AioEngine;
typedef struct AioRequest AioRequest;
typedef struct AioChain AioChain;
typedef void AioRequestFunc(AioRequest *req);

struct AioRequest {
    /* Set by the caller. */
    AioOp op;
    int fd;
    int buf_index; /* slot in the ring's registered buffers, or -1 */
    int flags;
    int file_slot;  /* of aio_file_register() for fd; 0 or negative: none */
    int64_t offset; /* -1: at the file position (pipes, sockets, ttys) */
    __extension__ union {
        __extension__ struct {
            void *base;
            size_t len;
        };
        __extension__ struct {
            const struct iovec *iov;
            int iovcnt;
        };
        __extension__ struct {
            int64_t (*call)(void *arg);
            void *arg;
        };
    };
    AioRequestFunc *done;
    void *opaque;
    AioChain *chain; /* run after what it has already; NULL: at once */

    /* Result: valid from the callback on. */
    int64_t ret;

    /* The engine's own; zero on submission. */
    AioContext *ctx;
    const AioEngine *engine; /* the one that really ran it */
    AioRequest *next;
    AioRequest *chain_next;
    unsigned chain_state;
    uint64_t private_data[6];
};

/*
 * AioChain: requests that run one after another
 *
 * Caller-owned memory, all zero at first, kept until the last of its requests
 * has called back.  Requests that name it in AioRequest.chain begin in the
 * order of submission, each when the one before it has ended, whatever engines
 * they are for; io_uring gets them linked, in as few pieces as may be.
 *
 * When one fails, those behind it and all that are submitted later end with
 * -ECANCELED, without having touched the file.  Failed is a negative result,
 * and a transfer that is shorter than its memory, the end of the file included.
 * One context per chain.
 */
struct AioChain {
    /* The engines' own. */
    AioRequest *first, **tail;
    AioRequest *waiting; /* the first that no engine has */
    unsigned running;    /* how many engines have */
    bool failed;
    bool closed; /* what comes now is dropped */
    bool idle;   /* in the list by next_idle */
    AioChain *next_idle;
};

/*
 * aio_request_submit: start @req on @engine in the current context @ctx
 *
 * Home thread only.  An operation that @engine lacks runs on the thread pool.
 * Submission is batched: it happens when a batch is full, when the outermost
 * plug ends, or before the context would wait, whichever is first.
 */
void aio_request_submit(AioContext *ctx, const AioEngine *engine,
                        AioRequest *req);

/*
 * aio_request_cancel: ask for @req to end early
 *
 * Home thread only.  Its callback still comes exactly once: with -ECANCELED
 * when the request never touched the file, else with its real result.
 */
void aio_request_cancel(AioRequest *req);

/* Between plug and unplug (nestable) requests are queued, not submitted. */
void aio_request_plug(AioContext *ctx);
void aio_request_unplug(AioContext *ctx);

/*
 * aio_engine_get: the engine called @name, made ready for @ctx
 * @name: "auto", "threads", "linux_aio" or "io_uring"; '!' at the end: fail
 *        rather than fall back
 * @direct: whether the file is open with O_DIRECT (Linux AIO blocks without it,
 *          so "auto" and fall-back skip it there)
 * @fallback: when another engine than the one named is returned, receives the
 *            reason (kept as long as @ctx); NULL otherwise.  May be NULL.
 * Returns: the engine, or NULL with @errp set.  Home thread only.
 */
const AioEngine *aio_engine_get(AioContext *ctx, const char *name, bool direct,
                                const char **fallback, Error **errp);
const char *aio_engine_name(const AioEngine *engine);
bool aio_engine_probe(const char *name, char **why); /* as aio_fdmon_probe */
const char *const *aio_engine_names(void);           /* best first */

/*
 * aio_buffer_register: put a buffer into @ctx's registered-buffer table
 * Returns: the slot for AioRequest.buf_index, or a negative errno (-ENOMEM over
 * the memlock limit, -ENOTSUP without io_uring), counted in the statistics;
 * callers then go on with buf_index = -1.  Home thread only.
 */
int aio_buffer_register(AioContext *ctx, void *base, size_t len);
void aio_buffer_unregister(AioContext *ctx, int slot);

/*
 * aio_file_register: put @fd into @ctx's registered-file table
 * Returns: the slot for AioRequest.file_slot, from 1 on, or a negative errno
 * (-ENOSPC when all are taken, -ENOTSUP without io_uring), counted in the
 * statistics; callers then go on with file_slot = 0.  Requests name fd as well:
 * engines without such a table use that.  Home thread only.
 *
 * The table keeps the file open.  Unregister it before closing @fd, when no
 * request that names the slot is in flight.
 */
int aio_file_register(AioContext *ctx, int fd);
void aio_file_unregister(AioContext *ctx, int slot);

AIOCTL_END_DECLS
#endif
