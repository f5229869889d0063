/*
 * waitq.c - FIFO queues of waiting tasks
 *
 * A waiter lies on the stack of the task that waits and is on the queue exactly
 * while w->queue is set.  Whoever dequeues it has decided how the wait ends: a
 * time-out or a cancel request that arrives in the same moment loses (the
 * request stays pending), so nothing handed over is ever dropped.
 */
#include "task_private.h"

static void waitq_unlink(Waiter *w)
{
    WaitQueue *q = w->queue;

    if (q) {
        *(w->prev ? &w->prev->next : &q->head) = w->next;
        *(w->next ? &w->next->prev : &q->tail) = w->prev;
        w->queue = NULL;
    }
}

void waitq_remove(Waiter *w)
{
    waitq_unlink(w);
    for (Waiter *s = w->sibling; s && s != w; s = s->sibling) {
        waitq_unlink(s);
    }
}

void waitq_append(WaitQueue *q, Waiter *w, LuaTask *t)
{
    w->task = t;
    w->queue = q;
    w->sibling = NULL;
    w->chosen = false;
    w->claim = NULL;
    w->next = NULL;
    w->prev = q->tail;
    *(q->tail ? &q->tail->next : &q->head) = w;
    q->tail = w;
}

ParkResult waitq_wait(WaitQueue *q, Waiter *w, LuaTask *t, int64_t deadline_ns)
{
    waitq_append(q, w, t);
    for (;;) { /* ends when dequeued, late or cancelled */
        ParkResult why = task_park(t, PARK_ON_TASKS, deadline_ns);

        if (!w->queue) {
            if (why == PARK_CANCELLED) {
                task_unreport(t);
            }
            return PARK_WOKEN;
        }
        if (why != PARK_WOKEN) {
            waitq_unlink(w);
            return why;
        }
    }
}

void waitq_wait_uncancellable(WaitQueue *q, Waiter *w, LuaTask *t)
{
    waitq_append(q, w, t);
    while (w->queue) {
        task_park_uncancellable(t, PARK_ON_TASKS);
    }
}

Waiter *waitq_wake_one(WaitQueue *q)
{
    Waiter *w;

    while ((w = q->head)) {
        waitq_remove(w);
        if (likely(!w->claim) || claim_take(w->claim)) {
            w->chosen = true;
            task_wake(w->task);
            break;
        }
    }
    return w;
}

void waitq_wake_all(WaitQueue *q)
{
    while (waitq_wake_one(q)) {
    }
}
