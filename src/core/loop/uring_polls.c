/*
 * uring_polls.c - polls in the context's ring, one per watched handler
 *
 * A watched node has a POLL_ADD in the kernel ("armed").  Its completion makes
 * the node ready and puts it on the todo list; the next wait arms it again with
 * the same system call that waits.  A poll of an fd that is still ready
 * completes at once, which makes handlers level-triggered.
 *
 * Notifiers have a multishot poll, which stays armed but tells only of what
 * comes in.  That is enough for the context's own, for those of
 * aio_set_fd_edges(), which have one too, and for one whose handler
 * has cleared it after the poll fired (node->cleared, see run_notifier()).
 * Where it has not, poll(2) says before each wait whether it is still set.
 *
 * The monitor's update() may run in any thread, so it only notes the node down;
 * the home thread takes over what it means (take_changes()) and talks to the
 * ring.
 *
 * The rule that keeps it right: the kernel names nodes by address.  A node has
 * mon_refs from its first update() until it is both removed and not armed, and
 * only the home thread ends that.
 */
#include "loop/fdmon_io_uring.h"

#ifdef CONFIG_LINUX_IO_URING

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "loop/accepted.h"

/* node->mon_id, with the list lock held: what update() has noted down. */
enum {
    NOTED_CHANGED = 1, /* in state->changed */
    NOTED_REMOVED = 2,
};

/* node->mon_flags, home thread only. */
enum {
    POLL_ARMED = 1,
    POLL_LISTED = 2,  /* in the todo list, linked by mon_next */
    POLL_ENDING = 4,  /* armed, and its cancellation is under way */
    POLL_RESTART = 8, /* armed for other events, or another file, than wanted */
    POLL_GONE = 16,   /* removed; in the dying list while armed, if not todo */
    POLL_FIRED = 32,  /* armed, and has told of what may still be there */
    POLL_ACCEPTS = 64, /* armed not as a poll: accepts connections */
};

/* ---- lists; home thread ------------------------------------------------- */

static void todo_add(FDMonUringState *state, AioHandler *node)
{
    if (!(node->mon_flags & POLL_LISTED)) {
        node->mon_flags |= POLL_LISTED;
        node->mon_next = NULL;
        *state->todo_tail = node;
        state->todo_tail = &node->mon_next;
    }
}

static AioHandler *todo_pop(FDMonUringState *state)
{
    AioHandler *node = state->todo;

    state->todo = node->mon_next;
    if (!state->todo) {
        state->todo_tail = &state->todo;
    }
    node->mon_next = NULL;
    node->mon_flags &= ~POLL_LISTED;
    return node;
}

static void dying_add(FDMonUringState *state, AioHandler *node)
{
    node->mon_next = state->dying;
    node->mon_prev = &state->dying;
    if (state->dying) {
        state->dying->mon_prev = &node->mon_next;
    }
    state->dying = node;
}

static void dying_remove(AioHandler *node)
{
    *node->mon_prev = node->mon_next;
    if (node->mon_next) {
        node->mon_next->mon_prev = node->mon_prev;
    }
    node->mon_next = NULL;
    node->mon_prev = NULL;
}

/* From here on the loop may free the node. */
static void node_release(AioHandler *node)
{
    DCHECK(!(node->mon_flags & (POLL_ARMED | POLL_LISTED)));
    node->mon_flags = 0;
    node->mon_id = 0;
    __atomic_store_n(&node->mon_refs, 0, __ATOMIC_RELEASE);
}

/* ---- update(): any thread, list lock held ------------------------------- */

static void note(FDMonUringState *state, AioHandler *node, unsigned flags)
{
    node->mon_id |= flags;
    if (node->mon_id & NOTED_CHANGED) {
        return;
    }
    node->mon_id |= NOTED_CHANGED;
    if (state->changed_count == state->changed_size) {
        state->changed_size = MAX(64u, state->changed_size * 2);
        state->changed = check_realloc(
            state->changed, state->changed_size * sizeof(AioHandler *));
    }
    state->changed[state->changed_count] = node;
    /* Pairs with the load in take_changes(). */
    __atomic_store_n(&state->changed_count, state->changed_count + 1,
                     __ATOMIC_RELEASE);
}

void uring_polls_note(AioContext *ctx, AioHandler *old_node,
                      AioHandler *new_node)
{
    FDMonUringState *state = ctx->fdmon_io_uring;

    if (old_node && old_node != new_node) {
        note(state, old_node, NOTED_REMOVED);
    }
    if (new_node) {
        __atomic_store_n(&new_node->mon_refs, 1, __ATOMIC_RELEASE);
        note(state, new_node, 0);
    }
}

/* ---- from notes to submissions; home thread ----------------------------- */

static void take_change(FDMonUringState *state, AioHandler *node)
{
    uint32_t watch = node->watch;

    if (node->mon_id & NOTED_REMOVED) {
        node->mon_flags |= POLL_GONE;
        watch = 0;
    }
    if (node->mon_flags & POLL_ARMED) { /* seen before: not just added */
        node->mon_flags |= POLL_RESTART;
    }
    node->mon_id &= ~NOTED_CHANGED;
    node->mon_events = watch;
    todo_add(state, node);
}

static void take_changes(AioContext *ctx, FDMonUringState *state)
{
    if (__atomic_load_n(&state->changed_count, __ATOMIC_ACQUIRE) == 0) {
        return;
    }
    qemu_mutex_lock(&ctx->list_lock);
    for (unsigned i = 0; i < state->changed_count; i++) {
        take_change(state, state->changed[i]);
    }
    __atomic_store_n(&state->changed_count, 0, __ATOMIC_RELAXED);
    qemu_mutex_unlock(&ctx->list_lock);
}

/* Not POLL_REMOVE: that fails while the poll is just firing, and a multishot
 * one would stay.  A cancelled poll always ends. */
static void submit_remove(Ring *ring, AioHandler *node)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);

    io_uring_prep_cancel64(sqe, (uintptr_t)node | RING_POLL, 0);
    ring_tag(sqe, NULL, RING_IGNORE);
    node->mon_flags |= POLL_ENDING;
}

static bool shall_accept(const AioContext *ctx, const AioHandler *node)
{
    /* For another loop that waits the listener has to become readable. */
    return node->accepted && !node->accepted->refused && !ctx->source;
}

static void submit_accept(struct io_uring_sqe *sqe, AioHandler *node)
{
    io_uring_prep_multishot_accept(sqe, node->fd, NULL, NULL,
                                   SOCK_CLOEXEC | SOCK_NONBLOCK);
    node->mon_flags |= POLL_ACCEPTS;
    node->accepted->armed++;
}

static void submit_add(Ring *ring, AioHandler *node)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);

    if (shall_accept(ring->ctx, node)) {
        submit_accept(sqe, node);
    } else if (handler_is_edge(node) || node->notifier) {
        io_uring_prep_poll_multishot(
            sqe, node->fd,
            node->mon_events | (handler_edge_events(node) & EPOLLRDHUP));
    } else {
        io_uring_prep_poll_add(sqe, node->fd, node->mon_events);
    }
    ring_tag(sqe, node, RING_POLL);
    node->mon_flags |= POLL_ARMED;
}

/* A multishot poll has fired: is the notifier still set?  What is set from now
 * on makes it fire again. */
static bool still_set(AioContext *ctx, FDMonUringState *state, AioHandler *node)
{
    struct pollfd fd = {.fd = node->fd, .events = (short)node->mon_events};

    if (node->cleared || (node->mon_flags & (POLL_GONE | POLL_RESTART)) ||
        poll(&fd, 1, 0) <= 0) {
        return false;
    }
    state->ready_count +=
        handler_make_ready(ctx, state->ready_list, node, (uint32_t)fd.revents);
    return true;
}

/* They may have come while nobody was to be told. */
static void tell_of_accepted(AioContext *ctx, FDMonUringState *state,
                             AioHandler *node)
{
    if (unlikely(accepted_any(node->accepted)) && node->mon_events) {
        state->ready_count +=
            handler_make_ready(ctx, state->ready_list, node, EPOLLIN);
    }
}

/* One step towards what is wanted; takes at most one entry, which is there. */
static void node_advance(FDMonUringState *state, Ring *ring, AioHandler *node)
{
    node->mon_flags &= ~POLL_FIRED;
    if (!(node->mon_flags & POLL_ARMED)) {
        node->mon_flags &= ~POLL_RESTART;
        if (node->mon_events && !(node->accepted && node->accepted->paused)) {
            submit_add(ring, node);
        }
        tell_of_accepted(ring->ctx, state, node);
    } else if ((node->mon_flags & (POLL_RESTART | POLL_ENDING)) ==
               POLL_RESTART) {
        submit_remove(ring, node);
    }
    if (!(node->mon_flags & POLL_GONE)) {
        return;
    }
    if (node->mon_flags & POLL_ARMED) {
        dying_add(state, node);
    } else {
        node_release(node);
    }
}

void uring_polls_flush(AioContext *ctx, FDMonUringState *state, Ring *ring)
{
    AioHandler *set = NULL; /* those to be asked again before the next wait */

    take_changes(ctx, state);
    /* Making room may reap, and so lengthen the list: but an fd that completes
     * during a submission completes once, so this ends. */
    while (state->todo && ring_make_room(ring)) {
        AioHandler *node = todo_pop(state);

        if ((node->mon_flags & POLL_FIRED) && still_set(ctx, state, node)) {
            node->mon_flags |= POLL_LISTED; /* not by anybody else */
            node->mon_next = set;
            set = node;
        } else {
            node_advance(state, ring, node);
        }
    }
    while (set) {
        AioHandler *node = set;

        set = node->mon_next;
        node->mon_flags &= ~POLL_LISTED;
        todo_add(state, node);
    }
}

/* ---- completions -------------------------------------------------------- */

/* After one of these, polling again makes sense. */
static bool is_transient(int32_t res)
{
    return res >= 0 || res == -ECANCELED || res == -EINTR || res == -EAGAIN ||
           res == -ENOMEM;
}

/*
 * A connection, or why there are no more.  The one to be told may be another
 * node by now, which the listener has got since.  Returns what a poll would
 * have said.
 */
static int32_t accept_completed(AioContext *ctx, FDMonUringState *state,
                                AioHandler *node, int32_t res)
{
    AioAccepted *accepted = node->accepted;
    AioHandler *now = handler_find(ctx, node->fd);

    if (!(node->mon_flags & POLL_ARMED)) {
        node->mon_flags &= ~POLL_ACCEPTS;
        accepted->armed--;
    }
    if (res == -ECANCELED) {
        return res;
    }
    if (res == -EINVAL && accepted->count == 0) { /* an older kernel */
        accepted->refused = true;
        return 0;
    }
    ctx->stats.accepted_ahead += res >= 0;
    if (accepted_done(accepted, res) && now && now->accepted == accepted) {
        state->ready_count +=
            handler_make_ready(ctx, state->ready_list, now, EPOLLIN);
    }
    if (accepted->count >= ACCEPTED_ENOUGH && !accepted->paused) {
        accepted->paused = true;
        node->mon_flags |= POLL_RESTART;
        todo_add(state, node);
    }
    return res < 0 ? -EBADF : 0; /* not again, unless somebody sets it anew */
}

void uring_polls_done(AioContext *ctx, void *ptr, int32_t res, uint32_t flags)
{
    FDMonUringState *state = ctx->fdmon_io_uring;
    AioHandler *node = ptr;

    if (!(flags & IORING_CQE_F_MORE)) {
        node->mon_flags &= ~(POLL_ARMED | POLL_ENDING | POLL_FIRED);
    }
    if (unlikely(node->mon_flags & POLL_ACCEPTS)) {
        res = accept_completed(ctx, state, node, res);
    }
    if (node->mon_flags & POLL_GONE) {
        if (!(node->mon_flags & (POLL_ARMED | POLL_LISTED))) {
            dying_remove(node);
            node_release(node);
        }
        return;
    }
    /* POLL_RESTART: what fired may be another file than the fd is now. */
    if (res > 0 && node->mon_events && !(node->mon_flags & POLL_RESTART) &&
        handler_make_ready(ctx, state->ready_list, node, (uint32_t)res)) {
        state->ready_count++;
    }
    if ((handler_is_edge(node) || (node->mon_flags & POLL_ACCEPTS)) &&
        (node->mon_flags & POLL_ARMED)) {
        return;
    }
    node->cleared = false;
    if (node->mon_flags & POLL_ARMED) {
        node->mon_flags |= POLL_FIRED;
        todo_add(state, node);
        return;
    }
    if (is_transient(res) || (node->mon_flags & POLL_RESTART)) {
        todo_add(state, node);
    } else {
        /* EBADF and the like: polling again would fail again, for ever.  As
         * epoll does, forget the fd until it is registered anew. */
        node->mon_events = 0;
    }
}

/* ---- a rebuilt ring ----------------------------------------------------- */

static void forget(AioHandler *node)
{
    if (node->mon_flags & POLL_ACCEPTS) {
        node->accepted->armed--;
    }
    node->mon_flags &= ~(unsigned)(POLL_ARMED | POLL_ENDING | POLL_RESTART |
                                   POLL_FIRED | POLL_ACCEPTS);
}

void uring_polls_forget(AioContext *ctx, FDMonUringState *state)
{
    AioHandler *node;

    while ((node = state->dying)) {
        dying_remove(node);
        forget(node);
        node_release(node);
    }
    for (node = state->todo; node; node = node->mon_next) {
        forget(node);
    }
    qemu_mutex_lock(&ctx->list_lock);
    QTAILQ_FOREACH(node, &ctx->aio_handlers, node) {
        if (node->mon_flags & POLL_ARMED) {
            forget(node);
            todo_add(state, node);
        }
    }
    for (unsigned i = 0; i < state->changed_count; i++) {
        forget(state->changed[i]);
    }
    qemu_mutex_unlock(&ctx->list_lock);
}

void uring_polls_release(AioContext *ctx, FDMonUringState *state)
{
    take_changes(ctx, state);
    while (state->todo) {
        AioHandler *node = todo_pop(state);

        CHECK(node->mon_flags & POLL_GONE);
        node_release(node);
    }
}
#endif
