/*
 * handler.c - the table of fd handlers
 *
 * ctx->fd_table finds a handler by its fd in one step; ctx->aio_handlers keeps
 * the order of registration.  Both belong to list_lock and never see a walk
 * that calls out: the home thread calls handlers from the ready list (see
 * dispatch.c), which is its own.  The home thread may also look an fd up
 * without the lock: what it finds it alone could free, but another thread may
 * just have put something else in its place.  So a table that has been outgrown
 * is kept.
 *
 * The home thread changes a handler in place.  Another thread cannot, because
 * the home thread may be reading the callbacks: it puts a copy in its place and
 * deletes the old one.
 *
 * Deleting sets a tombstone: a deleted handler is never called, but stays in
 * the home thread's lists until no walk is on the stack and no monitor names
 * it. Only the home thread frees.
 *
 * Rule: what the home thread reads without list_lock, only it may write.
 */
#include "base/symbol.h"
#include "loop/accepted.h"
#include "loop/context.h"
#include "qemu/atomic.h"

/* ---- the table ---------------------------------------------------------- */

struct HandlerTable {
    HandlerTable *older; /* half the size or less; somebody may be reading it */
    unsigned size;
    AioHandler *by_fd[];
};

AioHandler *handler_find(AioContext *ctx, int fd)
{
    /* Both acquire: pair with the stores in table_grow() and table_set(). */
    HandlerTable *table = qatomic_load_acquire(&ctx->fd_table);

    return table && (unsigned)fd < table->size
               ? qatomic_load_acquire(&table->by_fd[fd])
               : NULL;
}

static HandlerTable *table_grow(AioContext *ctx, int fd)
{
    HandlerTable *old = ctx->fd_table, *table;
    unsigned size = old ? old->size : 64;

    while (size <= (unsigned)fd) {
        size *= 2;
    }
    table = check_calloc(1, sizeof(*table) + size * sizeof(AioHandler *));
    table->older = old;
    table->size = size;
    if (old) {
        memcpy(table->by_fd, old->by_fd, old->size * sizeof(AioHandler *));
    }
    qatomic_store_release(&ctx->fd_table, table);
    return table;
}

static void table_set(AioContext *ctx, int fd, AioHandler *node)
{
    HandlerTable *table = ctx->fd_table;

    if (!table || (unsigned)fd >= table->size) {
        table = table_grow(ctx, fd);
    }
    qatomic_store_release(&table->by_fd[fd], node);
}

static void table_free(AioContext *ctx)
{
    HandlerTable *table;

    while ((table = ctx->fd_table)) {
        ctx->fd_table = table->older;
        free(table);
    }
}

/* What the counters say about one registered handler. */
static void count_handler(AioContext *ctx, const AioHandler *node, int n)
{
    if (node->is_notifier) {
        return;
    }
    qatomic_add(&ctx->handler_count, n);
    ctx->external_count += node->is_external ? n : 0;
    qatomic_add(&ctx->poll_disable_cnt, node->io_poll ? 0 : n);
}

/* node->watch from node->events; callers tell the monitor. */
static void compute_watch(AioContext *ctx, AioHandler *node)
{
    node->events =
        (node->io_read ? EPOLLIN : 0) | (node->io_write ? EPOLLOUT : 0);
    node->watch = node->is_external && ctx->external_applied ? 0 : node->events;
}

/* ---- changes, under list_lock ------------------------------------------- */

static void handler_insert(AioContext *ctx, AioHandler *node)
{
    compute_watch(ctx, node);
    count_handler(ctx, node, 1);
    table_set(ctx, node->fd, node);
    QTAILQ_INSERT_TAIL(&ctx->aio_handlers, node, node);
    fdmon_update(ctx, NULL, node);
}

static void bury(AioContext *ctx, AioHandler *node)
{
    /* Pairs with the loads in dispatch.c and busypoll.c. */
    qatomic_store_release(&node->deleted, true);
    QTAILQ_INSERT_TAIL(&ctx->deleted_aio_handlers, node, node_deleted);
    qatomic_inc(&ctx->deleted_count);
}

static void handler_remove(AioContext *ctx, AioHandler *node)
{
    count_handler(ctx, node, -1);
    table_set(ctx, node->fd, NULL);
    QTAILQ_REMOVE(&ctx->aio_handlers, node, node);
    fdmon_update(ctx, node, NULL);
    bury(ctx, node);
}

static void change_accepted(AioHandler *node, AioAccepted *to)
{
    AioAccepted *old = node->accepted;

    node->accepted = to ? accepted_ref(to) : NULL;
    if (old) {
        accepted_unref(old);
    }
}

/* @node is a stack copy with the new callbacks; the caller is at home.  What
 * was harvested for another opaque may concern another file: it comes again. */
static void handler_change(AioContext *ctx, AioHandler *old,
                           const AioHandler *node)
{
    count_handler(ctx, old, -1);
    if (old->opaque != node->opaque) {
        old->revents = 0;
        old->poll_ready = false;
    }
    old->is_external = node->is_external;
    old->io_read = node->io_read;
    old->io_write = node->io_write;
    old->io_poll = node->io_poll;
    old->io_poll_ready = node->io_poll_ready;
    old->opaque = node->opaque;
    old->creator = node->creator;
    old->notifier = node->notifier;
    old->unusual = node->unusual;
    change_accepted(old, node->accepted);
    compute_watch(ctx, old);
    count_handler(ctx, old, 1);
    /* Also when the events are the same: the fd may be another file by now. */
    fdmon_update(ctx, old, old);
}

static void handler_replace(AioContext *ctx, AioHandler *old, AioHandler *node)
{
    count_handler(ctx, old, -1);
    node->io_poll_begin = old->io_poll_begin;
    node->io_poll_end = old->io_poll_end;
    compute_watch(ctx, node);
    count_handler(ctx, node, 1);
    table_set(ctx, node->fd, node);
    QTAILQ_INSERT_AFTER(&ctx->aio_handlers, old, node, node);
    QTAILQ_REMOVE(&ctx->aio_handlers, old, node);
    fdmon_update(ctx, old, node);
    bury(ctx, old);
}

static AioHandler *handler_copy(const AioHandler *node)
{
    AioHandler *copy = check_malloc(sizeof(*copy));

    *copy = *node;
    copy->accepted = node->accepted ? accepted_ref(node->accepted) : NULL;
    return copy;
}

static bool is_removal(const AioHandler *node)
{
    return !node->io_read && !node->io_write && !node->io_poll;
}

/* True when there was something to change. */
static bool handler_apply(AioContext *ctx, const AioHandler *node)
{
    AioHandler *old = handler_find(ctx, node->fd);

    if (is_removal(node)) {
        if (old) {
            handler_remove(ctx, old);
        }
        return old;
    }
    if (!old) {
        handler_insert(ctx, handler_copy(node));
    } else if (context_is_home(ctx)) {
        handler_change(ctx, old, node);
    } else {
        handler_replace(ctx, old, handler_copy(node));
    }
    return true;
}

static bool handler_apply_locked(AioContext *ctx, const AioHandler *node)
{
    qemu_mutex_lock(&ctx->list_lock);
    bool changed = handler_apply(ctx, node);
    qemu_mutex_unlock(&ctx->list_lock);
    return changed;
}

void handler_set(AioContext *ctx, const AioHandler *node)
{
    if (node->fd < 0 && is_removal(node)) {
        return; /* who cleans up may not have opened it */
    }
    CHECKF(node->fd >= 0, "handler for fd %d, set at %s", node->fd,
           symbol_name(node->creator));
    if (!context_is_home(ctx)) {
        context_visit(ctx); /* what is called now may end it */
        if (handler_apply_locked(ctx, node)) {
            aio_notify(ctx);
        }
        context_end_visit(ctx);
    } else if (handler_apply_locked(ctx, node) && is_removal(node)) {
        fdmon_let_go(ctx);
        if (!ctx->walking) {
            handler_free_deleted(ctx);
        }
    }
}

void aio_set_fd_handler(AioContext *ctx, int fd, bool is_external,
                        IOHandler *io_read, IOHandler *io_write,
                        AioPollFn *io_poll, IOHandler *io_poll_ready,
                        void *opaque)
{
    AioHandler node = {
        .fd = fd,
        .is_external = is_external,
        .io_read = io_read,
        .io_write = io_write,
        .io_poll = io_poll_ready ? io_poll : NULL,
        .io_poll_ready = io_poll_ready,
        .opaque = opaque,
        .creator = CALLER_ADDRESS,
    };

    handler_set(ctx, &node);
}

void *aio_fd_handler_opaque(AioContext *ctx, int fd)
{
    const AioHandler *node = handler_find(ctx, fd);

    return node ? node->opaque : NULL;
}

void aio_set_fd_poll(AioContext *ctx, int fd, IOHandler *io_poll_begin,
                     IOHandler *io_poll_end)
{
    qemu_mutex_lock(&ctx->list_lock);
    AioHandler *node = handler_find(ctx, fd);
    if (node) {
        CHECKF(aio_context_in_home_thread(ctx),
               "polling callbacks of fd %d set by another thread", fd);
        node->io_poll_begin = io_poll_begin;
        node->io_poll_end = io_poll_end;
    }
    qemu_mutex_unlock(&ctx->list_lock);
}

void aio_set_event_notifier(AioContext *ctx, EventNotifier *notifier,
                            bool is_external, EventNotifierHandler *io_read,
                            AioPollFn *io_poll,
                            EventNotifierHandler *io_poll_ready)
{
    AioHandler node = {
        .fd = event_notifier_get_fd(notifier),
        .is_external = is_external,
        .io_read = (IOHandler *)io_read,
        .io_poll = io_poll_ready ? io_poll : NULL,
        .io_poll_ready = (IOHandler *)io_poll_ready,
        .opaque = notifier,
        .notifier = notifier->read_empties ? notifier : NULL,
        .creator = CALLER_ADDRESS,
    };

    handler_set(ctx, &node);
}

void aio_set_event_notifier_poll(AioContext *ctx, EventNotifier *notifier,
                                 EventNotifierHandler *io_poll_begin,
                                 EventNotifierHandler *io_poll_end)
{
    aio_set_fd_poll(ctx, event_notifier_get_fd(notifier),
                    (IOHandler *)io_poll_begin, (IOHandler *)io_poll_end);
}

void handler_mark_notifier(AioContext *ctx, int fd, bool edge)
{
    qemu_mutex_lock(&ctx->list_lock);
    AioHandler *node = handler_find(ctx, fd);
    count_handler(ctx, node, -1);
    node->is_notifier = true;
    node->is_edge = edge;
    qemu_mutex_unlock(&ctx->list_lock);
}

bool aio_poll_disabled(AioContext *ctx)
{
    return qatomic_read(&ctx->poll_disable_cnt) > 0;
}

/* ---- pseudo handlers ---------------------------------------------------- */

AioHandler *handler_new_pseudo(AioContext *ctx, IOHandler *io_read,
                               void *opaque)
{
    AioHandler *node = check_calloc(1, sizeof(*node));

    node->fd = -1;
    node->io_read = io_read;
    node->opaque = opaque;
    node->events = node->watch = EPOLLIN;
    return node;
}

void handler_free_pseudo(AioContext *ctx, AioHandler *node)
{
    CHECK(node->fd == -1);
    CHECK(aio_context_in_home_thread(ctx));
    qemu_mutex_lock(&ctx->list_lock);
    bury(ctx, node);
    qemu_mutex_unlock(&ctx->list_lock);
    if (!ctx->walking) {
        handler_free_deleted(ctx);
    }
}

/* ---- the end of a handler ----------------------------------------------- */

/* List lock held. */
static void hand_over_polling(AioContext *ctx, AioHandler *node)
{
    AioHandler *heir = handler_find(ctx, node->fd);

    if (!node->in_poll_list || !heir || heir->in_poll_list || !heir->io_poll ||
        heir->opaque != node->opaque) {
        return;
    }
    heir->in_poll_list = true;
    heir->poll_started = node->poll_started;
    heir->poll_idle_ns = node->poll_idle_ns;
    node->poll_started = false;
    QTAILQ_INSERT_TAIL(&ctx->poll_list, heir, node_poll);
}

void handler_hand_over_polling(AioContext *ctx, AioHandler *node)
{
    qemu_mutex_lock(&ctx->list_lock);
    hand_over_polling(ctx, node);
    qemu_mutex_unlock(&ctx->list_lock);
}

static void forget(AioContext *ctx, AioHandler *node)
{
    hand_over_polling(ctx, node);
    if (node->in_ready_list) {
        QTAILQ_REMOVE(&ctx->ready_list, node, node_ready);
        node->in_ready_list = false;
    }
    if (node->in_poll_list) {
        QTAILQ_REMOVE(&ctx->poll_list, node, node_poll);
        node->in_poll_list = false;
    }
}

void handler_free_deleted_slow(AioContext *ctx)
{
    AioHandler *node, *next;

    qemu_mutex_lock(&ctx->list_lock);
    QTAILQ_FOREACH_SAFE(node, &ctx->deleted_aio_handlers, node_deleted, next) {
        forget(ctx, node);
        if (!node->mon_refs) {
            QTAILQ_REMOVE(&ctx->deleted_aio_handlers, node, node_deleted);
            qatomic_dec(&ctx->deleted_count);
            change_accepted(node, NULL);
            free(node);
        }
    }
    qemu_mutex_unlock(&ctx->list_lock);
}

void handler_setup(AioContext *ctx)
{
    qemu_mutex_init(&ctx->list_lock);
    QTAILQ_INIT(&ctx->aio_handlers);
    QTAILQ_INIT(&ctx->deleted_aio_handlers);
    QTAILQ_INIT(&ctx->ready_list);
    QTAILQ_INIT(&ctx->poll_list);
}

static const char *callback_name(const AioHandler *node)
{
    IOHandler *callback = node->io_read    ? node->io_read
                          : node->io_write ? node->io_write
                                           : node->io_poll_ready;

    return symbol_name((const void *)(uintptr_t)callback);
}

void handler_destroy(AioContext *ctx)
{
    AioHandler *left = QTAILQ_FIRST(&ctx->aio_handlers);

    CHECKF(!left,
           "a context that is being destroyed still has a handler for "
           "fd %d (%s, opaque %p, set at %s); remove it first",
           left->fd, callback_name(left), left->opaque,
           symbol_name(left->creator));
    handler_free_deleted(ctx);
    left = QTAILQ_FIRST(&ctx->deleted_aio_handlers);
    CHECKF(!left, "the monitor still names the handler of fd %d", left->fd);
    table_free(ctx);
    qemu_mutex_destroy(&ctx->list_lock);
}
