/*
 * fdmon_poll.c - the monitor on ppoll(2)
 *
 * Keeps an array of pollfds and the handlers they stand for, and rebuilds it
 * when ctx->handlers_version has moved.  An fd that was closed while registered
 * (POLLNVAL) is left out until the next rebuild, as epoll would.
 *
 * Rule: the arrays belong to the home thread; a pointer in them is good as long
 * as its tombstone is not set, which dispatch looks at before anything else.  A
 * handler is only freed when nobody walks, and freeing follows an update, so
 * the next wait rebuilds before it looks at any pointer.
 */
#include "loop/context.h"
#include "qemu/atomic.h"

struct FDMonPollState {
    unsigned version; /* of the handlers that the arrays describe */
    bool valid;
    bool waiting; /* a nested wait would have spoilt the arrays */
    unsigned used;
    unsigned size;
    struct pollfd *fds;
    AioHandler **nodes;
};

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT &&
                   EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
               "events are passed on as they are");

static bool poll_setup(AioContext *ctx, Error **errp)
{
    ctx->fdmon_poll = check_calloc(1, sizeof(*ctx->fdmon_poll));
    return true;
}

static void poll_destroy(AioContext *ctx)
{
    struct FDMonPollState *state = ctx->fdmon_poll;

    if (state) {
        free(state->fds);
        free(state->nodes);
        free(state);
        ctx->fdmon_poll = NULL;
    }
}

/* Handlers are found by walking the table at the next wait. */
static void poll_update(AioContext *ctx, AioHandler *old_node,
                        AioHandler *new_node)
{
}

static void append(struct FDMonPollState *state, AioHandler *node)
{
    if (state->used == state->size) {
        state->size = MAX(16u, state->size * 2);
        state->fds =
            check_realloc(state->fds, state->size * sizeof(*state->fds));
        state->nodes =
            check_realloc(state->nodes, state->size * sizeof(*state->nodes));
    }
    state->fds[state->used] =
        (struct pollfd){.fd = node->fd, .events = (short)node->watch};
    state->nodes[state->used++] = node;
}

static void rebuild(AioContext *ctx, struct FDMonPollState *state)
{
    AioHandler *node;

    qemu_mutex_lock(&ctx->list_lock);
    state->version = qatomic_read(&ctx->handlers_version);
    state->valid = true;
    state->used = 0;
    QTAILQ_FOREACH(node, &ctx->aio_handlers, node) {
        if (node->watch) {
            append(state, node);
        }
    }
    qemu_mutex_unlock(&ctx->list_lock);
}

static int collect(AioContext *ctx, AioHandlerList *ready_list, int left)
{
    struct FDMonPollState *state = ctx->fdmon_poll;
    int ready = 0;

    for (unsigned i = 0; left > 0 && i < state->used; i++) {
        short revents = state->fds[i].revents;

        if (!revents) {
            continue;
        }
        left--;
        if (revents & POLLNVAL) {
            state->fds[i].fd = -1;
        } else {
            ready += handler_make_ready(ctx, ready_list, state->nodes[i],
                                        (uint16_t)revents);
        }
    }
    return ready;
}

static int poll_wait(AioContext *ctx, AioHandlerList *ready_list,
                     int64_t timeout)
{
    struct FDMonPollState *state = ctx->fdmon_poll;
    struct timespec ts;

    if (!state->valid ||
        state->version != qatomic_read(&ctx->handlers_version)) {
        rebuild(ctx, state);
    }
    if (timeout >= 0) {
        ts = clock_timespec(timeout);
    }

    CHECK(!state->waiting);
    state->waiting = true;
    int ret = ppoll(state->fds, state->used, timeout < 0 ? NULL : &ts, NULL);
    state->waiting = false;

    CHECKF(ret >= 0 || errno == EINTR || errno == ENOMEM, "ppoll: errno %d",
           errno);
    return ret <= 0 ? 0 : collect(ctx, ready_list, ret);
}

static bool poll_need_wait(AioContext *ctx)
{
    return qatomic_read(&ctx->handler_count) > 0;
}

const FDMonBackend fdmon_poll = {
    .name = "poll",
    .ops =
        {
            .update = poll_update,
            .wait = poll_wait,
            .need_wait = poll_need_wait,
        },
    .look_first = true,
    .setup = poll_setup,
    .destroy = poll_destroy,
};
