/*
 * dispatch.c - running handlers that became ready
 *
 * Monitors, busy polling and file engines append handlers to ctx->ready_list;
 * this file takes them off and calls them, first in first out.  A nested
 * aio_poll() works on the same list: nothing that was harvested is out of its
 * reach, and the outer call finds the rest.
 *
 * A slice ends where the list ended when the phase began: each node carries the
 * number of the slice it was appended in.  What a callback makes ready waits
 * for the next pass, so no handler can keep the others from running.
 *
 * Rule: a node is off the list before its callback runs, and is not touched
 * after a callback that deleted it, except for its tombstone.
 */
#include "base/event_notifier.h"
#include "loop/context.h"
#include "qemu/atomic.h"

static bool node_deleted(const AioHandler *node)
{
    return qatomic_load_acquire(&node->deleted);
}

static bool ready_append(AioContext *ctx, AioHandlerList *list,
                         AioHandler *node)
{
    if (node->in_ready_list) {
        return false;
    }
    node->in_ready_list = true;
    node->ready_slice = ctx->ready_slice;
    QTAILQ_INSERT_TAIL(list, node, node_ready);
    return true;
}

bool handler_make_ready(AioContext *ctx, AioHandlerList *list, AioHandler *node,
                        uint32_t revents)
{
    uint32_t unusual = revents & ~(uint32_t)(EPOLLIN | EPOLLOUT);

    revents &= node->watch | EPOLLHUP | EPOLLERR;
    if (unlikely(!node->watch || node_deleted(node))) {
        return false;
    }
    if (unlikely(unusual) && node->unusual) {
        *node->unusual |= unusual;
    }
    if (unlikely(!revents)) {
        return false;
    }
    node->revents |= revents;
    return ready_append(ctx, list, node);
}

void handler_make_poll_ready(AioContext *ctx, AioHandler *node)
{
    node->poll_ready = true;
    ready_append(ctx, &ctx->ready_list, node);
}

static bool run_poll_ready(AioContext *ctx, AioHandler *node)
{
    /* Not polled meanwhile: a nested aio_poll() in the callback would find the
     * same work again, and again. */
    node->poll_busy = true;
    ctx->stats.fds++;
    node->io_poll_ready(node->opaque);
    node->poll_busy = false;
    return true;
}

/* HUP belongs to the reader; where there is none the writer gets it, because
 * nobody else could end the level-triggered report. */
static uint32_t write_events(const AioHandler *node)
{
    return EPOLLOUT | EPOLLERR | (node->io_read ? 0 : EPOLLHUP);
}

/* A monitor that hears of writes only (fdmon_io_uring.c) has to know whether
 * anything was left behind.  Listed again: something came in after the read. */
static void run_notifier(AioHandler *node)
{
    event_notifier_forget_cleared();
    node->io_read(node->opaque);
    if (!node_deleted(node)) {
        node->cleared =
            event_notifier_was_cleared(node->notifier) && !node->in_ready_list;
    }
}

static bool run_events(AioContext *ctx, AioHandler *node, uint32_t revents)
{
    bool progress = false;
    uint32_t for_write = write_events(node);
    void *opaque = node->opaque;

    if ((revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) && node->io_read) {
        progress = !node->is_notifier;
        ctx->stats.fds += progress && node->fd >= 0;
        if (node->notifier) {
            run_notifier(node);
        } else {
            node->io_read(opaque);
        }
    }
    /* io_read may have deleted or replaced the handler: the events were for
     * what had been there before. */
    if ((revents & for_write) && !node_deleted(node) && node->io_write &&
        node->opaque == opaque) {
        progress = true;
        ctx->stats.fds++;
        node->io_write(opaque);
    }
    return progress;
}

/* Its event was not delivered.  A fd that is level-triggered comes back. */
static void ask_again(AioContext *ctx, AioHandler *node)
{
    if (node->unusual) {
        qemu_mutex_lock(&ctx->list_lock);
        if (!node_deleted(node)) {
            fdmon_update(ctx, node, node);
        }
        qemu_mutex_unlock(&ctx->list_lock);
    }
}

static bool dispatch_node(AioContext *ctx, AioHandler *node)
{
    uint32_t revents = node->revents;
    bool poll_ready = node->poll_ready;

    node->revents = 0;
    node->poll_ready = false;
    if (unlikely(node_deleted(node))) {
        return false;
    }
    if (unlikely(!aio_node_check(ctx, node->is_external))) {
        ctx->external_look_due |= poll_ready;
        /* A call of its handler that this one is nested in had cleared it
         * before, and shall not take it for clear. */
        event_notifier_forget_cleared();
        ask_again(ctx, node);
        return false;
    }
    if (unlikely(!revents)) {
        return poll_ready && node->io_poll_ready && run_poll_ready(ctx, node);
    }
    if (unlikely(node->io_poll) && !node->in_poll_list) {
        busypoll_add(ctx, node);
    }
    return run_events(ctx, node, revents);
}

bool handler_dispatch_ready(AioContext *ctx)
{
    bool progress = false;
    uint64_t slice = ++ctx->ready_slice;
    AioHandler *node;

    /* Ends: what is appended from now on has the number of this slice. */
    while ((node = QTAILQ_FIRST(&ctx->ready_list)) &&
           node->ready_slice < slice) {
        QTAILQ_REMOVE(&ctx->ready_list, node, node_ready);
        node->in_ready_list = false;
        progress |= dispatch_node(ctx, node);
    }
    return progress;
}

/* ---- external handlers -------------------------------------------------- */

void aio_disable_external(AioContext *ctx)
{
    qatomic_inc(&ctx->external_disable_cnt);
}

void aio_enable_external(AioContext *ctx)
{
    context_visit(ctx); /* what is called now may end it */
    int old = qatomic_fetch_dec(&ctx->external_disable_cnt);

    CHECKF(old > 0, "aio_enable_external() without aio_disable_external()");
    if (old == 1) {
        aio_notify(ctx); /* the loop has to watch them again */
    }
    context_end_visit(ctx);
}

bool aio_external_disabled(AioContext *ctx)
{
    return qatomic_read(&ctx->external_disable_cnt) > 0;
}

bool aio_node_check(AioContext *ctx, bool is_external)
{
    return !is_external || !aio_external_disabled(ctx);
}
