/*
 * bh.c - bottom halves: callbacks that run once per schedule
 *
 * Other threads push to ctx->bh_remote, a lock-free stack that the home thread
 * takes whole and turns round.  The home thread appends to ctx->bh_queue
 * directly, without a locked instruction, after it has moved bh_remote there:
 * so a bottom half never overtakes one whose scheduling happened before.
 *
 * A slice is a position in the queue: aio_bh_poll() runs what was pushed before
 * it was called.  A nested call has a later position, and on its way there runs
 * what outer calls still have before them; these then find it popped.
 *
 * A signal handler of the home thread that interrupts a change of the queue
 * finds it busy and pushes to bh_remote like a stranger
 * (docs/protocols/notify.pml).
 *
 * Rule: a bottom half is on exactly one of the two exactly while BH_PENDING is
 * set, and only the home thread clears that bit, after taking it off.
 */
#include "base/symbol.h"
#include "loop/context.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"

enum {
    BH_PENDING = 1 << 0,   /* queued */
    BH_SCHEDULED = 1 << 1, /* to be called */
    BH_DELETED = 1 << 2,   /* to be freed, not called */
    BH_ONESHOT = 1 << 3,   /* to be freed after the call */
    BH_IDLE = 1 << 4,      /* no hurry */
};

enum {
    BH_IDLE_NS = 10 * 1000 * 1000,
    BH_SPARE_MAX = 256,
    BH_LEAKS_NAMED = 8,
};

struct QEMUBH {
    AioContext *ctx;
    QEMUBHFunc *cb;
    void *opaque;
    const char *name;
    const void *creator;      /* the code that made it, for reports */
    QEMUBH *next;             /* in bh_queue, bh_remote or the spare list */
    unsigned flags;           /* atomic */
    QTAILQ_ENTRY(QEMUBH) all; /* list_lock; not for one-shots */
};

/* ---- queueing ----------------------------------------------------------- */

static void queue_append(BHQueue *queue, QEMUBH *bh)
{
    bh->next = NULL;
    if (queue->head) {
        queue->tail->next = bh;
    } else {
        queue->head = bh;
    }
    queue->tail = bh;
    queue->pushed++;
}

/* Moves what others scheduled to the queue, oldest first.  Queue busy. */
static void absorb_remote(AioContext *ctx)
{
    BHQueue *queue = &ctx->bh_queue;
    QEMUBH *newest = qatomic_xchg(&ctx->bh_remote, NULL);
    QEMUBH *oldest_first = NULL;

    /* One pass: each of them is a cache miss. */
    for (QEMUBH *bh = newest, *next; bh; bh = next) {
        next = bh->next;
        bh->next = oldest_first;
        oldest_first = bh;
        queue->pushed++;
    }
    if (queue->head) {
        queue->tail->next = oldest_first;
    } else {
        queue->head = oldest_first;
    }
    queue->tail = newest ? newest : queue->tail;
}

static void queue_begin(AioContext *ctx)
{
    ctx->bh_queue.busy = true;
    signal_barrier();
    if (unlikely(qatomic_read(&ctx->bh_remote))) {
        absorb_remote(ctx);
    }
}

static void queue_end(AioContext *ctx)
{
    signal_barrier();
    ctx->bh_queue.busy = false;
}

static void push_remote(AioContext *ctx, QEMUBH *bh)
{
    QEMUBH *first = qatomic_read(&ctx->bh_remote);

    do {
        bh->next = first;
        /* Pairs with the exchange in absorb_remote(): publishes what @bh is
         * to do. */
    } while (!__atomic_compare_exchange_n(&ctx->bh_remote, &first, bh, true,
                                          __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static void enqueue_home(AioContext *ctx, QEMUBH *bh, unsigned old_flags)
{
    if (!(old_flags & BH_PENDING)) {
        if (unlikely(ctx->bh_queue.busy)) {
            push_remote(ctx, bh);
        } else {
            queue_begin(ctx);
            queue_append(&ctx->bh_queue, bh);
            queue_end(ctx);
        }
    }
    notify_interrupted(ctx);
}

static unsigned set_flags(QEMUBH *bh, unsigned flags)
{
    return qatomic_fetch_or(&bh->flags, BH_PENDING | flags);
}

static void enqueue(QEMUBH *bh, unsigned new_flags)
{
    /* Read first: once a stranger has set the flags, the home thread may run
     * and free the bottom half. */
    AioContext *ctx = bh->ctx;

    if (likely(context_is_home(ctx))) {
        enqueue_home(ctx, bh, set_flags(bh, new_flags));
        return;
    }
    context_visit(ctx);
    if (!(set_flags(bh, new_flags) & BH_PENDING)) {
        push_remote(ctx, bh);
    }
    aio_notify(ctx);
    context_end_visit(ctx);
}

void qemu_bh_schedule(QEMUBH *bh)
{
    if (unlikely(qatomic_read(&bh->flags) & BH_IDLE)) {
        qatomic_and(&bh->flags, ~(unsigned)BH_IDLE); /* now there is a hurry */
    }
    enqueue(bh, BH_SCHEDULED);
}

void qemu_bh_schedule_idle(QEMUBH *bh)
{
    enqueue(bh, BH_SCHEDULED | BH_IDLE);
}

bool aio_bh_is_scheduled(QEMUBH *bh)
{
    return qatomic_load_acquire(&bh->flags) & BH_SCHEDULED;
}

void qemu_bh_cancel(QEMUBH *bh)
{
    qatomic_and(&bh->flags, ~(unsigned)BH_SCHEDULED);
}

void qemu_bh_delete(QEMUBH *bh)
{
    CHECKF(!(qatomic_read(&bh->flags) & BH_DELETED),
           "bottom half '%s' (created at %s) is deleted twice", bh->name,
           symbol_name(bh->creator));
    enqueue(bh, BH_DELETED);
}

/* ---- creating and freeing ----------------------------------------------- */

static inline void check_new(AioContext *ctx, QEMUBHFunc *cb, const char *name,
                             const void *creator)
{
    CHECKF(ctx,
           "bottom half '%s' for no context, at %s; the main one exists from "
           "qemu_init_main_loop() on",
           name, symbol_name(creator));
    CHECKF(cb, "bottom half '%s' without a callback, at %s", name,
           symbol_name(creator));
}

QEMUBH *aio_bh_new_full(AioContext *ctx, QEMUBHFunc *cb, void *opaque,
                        const char *name)
{
    check_new(ctx, cb, name, CALLER_ADDRESS);

    QEMUBH *bh = check_malloc(sizeof(*bh));

    *bh = (QEMUBH){.ctx = ctx,
                   .cb = cb,
                   .opaque = opaque,
                   .name = name,
                   .creator = CALLER_ADDRESS};
    qemu_mutex_lock(&ctx->list_lock);
    QTAILQ_INSERT_TAIL(&ctx->bh_all, bh, all);
    qemu_mutex_unlock(&ctx->list_lock);
    return bh;
}

static QEMUBH *oneshot_alloc(AioContext *ctx)
{
    BHQueue *queue = &ctx->bh_queue;
    QEMUBH *bh;

    if (!context_is_home(ctx) || !queue->spare) {
        return check_malloc(sizeof(*bh));
    }
    bh = queue->spare;
    queue->spare = bh->next;
    queue->spare_count--;
    return bh;
}

void aio_bh_schedule_oneshot_full(AioContext *ctx, QEMUBHFunc *cb, void *opaque,
                                  const char *name)
{
    check_new(ctx, cb, name, CALLER_ADDRESS);

    QEMUBH *bh = oneshot_alloc(ctx);

    bh->ctx = ctx;
    bh->cb = cb;
    bh->opaque = opaque;
    bh->name = name;
    bh->creator = CALLER_ADDRESS;
    bh->flags = BH_PENDING | BH_SCHEDULED | BH_ONESHOT;
    if (context_is_home(ctx)) {
        enqueue_home(ctx, bh, 0);
    } else {
        context_visit(ctx);
        push_remote(ctx, bh);
        aio_notify(ctx);
        context_end_visit(ctx);
    }
}

static void oneshot_free(AioContext *ctx, QEMUBH *bh)
{
    BHQueue *queue = &ctx->bh_queue;

    if (queue->spare_count == BH_SPARE_MAX) {
        free(bh);
        return;
    }
    bh->next = queue->spare;
    queue->spare = bh;
    queue->spare_count++;
}

static void bh_free(AioContext *ctx, QEMUBH *bh, unsigned flags)
{
    if (flags & BH_ONESHOT) {
        oneshot_free(ctx, bh);
        return;
    }
    qemu_mutex_lock(&ctx->list_lock);
    QTAILQ_REMOVE(&ctx->bh_all, bh, all);
    qemu_mutex_unlock(&ctx->list_lock);
    free(bh);
}

/* ---- running ------------------------------------------------------------ */

static bool flags_to_be_called(unsigned flags)
{
    return (flags & (BH_SCHEDULED | BH_DELETED)) == BH_SCHEDULED;
}

static QEMUBH *queue_pop(AioContext *ctx, unsigned *flags)
{
    BHQueue *queue = &ctx->bh_queue;

    queue->busy = true;
    signal_barrier();
    QEMUBH *bh = queue->head;
    queue->head = bh->next;
    queue->popped++;
    queue_end(ctx);

    /* Acquire: pairs with the fetch_or of whoever scheduled it.  Cleared before
     * the call, so that a callback may schedule itself. */
    *flags = __atomic_fetch_and(
        &bh->flags, ~(unsigned)(BH_PENDING | BH_SCHEDULED | BH_IDLE),
        __ATOMIC_ACQ_REL);
    return bh;
}

void aio_bh_call(QEMUBH *bh)
{
    bh->cb(bh->opaque);
}

int aio_bh_poll(AioContext *ctx)
{
    int progress = 0;

    queue_begin(ctx);
    uint64_t slice_end = ctx->bh_queue.pushed;
    queue_end(ctx);

    /* Ends: slice_end does not move, popped does. */
    while (ctx->bh_queue.popped < slice_end) {
        unsigned flags;
        QEMUBH *bh = queue_pop(ctx, &flags);

        if (flags_to_be_called(flags)) {
            if (!(flags & BH_IDLE)) {
                progress = 1;
            }
            ctx->stats.bhs++;
            aio_bh_call(bh);
        }
        if (flags & (BH_DELETED | BH_ONESHOT)) {
            bh_free(ctx, bh, flags);
        }
    }
    return progress;
}

int64_t bh_timeout(AioContext *ctx)
{
    int64_t timeout = -1;

    if (!bh_any(ctx)) {
        return timeout;
    }
    queue_begin(ctx);
    queue_end(ctx);
    for (QEMUBH *bh = ctx->bh_queue.head; bh; bh = bh->next) {
        unsigned flags = qatomic_read(&bh->flags);

        if (flags_to_be_called(flags)) {
            if (!(flags & BH_IDLE)) {
                return 0;
            }
            timeout = BH_IDLE_NS;
        }
    }
    return timeout;
}

/* ---- the end ------------------------------------------------------------ */

static void leaks_append(char *text, size_t size, const QEMUBH *bh,
                         const char *what)
{
    size_t used = strlen(text);

    snprintf(text + used, size - used, "%s%s '%s' (opaque %p, created at %s)",
             used ? ", " : "", what, bh->name, bh->opaque,
             symbol_name(bh->creator));
}

void bh_destroy(AioContext *ctx)
{
    char leaks[1024] = "";
    int count = 0;
    QEMUBH *bh;

    queue_begin(ctx);
    queue_end(ctx);
    while (ctx->bh_queue.head) {
        unsigned flags;

        bh = queue_pop(ctx, &flags);
        if ((flags & BH_ONESHOT) && flags_to_be_called(flags) &&
            count++ < BH_LEAKS_NAMED) {
            leaks_append(leaks, sizeof(leaks), bh, "one-shot that never ran");
        }
        if (flags & (BH_DELETED | BH_ONESHOT)) {
            bh_free(ctx, bh, flags);
        }
    }
    QTAILQ_FOREACH(bh, &ctx->bh_all, all) {
        if (count++ < BH_LEAKS_NAMED) {
            leaks_append(leaks, sizeof(leaks), bh, "bh");
        }
    }
    CHECKF(count == 0,
           "%d bottom halves leaked by a context that is being "
           "destroyed: %s; qemu_bh_delete() them first, and run one-shots by "
           "aio_poll()",
           count, leaks);

    while ((bh = ctx->bh_queue.spare)) {
        ctx->bh_queue.spare = bh->next;
        free(bh);
    }
}
