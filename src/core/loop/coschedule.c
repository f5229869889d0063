/*
 * coschedule.c - coroutines that are to run in a context
 *
 * ctx->ready is the home thread's FIFO, drained as the last phase of the tick,
 * a slice at a time.  Other threads push to ctx->co_remote, a lock-free stack
 * that the home thread turns round and appends; it does so before it appends
 * anything of its own, so that the order of causes is kept.
 *
 * A slice is run by the coroutines themselves: one that stops switches to the
 * next (coro/ready.h), and the last one back to coschedule_run().
 *
 * co->scheduled names who put the coroutine there; whoever sets it first wins,
 * the second aborts.  It is cleared before the coroutine is entered.
 *
 * Rule: a coroutine is on exactly one of the two queues, of one context,
 * exactly while co->scheduled is set.
 */
#include "coro/thread.h"
#include "loop/context.h"
#include "qemu/atomic.h"

/* Those that do not need the context's lock. */
const char ready_queue_name[] = "aio_co_ready";

/* ---- queueing ----------------------------------------------------------- */

static void ready_append(ReadyQueue *queue, Coroutine *co)
{
    co->ready_next.sqe_next = NULL;
    if (queue->head) {
        queue->tail->ready_next.sqe_next = co;
    } else {
        queue->head = co;
    }
    queue->tail = co;
    queue->pushed++;
}

static void absorb_remote(AioContext *ctx)
{
    Coroutine *oldest_first = NULL;
    Coroutine *co = qatomic_xchg(&ctx->co_remote, NULL);

    while (co) {
        Coroutine *next = co->co_scheduled_next.sle_next;
        co->co_scheduled_next.sle_next = oldest_first;
        oldest_first = co;
        co = next;
    }
    while (oldest_first) {
        Coroutine *next = oldest_first->co_scheduled_next.sle_next;
        ready_append(&ctx->ready, oldest_first);
        oldest_first = next;
    }
}

static void ready_push(AioContext *ctx, Coroutine *co)
{
    if (unlikely(qatomic_read(&ctx->co_remote))) {
        absorb_remote(ctx);
    }
    ready_append(&ctx->ready, co);
}

static void remote_push(AioContext *ctx, Coroutine *co)
{
    Coroutine *first = qatomic_read(&ctx->co_remote);

    do {
        co->co_scheduled_next.sle_next = first;
        /* Pairs with the exchange in absorb_remote(): publishes what @co is
         * to do. */
    } while (!__atomic_compare_exchange_n(&ctx->co_remote, &first, co, true,
                                          __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static void scheduled_twice(Coroutine *co, const char *by)
{
    check_failedf(__FILE__, __LINE__, "!co->scheduled",
                  "coroutine '%s' was already scheduled in '%s'",
                  coroutine_name(co), by);
}

void aio_co_ready(AioContext *ctx, Coroutine *co)
{
    const char *by = qatomic_read(&co->scheduled);

    DCHECK(aio_context_in_home_thread(ctx));
    if (unlikely(by)) {
        scheduled_twice(co, by);
    }
    qatomic_set(&co->scheduled, ready_queue_name);
    ready_push(ctx, co);
    notify_interrupted(ctx); /* a GSource that has been prepared */
}

void aio_co_schedule(AioContext *ctx, Coroutine *co)
{
    const char *by = qatomic_cmpxchg(&co->scheduled, (const char *)NULL,
                                     (const char *)__func__);

    if (unlikely(by)) {
        scheduled_twice(co, by);
    }
    if (context_is_home(ctx)) {
        ready_push(ctx, co);
        notify_interrupted(ctx);
        return;
    }
    context_visit(ctx);
    remote_push(ctx, co);
    aio_notify(ctx);
    context_end_visit(ctx);
}

/* ---- running ------------------------------------------------------------ */

bool ready_queue_next_slice(ReadyQueue *queue)
{
    AioContext *ctx = container_of(queue, AioContext, ready);

    if (!queue->head || !tick_would_be_idle(ctx)) {
        return false;
    }
    queue->slices_left--;
    queue->slice_end = queue->pushed;
    ctx->stats.iterations++;
    return true;
}

/* @co and, when it stops, those that follow it. */
static void resume(AioContext *ctx, Coroutine *self, Coroutine *co)
{
    /* Acquire: pairs with the exchange of aio_co_schedule(). */
    const char *by = qatomic_load_acquire(&co->scheduled);

    qatomic_set(&co->scheduled, NULL);
    if (by == ready_queue_name) {
        self->slice = &ctx->ready;
        qemu_aio_coroutine_enter(ctx, co);
    } else {
        self->slice = NULL;
        aio_context_acquire(ctx);
        qemu_aio_coroutine_enter(ctx, co);
        aio_context_release(ctx);
    }
}

static void run_slice(AioContext *ctx, unsigned more)
{
    ReadyQueue *queue = &ctx->ready;
    Coroutine *self = qemu_coroutine_self();
    ReadyQueue *outer_queue = self->slice;
    uint64_t outer_end = queue->slice_end;
    unsigned outer_left = queue->slices_left;

    queue->slice_end = queue->pushed;
    queue->slices_left = more;
    /* Ends: the end moves slices_left times, popped always (also by nested
     * calls). */
    while (queue->popped < queue->slice_end) {
        resume(ctx, self, ready_queue_pop(queue));
    }
    self->slice = outer_queue;
    queue->slice_end = outer_end;
    queue->slices_left = outer_left;
}

bool coschedule_run(AioContext *ctx, unsigned more)
{
    if (unlikely(qatomic_read(&ctx->co_remote))) {
        absorb_remote(ctx);
    }
    if (!ctx->ready.head) {
        return false;
    }
    run_slice(ctx, more);
    return true;
}

void coschedule_destroy(AioContext *ctx)
{
    Coroutine *co = ctx->ready.head ? ctx->ready.head : ctx->co_remote;

    CHECKF(!co,
           "a context that is being destroyed still has coroutine '%s' "
           "scheduled in '%s'",
           coroutine_name(co), co->scheduled);
}

/* ---- entering ----------------------------------------------------------- */

static void queue_or_enter(AioContext *ctx, Coroutine *co)
{
    if (qemu_in_coroutine()) {
        Coroutine *self = qemu_coroutine_self();

        CHECKF(self != co, "coroutine '%s' enters itself", coroutine_name(co));
        QSIMPLEQ_INSERT_TAIL(&self->co_queue_wakeup, co, co_queue_next);
    } else if (ctx) {
        aio_context_acquire(ctx);
        qemu_aio_coroutine_enter(ctx, co);
        aio_context_release(ctx);
    } else {
        qemu_coroutine_enter(co);
    }
}

/*
 * Several contexts may live in one thread.  A coroutine must find its own to be
 * the current one, so it is entered only where that is so; and what a coroutine
 * has queued on itself is entered in that one's context.
 */
static bool is_turn_of(AioContext *ctx)
{
    AioContext *shown = ctx->shown_as ? ctx->shown_as : ctx;

    return context_is_home(ctx) && qemu_get_current_aio_context() == shown &&
           (!qemu_in_coroutine() ||
            qemu_coroutine_get_aio_context(qemu_coroutine_self()) == ctx);
}

void aio_co_enter(AioContext *ctx, Coroutine *co)
{
    if (unlikely(!ctx)) {
        /* It last ran in a thread without a context: this one, then. */
        CHECKF(!qemu_get_current_aio_context(),
               "coroutine '%s' has not run in a context yet: enter it with "
               "aio_co_enter()",
               coroutine_name(co));
        queue_or_enter(NULL, co);
    } else if (is_turn_of(ctx)) {
        queue_or_enter(ctx, co);
    } else {
        aio_co_schedule(ctx, co);
    }
}

void aio_co_wake(Coroutine *co)
{
    aio_co_enter(qemu_coroutine_get_aio_context(co), co);
}

typedef struct Move {
    AioContext *to;
    Coroutine *co;
} Move;

static void move_after_yield(void *opaque)
{
    Move *move = opaque;

    aio_co_schedule(move->to, move->co);
}

void coroutine_fn aio_co_reschedule_self(AioContext *new_ctx)
{
    AioContext *old_ctx = qemu_get_current_aio_context();

    if (old_ctx == new_ctx) {
        return;
    }
    CHECKF(old_ctx, "a coroutine moves from a thread without a context");
    /* Not before we have yielded, lest the new home enters us running. */
    Move move = {.to = new_ctx, .co = qemu_coroutine_self()};
    aio_bh_schedule_oneshot(old_ctx, move_after_yield, &move);
    qemu_coroutine_yield();
}
