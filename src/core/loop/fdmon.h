/*
 * fdmon.h - file descriptor monitors: how a context waits for its fds
 *
 * A monitor is one row in fdmon_backends[] (fdmon.c).  It sees handlers and
 * reports the ready ones with handler_make_ready(); it knows nothing of
 * callbacks, timers, bottom halves, other monitors, or external handlers: what
 * it is to watch, already filtered, is node->watch.
 *
 * The loop never calls FDMonOps directly: fdmon_update(), fdmon_wait() and
 * fdmon_need_wait() check the contract on both sides of every call.
 *
 * The contract of a monitor:
 *  - update(ctx, old, new): see block/aio.h; new->watch is a set of EPOLL* bits
 *    (equal to POLL*), 0 meaning: watch nothing, report nothing.  When both are
 *    given they have the same fd.  ERR and HUP are reported unasked.
 *  - Level-triggered: what is still ready is reported again by the next wait().
 *  - wait(ctx, list, 0) reports what is ready now, at most one system call.
 *  - A node passed as old (and not as new) may be freed as soon as its mon_refs
 *    is zero; a monitor whose kernel side still names it keeps mon_refs above.
 *  - node->mon_* are the monitor's own; all zero when it first sees the node.
 */
#ifndef LOOP_FDMON_H
#define LOOP_FDMON_H

#include "block/aio.h"

typedef struct FDMonBackend {
    const char *name; /* as in AIOCTL_FDMON and aio_context_fdmon() */
    FDMonOps ops;

    /*
     * Create the monitor's own state, without any handler (update() follows for
     * each).  Home thread; another monitor may still be in use.  On failure set
     * @errp: "io_uring: cannot create a ring: ..., see
     * kernel.io_uring_disabled".
     */
    bool (*setup)(AioContext *ctx, Error **errp);

    /*
     * Drop it.  Every handler has been removed by update() before; afterwards
     * no node may have mon_refs.  Destroying what was never set up is allowed.
     */
    void (*destroy)(AioContext *ctx);

    /* Does the machine have it at all?  NULL: always.  Sets @errp as setup().
     * */
    bool (*probe)(Error **errp);

    /*
     * need_wait() is exact and needs no system call.  Otherwise it answers
     * whether anything is watched, and busy polling looks by wait(ctx, _, 0).
     */
    bool need_wait_is_exact;

    /* To look and then to wait costs less than to wait, when something is
     * ready: waiting begins with work for each fd. */
    bool look_first;

    /* Reports a node with handler_is_edge() once per event, so that nobody
     * need read it. */
    bool knows_edges;

    /*
     * An fd that becomes readable when wait() has something to report, for
     * another loop to wait on; NULL or a negative result: there is none.
     * Unless poll_fd_covers_handlers, what handlers' fds report may come
     * without it, so that loop has to watch each of them too.
     */
    int (*poll_fd)(AioContext *ctx);
    bool poll_fd_covers_handlers;

    /*
     * Let go of fds whose handlers the home thread has just removed: it may
     * close them, and the peer shall notice.  NULL: update() does.  Home
     * thread, not within wait().
     */
    void (*let_go)(AioContext *ctx);
} FDMonBackend;

extern const FDMonBackend fdmon_poll;
extern const FDMonBackend fdmon_epoll;
extern const FDMonBackend fdmon_io_uring; /* refuses, in builds without it */

/* ---- the checked face, used by the loop --------------------------------- */

/* List lock held. */
void fdmon_update(AioContext *ctx, AioHandler *old_node, AioHandler *new_node);
/* Home thread.  fdmon_wait() and fdmon_need_wait() are in context.h. */
void fdmon_let_go(AioContext *ctx);

/* Sets the monitor up if that was not needed so far.  Never fails: poll is
 * always there.  Home thread. */
void fdmon_ensure(AioContext *ctx);

/* Aborts: its wait() has returned what is no number of handlers. */
QEMU_NORETURN void fdmon_bad_count(AioContext *ctx, int ready);

/* A change of monitor that was asked for inside a callback. */
void fdmon_end_of_tick(AioContext *ctx);

/* If disabled externals have changed: recompute node->watch, and look at what
 * their io_poll found meanwhile.  Home thread, ctx->walking held. */
void fdmon_apply_external_slow(AioContext *ctx);

void fdmon_destroy(AioContext *ctx);

#endif
