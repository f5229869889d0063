/*
 * task.h - Lua tasks: coroutines of the loop, each with its own C stack
 *
 * What a binding needs in order to wait.  The pattern:
 *
 *     LuaTask *t = task_check_can_park(L);       (raises when it may not)
 *     ... link yourself into a queue, or submit a request ...
 *     while (!done) {
 *         why = task_park(t, deadline);
 *         if (why != PARK_WOKEN) { unlink, or ask to cancel and go on }
 *     }
 *     if (why == PARK_CANCELLED) task_throw_cancel(L, t);
 *
 * Between check and park nothing may raise.  A wake is never lost: task_wake()
 * on a task that is not parked yet makes its next task_park() return at once.
 * Spurious wake-ups do not happen, but the loop above costs nothing.
 */
#ifndef TASK_H
#define TASK_H

#include "alua.h"

typedef enum ParkResult {
    PARK_WOKEN,
    PARK_TIMEOUT,   /* @deadline passed */
    PARK_CANCELLED, /* once per request; then call task_throw_cancel() */
} ParkResult;

/* Who can end this wait: decides what the deadlock check believes. */
typedef enum ParkKind {
    PARK_ON_WORLD, /* I/O in flight, a signal, another thread */
    PARK_ON_TASKS, /* a channel, a join, a waker: only tasks can end it */
} ParkKind;

/*
 * task_check_can_park: the running task, or an error saying why parking is
 * refused: not in a task, in a callback (named), in a finalizer, or the calling
 * lua_State is not the task's innermost one.  Also raises a pending cancel that
 * was not delivered yet.
 */
LuaTask *task_check_can_park(lua_State *L);

/* @deadline_ns: absolute, QEMU_CLOCK_REALTIME; -1 = none. */
ParkResult task_park(LuaTask *t, ParkKind kind, int64_t deadline_ns);

/* The same, deaf to cancel requests (they stay pending): for reaping. */
void task_park_uncancellable(LuaTask *t, ParkKind kind);

/* Home thread: queue @t to run (FIFO with all other wake-ups). */
void task_wake(LuaTask *t);

/* Raises the cancellation error; does not return. */
_Noreturn void task_throw_cancel(lua_State *L, LuaTask *t);

/* now + ns, saturating; -1 stays -1. */
int64_t task_deadline(int64_t timeout_ns);

AioContext *task_context(const LuaTask *t);

/* The chain of requests that aio.batch() put @t into, or NULL: for
 * AioRequest.chain. */
struct AioChain *task_chain(const LuaTask *t);

/* A number that no other task of the VM has or had; never 0. */
uint64_t task_id(const LuaTask *t);

/* ---- wakers: aio.park() ended from anywhere ----------------------------- */

typedef struct LuaWaker LuaWaker;

LuaWaker *waker_check(lua_State *L, int arg); /* borrowed */
/* Any thread.  While such a reference to a living task's waker exists, parked
 * tasks are no deadlock: give it up when it will not be fired any more. */
LuaWaker *waker_ref(LuaWaker *w);
void waker_unref(LuaWaker *w);
void waker_fire(LuaWaker *w);

/* ---- FIFO queues of waiting tasks (channels, semaphores, ...) ----------- */

/* Of a wait that other threads may end, too: whoever takes it first does
 * (sharedselect.c).  NULL in waiters that only this thread wakes. */
typedef struct SharedClaim {
    bool taken; /* under a lock of its own */
} SharedClaim;

bool claim_take(SharedClaim *claim); /* any thread; true once */

typedef struct WaitQueue WaitQueue;
typedef struct Waiter {
    LuaTask *task;
    WaitQueue *queue; /* NULL once dequeued */
    struct Waiter *prev, *next;
    struct Waiter *sibling; /* ring of one task's waiters, or NULL: alone */
    SharedClaim *claim;     /* set after waitq_append(), or NULL */
    bool chosen;            /* dequeued by a waker, not by its own task */
    void *slot; /* the waiter's own: where a handed-over value goes */
} Waiter;
struct WaitQueue {
    Waiter *head, *tail;
};

/*
 * waitq_wait: append and park until dequeued, cancelled or late.
 * @w lives on the caller's stack; unlinked on return whatever happened.
 */
ParkResult waitq_wait(WaitQueue *q, Waiter *w, LuaTask *t, int64_t deadline_ns);
/* The same for ever, deaf to cancel requests. */
void waitq_wait_uncancellable(WaitQueue *q, Waiter *w, LuaTask *t);

/*
 * A wait in several queues at once: append each waiter, link them in a ring by
 * ->sibling, park.  The first that a waker dequeues is the chosen one and takes
 * its siblings out of their queues, so that at most one is ever served.
 */
void waitq_append(WaitQueue *q, Waiter *w, LuaTask *t);
/* Take @w and its siblings out of their queues; nothing where they are not. */
void waitq_remove(Waiter *w);

/* Dequeue and wake the first waiter that nobody else has served; NULL when
 * there is none. */
Waiter *waitq_wake_one(WaitQueue *q);
void waitq_wake_all(WaitQueue *q);

#endif
