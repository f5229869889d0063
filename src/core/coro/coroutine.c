/*
 * coro/coroutine.c - enter, yield, end
 *
 * Every coroutine's stack runs coroutine_main() for ever: call the function,
 * switch back, and when the object is reused go round again.
 *
 * The chain of callers is a stack: the running coroutine's caller entered it,
 * and so on up to the thread's leader.  Nobody on the chain can be entered or
 * migrate; so enter() may keep its CoroutineThread over the switch, while
 * yield() must not.
 *
 * Wake-ups: a coroutine that wakes others of its own context queues them on
 * itself (co_queue_wakeup).  When it stops, it leaves the queue in the thread's
 * `woken`, and one loop on its caller's stack (enter_woken) runs them, those
 * left last first: depth-first, and no deeper stack however long the chain.
 * (The coroutine's own memory is not looked at any more: having yielded, it may
 * be running elsewhere.)
 *
 * A coroutine that stops while its caller runs a slice of ready ones goes on
 * with the next of these in place of the caller (next_of_slice();
 * coro/ready.h).
 *
 * Both switches of the usual round, enter and yield, are the last thing their
 * functions do: so they compile to jumps, and what remains to be done after a
 * stack was left (freeing it, entering woken ones) is given to
 * coro_switch_call(), to be done on the caller's stack.
 */
#include "base/check.h"
#include "base/symbol.h"
#include "coro/checkers.h"
#include "coro/pool.h"
#include "coro/ready.h"
#include "coro/stack.h"
#include "coro/switch.h"
#include "coro/thread.h"
#include "qapi/error.h"

/* ---- reports ------------------------------------------------------------- */

const char *coroutine_name(const Coroutine *co)
{
    static char texts[2][300];
    static unsigned last;
    if (co->name) {
        return co->name;
    }
    if (!co->entry) {
        return "of the thread's own stack";
    }
    char *text = texts[__atomic_fetch_add(&last, 1, __ATOMIC_RELAXED) % 2];
    snprintf(text, sizeof(texts[0]), "%s, created at %s",
             symbol_name((const void *)(uintptr_t)co->entry),
             symbol_name(co->creator));
    return text;
}

static QEMU_NOINLINE void check_canary(const Coroutine *co)
{
    CHECKF(stack_canary_ok(co->stack_base),
           "coroutine '%s' overflowed its C stack (%zu KiB)",
           coroutine_name(co), co->stack_size >> 10);
}

/* Before a switch. */
static inline void depart(CoroutineThread *thread, Coroutine *from,
                          Coroutine *to)
{
    if (unlikely(from->canary)) {
        check_canary(from);
    }
    thread->current = to;
    checker_leave(from, to);
}

/* ---- enter -------------------------------------------------------------- */

static inline void check_not_active(const Coroutine *co)
{
    CHECKF(!co->caller, "coroutine '%s' re-entered recursively",
           coroutine_name(co));
}

static inline void check_enterable(const Coroutine *co)
{
    const char *scheduled = qatomic_read(&co->scheduled);
    CHECKF(!scheduled, "coroutine '%s' was already scheduled in '%s'",
           coroutine_name(co), scheduled);
    check_not_active(co);
}

/* Runs @co until it stops.  What it woke was entered, too, unless @self is
 * running enter_woken() already. */
static inline void enter_in(CoroutineThread *thread, AioContext *ctx,
                            Coroutine *co)
{
    Coroutine *self = thread->current;
    check_enterable(co);
    co->caller = self;
    /* Whoever hands co to another thread does so with release order. */
    qatomic_set(&co->ctx, ctx);
    depart(thread, self, co);
    coro_switch(&self->sp, co->sp);
    checker_arrive(self);
}

/* The coroutines that the one just left has woken, and those they wake. */
static void enter_woken(CoroutineThread *thread, Coroutine *self,
                        AioContext *ctx)
{
    CoroutineQueue pending = QSIMPLEQ_HEAD_INITIALIZER(pending);
    struct ReadyQueue *slice = self->slice;
    self->slice = NULL; /* those woken come back here */
    self->entering_woken = true;
    QSIMPLEQ_CONCAT(&pending, &thread->woken);
    while (!QSIMPLEQ_EMPTY(&pending)) {
        Coroutine *co = QSIMPLEQ_FIRST(&pending);
        QSIMPLEQ_REMOVE_HEAD(&pending, co_queue_next);
        enter_in(thread, ctx, co);
        QSIMPLEQ_PREPEND(&pending, &thread->woken);
    }
    self->entering_woken = false;
    self->slice = slice;
}

/* ---- stop --------------------------------------------------------------- */

/* On the caller's stack, after a coroutine of the context @opaque yielded
 * that had woken others. */
static void after_yield(void *opaque)
{
    CoroutineThread *thread = coroutine_thread();
    Coroutine *self = thread->current;
    checker_arrive(self);
    enter_woken(thread, self, opaque);
    checker_arrived(self);
}

/* On the caller's stack, or that of the next of the slice, after @opaque ended.
 */
static void after_end(void *opaque)
{
    CoroutineThread *thread = coroutine_thread();
    Coroutine *self = thread->current, *co = opaque;
    AioContext *ctx = co->ctx;
    checker_arrive(self);
    CHECKF(co->locks_held == 0, "coroutine '%s' ended holding %u locks",
           coroutine_name(co), co->locks_held);
    qatomic_set(&co->scheduled, "nowhere: it has ended");
    pool_put(thread, co);
    if (unlikely(!QSIMPLEQ_EMPTY(&thread->woken) && !self->entering_woken)) {
        enter_woken(thread, self, ctx);
    }
    checker_arrived(self);
}

static inline Coroutine *caller_of(const Coroutine *self)
{
    CHECKF(self->caller, "coroutine '%s' yields to nobody: it was not entered",
           coroutine_name(self));
    return self->caller;
}

/* The one to switch to instead of @caller, as if that had entered it; else
 * @caller. */
static inline Coroutine *next_of_slice(Coroutine *self, Coroutine *caller)
{
    Coroutine *next = caller->slice ? ready_queue_take(caller->slice) : NULL;
    if (!next || next == self) {
        return next ? next : caller;
    }
    check_not_active(next);
    next->caller = caller;
    qatomic_set(&next->ctx, self->ctx);
    return next;
}

/* The running coroutine is about to go back to its caller, which is returned.
 */
static inline Coroutine *prepare_to_leave(CoroutineThread *thread,
                                          Coroutine *self)
{
    Coroutine *to = caller_of(self);
    self->caller = NULL;
    depart(thread, self, to);
    return to;
}

static QEMU_NOINLINE void yield_and_wake(CoroutineThread *thread,
                                         Coroutine *self)
{
    AioContext *ctx = self->ctx;
    Coroutine *to = prepare_to_leave(thread, self);
    QSIMPLEQ_CONCAT(&thread->woken, &self->co_queue_wakeup);
    if (to->entering_woken) {
        coro_switch(&self->sp, to->sp);
    } else {
        coro_switch_call(&self->sp, to->sp, after_yield, ctx);
    }
    checker_arrive(self);
}

/* To the next one of the slice that @caller runs, if there is one. */
static QEMU_NOINLINE void yield_in_slice(CoroutineThread *thread,
                                         Coroutine *self, Coroutine *caller)
{
    Coroutine *to = next_of_slice(self, caller);
    if (to == self) {
        return; /* nobody else was ready */
    }
    self->caller = NULL;
    depart(thread, self, to);
    if (to != caller) {
        coro_switch_peer(&self->sp, to->sp);
    } else {
        coro_switch(&self->sp, to->sp);
    }
    checker_arrive(self);
}

/* The usual way saves no registers of its own: whatever makes calls is left to
 * other functions. */
void coroutine_fn qemu_coroutine_yield(void)
{
    CoroutineThread *thread = coroutine_thread();
    Coroutine *self = thread->current;
    if (unlikely(!QSIMPLEQ_EMPTY(&self->co_queue_wakeup))) {
        yield_and_wake(thread, self);
        return;
    }
    Coroutine *caller = caller_of(self);
    if (caller->slice || unlikely(self->canary)) {
        yield_in_slice(thread, self, caller);
        return;
    }
    self->caller = NULL;
    depart(thread, self, caller);
    coro_switch(&self->sp, caller->sp);
    checker_arrive(self);
}

static inline void end(Coroutine *self)
{
    CoroutineThread *thread = coroutine_thread();
    Coroutine *to = caller_of(self);
    const char *scheduled = qatomic_read(&self->scheduled);
    CHECKF(!scheduled, "coroutine '%s' ended while scheduled in '%s'",
           coroutine_name(self), scheduled);
    if (unlikely(!QSIMPLEQ_EMPTY(&self->co_queue_wakeup))) {
        QSIMPLEQ_CONCAT(&thread->woken, &self->co_queue_wakeup);
    } else {
        to = next_of_slice(self, to);
    }
    self->caller = NULL;
    depart(thread, self, to);
    coro_switch_call(&self->sp, to->sp, after_end, self);
    checker_arrive(self);
}

static void coroutine_main(void *opaque)
{
    Coroutine *self = opaque;
    checker_arrive(self);
    for (;;) {
        self->started = true;
        self->entry(self->entry_arg);
        end(self);
    }
}

void qemu_aio_coroutine_enter(AioContext *ctx, Coroutine *co)
{
    enter_in(coroutine_thread(), ctx, co);
}

void qemu_coroutine_enter(Coroutine *coroutine)
{
    CoroutineThread *thread = coroutine_thread();
    enter_in(thread, thread->ctx, coroutine);
}

void qemu_coroutine_enter_if_inactive(Coroutine *co)
{
    if (!qemu_coroutine_entered(co)) {
        qemu_coroutine_enter(co);
    }
}

/* ---- creation ----------------------------------------------------------- */

static inline Coroutine *create(unsigned cls, CoroutineEntry *entry,
                                void *opaque, const void *creator, Error **errp)
{
    Coroutine *co = pool_get(coroutine_thread(), cls, coroutine_main, errp);
    if (unlikely(!co)) {
        return NULL;
    }
    co->entry = entry;
    co->entry_arg = opaque;
    co->creator = creator;
    co->ctx = NULL;
    co->scheduled = NULL;
    co->started = false;
    co->name = NULL;
    co->describe = NULL;
    return co;
}

Coroutine *qemu_coroutine_create(CoroutineEntry *entry, void *opaque)
{
    Coroutine *co =
        create(STACK_DEFAULT_CLASS, entry, opaque, CALLER_ADDRESS, NULL);
    CHECKF(co,
           "no address space for a C stack of %zu KiB (see ulimit -v, "
           "vm.overcommit_memory and vm.max_map_count)",
           stack_class_size(STACK_DEFAULT_CLASS) >> 10);
    return co;
}

Coroutine *aio_co_new(CoroutineEntry *entry, void *opaque, size_t stack_size,
                      Error **errp)
{
    int cls = stack_class_for(stack_size);
    if (cls < 0) {
        error_setg(errp,
                   "coroutine: a C stack of %zu KiB is too large (at most "
                   "%zu KiB)",
                   stack_size >> 10, stack_class_size(STACK_CLASSES - 1) >> 10);
        return NULL;
    }
    return create((unsigned)cls, entry, opaque, CALLER_ADDRESS, errp);
}

void aio_co_discard(Coroutine *co)
{
    CHECKF(!co->started, "coroutine '%s' discarded after it was entered",
           coroutine_name(co));
    CHECKF(!qatomic_read(&co->scheduled),
           "coroutine '%s' discarded while scheduled in '%s'",
           coroutine_name(co), co->scheduled);
    pool_put(coroutine_thread(), co);
}

/* ---- questions ---------------------------------------------------------- */

Coroutine *qemu_coroutine_self(void)
{
    return coroutine_thread()->current;
}

void *aio_co_self_opaque(CoroutineEntry *entry)
{
    const Coroutine *self = coroutine_thread()->current;
    return self->entry == entry ? self->entry_arg : NULL;
}

bool qemu_in_coroutine(void)
{
    CoroutineThread *thread = coroutine_thread();
    return thread->current != &thread->leader;
}

bool qemu_coroutine_entered(Coroutine *co)
{
    return co->caller != NULL;
}

AioContext *qemu_coroutine_get_aio_context(Coroutine *co)
{
    return qatomic_read(&co->ctx);
}

void aio_co_set_name(Coroutine *co, const char *name, AioCoDescribe *describe,
                     void *opaque)
{
    co->name = name;
    co->describe = describe;
    co->describe_opaque = opaque;
}

/* The bounds of a thread's own stack are found at the first question. */
static void know_bounds(const Coroutine *co)
{
    CoroutineThread *thread = coroutine_thread();
    if (co == &thread->leader && !co->stack_base) {
        coroutine_measure_leader(&thread->leader);
    }
}

void aio_co_stack(const Coroutine *co, void **base, size_t *size)
{
    know_bounds(co);
    *base = co->stack_base;
    *size = co->stack_size;
}

size_t aio_co_stack_left(void)
{
    const char *here = __builtin_frame_address(0);
    const Coroutine *self = coroutine_thread()->current;
    know_bounds(self);
    return self->stack_base && here > self->stack_base
               ? (size_t)(here - self->stack_base)
               : 0;
}
