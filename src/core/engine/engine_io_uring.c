/*
 * engine_io_uring.c - file I/O in the context's ring
 *
 * A request is one submission entry, tagged with the request's address.  When
 * the entries are handed to the kernel depends on the target: for one that
 * takes its time (a disk) every few entries, because a disk that gets its work
 * in one heap per tick idles in between (-15 % at depth 32); for one that
 * answers while it is asked (page cache, nop) a full ring at a time.
 * ring_submit() finds out which it is.
 *
 * With the io_uring monitor, waiting submits and reaps.  With another one the
 * ring signals an eventfd that is watched like any other, with busy polling.
 *
 * Requests that the ring has no room for wait in the backlog, so that the
 * completion queue cannot overflow from file requests.
 */
#include "engine/uring_int.h"

#ifdef CONFIG_LINUX_IO_URING
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "qapi/error.h"
#include "qemu/atomic.h"

enum {
    DEVICE_BATCH = 4, /* entries per submission to a slow target */
    PLUG_BATCH = 128, /* entries that a plug holds back at most */
    CQ_RESERVE = 256, /* completions left for polls */
};

/* ---- submission --------------------------------------------------------- */

static unsigned poll_events(const AioRequest *req)
{
    return req->op == AIO_OP_READ || req->op == AIO_OP_READV ? POLLIN : POLLOUT;
}

/* In a child: these end in the parent, and are not to be cancelled here. */
static void leave_parent(LuringState *s)
{
    AioRequest *req;

    if (likely(s->fork_count == fork_count)) {
        return;
    }
    s->fork_count = fork_count;
    while ((req = s->backlog)) {
        uring_backlog_remove(s, req);
        private_of(req)->flags |= REQ_FINISHED;
    }
    while ((req = s->streams)) {
        uring_streams_remove(s, req);
        private_of(req)->flags |= REQ_FINISHED;
    }
}

/* There is room in the ring. */
static struct io_uring_sqe *start(LuringState *s, Ring *ring, AioRequest *req)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);

    if (unlikely(uring_is_stream(req))) {
        uring_streams_add(s, req);
    }

    if (private_of(req)->flags & REQ_POLL) {
        io_uring_prep_poll_add(sqe, req->fd, poll_events(req));
        ring_tag(sqe, req, RING_RETRY);
    } else {
        uring_prep(ring, sqe, req);
        ring_tag(sqe, req, RING_REQUEST);
    }
    ring->in_flight++;
    return sqe;
}

static bool has_room(Ring *ring)
{
    return ring->in_flight < ring->uring.cq.ring_entries - CQ_RESERVE &&
           ring_make_room(ring);
}

static void pump_backlog(LuringState *s, Ring *ring)
{
    while (s->backlog && has_room(ring)) {
        AioRequest *req = s->backlog;

        uring_backlog_remove(s, req);
        if (likely(!uring_leaves_ring(s, req))) {
            start(s, ring, req);
        }
    }
}

static unsigned batch_limit(AioContext *ctx, const Ring *ring)
{
    int64_t wanted = qatomic_read_i64(&ctx->aio_max_batch);

    if (wanted > 0 && wanted < RING_SQ_ENTRIES) {
        return (unsigned)wanted;
    }
    if (ctx->plug_depth > 0) {
        return PLUG_BATCH;
    }
    return ring->completes_inline ? RING_SQ_ENTRIES : DEVICE_BATCH;
}

static void uring_submit(AioContext *ctx, AioRequest *req)
{
    LuringState *s = ctx->linux_io_uring;
    Ring *ring = ctx->ring;

    private_of(req)->flags = 0;
    if (unlikely(!ring_is_surely_mine(ring))) {
        ring_ensure_mine(ring);
        leave_parent(s);
    }
    if (unlikely(uring_leaves_ring(s, req))) {
        return;
    }
    if (unlikely(s->backlog || !has_room(ring))) {
        uring_backlog_push(s, req);
        return;
    }
    start(s, ring, req);
    if (io_uring_sq_ready(&ring->uring) >= batch_limit(ctx, ring)) {
        ring_submit(ring);
    }
}

/* The kernel ends a link where a submission ends: all of it must fit. */
static bool has_room_for(Ring *ring, unsigned n)
{
    if (ring->in_flight + n > ring->uring.cq.ring_entries - CQ_RESERVE) {
        return false;
    }
    if (io_uring_sq_space_left(&ring->uring) < n) {
        ring_submit(ring);
    }
    return io_uring_sq_space_left(&ring->uring) >= n;
}

static bool uring_submit_linked(AioContext *ctx, AioRequest *first, unsigned n)
{
    LuringState *s = ctx->linux_io_uring;
    Ring *ring = ctx->ring;

    ring_ensure_mine_fast(ring);
    if (s->backlog || !has_room_for(ring, n)) {
        return false;
    }
    for (AioRequest *req = first; n > 0; req = req->chain_next, n--) {
        private_of(req)->flags = 0;
        start(s, ring, req)->flags |= n > 1 ? IOSQE_IO_LINK : 0;
    }
    if (io_uring_sq_ready(&ring->uring) >= batch_limit(ctx, ring)) {
        ring_submit(ring);
    }
    return true;
}

static void uring_cancel(AioContext *ctx, AioRequest *req)
{
    LuringState *s = ctx->linux_io_uring;
    UringPrivate *priv = private_of(req);

    if (priv->flags & (REQ_FINISHED | REQ_CANCELLED)) {
        return;
    }
    priv->flags |= REQ_CANCELLED;
    if (priv->flags & REQ_BACKLOG) {
        uring_backlog_remove(s, req);
        priv->flags |= REQ_FINISHED;
        request_finish(req, -ECANCELED);
    } else if (ring_make_room(ctx->ring)) {
        if (!(priv->flags & REQ_FINISHED)) { /* it was not while making room */
            uring_prep_cancel(ctx->ring, req);
        }
    } else if (priv->flags & REQ_STREAM) {
        uring_cancel_later(s, req);
    } /* else it ends by itself */
}

/* ---- completion; runs no user code, takes no entry ---------------------- */

static void finish(AioRequest *req, int64_t ret)
{
    private_of(req)->flags |= REQ_FINISHED;
    request_finish(req, ret);
}

/* EAGAIN comes from fds in non-blocking mode: wait until they are ready. */
static void try_again(AioContext *ctx, AioRequest *req, int32_t res)
{
    UringPrivate *priv = private_of(req);

    if (priv->flags & REQ_CANCELLED) {
        finish(req, -ECANCELED);
    } else if (res == -EAGAIN && !(AIO_OP_BIT(req->op) & AIO_OPS_RW)) {
        request_hand_over(req);
    } else {
        priv->flags |= res == -EAGAIN ? REQ_POLL : 0;
        uring_backlog_push(ctx->linux_io_uring, req);
    }
}

/* Cancelled by us, not by the caller. */
static bool was_evicted(const AioRequest *req)
{
    const UringPrivate *priv = (const UringPrivate *)req->private_data;

    return (priv->flags & (REQ_EVICTED | REQ_CANCELLED)) == REQ_EVICTED;
}

static void request_cqe(AioContext *ctx, void *ptr, int32_t res, uint32_t flags)
{
    AioRequest *req = ptr;

    ctx->ring->in_flight--;
    uring_streams_remove(ctx->linux_io_uring, req);
    if (unlikely(res == -EAGAIN || res == -EINTR)) {
        try_again(ctx, req, res);
    } else if (unlikely(res == -ECANCELED && was_evicted(req))) {
        request_hand_over(req);
    } else {
        finish(req, res);
    }
}

static void retry_cqe(AioContext *ctx, void *ptr, int32_t res, uint32_t flags)
{
    AioRequest *req = ptr;

    ctx->ring->in_flight--;
    uring_streams_remove(ctx->linux_io_uring, req);
    private_of(req)->flags &= ~REQ_POLL;
    if (private_of(req)->flags & REQ_CANCELLED) {
        finish(req, -ECANCELED);
    } else if (res < 0) {
        request_hand_over(req); /* cannot be polled */
    } else {
        uring_backlog_push(ctx->linux_io_uring, req);
    }
}

/* ---- telling another monitor -------------------------------------------- */

static void ring_ready(EventNotifier *notifier)
{
    LuringState *s =
        (LuringState *)((char *)notifier - offsetof(LuringState, notifier));
    AioContext *ctx = s->raw.ctx;

    if (unlikely(s->generation != ctx->ring->generation ||
                 !ring_is_mine(ctx->ring))) {
        return; /* a parent's signal; before_wait makes our own notifier */
    }
    event_notifier_test_and_clear(notifier);
    engine_mute(ctx);
    ring_get_events(ctx->ring);
    ring_reap(ctx->ring);
    engine_unmute(ctx); /* calls back, in this tick */
}

static bool ring_poll(void *opaque)
{
    LuringState *s =
        (LuringState *)((char *)opaque - offsetof(LuringState, notifier));

    return ring_is_ready(s->raw.ctx->ring);
}

/*
 * The ring's own fd will not do: with DEFER_TASKRUN it becomes readable without
 * waking those who wait for that.  The eventfd is signalled when the kernel has
 * something for us, in the queue or held back.
 */
static void set_watched(AioContext *ctx, bool watched)
{
    LuringState *s = ctx->linux_io_uring;
    struct io_uring *uring = &ctx->ring->uring;
    int ret;

    s->watched = watched;
    if (watched) {
        ret = io_uring_register_eventfd(uring,
                                        event_notifier_get_fd(&s->notifier));
        CHECKF(ret == 0, "io_uring: eventfd not taken: %s", strerror(-ret));
        aio_set_event_notifier(ctx, &s->notifier, false, ring_ready, ring_poll,
                               ring_ready);
    } else {
        aio_set_event_notifier(ctx, &s->notifier, false, NULL, NULL, NULL);
        if (ring_is_mine(ctx->ring)) { /* not of our parent's */
            io_uring_unregister_eventfd(uring);
        }
    }
}

/* What signals the notifier is the old ring, in our parent perhaps. */
static void watch_new_ring(AioContext *ctx)
{
    LuringState *s = ctx->linux_io_uring;

    aio_set_event_notifier(ctx, &s->notifier, false, NULL, NULL, NULL);
    event_notifier_cleanup(&s->notifier);
    CHECKF(event_notifier_init(&s->notifier, false) == 0,
           "io_uring: no file descriptor to watch a new ring with");
    set_watched(ctx, true);
}

static void uring_before_wait(AioContext *ctx)
{
    LuringState *s = ctx->linux_io_uring;
    Ring *ring = ctx->ring;
    bool shared;

    ring_ensure_mine(ring);
    leave_parent(s);
    if (unlikely(s->generation != ring->generation)) {
        s->generation = ring->generation;
        if (s->watched) {
            watch_new_ring(ctx);
        }
    }
    if (s->backlog) {
        pump_backlog(s, ring);
    }
    if (ring->in_flight == 0 && !s->watched) {
        s->elsewhere = false;
        return;
    }
    fdmon_ensure(ctx);
    shared = ctx->fdmon == &fdmon_io_uring;
    uring_streams_before_wait(s);
    if (unlikely(shared == s->watched)) {
        set_watched(ctx, !shared);
        ring_get_events(ring); /* what was ready before it could tell */
        ring_reap(ring);
    }
    if (!shared || ring->completes_inline) {
        ring_submit(ring);
        ring_reap(ring); /* then likely there is nothing to wait for */
    }
}

static void uring_flush(AioContext *ctx)
{
    pump_backlog(ctx->linux_io_uring, ctx->ring);
    ring_submit(ctx->ring);
}

/* ---- set-up --------------------------------------------------------- */

static bool uring_setup(AioContext *ctx, Error **errp)
{
    LuringState *s = check_calloc(1, sizeof(*s));
    Ring *ring;

    if (!engine_notifier_init(&s->notifier, "io_uring", errp)) {
        goto fail_free;
    }
    ring = ring_use(ctx, errp);
    if (!ring) {
        goto fail_notifier;
    }
    s->raw.ctx = ctx;
    s->raw.engine = &engine_io_uring;
    s->generation = ring->generation;
    s->fork_count = fork_count;
    ctx->linux_io_uring = s;
    ring->on_cqe[RING_REQUEST] = request_cqe;
    ring->on_cqe[RING_RETRY] = retry_cqe;
    return true;

fail_notifier:
    event_notifier_cleanup(&s->notifier);
fail_free:
    free(s);
    return false;
}

static void uring_destroy(AioContext *ctx)
{
    LuringState *s = ctx->linux_io_uring;

    if (!s) {
        return;
    }
    leave_parent(s);
    CHECK(!s->backlog &&
          (ctx->ring->in_flight == 0 || ctx->ring->fork_count != fork_count));
    if (s->watched) {
        set_watched(ctx, false);
    }
    event_notifier_cleanup(&s->notifier);
    ctx->linux_io_uring = NULL;
    free(s);
    ring_unuse(ctx);
}

const AioEngine engine_io_uring = {
    .name = "io_uring",
    .ops = AIO_OPS_RW | AIO_OPS_SYNC | AIO_OP_BIT(AIO_OP_NOP) |
           AIO_OP_BIT(AIO_OP_FALLOCATE),
    .probe = ring_probe,
    .setup = uring_setup,
    .submit = uring_submit,
    .submit_linked = uring_submit_linked,
    .cancel = uring_cancel,
    .flush = uring_flush,
    .before_wait = uring_before_wait,
    .destroy = uring_destroy,
};
#else

#include "engine/engine.h"
#include "qapi/error.h"

static bool absent_probe(Error **errp)
{
    error_setg(
        errp,
        "io_uring: this build has none; build with liburing 2.3 or later");
    return false;
}

static bool absent_setup(AioContext *ctx, Error **errp)
{
    return absent_probe(errp);
}

const AioEngine engine_io_uring = {
    .name = "io_uring",
    .probe = absent_probe,
    .setup = absent_setup,
};
#endif
