/*
 * coro/thread.h - what coroutines know about the thread they run in
 */
#ifndef AIOCTL_CORO_THREAD_H
#define AIOCTL_CORO_THREAD_H

#include "qemu/coroutine_int.h"

typedef QSIMPLEQ_HEAD(, Coroutine) CoroutineQueue;

typedef struct CoroutineThread {
    Coroutine *current;       /* &leader outside of coroutines */
    AioContext *ctx;          /* whose loop runs here */
    CoroutineQueue woken;     /* left by the coroutine that just stopped */

    /* Finished coroutines of the default class; count is read by others. */
    QSLIST_HEAD(, Coroutine) cache;
    unsigned cached;          /* atomic */

    Coroutine leader;         /* stands for the thread's own stack */
    bool ready;
    void *fault_stack;        /* see fault.c */
    QLIST_ENTRY(CoroutineThread) next; /* all threads; under the pool's lock */
} CoroutineThread;

/*
 * The calling thread's.  A coroutine must ask again after every switch; but
 * one that has entered another cannot migrate before that returns.
 */
CoroutineThread *coroutine_thread(void);

/* Finds the bounds of the calling thread's own stack. */
void coroutine_measure_leader(Coroutine *leader);

/* When a thread first uses coroutines, and when it ends. */
void coroutine_pool_add_thread(CoroutineThread *thread);
void coroutine_pool_remove_thread(CoroutineThread *thread);
void coroutine_fault_add_thread(CoroutineThread *thread);
void coroutine_fault_remove_thread(CoroutineThread *thread);

#endif
