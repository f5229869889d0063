/*
 * qemu/coroutine-core.h - create, enter, yield
 *
 * A coroutine is a function with a C stack of its own.  Entering one switches
 * to that stack until it yields or ends; yielding switches back to whoever
 * entered it.  It may be entered by another thread next time, provided that it
 * has yielded.
 */
#ifndef QEMU_COROUTINE_CORE_H
#define QEMU_COROUTINE_CORE_H

#include "qemu/osdep.h"

typedef void coroutine_fn CoroutineEntry(void *opaque);

AIOCTL_BEGIN_DECLS

/*
 * qemu_coroutine_create: a coroutine that will run entry(opaque)
 *
 * It starts when first entered and is freed when @entry returns.  Its stack is
 * 1 MiB.  Aborts when no stack can be had; aio_co_new() reports instead.
 */
Coroutine *qemu_coroutine_create(CoroutineEntry *entry, void *opaque);

/*
 * qemu_coroutine_enter: run @coroutine until it yields or ends
 *
 * Aborts when it is running already, or scheduled on a context.  Coroutines
 * that it woke meanwhile (see aio_co_enter()) run before this returns,
 * depth-first, without growing the stack.
 */
void qemu_coroutine_enter(Coroutine *coroutine);

/* The same, doing nothing when the coroutine is already active. */
void qemu_coroutine_enter_if_inactive(Coroutine *co);

/* The same as enter, with @ctx noted as the context @co belongs to. */
void qemu_aio_coroutine_enter(AioContext *ctx, Coroutine *co);

/* Go back to the one who entered this coroutine.  Aborts outside of one. */
void coroutine_fn qemu_coroutine_yield(void);

/* The context @co was last entered in; any thread. */
AioContext *qemu_coroutine_get_aio_context(Coroutine *co);

/* The running coroutine; outside of coroutines an object that stands for the
 * thread itself. */
Coroutine *qemu_coroutine_self(void);

bool qemu_in_coroutine(void);

/* True from enter until the matching yield or end, also while it waits for a
 * coroutine it entered itself. */
bool qemu_coroutine_entered(Coroutine *co);

AIOCTL_END_DECLS
#endif
