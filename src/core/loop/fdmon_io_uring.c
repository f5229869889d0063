/*
 * fdmon_io_uring.c - the monitor on the context's ring: one system call hands
 * over what has changed, submits file I/O, and waits
 *
 * How handlers become polls is in uring_polls.c.  For another loop that waits
 * on our behalf (GLib) the ring signals an eventfd.
 *
 * Rule: the ring may have been rebuilt, by another thread or after a fork,
 * since we last looked: usable_ring() comes first.
 */
#include "loop/fdmon_io_uring.h"

#ifdef CONFIG_LINUX_IO_URING

#include <errno.h>
#include <stdlib.h>

#include "qapi/error.h"

static inline Ring *usable_ring(AioContext *ctx, FDMonUringState *state)
{
    Ring *ring = ctx->ring;

    ring_ensure_mine_fast(ring);
    if (unlikely(ring->generation != state->generation)) {
        uring_polls_forget(ctx, state);
        state->generation = ring->generation;
    }
    return ring;
}

/* ---- the monitor -------------------------------------------------------- */

static int fdmon_io_uring_wait(AioContext *ctx, AioHandlerList *ready_list,
                               int64_t timeout)
{
    FDMonUringState *state = ctx->fdmon_io_uring;
    Ring *ring = usable_ring(ctx, state);

    state->ready_list = ready_list;
    state->ready_count = 0;
    uring_polls_flush(ctx, state, ring);
    ring_wait(ring, state->ready_count ? 0 : timeout);
    ring_reap(ring);
    state->ready_list = &ctx->ready_list;
    return state->ready_count;
}

static bool nothing_to_submit(const FDMonUringState *state, const Ring *ring)
{
    return ring->generation == state->generation && !state->todo &&
           !qatomic_read(&state->changed_count) &&
           io_uring_sq_ready(&ring->uring) == 0;
}

/* What is queued goes to the kernel first: it cannot report fds it does not
 * watch.  That costs a system call once, not in each round of busy polling. */
static QEMU_NOINLINE bool submit_and_look(AioContext *ctx)
{
    FDMonUringState *state = ctx->fdmon_io_uring;
    Ring *ring = usable_ring(ctx, state);

    state->ready_count = 0;
    uring_polls_flush(ctx, state, ring);
    ring_submit(ring);
    return state->ready_count || ring_is_ready(ring);
}

static bool fdmon_io_uring_need_wait(AioContext *ctx)
{
    Ring *ring = ctx->ring;

    if (likely(ring_is_surely_mine(ring) &&
               nothing_to_submit(ctx->fdmon_io_uring, ring))) {
        return ring_is_ready(ring);
    }
    return submit_and_look(ctx);
}

/* A poll keeps its file open, whatever happens to the fd: a socket would not
 * be shut down, a port not be free. */
static void fdmon_io_uring_let_go(AioContext *ctx)
{
    FDMonUringState *state = ctx->fdmon_io_uring;
    Ring *ring = ctx->ring;

    if (!ring_is_mine(ring) || ring->generation != state->generation) {
        return; /* its polls are not ours to end */
    }
    uring_polls_flush(ctx, state, ring);
    if (state->dying) {
        ring_wait(ring, 0);
        ring_reap(ring);
    }
}

/* The ring's own fd does not wake those who poll it (DEFER_TASKRUN).  The
 * eventfd does, but Linux 6.18 loses signals, all but the first, that a write
 * to another eventfd causes: it is good for file I/O (uring_streams.c keeps
 * that of eventfds out of the ring).  The caller asks need_wait() next. */
static int fdmon_io_uring_poll_fd(AioContext *ctx)
{
    FDMonUringState *state = ctx->fdmon_io_uring;
    Ring *ring = usable_ring(ctx, state);
    EventNotifier *signal = &state->signal;

    /* The old one may be a parent's, too: to clear it would take its signal. */
    if (state->signal_generation != ring->generation + 1) {
        event_notifier_cleanup(signal);
        if (event_notifier_init(signal, false) < 0) {
            return -1;
        }
        if (io_uring_register_eventfd(&ring->uring, signal->rfd) < 0) {
            return -1;
        }
        state->signal_generation = ring->generation + 1;
    }
    event_notifier_test_and_clear(signal);
    return event_notifier_get_fd(signal);
}

static void drop_signal(AioContext *ctx, FDMonUringState *state)
{
    /* Else the ring may be signalling the file engine's. */
    if (state->signal_generation == ctx->ring->generation + 1 &&
        ring_is_mine(ctx->ring)) {
        io_uring_unregister_eventfd(&ctx->ring->uring);
    }
    event_notifier_cleanup(&state->signal);
}

static bool fdmon_io_uring_setup(AioContext *ctx, Error **errp)
{
    Ring *ring = ring_use(ctx, errp);
    FDMonUringState *state;

    if (!ring) {
        return false;
    }
    state = check_calloc(1, sizeof(*state));
    state->ready_list = &ctx->ready_list;
    state->todo_tail = &state->todo;
    state->generation = ring->generation;
    ring->on_cqe[RING_POLL] = uring_polls_done;
    ctx->fdmon_io_uring = state;
    return true;
}

/* Each poll that is being removed answers, so this ends. */
static void drain(AioContext *ctx, FDMonUringState *state, Ring *ring)
{
    uring_polls_flush(ctx, state, ring);
    while (state->todo || state->dying) {
        ring_wait(ring, state->todo ? 0 : -1);
        ring_reap(ring);
        uring_polls_flush(ctx, state, ring);
    }
}

/* Only the thread that polled can ask the ring for anything. */
static void drop_without_ring(AioContext *ctx, FDMonUringState *state)
{
    uring_polls_forget(ctx, state);
    uring_polls_release(ctx, state);
    if (ctx->ring->users > 1) {
        ring_ensure_mine(ctx->ring); /* ends the old polls */
    }
}

static void fdmon_io_uring_destroy(AioContext *ctx)
{
    FDMonUringState *state = ctx->fdmon_io_uring;

    if (!state) {
        return;
    }
    if (ring_is_mine(ctx->ring)) {
        drain(ctx, state, usable_ring(ctx, state));
    } else {
        drop_without_ring(ctx, state);
    }
    drop_signal(ctx, state);
    ctx->fdmon_io_uring = NULL;
    free(state->changed);
    free(state);
    ring_unuse(ctx);
}

const FDMonBackend fdmon_io_uring = {
    .name = "io_uring",
    .ops = {uring_polls_note, fdmon_io_uring_wait, fdmon_io_uring_need_wait},
    .setup = fdmon_io_uring_setup,
    .destroy = fdmon_io_uring_destroy,
    .probe = ring_probe,
    .need_wait_is_exact = true,
    .knows_edges = true,
    .poll_fd = fdmon_io_uring_poll_fd,
    .let_go = fdmon_io_uring_let_go,
};
#else

#include "loop/context.h"
#include "qapi/error.h"

static bool absent_probe(Error **errp)
{
    error_setg(errp, "io_uring: this build has none; build with liburing 2.3 "
                     "or later");
    return false;
}

static bool absent_setup(AioContext *ctx, Error **errp)
{
    return absent_probe(errp);
}

static void absent_destroy(AioContext *ctx)
{
}

const FDMonBackend fdmon_io_uring = {
    .name = "io_uring",
    .setup = absent_setup,
    .destroy = absent_destroy,
    .probe = absent_probe,
};
#endif
