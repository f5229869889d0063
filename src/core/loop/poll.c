/*
 * poll.c - one tick of a context, and the one place that decides its order
 *
 *     engines submit what is queued
 *     wait for fds (after busy polling; not at all when there is work)
 *     bottom halves      a slice, first in first out
 *     ready handlers     a slice, in the order in which they became ready
 *     timers             by deadline, then by order of arming
 *     ready coroutines   a slice, first in first out
 *     changes that had to wait for the end of the tick
 *
 * Every phase is bounded by what was there when it began, so nobody can starve
 * the phases that follow.  Each may call aio_poll() again; nested ticks take up
 * the slices of the outer ones where these stand.
 *
 * Rule: pointers to handlers are held only while ctx->walking is not zero, and
 * removed handlers are freed only when it is.
 */
#include "loop/context.h"
#include "loop/timerlist.h"
#include "qemu/atomic.h"

/* A wait of less than this found something without having to sleep. */
enum { NO_SLEEP_NS = 2000 };

/* ---- waiting ------------------------------------------------------------ */

int64_t aio_compute_timeout(AioContext *ctx)
{
    if (!QTAILQ_EMPTY(&ctx->ready_list) || coschedule_pending(ctx)) {
        return 0;
    }

    int64_t timeout = bh_timeout(ctx);

    if (timeout == 0) {
        return 0;
    }
    if (timerlistgroup_is_empty(&ctx->tlg)) {
        return timeout;
    }
    return qemu_soonest_timeout(timeout, timerlistgroup_deadline_ns(&ctx->tlg));
}

/* Sleeps in the monitor, where aio_notify() can wake us. */
static void sleep_in_monitor(AioContext *ctx, int64_t timeout)
{
    if (notify_begin_wait(ctx)) {
        timeout = 0;
    }
    /* Signal handlers may have queued something since the timeout was made
     * (look_at_bhs() in docs/protocols/notify.pml). */
    timeout = qemu_soonest_timeout(timeout, bh_timeout(ctx));
    ctx->stats.blocked += timeout != 0;
    if (unlikely(ctx->unlock_depth == ctx->depth) && timeout) {
        main_loop_begin_sleep(ctx);
    }
    fdmon_wait(ctx, timeout);
    notify_end_wait(ctx);
    if (unlikely(ctx->unlocked)) {
        main_loop_end_sleep(ctx);
    }
}

/*
 * Shall a tick that may sleep look at the fds first?  A busy loop saves
 * preparing to sleep, clocks and deadlines; one that has to sleep after all has
 * made a system call too many.  So: if the last wait did not sleep.
 */
static bool worth_a_look(const AioContext *ctx)
{
    return (ctx->was_ready || (ctx->fdmon && ctx->fdmon->look_first)) &&
           !ctx->poll_ns && !ctx->poll_started;
}

/* Not inlined: its registers and buffers would be saved by each tick. */
static QEMU_NOINLINE void wait_blocking(AioContext *ctx, int64_t timeout)
{
    bool may_poll = busypoll_allowed(ctx);
    int64_t start_ns = clock_monotonic_ns();

    busypoll_run(ctx, start_ns, &timeout);
    if (unlikely(ctx->expect_ns) && busypoll_expected(ctx, timeout)) {
        timeout = 0;
    }
    if (timeout) {
        int64_t sleep_ns = may_poll ? clock_monotonic_ns() : start_ns;

        sleep_in_monitor(ctx, timeout);
        int64_t end_ns = clock_monotonic_ns();

        ctx->stats.blocked_ns += end_ns - sleep_ns;
        ctx->was_ready = end_ns - sleep_ns < NO_SLEEP_NS;
        if (may_poll) {
            busypoll_adjust(ctx, busypoll_block_ns(ctx, start_ns, end_ns));
        }
        return;
    }
    if (fdmon_need_wait(ctx)) {
        fdmon_wait(ctx, 0);
    }
    if (unlikely(ctx->poll_policy) && may_poll) {
        busypoll_hit(ctx, clock_monotonic_ns() - start_ns);
    }
}

static void look(AioContext *ctx)
{
    /* Announcements are off while polling; this tick does not poll. */
    busypoll_stop(ctx);
    if (fdmon_need_wait(ctx)) {
        fdmon_wait(ctx, 0);
    }
}

static void wait_for_fds(AioContext *ctx, bool blocking)
{
    ctx->looked_ns = 0;
    if (unlikely(ctx->hook_count)) {
        context_run_before_wait(ctx);
    }
    fdmon_apply_external(ctx);

    bool looked = blocking && worth_a_look(ctx);

    if (!looked || fdmon_wait(ctx, 0) == 0) {
        int64_t timeout = blocking ? aio_compute_timeout(ctx) : 0;

        if (timeout) {
            wait_blocking(ctx, timeout);
        } else if (!looked) {
            look(ctx);
        }
    }
    aio_notify_accept(ctx);
}

/* ---- the rest of the tick ----------------------------------------------- */

static QEMU_NOINLINE bool run_timers(AioContext *ctx)
{
    uint64_t timers = timerlistgroup_run(&ctx->tlg);

    ctx->stats.timers += timers;
    return timers > 0;
}

/*
 * ctx->walking is held; released between handlers and timers.  What an fd does
 * not need is marked unlikely, to lie elsewhere.
 */
static bool run_phases(AioContext *ctx, unsigned more)
{
    if (unlikely(ctx->timed)) {
        ctx->looked_ns = clock_monotonic_ns();
    }
    bool progress = unlikely(bh_any(ctx)) && aio_bh_poll(ctx);

    if (!QTAILQ_EMPTY(&ctx->ready_list)) {
        progress |= handler_dispatch_ready(ctx);
    }
    if (--ctx->walking == 0) {
        handler_free_deleted(ctx);
    }
    if (unlikely(!timerlistgroup_is_empty(&ctx->tlg))) {
        progress |= run_timers(ctx);
    }
    if (unlikely(coschedule_pending(ctx))) {
        progress |= coschedule_run(ctx, more);
    }
    return progress;
}

static void tick_end(AioContext *ctx)
{
    if (--ctx->depth == 0) {
        fdmon_end_of_tick(ctx);
        notify_end_tick(ctx);
    }
}

static QEMU_NOINLINE bool timers_are_due(AioContext *ctx)
{
    return timerlistgroup_expired(&ctx->tlg);
}

/* A monitor that cannot tell without the kernel asks it, as a tick would. */
static QEMU_NOINLINE bool fds_are_ready(AioContext *ctx)
{
    if (ctx->fdmon && ctx->fdmon->need_wait_is_exact) {
        return true;
    }
    ctx->walking++;
    fdmon_wait(ctx, 0);
    if (--ctx->walking == 0) {
        handler_free_deleted(ctx);
    }
    return !QTAILQ_EMPTY(&ctx->ready_list);
}

/* Most of it by one branch: usually none of this is there. */
bool tick_would_be_idle(AioContext *ctx)
{
    uintptr_t work =
        (uintptr_t)ctx->bh_queue.head | (uintptr_t)ctx->ready_list.tqh_first |
        (uintptr_t)qatomic_read(&ctx->co_remote) | (uintptr_t)ctx->fdmon_next |
        ctx->hook_count | (ctx->depth - 1) | (unsigned)ctx->poll_started |
        (unsigned)qatomic_read(&ctx->notified) |
        (unsigned)(aio_external_disabled(ctx) ^ ctx->external_applied);

    if (unlikely(work) || (fdmon_need_wait(ctx) && fds_are_ready(ctx))) {
        return false;
    }
    return timerlistgroup_is_empty(&ctx->tlg) || !timers_are_due(ctx);
}

bool aio_poll_more(AioContext *ctx, bool blocking, unsigned more)
{
    context_adopt(ctx);

    AioContext *previous = context_enter(ctx);

    ctx->depth++;
    ctx->walking++;
    ctx->stats.iterations++;
    wait_for_fds(ctx, blocking);
    bool progress = run_phases(ctx, more);
    tick_end(ctx);
    context_leave(ctx, previous);
    return progress;
}

bool aio_poll(AioContext *ctx, bool blocking)
{
    return aio_poll_more(ctx, blocking, 0);
}

bool aio_context_is_dispatching(AioContext *ctx)
{
    return ctx->depth > 0;
}

/* ---- driven by another loop --------------------------------------------- */

bool aio_prepare(AioContext *ctx)
{
    context_adopt(ctx);
    if (ctx->hook_count) {
        context_run_before_wait(ctx);
    }
    ctx->walking++;
    fdmon_apply_external(ctx);
    /* The other loop sleeps without us: nobody would be polling. */
    busypoll_stop(ctx);
    if (--ctx->walking == 0) {
        handler_free_deleted(ctx);
    }
    fdmon_ensure(ctx);
    return aio_compute_timeout(ctx) == 0;
}

bool aio_pending(AioContext *ctx)
{
    ctx->walking++;
    fdmon_wait(ctx, 0); /* also for the notifier's sake */
    if (--ctx->walking == 0) {
        handler_free_deleted(ctx);
    }
    return !QTAILQ_EMPTY(&ctx->ready_list);
}

bool context_dispatch(AioContext *ctx, unsigned more)
{
    AioContext *previous = context_enter(ctx);

    ctx->depth++;
    ctx->walking++;
    ctx->stats.iterations++;
    bool progress = run_phases(ctx, more);
    tick_end(ctx);
    context_leave(ctx, previous);
    return progress;
}

void aio_dispatch(AioContext *ctx)
{
    context_dispatch(ctx, 0);
}
