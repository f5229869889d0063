/*
 * coro/thread.h - what coroutines know about the thread they run in
 */
#ifndef AIOCTL_CORO_THREAD_H
#define AIOCTL_CORO_THREAD_H

#include "qemu/coroutine_int.h"

typedef QSIMPLEQ_HEAD(, Coroutine) CoroutineQueue;

typedef struct CoroutineThread {
    Coroutine *current;      /* &leader outside of coroutines */
    AioContext *ctx;         /* whose loop runs here */
    struct LoopThread *loop; /* home.c's; NULL until a loop has run here */
    CoroutineQueue woken;    /* left by the coroutine that just stopped */

    /* Finished coroutines of the default class; count is read by others. */
    QSLIST_HEAD(, Coroutine) cache;
    unsigned cached; /* atomic */

    Coroutine leader; /* stands for the thread's own stack */
    bool ready;
    void *fault_stack;                 /* see fault.c */
    QLIST_ENTRY(CoroutineThread) next; /* all threads; under the pool's lock */
} CoroutineThread;

/* Only for the function below. */
extern __thread CoroutineThread coroutine_this_thread
    __attribute__((tls_model("initial-exec")));

CoroutineThread *coroutine_thread_slow(void);
CoroutineThread *coroutine_thread_begin(CoroutineThread *thread);

/*
 * The calling thread's.  A coroutine must ask again after every switch; but
 * one that has entered another cannot migrate before that returns.
 *
 * Compilers take the address of a thread-local variable for a constant.  So it
 * is computed by an asm that they must not merge with another, or, where we
 * have none, in a function that is not inlined.
 */
static inline CoroutineThread *coroutine_thread_storage(void)
{
#if defined(__x86_64__) && defined(__LP64__)
    CoroutineThread *thread;

    __asm__ volatile("movq coroutine_this_thread@gottpoff(%%rip), %0\n\t"
                     "addq %%fs:0, %0"
                     : "=r"(thread)
                     :
                     : "cc");
    return thread;
#else
    return coroutine_thread_slow();
#endif
}

/* The same, and coroutines can run in it. */
static inline CoroutineThread *coroutine_thread(void)
{
    CoroutineThread *thread = coroutine_thread_storage();

    return likely(thread->ready) ? thread : coroutine_thread_begin(thread);
}

/* For the last words of a program: its name, else its function and the place
 * where it was created.  Overwritten by the second call after this one. */
const char *coroutine_name(const Coroutine *co);

/* Finds the bounds of the calling thread's own stack. */
void coroutine_measure_leader(Coroutine *leader);

/* When a thread first uses coroutines, and when it ends. */
void coroutine_pool_add_thread(CoroutineThread *thread);
void coroutine_pool_remove_thread(CoroutineThread *thread);
void coroutine_fault_add_thread(CoroutineThread *thread);
void coroutine_fault_remove_thread(CoroutineThread *thread);

#endif
