/*
 * fdmon_io_uring.h - the polls of the io_uring monitor
 *
 * uring_polls.c keeps, per handler, what the kernel was asked to poll in step
 * with what is wanted; fdmon_io_uring.c is the monitor around it.
 */
#ifndef LOOP_FDMON_IO_URING_H
#define LOOP_FDMON_IO_URING_H

#include "loop/ring.h"

#ifdef CONFIG_LINUX_IO_URING

typedef struct FDMonUringState {
    AioHandlerList *ready_list; /* of the wait() in progress */
    int ready_count;
    AioHandler *todo, **todo_tail;
    AioHandler *dying; /* doubly linked */
    unsigned generation;

    EventNotifier signal;       /* see poll_fd */
    unsigned signal_generation; /* of the ring that signals it, + 1 */

    /* List lock; the count is also read without it. */
    AioHandler **changed;
    unsigned changed_count, changed_size;
} FDMonUringState;

/* update() of the monitor. */
void uring_polls_note(AioContext *ctx, AioHandler *old_node,
                      AioHandler *new_node);

/* Queues the submissions that make the kernel watch what is wanted.  Notifiers
 * that are still set become ready. */
void uring_polls_flush(AioContext *ctx, FDMonUringState *state, Ring *ring);

/* The completion of a poll. */
void uring_polls_done(AioContext *ctx, void *ptr, int32_t res, uint32_t flags);

/* The ring is gone, and its polls with it. */
void uring_polls_forget(AioContext *ctx, FDMonUringState *state);

/* Releases all removed nodes without asking a ring, after forget. */
void uring_polls_release(AioContext *ctx, FDMonUringState *state);

#endif
#endif
