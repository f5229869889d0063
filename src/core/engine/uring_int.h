/*
 * uring_int.h - what the files of the io_uring engine share
 *
 * engine_io_uring.c submits and completes, uring_prep.c fills entries,
 * uring_backlog.c holds what finds no room,
 * uring_streams.c keeps track of requests that may wait for ever.
 */
#ifndef ENGINE_URING_INT_H
#define ENGINE_URING_INT_H

#include "loop/ring.h"

#ifdef CONFIG_LINUX_IO_URING
#include "engine/state.h"

/* In AioRequest.private_data. */
typedef struct UringPrivate {
    AioRequest *prev; /* in the backlog or the list of streams */
    unsigned flags;
} UringPrivate;

enum {
    REQ_BACKLOG = 1,
    REQ_CANCELLED = 2,
    REQ_POLL = 4, /* next: wait for the fd; it is in non-blocking mode */
    REQ_FINISHED = 8,
    REQ_STREAM = 16,       /* in the list of streams */
    REQ_CANCEL_LATER = 32, /* there was no room to tell the kernel */
    REQ_EVICTED = 64,      /* cancelled by us, for the thread pool */
};

_Static_assert(sizeof(UringPrivate) <= sizeof(((AioRequest *)0)->private_data),
               "fits into a request");

static inline UringPrivate *private_of(AioRequest *req)
{
    return (UringPrivate *)req->private_data;
}

/* ---- uring_prep.c; there is room in the ring ---------------------------- */

void uring_prep(const Ring *ring, struct io_uring_sqe *sqe,
                const AioRequest *req);
void uring_prep_cancel(Ring *ring, AioRequest *req);

/* ---- uring_backlog.c ---------------------------------------------------- */

void uring_backlog_push(LuringState *s, AioRequest *req);
void uring_backlog_remove(LuringState *s, AioRequest *req);

/* ---- uring_streams.c ---------------------------------------------------- */

/* Reads or writes at a file position: may wait for ever. */
static inline bool uring_is_stream(const AioRequest *req)
{
    return req->offset < 0 && (AIO_OP_BIT(req->op) & AIO_OPS_RW);
}

/* Around the time that a stream's request is in the ring.  Removing what is not
 * in the list is allowed. */
void uring_streams_add(LuringState *s, AioRequest *req);
void uring_streams_remove(LuringState *s, AioRequest *req);

/* Must not @req wait in the ring?  Then the thread pool has it now. */
bool uring_leaves_ring(LuringState *s, AioRequest *req);

/* The kernel took no cancellation; try again before the next wait. */
void uring_cancel_later(LuringState *s, AioRequest *req);

/* There is a monitor, and the context is about to wait in it. */
void uring_streams_before_wait(LuringState *s);

#endif
#endif
