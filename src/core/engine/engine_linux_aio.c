/*
 * engine_linux_aio.c - reads and writes of O_DIRECT files by io_submit()
 *
 * Requests queue up and go to the kernel in batches; completions are announced
 * by an eventfd and read from the kernel's event ring in user space, without a
 * system call.
 *
 * The rule that keeps it right: at most LAIO_EVENTS requests are in the kernel,
 * each with an iocb from our table, so its ring never overflows.  What the
 * kernel refuses for now (EAGAIN) stays at the head of the queue until
 * something completes; if nothing is in the kernel, the thread pool does it.
 */
#include "engine/laio_ring.h"

#ifdef CONFIG_LINUX_AIO
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/fork.h"
#include "engine/state.h"
#include "qapi/error.h"
#include "qemu/atomic.h"

enum {
    LAIO_EVENTS = 1024,
    LAIO_BATCH = 32, /* submitted at once unless the context says otherwise */
};

typedef struct LinuxAioState LinuxAioState;

struct LinuxAioState {
    RawState raw; /* first */
    io_context_t aio;
    EventNotifier notifier;
    AioRequest *queue, *queue_tail; /* not in the kernel yet */
    unsigned queued, in_flight;
    unsigned fork_count; /* when aio and notifier were made */
    bool blocked;        /* the kernel said EAGAIN; wait for a completion */
    struct iocb *free;   /* linked by iocb.data */
    struct iocb iocbs[LAIO_EVENTS];
};

/* In AioRequest.private_data. */
typedef struct LaioPrivate {
    AioRequest *prev; /* in the queue */
    bool queued;
} LaioPrivate;

_Static_assert(sizeof(LaioPrivate) <= sizeof(((AioRequest *)0)->private_data),
               "fits into a request");

static LaioPrivate *private_of(AioRequest *req)
{
    return (LaioPrivate *)req->private_data;
}

/* ---- queue and iocbs ---------------------------------------------------- */

static void queue_push(LinuxAioState *s, AioRequest *req)
{
    req->next = NULL;
    private_of(req)->prev = s->queue_tail;
    private_of(req)->queued = true;
    if (s->queue_tail) {
        s->queue_tail->next = req;
    } else {
        s->queue = req;
    }
    s->queue_tail = req;
    s->queued++;
}

static void queue_remove(LinuxAioState *s, AioRequest *req)
{
    AioRequest *prev = private_of(req)->prev;

    if (prev) {
        prev->next = req->next;
    } else {
        s->queue = req->next;
    }
    if (req->next) {
        private_of(req->next)->prev = prev;
    } else {
        s->queue_tail = prev;
    }
    req->next = NULL;
    private_of(req)->queued = false;
    s->queued--;
}

static struct iocb *iocb_get(LinuxAioState *s)
{
    struct iocb *iocb = s->free;

    s->free = iocb->data;
    return iocb;
}

static void iocb_put(LinuxAioState *s, struct iocb *iocb)
{
    iocb->data = s->free;
    s->free = iocb;
}

static void prep(LinuxAioState *s, struct iocb *iocb, AioRequest *req)
{
    switch (req->op) {
    case AIO_OP_READ:
        io_prep_pread(iocb, req->fd, req->base, req->len, req->offset);
        break;
    case AIO_OP_WRITE:
        io_prep_pwrite(iocb, req->fd, req->base, req->len, req->offset);
        break;
    case AIO_OP_READV:
        io_prep_preadv(iocb, req->fd, req->iov, req->iovcnt, req->offset);
        break;
    default:
        CHECK(req->op == AIO_OP_WRITEV);
        io_prep_pwritev(iocb, req->fd, req->iov, req->iovcnt, req->offset);
    }
    io_set_eventfd(iocb, event_notifier_get_fd(&s->notifier));
    iocb->data = req;
}

/* ---- the kernel's side -------------------------------------------------- */

static void watch(LinuxAioState *s, bool watched);

static void iocbs_free(LinuxAioState *s)
{
    s->free = NULL;
    for (int i = LAIO_EVENTS - 1; i >= 0; i--) {
        iocb_put(s, &s->iocbs[i]);
    }
}

static bool is_mine(const LinuxAioState *s)
{
    return s->fork_count == fork_count;
}

/*
 * A child has the memory of its parent's ring and its eventfd, and would take
 * the completions of the parent; but the kernel takes no request from it.  So
 * it makes its own, or, if there is none to be had, leaves all to the thread
 * pool.  What was queued is the parent's to submit.
 */
static void leave_parent(LinuxAioState *s)
{
    if (likely(is_mine(s))) {
        return;
    }
    s->fork_count = fork_count;
    while (s->queue) {
        queue_remove(s, s->queue);
    }
    if (s->aio) {
        watch(s, false);
    }
    event_notifier_cleanup(&s->notifier);
    s->aio = NULL;
    s->in_flight = 0;
    s->blocked = false;
    iocbs_free(s);
    if (engine_notifier_init(&s->notifier, "linux_aio", NULL) &&
        laio_queue_setup(LAIO_EVENTS, &s->aio, NULL)) {
        watch(s, true);
    }
}

/* ---- submission --------------------------------------------------------- */

/* The head of the queue cannot be done at all. */
static void fail_head(LinuxAioState *s, int error)
{
    AioRequest *req = s->queue;

    queue_remove(s, req);
    request_finish(req, error);
}

static void hand_over_head(LinuxAioState *s)
{
    AioRequest *req = s->queue;

    queue_remove(s, req);
    request_hand_over(req);
}

static unsigned prep_batch(LinuxAioState *s, struct iocb **iocbs, unsigned max)
{
    AioRequest *req = s->queue;
    unsigned n = 0;

    while (n < max && req && s->free) {
        iocbs[n] = iocb_get(s);
        prep(s, iocbs[n++], req);
        req = req->next;
    }
    return n;
}

/* Returns how many were taken, or a negative errno for the first. */
static int submit_batch(LinuxAioState *s)
{
    struct iocb *iocbs[LAIO_BATCH];
    unsigned n = prep_batch(s, iocbs, LAIO_BATCH);
    int ret = io_submit(s->aio, n, iocbs);
    unsigned taken = ret > 0 ? (unsigned)ret : 0;

    s->raw.ctx->stats.batches++;
    for (unsigned i = 0; i < taken; i++) {
        queue_remove(s, s->queue);
        s->in_flight++;
    }
    while (n > taken) {
        iocb_put(s, iocbs[--n]);
    }
    return ret;
}

/* Ends: each round shortens the queue or leaves. */
static void submit_queue(LinuxAioState *s)
{
    while (unlikely(!s->aio) && s->queue) {
        hand_over_head(s);
    }
    while (s->queue && s->free && !s->blocked) {
        int ret = submit_batch(s);

        if ((ret == -EAGAIN || ret == 0) && s->in_flight > 0) {
            s->blocked = true;
            return;
        }
        if (ret == -EAGAIN || ret == 0) {
            hand_over_head(s); /* nothing will complete and unblock us */
            continue;
        }
        if (ret < 0 && ret != -EINTR) {
            fail_head(s, ret);
        }
    }
}

/* What the context says, or the device, or what there is room for. */
static unsigned batch_limit(LinuxAioState *s)
{
    AioContext *ctx = s->raw.ctx;
    int64_t wanted = qatomic_read_i64(&ctx->aio_max_batch);
    uint64_t device = ctx->engine_state->device_batch;
    uint64_t limit = wanted > 0 ? (uint64_t)wanted : LAIO_BATCH;

    if (device > 0) {
        limit = MIN(limit, device);
    }
    return (unsigned)MIN(limit, LAIO_EVENTS - s->in_flight);
}

static void laio_submit(AioContext *ctx, AioRequest *req)
{
    LinuxAioState *s = ctx->linux_aio;

    leave_parent(s);
    private_of(req)->queued = false;
    if (req->offset < 0) {
        request_hand_over(req); /* knows no file position */
        return;
    }
    queue_push(s, req);
    if (s->queued >= batch_limit(s)) {
        submit_queue(s); /* plugged or not */
    }
}

static void laio_cancel(AioContext *ctx, AioRequest *req)
{
    leave_parent(ctx->linux_aio);
    if (private_of(req)->queued) {
        queue_remove(ctx->linux_aio, req);
        request_finish(req, -ECANCELED);
    } /* else it is in the kernel, which cannot cancel disk I/O */
}

static void laio_flush(AioContext *ctx)
{
    leave_parent(ctx->linux_aio);
    submit_queue(ctx->linux_aio);
}

/* ---- completion --------------------------------------------------------- */

static void complete(LinuxAioState *s, const struct io_event *event)
{
    struct iocb *iocb = event->obj;
    AioRequest *req = event->data;
    int64_t ret = (int64_t)event->res;

    iocb_put(s, iocb);
    s->in_flight--;
    if (ret == -EAGAIN || ret == -EINTR) {
        request_hand_over(req); /* a blocking call gets it done */
    } else {
        request_finish(req, ret);
    }
}

static void reap(LinuxAioState *s)
{
    struct io_event event;

    while (laio_ring_pop(s->aio, &event)) { /* at most what is in flight */
        s->blocked = false;
        complete(s, &event);
    }
}

static void laio_ready(EventNotifier *notifier)
{
    LinuxAioState *s =
        (LinuxAioState *)((char *)notifier - offsetof(LinuxAioState, notifier));

    if (unlikely(!is_mine(s))) {
        return; /* laio_flush() comes before the next wait */
    }
    event_notifier_test_and_clear(notifier);
    engine_mute(s->raw.ctx);
    reap(s);
    submit_queue(s); /* there is room again */
    engine_unmute(s->raw.ctx);
}

/* Busy polling found events: the eventfd is left for the next wait. */
static void laio_poll_ready(EventNotifier *notifier)
{
    LinuxAioState *s =
        (LinuxAioState *)((char *)notifier - offsetof(LinuxAioState, notifier));

    if (unlikely(!is_mine(s))) {
        return;
    }
    engine_mute(s->raw.ctx);
    reap(s);
    submit_queue(s);
    engine_unmute(s->raw.ctx);
}

static bool laio_poll(void *opaque)
{
    EventNotifier *notifier = opaque;
    LinuxAioState *s =
        (LinuxAioState *)((char *)notifier - offsetof(LinuxAioState, notifier));

    return laio_ring_has_events(s->aio);
}

static void watch(LinuxAioState *s, bool watched)
{
    aio_set_event_notifier(
        s->raw.ctx, &s->notifier, false, watched ? laio_ready : NULL,
        watched ? laio_poll : NULL, watched ? laio_poll_ready : NULL);
}

/* ---- set-up --------------------------------------------------------- */

static bool laio_probe(Error **errp)
{
    io_context_t aio = NULL;

    if (!laio_queue_setup(1, &aio, errp)) {
        return false;
    }
    io_destroy(aio);
    return true;
}

static bool laio_setup(AioContext *ctx, Error **errp)
{
    LinuxAioState *s = check_calloc(1, sizeof(*s));

    if (!engine_notifier_init(&s->notifier, "linux_aio", errp)) {
        goto fail_free;
    }
    if (!laio_queue_setup(LAIO_EVENTS, &s->aio, errp)) {
        goto fail_notifier;
    }
    iocbs_free(s);
    s->fork_count = fork_count;
    s->raw.ctx = ctx;
    s->raw.engine = &engine_linux_aio;
    ctx->linux_aio = s;
    watch(s, true);
    return true;

fail_notifier:
    event_notifier_cleanup(&s->notifier);
fail_free:
    free(s);
    return false;
}

static void laio_destroy(AioContext *ctx)
{
    LinuxAioState *s = ctx->linux_aio;

    if (!s) {
        return;
    }
    leave_parent(s);
    CHECK(s->queued == 0 && s->in_flight == 0);
    if (s->aio) {
        watch(s, false);
        io_destroy(s->aio);
    }
    event_notifier_cleanup(&s->notifier);
    ctx->linux_aio = NULL;
    free(s);
}

const AioEngine engine_linux_aio = {
    .name = "linux_aio",
    .ops = AIO_OPS_RW,
    .direct_only = true,
    .probe = laio_probe,
    .setup = laio_setup,
    .submit = laio_submit,
    .cancel = laio_cancel,
    .flush = laio_flush,
    .destroy = laio_destroy,
};
#endif
