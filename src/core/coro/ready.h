/*
 * coro/ready.h - the FIFO of ready coroutines, and the slice being run of it
 *
 * The loop (loop/coschedule.c) fills the queue and runs it slice by slice.
 * While it has entered a coroutine of a slice, its own Coroutine names the
 * queue (co->slice).  A coroutine that stops and finds that its caller is
 * running a slice takes the next one of it, and its caller, and switches to it
 * directly; the last one goes back to the caller.  So a slice of n costs n + 1
 * switches instead of 2n.
 *
 * Rule: only entries of aio_co_ready() are taken like this: the others are
 * entered with the context's lock, which the caller takes and drops.
 */
#ifndef AIOCTL_CORO_READY_H
#define AIOCTL_CORO_READY_H

#include "qemu/atomic.h"
#include "qemu/coroutine_int.h"

/* Home thread.  popped also counts the coroutines that were run. */
typedef struct ReadyQueue {
    Coroutine *head; /* linked by ready_next */
    Coroutine *tail;
    uint64_t pushed;
    uint64_t popped;
    uint64_t slice_end; /* as a value of pushed */
    /* How many more slices may follow this one at once. */
    unsigned slices_left;
} ReadyQueue;

/* co->scheduled of those that aio_co_ready() queued; compared by address. */
extern const char ready_queue_name[];

/* Makes all that is ready the next slice, if the iterations of the loop that
 * lie between would have nothing else to do. */
bool ready_queue_next_slice(ReadyQueue *queue);

/* What the switch to @co will touch; its object is in the cache, which that of
 * the one after it should be by then. */
static inline void ready_queue_prefetch(const Coroutine *co)
{
    const char *sp = co->sp;

    __builtin_prefetch(co->ready_next.sqe_next);
    __builtin_prefetch(co->entry_arg);
    __builtin_prefetch(sp);
    __builtin_prefetch(sp + 64);
    __builtin_prefetch(sp + 128);
    __builtin_prefetch(sp + 192);
}

static inline Coroutine *ready_queue_pop(ReadyQueue *queue)
{
    Coroutine *co = queue->head;

    queue->head = co->ready_next.sqe_next;
    queue->popped++;
    if (queue->head) {
        ready_queue_prefetch(queue->head);
    }
    return co;
}

/* The next one that may be switched to directly, or NULL. */
static inline Coroutine *ready_queue_take(ReadyQueue *queue)
{
    if (queue->popped >= queue->slice_end &&
        (!queue->slices_left || !ready_queue_next_slice(queue))) {
        return NULL;
    }
    if (qatomic_read(&queue->head->scheduled) != ready_queue_name) {
        return NULL;
    }
    Coroutine *co = ready_queue_pop(queue);
    qatomic_set(&co->scheduled, NULL);
    return co;
}

#endif
