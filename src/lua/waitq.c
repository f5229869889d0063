/*
 * waitq.c - FIFO queues of waiting tasks
 *
 * A waiter lies on the stack of the task that waits and is on the queue exactly
 * while w->queue is set.  Whoever dequeues it has decided how the wait ends: a
 * time-out or a cancel request that arrives in the same moment loses (the
 * request stays pending), so nothing handed over is ever dropped.
 */
#include "task_private.h"

static void waitq_remove(Waiter *w)
{
    WaitQueue *q = w->queue;

    *(w->prev ? &w->prev->next : &q->head) = w->next;
    *(w->next ? &w->next->prev : &q->tail) = w->prev;
    w->queue = NULL;
}

ParkResult waitq_wait(WaitQueue *q, Waiter *w, LuaTask *t, int64_t deadline_ns)
{
    w->task = t;
    w->queue = q;
    w->next = NULL;
    w->prev = q->tail;
    *(q->tail ? &q->tail->next : &q->head) = w;
    q->tail = w;
    for (;;) { /* ends when dequeued, late or cancelled */
        ParkResult why = task_park(t, PARK_ON_TASKS, deadline_ns);

        if (!w->queue) {
            if (why == PARK_CANCELLED) {
                task_unreport(t);
            }
            return PARK_WOKEN;
        }
        if (why != PARK_WOKEN) {
            waitq_remove(w);
            return why;
        }
    }
}

Waiter *waitq_wake_one(WaitQueue *q)
{
    Waiter *w = q->head;

    if (w) {
        waitq_remove(w);
        task_wake(w->task);
    }
    return w;
}

void waitq_wake_all(WaitQueue *q)
{
    while (waitq_wake_one(q)) {
    }
}
