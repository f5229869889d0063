/*
 * context.c - the life of a context, its settings and its statistics
 *
 * Destruction goes in the reverse order of dependence: file engines (their
 * hooks) while handlers and bottom halves still work, coroutines, bottom
 * halves, timers, handlers, monitor, notifier.  What the owner forgot is named,
 * and the program aborts: it would be called back later with freed memory.
 *
 * Rule: an invalid setting changes nothing and sets an Error that names the
 * value and the range.  Any thread may set; the loop reads single values.
 */
#include <sched.h>

#include "coro/thread.h"
#include "base/fork.h"
#include "base/symbol.h"
#include "loop/context.h"
#include "loop/timerlist.h"
#include "qemu/atomic.h"

/* ---- life --------------------------------------------------------------- */

static void timers_changed(void *opaque, QEMUClockType type)
{
    AioContext *ctx = opaque;

    if (context_is_home(ctx)) {
        notify_interrupted(ctx);
    } else {
        aio_notify(ctx);
    }
}

/* Threads of the pool mostly wait for disks: more than processors, but not a
 * crowd that fights over a few. */
static int default_thread_pool_max(void)
{
    enum { MIN_THREADS = 16, PER_CPU = 4, MAX_THREADS = 64 };
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0) {
        return MAX_THREADS; /* more than 1024 processors */
    }
    return MIN(MAX_THREADS, MAX(MIN_THREADS, PER_CPU * CPU_COUNT(&cpus)));
}

void aio_context_setup(AioContext *ctx)
{
    ctx->refcnt = 1;
    fork_watch();
    ctx->fork_count = fork_count;
    ctx->thread_pool_max = default_thread_pool_max();
    QTAILQ_INIT(&ctx->bh_all);
    handler_setup(ctx);
    qemu_rec_mutex_init(&ctx->lock);
    timerlistgroup_init(&ctx->tlg, timers_changed, ctx);
    for (int type = 0; type < QEMU_CLOCK_MAX; type++) {
        ctx->tlg.tl[type]->ctx = ctx;
    }
}

AioContext *aio_context_new(Error **errp)
{
    AioContext *ctx = check_calloc(1, sizeof(*ctx));

    aio_context_setup(ctx);
    if (!notify_setup(ctx, errp)) {
        timerlistgroup_deinit(&ctx->tlg);
        qemu_rec_mutex_destroy(&ctx->lock);
        handler_destroy(ctx);
        free(ctx);
        return NULL;
    }
    return ctx;
}

void context_visit(AioContext *ctx)
{
    qatomic_inc(&ctx->visitors);
}

void context_end_visit(AioContext *ctx)
{
    __atomic_fetch_sub(&ctx->visitors, 1, __ATOMIC_RELEASE);
}

/* Ends: whoever visits has queued something and writes to an eventfd now.  In a
 * child those who visited have stayed in the parent. */
static void wait_for_visitors(AioContext *ctx)
{
    while (qatomic_load_acquire(&ctx->visitors) &&
           ctx->fork_count == fork_count) {
        sched_yield();
    }
}

void aio_context_destroy(AioContext *ctx)
{
    wait_for_visitors(ctx);
    CHECKF(ctx->depth == 0, "a context is destroyed inside of its own "
                            "aio_poll()");
    CHECKF(aio_context_in_home_thread(ctx) || !ctx->ring,
           "a context with a ring is destroyed outside of its home thread");
    while (ctx->hook_count > 0) {
        const ContextHook *hook = ctx->hooks[--ctx->hook_count];

        if (hook->destroy) {
            hook->destroy(ctx);
        }
    }
    coschedule_destroy(ctx);
    bh_destroy(ctx);
    timerlistgroup_deinit(&ctx->tlg);
    notify_destroy(ctx);
    fdmon_destroy(ctx);
    handler_destroy(ctx);
    CHECKF(ctx->lock_depth == 0,
           "a context is destroyed while somebody has acquired it");
    qemu_rec_mutex_destroy(&ctx->lock);
    context_drop_home(ctx);
}

void aio_context_ref(AioContext *ctx)
{
    int old = qatomic_fetch_inc(&ctx->refcnt);

    CHECKF(old > 0, "a context is referenced that has been destroyed");
}

void aio_context_unref(AioContext *ctx)
{
    int old = qatomic_fetch_dec(&ctx->refcnt);

    CHECKF(old > 0, "a context is given back without a reference to it");
    if (old == 1) {
        aio_context_destroy(ctx);
        free(ctx);
    }
}

void aio_context_acquire(AioContext *ctx)
{
    qemu_rec_mutex_lock(&ctx->lock);
    if (ctx->lock_depth++ == 0) {
        qatomic_set(&ctx->lock_owner, (const void *)coroutine_thread());
    }
}

void aio_context_release(AioContext *ctx)
{
    CHECKF(qatomic_read(&ctx->lock_owner) == (const void *)coroutine_thread(),
           "aio_context_release() in a thread that has not acquired it");
    if (--ctx->lock_depth == 0) {
        qatomic_set(&ctx->lock_owner, NULL);
    }
    qemu_rec_mutex_unlock(&ctx->lock);
}

unsigned context_lock_depth(AioContext *ctx)
{
    bool mine = qatomic_read(&ctx->lock_owner) == coroutine_thread();

    return mine ? ctx->lock_depth : 0;
}

/* ---- hooks -------------------------------------------------------------- */

void context_add_hook(AioContext *ctx, const ContextHook *hook)
{
    for (unsigned i = 0; i < ctx->hook_count; i++) {
        if (ctx->hooks[i] == hook) {
            return;
        }
    }
    CHECK(ctx->hook_count < CONTEXT_HOOKS_MAX);
    ctx->hooks[ctx->hook_count++] = hook;
}

void context_run_before_wait(AioContext *ctx)
{
    for (unsigned i = 0; i < ctx->hook_count; i++) {
        if (ctx->hooks[i]->before_wait) {
            ctx->hooks[i]->before_wait(ctx);
        }
    }
}

/* ---- timers of a context ------------------------------------------------ */

QEMUTimer *aio_timer_new_with_attrs(AioContext *ctx, QEMUClockType type,
                                    int scale, int attributes, QEMUTimerCB *cb,
                                    void *opaque)
{
    QEMUTimer *ts =
        timer_new_full(&ctx->tlg, type, scale, attributes, cb, opaque);

    ts->creator = CALLER_ADDRESS;
    return ts;
}

QEMUTimer *aio_timer_new(AioContext *ctx, QEMUClockType type, int scale,
                         QEMUTimerCB *cb, void *opaque)
{
    QEMUTimer *ts = timer_new_full(&ctx->tlg, type, scale, 0, cb, opaque);

    ts->creator = CALLER_ADDRESS;
    return ts;
}

void aio_timer_init_with_attrs(AioContext *ctx, QEMUTimer *ts,
                               QEMUClockType type, int scale, int attributes,
                               QEMUTimerCB *cb, void *opaque)
{
    timer_init_full(ts, &ctx->tlg, type, scale, attributes, cb, opaque);
    ts->creator = CALLER_ADDRESS;
}

void aio_timer_init(AioContext *ctx, QEMUTimer *ts, QEMUClockType type,
                    int scale, QEMUTimerCB *cb, void *opaque)
{
    timer_init_full(ts, &ctx->tlg, type, scale, 0, cb, opaque);
    ts->creator = CALLER_ADDRESS;
}

/* ---- settings ----------------------------------------------------------- */

static bool in_range(const char *name, int64_t value, int64_t min, int64_t max,
                     Error **errp)
{
    if (value >= min && value <= max) {
        return true;
    }
    error_setg(errp,
               "context: %s is %" PRId64 ", must be from %" PRId64
               " to %" PRId64,
               name, value, min, max);
    return false;
}

void aio_context_set_poll_params(AioContext *ctx, int64_t max_ns, int64_t grow,
                                 int64_t shrink, Error **errp)
{
    if (!in_range("poll_max_ns", max_ns, 0, 10 * NANOSECONDS_PER_SECOND,
                  errp) ||
        !in_range("poll_grow", grow, 0, INT_MAX, errp) ||
        !in_range("poll_shrink", shrink, 0, INT_MAX, errp)) {
        return;
    }
    qatomic_set_i64(&ctx->poll_max_ns, max_ns);
    qatomic_set_i64(&ctx->poll_grow, grow);
    qatomic_set_i64(&ctx->poll_shrink, shrink);
    if (context_is_home(ctx)) {
        ctx->poll_ns = 0;
    } else {
        qatomic_store_release(&ctx->poll_changed, true);
    }
    aio_notify(ctx);
}

void aio_context_set_aio_params(AioContext *ctx, int64_t max_batch,
                                Error **errp)
{
    if (in_range("max_batch", max_batch, 0, INT_MAX, errp)) {
        qatomic_set_i64(&ctx->aio_max_batch, max_batch);
        aio_notify(ctx);
    }
}

void aio_context_get_params(AioContext *ctx, AioContextParams *params)
{
    qemu_mutex_lock(&ctx->list_lock);
    *params = (AioContextParams){
        .poll_max_ns = qatomic_read_i64(&ctx->poll_max_ns),
        .poll_grow = qatomic_read_i64(&ctx->poll_grow),
        .poll_shrink = qatomic_read_i64(&ctx->poll_shrink),
        .max_batch = qatomic_read_i64(&ctx->aio_max_batch),
        .thread_pool_min = ctx->thread_pool_min,
        .thread_pool_max = ctx->thread_pool_max,
    };
    qemu_mutex_unlock(&ctx->list_lock);
}

void aio_context_get_stats(AioContext *ctx, AioContextStats *stats)
{
    *stats = ctx->stats;
    stats->notifies = qatomic_read(&ctx->notify_count);
    stats->coroutines = ctx->ready.popped;
    stats->poll_ns = qatomic_read(&ctx->poll_changed) ? 0 : ctx->poll_ns;
}

void aio_context_set_timed(AioContext *ctx, bool timed)
{
    ctx->timed = timed;
}

int64_t aio_context_looked_ns(AioContext *ctx)
{
    return ctx->looked_ns;
}
