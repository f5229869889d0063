/*
 * gsource.c - a context as an event source of a GMainContext
 *
 * GLib sleeps on our behalf: on the monitor's own fd where that says all, else
 * on every handler's fd (as well).  Whatever the monitor, it stays in use.  A
 * pass is prepare (submit, compute the timeout), GLib's poll, check (harvest),
 * dispatch (the tick's phases).
 *
 * The source has a reference to the context; the context knows its source only
 * to hand out the same one again.  GLib and aio_poll() may take turns in the
 * home thread.
 *
 * Rule: between prepare and check notify_me says that somebody sleeps.  GLib
 * skips check when prepare said yes, so dispatch makes up for it.  After an
 * aio_poll() in between GLib must not sleep: it knows nothing of what changed.
 * docs/protocols/notify.pml models all of this.
 *
 * gsource_poll() makes GLib's default loop the one that a program runs (loop/
 * gsource.h).  What such a program calls, in a coroutine or in a callback of
 * GLib's, may iterate GLib, too, and would run everything else on top of that:
 * then the source holds still.
 *
 * This is an object of its own in the archive: a program that does not ask for
 * a GSource does not load GLib.
 */
#include "loop/gsource.h"
#include "loop/accepted.h"
#include "loop/context.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"

#ifdef CONFIG_GLIB

#include <glib-unix.h>

typedef struct ContextSource {
    GSource source; /* first */
    AioContext *ctx;
    bool prepared; /* notify_me has our bit */
    bool woken;    /* ... and GLib will not sleep before it asks again */

    /* gsource_poll(). */
    bool driven;
    bool progress;    /* of the dispatches since it began */
    unsigned more;    /* slices of coroutines in a dispatch */
    int depth;        /* of GLib's dispatches around it */
    int own_dispatch; /* the same, in our innermost one */
    guint others;     /* below this id there is no source but us */

    /* What GLib polls: the monitor's fd (or -1), and those of the handlers, as
     * of this version. */
    bool each_fd;
    int monitor_fd;
    unsigned version;
    unsigned count;
    gpointer *tags;
} ContextSource;

/* ---- what GLib polls ---------------------------------------------------- */

static void unwatch_all(ContextSource *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        g_source_remove_unix_fd(&self->source, self->tags[i]);
    }
    self->count = 0;
}

static void watch(ContextSource *self, int fd, uint32_t events)
{
    self->tags =
        check_realloc(self->tags, (self->count + 1) * sizeof(*self->tags));
    self->tags[self->count++] =
        g_source_add_unix_fd(&self->source, fd, (GIOCondition)events);
}

static void watch_handlers(ContextSource *self)
{
    AioContext *ctx = self->ctx;
    AioHandler *node;

    qemu_mutex_lock(&ctx->list_lock);
    QTAILQ_FOREACH(node, &ctx->aio_handlers, node) {
        if (node->watch) {
            watch(self, node->fd, node->watch | EPOLLHUP | EPOLLERR);
        }
    }
    qemu_mutex_unlock(&ctx->list_lock);
}

static void choose_fds(ContextSource *self)
{
    const FDMonBackend *fdmon = self->ctx->fdmon;
    int fd = fdmon->poll_fd ? fdmon->poll_fd(self->ctx) : -1;
    bool each_fd = fd < 0 || !fdmon->poll_fd_covers_handlers;
    unsigned version = qatomic_read(&self->ctx->handlers_version);

    if (self->monitor_fd == fd && self->each_fd == each_fd && self->count &&
        (!each_fd || self->version == version)) {
        return;
    }
    unwatch_all(self);
    self->monitor_fd = fd;
    self->each_fd = each_fd;
    self->version = version;
    if (fd >= 0) {
        watch(self, fd, EPOLLIN);
    }
    if (each_fd) {
        watch_handlers(self);
    }
}

/* ---- the source --------------------------------------------------------- */

static bool holds_still(ContextSource *self)
{
    return self->driven &&
           (g_main_depth() != self->depth || qemu_in_coroutine());
}

static gboolean source_prepare(GSource *source, gint *timeout)
{
    ContextSource *self = (ContextSource *)source;
    AioContext *ctx = self->ctx;

    if (holds_still(self)) {
        unwatch_all(self); /* chosen again when it does not */
        *timeout = -1;
        return FALSE;
    }
    context_adopt(ctx);
    /* First, so that who queues something from here on wakes GLib. */
    bool notified = notify_begin_source(ctx);
    self->prepared = true;
    self->woken = false;

    bool ready = aio_prepare(ctx) || notified;
    choose_fds(self);
    /* What came before the monitor's fd was cleared is not announced. */
    if (ctx->fdmon->need_wait_is_exact) {
        ready |= fdmon_need_wait(ctx);
    }
    *timeout = ready ? 0 : qemu_timeout_ns_to_ms(aio_compute_timeout(ctx));
    return *timeout == 0;
}

static void after_poll(ContextSource *self)
{
    if (self->prepared) {
        self->prepared = false;
        notify_end_source(self->ctx);
        aio_notify_accept(self->ctx);
        aio_pending(self->ctx);
    }
}

static gboolean source_check(GSource *source)
{
    ContextSource *self = (ContextSource *)source;

    if (holds_still(self)) {
        return FALSE;
    }
    after_poll(self);
    /* Idle bottom halves have waited as long as GLib has slept. */
    return bh_timeout(self->ctx) >= 0 || aio_compute_timeout(self->ctx) == 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback,
                                gpointer user_data)
{
    ContextSource *self = (ContextSource *)source;

    int outer = self->own_dispatch;

    after_poll(self);
    self->own_dispatch = g_main_depth();
    self->progress |= context_dispatch(self->ctx, self->more);
    self->own_dispatch = outer;
    return G_SOURCE_CONTINUE;
}

static void source_wake(AioContext *ctx)
{
    ContextSource *self = (ContextSource *)ctx->source;

    /* A destroyed source has no main context, and nobody sleeps for it. */
    if (!self->woken && !g_source_is_destroyed(&self->source)) {
        self->woken = true;
        g_main_context_wakeup(g_source_get_context(&self->source));
    }
}

static void source_finalize(GSource *source)
{
    ContextSource *self = (ContextSource *)source;
    AioContext *ctx = self->ctx;

    if (self->prepared) {
        notify_end_source(ctx);
    }
    free(self->tags);
    ctx->source = NULL;
    aio_context_unref(ctx);
}

static GSourceFuncs source_functions = {
    .prepare = source_prepare,
    .check = source_check,
    .dispatch = source_dispatch,
    .finalize = source_finalize,
};

void aio_context_use_g_source(AioContext *ctx)
{
    CHECKF(aio_context_in_home_thread(ctx), "a GSource for a context of "
                                            "another thread");
}

GSource *aio_get_g_source(AioContext *ctx)
{
    aio_context_use_g_source(ctx);
    if (ctx->source) {
        return g_source_ref(ctx->source);
    }

    GSource *source = g_source_new(&source_functions, sizeof(ContextSource));

    aio_context_ref(ctx);
    ((ContextSource *)source)->ctx = ctx;
    g_source_set_can_recurse(source, TRUE);
    g_source_set_name(source, "aio-context");
    ctx->source = source;
    accepted_poll_instead(ctx);
    ctx->source_wake = source_wake;
    event_notifier_test_and_clear(&ctx->notifier); /* see may_stay_set() */
    return source;
}

/* ---- GLib's default loop as the loop of a program ----------------------- */

static ContextSource *drive(AioContext *ctx)
{
    ContextSource *self = (ContextSource *)ctx->source;

    if (!self || !self->driven) {
        GSource *source = aio_get_g_source(ctx);

        self = (ContextSource *)source;
        self->driven = true;
        g_source_attach(source, NULL);
        g_source_unref(source);
    }
    return self;
}

bool gsource_poll(AioContext *ctx, bool blocking, unsigned more)
{
    ContextSource *self = drive(ctx);
    int outer = self->depth;

    self->more = more;
    self->progress = false;
    self->depth = g_main_depth();
    g_main_context_iteration(NULL, blocking);
    self->depth = outer;
    return self->progress;
}

bool gsource_in_foreign_callback(AioContext *ctx)
{
    ContextSource *self = (ContextSource *)ctx->source;
    int depth = g_main_depth();

    return self && self->driven && depth > 0 && depth != self->own_dispatch;
}

/* Above that of any source that is attached. */
static guint next_id(void)
{
    static GSourceFuncs nothing;
    GSource *probe = g_source_new(&nothing, sizeof(GSource));
    guint id = g_source_attach(probe, NULL);

    g_source_destroy(probe);
    g_source_unref(probe);
    return id;
}

/* Ids only grow (until they wrap, then we look at all again), so one that is
 * not there now will never be: the search goes on where it ended last. */
bool gsource_may_act(AioContext *ctx)
{
    ContextSource *self = drive(ctx);
    guint end = next_id();

    if (self->others == 0 || self->others > end) {
        self->others = 1;
    }
    for (; self->others < end; self->others++) {
        GSource *found = g_main_context_find_source_by_id(NULL, self->others);

        if (found && found != &self->source) {
            return true;
        }
    }
    return false;
}

void gsource_end(AioContext *ctx)
{
    ContextSource *self = (ContextSource *)ctx->source;

    if (self && self->driven) {
        g_source_destroy(&self->source);
    }
}
#else

void aio_context_use_g_source(AioContext *ctx)
{
    CHECKF(false, "this library was built without GLib (AIOCTL_GLIB=OFF)");
}

GSource *aio_get_g_source(AioContext *ctx)
{
    aio_context_use_g_source(ctx);
    return NULL;
}
#endif

GSource *iohandler_get_g_source(void)
{
    return aio_get_g_source(iohandler_get_aio_context());
}
