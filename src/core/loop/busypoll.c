/*
 * busypoll.c - looking for work for a while before sleeping
 *
 * Waking a sleeping thread costs tens of microseconds; work that comes within
 * the budget (ctx->poll_ns) is picked up without that.  A round looks at the
 * handlers' io_poll callbacks, at "notified" (bottom halves and coroutines from
 * other threads) and at the monitor: a monitor with exact need_wait() by asking
 * it, another by a wait that does not block.  So every monitor gains, and
 * handlers without io_poll are not starved by those with one.
 *
 * The budget adapts by aio_poll_budget(), or as a policy from outside says, to
 * how long there was nothing to do: when another thread ended the wait its time
 * counts, not the time when this one was awake at last, for that is just what
 * polling saves.
 *
 * A handler takes part once its fd has fired, and no longer when its io_poll
 * has found nothing for seven seconds; its fd is watched all the time.
 *
 * Reading "notified" early is part of docs/protocols/notify.pml.
 *
 * Rule: nodes leave ctx->poll_list only when nobody walks (handler.c), so a
 * callback may do to handlers what it likes.
 */
#include <sched.h>

#include "loop/context.h"
#include "qemu/atomic.h"

enum { POLL_FIRST_NS = 4000, LOOKS_PER_CLOCK = 16, SINGLE_CPU_NS = 10000000 };
static const int64_t poll_idle_interval_ns = 7 * NANOSECONDS_PER_SECOND;

static bool may_poll(AioContext *ctx, const AioHandler *node)
{
    return node->io_poll && !node->poll_busy &&
           !qatomic_load_acquire(&node->deleted) &&
           aio_node_check(ctx, node->is_external);
}

void busypoll_add(AioContext *ctx, AioHandler *node)
{
    node->poll_idle_ns = 0;
    node->in_poll_list = true;
    QTAILQ_INSERT_TAIL(&ctx->poll_list, node, node_poll);
    if (ctx->poll_started && node->io_poll_begin) {
        node->poll_started = true;
        node->io_poll_begin(node->opaque);
    }
}

/* Not polled meanwhile: a nested aio_poll() in io_poll would call it again, and
 * again. */
static bool has_work(AioHandler *node)
{
    node->poll_busy = true;
    bool found = node->io_poll(node->opaque);
    node->poll_busy = false;
    return found;
}

/* ---- begin and end ------------------------------------------------------ */

static void start(AioContext *ctx)
{
    AioHandler *node;

    if (ctx->poll_started) {
        return;
    }
    ctx->poll_started = true;
    QTAILQ_FOREACH(node, &ctx->poll_list, node_poll) {
        if (!ctx->poll_started) {
            return; /* io_poll_begin has called aio_poll(), which ended it */
        }
        if (may_poll(ctx, node) && !node->poll_started) {
            node->poll_started = true;
            if (node->io_poll_begin) {
                node->io_poll_begin(node->opaque);
            }
        }
    }
}

static void stop_node(AioContext *ctx, AioHandler *node)
{
    if (qatomic_load_acquire(&node->deleted)) {
        /* Its heir comes behind it, and will be stopped by the same walk. */
        handler_hand_over_polling(ctx, node);
    } else if (node->poll_started) {
        node->poll_started = false;
        if (node->io_poll_end) {
            node->io_poll_end(node->opaque);
        }
    }
}

bool busypoll_stop(AioContext *ctx)
{
    bool found = false;
    AioHandler *node;

    if (likely(!ctx->poll_started)) {
        return false;
    }
    ctx->poll_started = false;
    QTAILQ_FOREACH(node, &ctx->poll_list, node_poll) {
        stop_node(ctx, node);
        /* What came in before io_poll_end took effect is announced by nobody.
         * */
        if (may_poll(ctx, node) && has_work(node)) {
            handler_make_poll_ready(ctx, node);
            found = true;
        }
    }
    /* A callback that called aio_poll() may have begun anew: do not sleep. */
    return found || ctx->poll_started;
}

void busypoll_look_at_externals(AioContext *ctx)
{
    AioHandler *node;

    QTAILQ_FOREACH(node, &ctx->poll_list, node_poll) {
        if (node->is_external && may_poll(ctx, node) && has_work(node)) {
            handler_make_poll_ready(ctx, node);
        }
    }
}

/* ---- rounds ------------------------------------------------------------- */

static bool poll_handlers(AioContext *ctx, int64_t now_ns)
{
    bool found = false;
    AioHandler *node;

    QTAILQ_FOREACH(node, &ctx->poll_list, node_poll) {
        if (may_poll(ctx, node) && has_work(node)) {
            handler_make_poll_ready(ctx, node);
            node->poll_idle_ns = now_ns + poll_idle_interval_ns;
            found = true;
        }
    }
    return found;
}

/* Grows with what io_poll callbacks and signal handlers queue: work of the home
 * thread itself leaves no mark in "notified". */
static uint64_t queued_at_home(const AioContext *ctx)
{
    return ctx->bh_queue.pushed + ctx->ready.pushed;
}

static bool look_once(AioContext *ctx, int64_t now_ns, uint64_t queued_before)
{
    if (poll_handlers(ctx, now_ns) || queued_at_home(ctx) != queued_before ||
        __atomic_load_n(&ctx->notified, __ATOMIC_ACQUIRE)) {
        return true;
    }
    if (!fdmon_need_wait(ctx)) {
        return false;
    }
    return (ctx->fdmon && ctx->fdmon->need_wait_is_exact) ||
           fdmon_wait(ctx, 0) > 0;
}

static void drop_idle(AioContext *ctx, int64_t now_ns)
{
    AioHandler *node, *next;

    if (ctx->walking > 1) {
        return; /* an outer call may be going through the list */
    }
    QTAILQ_FOREACH_SAFE(node, &ctx->poll_list, node_poll, next) {
        if (!node->poll_idle_ns) {
            node->poll_idle_ns = now_ns + poll_idle_interval_ns;
        } else if (now_ns >= node->poll_idle_ns && node->watch) {
            stop_node(ctx, node);
            if (may_poll(ctx, node) && has_work(node)) {
                node->poll_idle_ns = 0;
                handler_make_poll_ready(ctx, node);
            } else if (node->in_poll_list) {
                QTAILQ_REMOVE(&ctx->poll_list, node, node_poll);
                node->in_poll_list = false;
            }
        }
    }
}

/* Rounds until something is found or the budget is used up. */
static bool look(AioContext *ctx, int64_t start_ns, int64_t *timeout)
{
    int64_t budget = qemu_soonest_timeout(*timeout, ctx->poll_ns);
    int64_t now_ns = start_ns;
    uint64_t queued = queued_at_home(ctx);
    bool found;

    ctx->stats.polls++;
    start(ctx);
    do {
        found = look_once(ctx, now_ns, queued);
        now_ns = clock_monotonic_ns();
    } while (!found && now_ns - start_ns < budget);
    drop_idle(ctx, now_ns);
    /* A callback that called aio_poll() may have ended polling, and the handler
     * it belongs to had no last look: go round again. */
    found |= !ctx->poll_started;

    ctx->stats.poll_hits += found;
    ctx->stats.poll_ns_total += now_ns - start_ns;
    if (*timeout > 0) {
        *timeout -= MIN(*timeout, now_ns - start_ns);
    }
    return found;
}

void busypoll_run(AioContext *ctx, int64_t start_ns, int64_t *timeout)
{
    bool callbacks = ctx->poll_ns || ctx->poll_started;

    if ((ctx->poll_ns && *timeout && look(ctx, start_ns, timeout)) ||
        busypoll_stop(ctx)) {
        *timeout = 0;
    } else if (callbacks) {
        /* They may have armed timers, or queued something. */
        *timeout = qemu_soonest_timeout(*timeout, aio_compute_timeout(ctx));
    }
}

/* ---- something that has usually come soon -------------------------------- */

bool busypoll_expected(AioContext *ctx, int64_t timeout)
{
    int64_t budget = qemu_soonest_timeout(timeout, ctx->expect_ns);
    int64_t until_ns = clock_monotonic_ns() + budget;

    if (!timeout) {
        return true;
    }
    do {
        for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (__atomic_load_n(&ctx->notified, __ATOMIC_ACQUIRE)) {
                return true;
            }
            cpu_relax();
        }
    } while (clock_monotonic_ns() < until_ns);
    return false;
}

/* ---- the budget --------------------------------------------------------- */

/* With one processor polling only keeps the other side from running. */
bool busypoll_single_cpu(void)
{
    static __thread int64_t single_until_ns;
    cpu_set_t cpus;
    int64_t now_ns = clock_monotonic_ns();

    if (now_ns < single_until_ns) {
        return true; /* no system call for each wait */
    }
    bool single =
        sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) == 1;
    single_until_ns = single ? now_ns + SINGLE_CPU_NS : 0;
    return single;
}

int64_t aio_poll_budget(const AioPollState *state)
{
    int64_t max_ns = state->poll_max_ns;
    int64_t factor = state->poll_grow ? state->poll_grow : 2;
    int64_t divisor = state->poll_shrink;
    int64_t ns = state->poll_ns;

    if (state->hit || state->block_ns <= ns) {
        return ns; /* long enough */
    }
    if (state->block_ns > max_ns) {
        return divisor ? ns / divisor : 0;
    }
    if (!ns) {
        return MIN(POLL_FIRST_NS, max_ns);
    }
    return ns > max_ns / factor ? max_ns : ns * factor;
}

static void choose(AioContext *ctx, int64_t block_ns, bool hit)
{
    AioPollState state = {
        .poll_ns = ctx->poll_ns,
        .block_ns = block_ns,
        .poll_max_ns = qatomic_read_i64(&ctx->poll_max_ns),
        .poll_grow = qatomic_read_i64(&ctx->poll_grow),
        .poll_shrink = qatomic_read_i64(&ctx->poll_shrink),
        .hit = hit,
    };
    int64_t ns = aio_poll_budget(&state);

    if (ctx->poll_policy) {
        ns = ctx->poll_policy(ctx->poll_policy_opaque, &state);
        ns = MAX(0, MIN(ns, qatomic_read_i64(&ctx->poll_max_ns)));
    }
    /* Only looked at where polling begins: it costs a system call. */
    if (ns && !ctx->poll_ns && busypoll_single_cpu()) {
        ns = 0;
    }
    ctx->poll_ns = ns;
}

int64_t busypoll_block_ns(AioContext *ctx, int64_t start_ns, int64_t end_ns)
{
    int64_t kicked_ns = qatomic_read_i64(&ctx->kicked_ns);

    return kicked_ns > start_ns && kicked_ns < end_ns ? kicked_ns - start_ns
                                                      : end_ns - start_ns;
}

void busypoll_adjust(AioContext *ctx, int64_t block_ns)
{
    choose(ctx, block_ns, false);
}

void busypoll_hit(AioContext *ctx, int64_t block_ns)
{
    choose(ctx, block_ns, true);
}

void aio_context_set_poll_policy(AioContext *ctx, AioPollPolicy *fn,
                                 void *opaque)
{
    ctx->poll_policy = fn;
    ctx->poll_policy_opaque = opaque;
}

bool busypoll_allowed(AioContext *ctx)
{
    if (unlikely(qatomic_load_acquire(&ctx->poll_changed))) {
        qatomic_set(&ctx->poll_changed, false);
        ctx->poll_ns = 0;
    }
    return qatomic_read_i64(&ctx->poll_max_ns) != 0;
}
