/*
 * qemu/coroutine_int.h - what a coroutine is made of
 *
 * For schedulers and locks.  A Coroutine lies at the top of its own stack, so
 * that a parked one touches a single page.
 */
#ifndef QEMU_COROUTINE_INT_H
#define QEMU_COROUTINE_INT_H

#include "aioctl/coroutine.h"
#include "qemu/coroutine.h"
#include "qemu/queue.h"

struct ReadyQueue;

/* Aligned to a cache line: a switch to the next ready one touches only the
 * first of the object (of co_queue_wakeup the head is looked at). */
struct Coroutine {
    void *sp;              /* of the parked stack */
    Coroutine *caller;     /* who entered it, NULL when not active */
    AioContext *ctx;       /* atomic: where it was entered last */
    const char *scheduled; /* atomic: who scheduled it, NULL when not */
    QSIMPLEQ_ENTRY(Coroutine) ready_next; /* the loop's, home thread */
    void *entry_arg;
    uint16_t stack_class; /* fixed while the object exists */
    bool canary;          /* no guard below: check at each switch; fixed */
    bool started;         /* has been entered since creation */
    bool entering_woken;  /* its frames include enter_woken() */
    bool arrived;         /* ASan knows already */
    /* Coroutines to enter when this one yields or ends.  Its own thread. */
    QSIMPLEQ_HEAD(, Coroutine) co_queue_wakeup;

    CoroutineEntry *entry;
    struct ReadyQueue *slice; /* whose coroutine it has entered, or NULL */

    QSIMPLEQ_ENTRY(Coroutine) co_queue_next; /* on a queue it waits in */

    /* The loop's, from other threads. */
    QSLIST_ENTRY(Coroutine) co_scheduled_next;

    unsigned locks_held; /* coroutine locks; zero at the end */

    /* The stack.  Fixed while the object exists. */
    char *stack_base;  /* lowest usable byte */
    size_t stack_size; /* up to the end of the stack's memory */
    void *slab;
    QSLIST_ENTRY(Coroutine) pool_next;
    uint32_t uses; /* times it ended, over all its lives */

    /* For reports.  The name is set by aio_co_set_name(). */
    const void *creator; /* the code that called for it */
    const char *name;
    AioCoDescribe *describe;
    void *describe_opaque;

    /* What the checkers know this stack by; unused in ordinary builds. */
    void *fiber;      /* TSan */
    void *fake_stack; /* ASan */
    unsigned valgrind_id;
};

AIOCTL_BEGIN_DECLS

/*
 * The context whose loop runs in the calling thread.  The loop keeps it here
 * (qemu_get_current_aio_context() reads it) because qemu_coroutine_enter()
 * notes it in the coroutine.  Safe in coroutines: reads the thread-local
 * variable afresh.
 */
AioContext *coroutine_thread_context(void);
void coroutine_set_thread_context(AioContext *ctx);

AIOCTL_END_DECLS
#endif
