/*
 * fdmon.c - the table of monitors, the checked way to call one, and the switch
 *
 * A context has at most one monitor in use (ctx->fdmon), set up when first
 * needed.  A request for another sets the new one up at once, so that errors
 * are reported to whoever asks; inside a callback the handlers move over at the
 * end of the tick.  While they move ctx->fdmon is NULL: handlers that other
 * threads register meanwhile are only put in the table, and the move finds them
 * there.
 *
 * Rule: ctx->fdmon changes with list_lock held and nobody inside wait().
 */
#include "loop/accepted.h"
#include "loop/context.h"
#include "qemu/atomic.h"

/* Best first: without a request, the first whose setup() succeeds is used. */
static const FDMonBackend *const fdmon_backends[] = {
    &fdmon_io_uring, &fdmon_epoll,
    &fdmon_poll, /* never fails to set up: keep last */
};

#define FDMON_LAST fdmon_backends[ARRAY_SIZE(fdmon_backends) - 1]

/* ---- calls to the monitor in use ---------------------------------------- */

void fdmon_update(AioContext *ctx, AioHandler *old_node, AioHandler *new_node)
{
    CHECK(old_node || new_node);
    CHECK(!old_node || !new_node || old_node->fd == new_node->fd);
    __atomic_fetch_add(&ctx->handlers_version, 1, __ATOMIC_RELAXED);
    if (ctx->fdmon) {
        ctx->fdmon->ops.update(ctx, old_node, new_node);
    }
}

void fdmon_bad_count(AioContext *ctx, int ready)
{
    check_failedf(__FILE__, __LINE__, "ready >= 0", "monitor %s reports %d",
                  ctx->fdmon->name, ready);
}

void fdmon_let_go(AioContext *ctx)
{
    if (ctx->fdmon && ctx->fdmon->let_go) {
        ctx->fdmon->let_go(ctx);
    }
}

/* ---- the switch --------------------------------------------------------- */

static void remove_all(AioContext *ctx, const FDMonBackend *backend)
{
    AioHandler *node;

    QTAILQ_FOREACH(node, &ctx->aio_handlers, node) {
        backend->ops.update(ctx, node, NULL);
    }
}

static void add_all(AioContext *ctx, const FDMonBackend *backend)
{
    AioHandler *node;

    QTAILQ_FOREACH(node, &ctx->aio_handlers, node) {
        CHECKF(!node->mon_refs, "fd %d still named by the old monitor",
               node->fd);
        node->mon_events = node->mon_flags = node->mon_id = 0;
        node->mon_next = NULL;
        node->mon_prev = NULL;
        backend->ops.update(ctx, NULL, node);
        if (accepted_any(node->accepted)) {
            handler_make_ready(ctx, &ctx->ready_list, node, EPOLLIN);
        }
    }
}

static void switch_to(AioContext *ctx, const FDMonBackend *next)
{
    const FDMonBackend *old = ctx->fdmon;

    CHECK(next != old);
    if (old) {
        qemu_mutex_lock(&ctx->list_lock);
        remove_all(ctx, old);
        qatomic_set(&ctx->fdmon, NULL);
        qemu_mutex_unlock(&ctx->list_lock);
        old->destroy(ctx);
    }
    if (next) {
        qemu_mutex_lock(&ctx->list_lock);
        add_all(ctx, next);
        qatomic_set(&ctx->fdmon, next);
        __atomic_fetch_add(&ctx->handlers_version, 1, __ATOMIC_RELAXED);
        qemu_mutex_unlock(&ctx->list_lock);
    }
}

static void forget_next(AioContext *ctx)
{
    if (ctx->fdmon_next && ctx->fdmon_next != ctx->fdmon) {
        ctx->fdmon_next->destroy(ctx);
    }
    ctx->fdmon_next = NULL;
}

void fdmon_end_of_tick(AioContext *ctx)
{
    const FDMonBackend *next = ctx->fdmon_next;

    if (unlikely(next)) {
        ctx->fdmon_next = NULL;
        if (next != ctx->fdmon) {
            switch_to(ctx, next);
        }
    }
}

void fdmon_destroy(AioContext *ctx)
{
    forget_next(ctx);
    if (ctx->fdmon) {
        switch_to(ctx, NULL);
    }
    free(ctx->fdmon_fallback);
    ctx->fdmon_fallback = NULL;
}

/* ---- choosing ----------------------------------------------------------- */

/* @length: of the name without a '!'. */
static const FDMonBackend *find(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(fdmon_backends); i++) {
        const char *known = fdmon_backends[i]->name;

        if (strlen(known) == length && !strncmp(known, name, length)) {
            return fdmon_backends[i];
        }
    }
    return NULL;
}

/* Sets a monitor up unless it is already. */
static bool prepare(AioContext *ctx, const FDMonBackend *backend, Error **errp)
{
    return backend == ctx->fdmon || backend == ctx->fdmon_next ||
           backend->setup(ctx, errp);
}

static void set_fallback(AioContext *ctx, Error *why)
{
    free(ctx->fdmon_fallback);
    ctx->fdmon_fallback = why ? check_strdup(error_get_pretty(why)) : NULL;
    error_free(why);
}

/* The best that can be had, @wanted (NULL: any) before all others; the reason
 * why it is not the first choice goes to ctx->fdmon_fallback. */
static const FDMonBackend *choose(AioContext *ctx, const FDMonBackend *wanted)
{
    const FDMonBackend *first = wanted ? wanted : fdmon_backends[0];
    Error *why = NULL;

    if (prepare(ctx, first, &why)) {
        set_fallback(ctx, NULL);
        return first;
    }
    set_fallback(ctx, why);
    for (size_t i = 0; i < ARRAY_SIZE(fdmon_backends); i++) {
        if (fdmon_backends[i] != first &&
            prepare(ctx, fdmon_backends[i], NULL)) {
            return fdmon_backends[i];
        }
    }
    check_failedf(__FILE__, __LINE__, "fdmon_backends",
                  "monitor %s failed to set up", FDMON_LAST->name);
}

void fdmon_ensure(AioContext *ctx)
{
    if (!ctx->fdmon) {
        forget_next(ctx);
        switch_to(ctx, choose(ctx, ctx->fdmon_wanted));
    }
}

static void unknown_name(const char *name, Error **errp)
{
    char known[128] = "auto";

    for (size_t i = 0; i < ARRAY_SIZE(fdmon_backends); i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof(known) - used, ", %s",
                 fdmon_backends[i]->name);
    }
    error_setg(errp, "context: there is no fd monitor '%s'; known are %s", name,
               known);
}

/* Makes @next, which is set up, the one in use, now or at the end of tick. */
static void adopt(AioContext *ctx, const FDMonBackend *next)
{
    if (ctx->fdmon_next != next) {
        forget_next(ctx);
    }
    if (next == ctx->fdmon) {
        ctx->fdmon_next = NULL;
    } else if (ctx->depth > 0 && ctx->fdmon) {
        ctx->fdmon_next = next;
    } else {
        ctx->fdmon_next = NULL;
        switch_to(ctx, next);
    }
}

bool aio_context_set_fdmon(AioContext *ctx, const char *name, Error **errp)
{
    size_t length = strlen(name);
    bool strict = length && name[length - 1] == '!';
    const FDMonBackend *wanted = NULL;

    CHECKF(aio_context_in_home_thread(ctx),
           "monitor '%s' chosen in another thread than the context's home",
           name);
    length -= strict;
    if (strncmp(name, "auto", length) || length != strlen("auto")) {
        wanted = find(name, length);
        if (!wanted) {
            unknown_name(name, errp);
            return false;
        }
    }
    context_adopt(ctx); /* a ring belongs to the thread that made it */
    if (!strict || !wanted) {
        adopt(ctx, choose(ctx, wanted));
    } else if (prepare(ctx, wanted, errp)) {
        set_fallback(ctx, NULL);
        adopt(ctx, wanted);
    } else {
        return false;
    }
    ctx->fdmon_wanted = wanted;
    return true;
}

/* ---- questions ---------------------------------------------------------- */

const char *aio_context_fdmon(AioContext *ctx)
{
    const FDMonBackend *used = qatomic_read(&ctx->fdmon);

    if (!used && context_is_home(ctx)) {
        fdmon_ensure(ctx);
        used = ctx->fdmon;
    }
    return used ? used->name : "auto";
}

const char *aio_context_fdmon_fallback(AioContext *ctx)
{
    return ctx->fdmon_fallback;
}

bool aio_fdmon_probe(const char *name, char **why)
{
    const FDMonBackend *backend = find(name, strlen(name));
    Error *err = NULL;

    if (why) {
        *why = NULL;
    }
    if (!backend) {
        unknown_name(name, &err);
    } else if (!backend->probe || backend->probe(&err)) {
        return true;
    }
    if (why) {
        *why = check_strdup(error_get_pretty(err));
    }
    error_free(err);
    return false;
}

const char *const *aio_fdmon_names(void)
{
    static const char *names[ARRAY_SIZE(fdmon_backends) + 1];

    /* Every thread writes the same. */
    for (size_t i = 0; i < ARRAY_SIZE(fdmon_backends); i++) {
        qatomic_set(&names[i], fdmon_backends[i]->name);
    }
    return names;
}

/* ---- external handlers -------------------------------------------------- */

static void apply_watch(AioContext *ctx, bool disabled)
{
    AioHandler *node;

    qemu_mutex_lock(&ctx->list_lock);
    ctx->external_applied = disabled;
    if (ctx->external_count) {
        QTAILQ_FOREACH(node, &ctx->aio_handlers, node) {
            uint32_t watch = disabled ? 0 : node->events;

            if (node->is_external && node->watch != watch) {
                node->watch = watch;
                fdmon_update(ctx, node, node);
            }
        }
    }
    qemu_mutex_unlock(&ctx->list_lock);
}

void fdmon_apply_external_slow(AioContext *ctx)
{
    bool disabled = aio_external_disabled(ctx);

    if (disabled != ctx->external_applied) {
        apply_watch(ctx, disabled);
        ctx->external_look_due |= disabled;
    }
    if (ctx->external_look_due && !disabled) {
        ctx->external_look_due = false;
        busypoll_look_at_externals(ctx);
    }
}
