/*
 * graph_lock.c - many readers in all threads, one writer in the main thread
 *
 * A reader raises the count of its context, then looks whether there is a
 * writer, which pairs with the writer's announcing itself, then adding up the
 * counts.  Both steps of both sides are sequentially consistent: either the
 * reader sees the writer and backs out, or the writer sees the reader and
 * waits.
 *
 * A count alone means nothing, because a coroutine may lock in one context and
 * unlock in another: some are negative.  Their sum, taken while the writer is
 * announced, is never too low: a raise that it misses was followed by backing
 * out, in the same context.
 *
 * The writer does not stay announced while it polls: a reader may wait for
 * another coroutine which wants to read, too (and may be the same one).  It
 * polls until the sum looks like zero, announces itself, adds up again, and
 * withdraws if a reader was faster.
 *
 * Rule: a coroutine is put on `queue` only under the lock and while has_writer
 * is set; whoever clears has_writer wakes the queue after that.
 */
#include "block/graph-lock.h"

#include "base/check.h"
#include "block/aio-wait.h"
#include "loop/context.h"
#include "qemu/atomic.h"

/* How long the announced writer waits for readers that are backing out. */
enum { BACK_OUT_ROUNDS = 1000 };

struct BdrvGraphRWlock {
    int reader_count; /* atomic; may be negative */
    AioContext *ctx;
    QTAILQ_ENTRY(BdrvGraphRWlock) next; /* under the lock */
};

static QemuMutex lock = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .initialized = true,
};

/* Under the lock. */
static QTAILQ_HEAD(, BdrvGraphRWlock) counts = QTAILQ_HEAD_INITIALIZER(counts);
static int orphaned_reader_count; /* of contexts that are gone */
static CoQueue queue = {QSIMPLEQ_HEAD_INITIALIZER(queue.entries)};
static bool externals_disabled;

static bool has_writer; /* atomic; the main thread writes */

/* ---- contexts ----------------------------------------------------------- */

static const ContextHook graph_hook = {.destroy = unregister_aiocontext};

void register_aiocontext(AioContext *ctx)
{
    if (ctx->bdrv_graph) {
        return;
    }
    CHECKF(context_is_home(ctx),
           "a context is prepared for readers of the graph outside of its home "
           "thread");

    BdrvGraphRWlock *graph = check_calloc(1, sizeof(*graph));

    graph->ctx = ctx;
    context_add_hook(ctx, &graph_hook);
    qemu_mutex_lock(&lock);
    QTAILQ_INSERT_TAIL(&counts, graph, next);
    if (externals_disabled) {
        aio_disable_external(ctx);
    }
    ctx->bdrv_graph = graph;
    qemu_mutex_unlock(&lock);
}

void unregister_aiocontext(AioContext *ctx)
{
    BdrvGraphRWlock *graph = ctx->bdrv_graph;

    if (!graph) {
        return;
    }
    qemu_mutex_lock(&lock);
    orphaned_reader_count += qatomic_read(&graph->reader_count);
    QTAILQ_REMOVE(&counts, graph, next);
    if (externals_disabled) {
        aio_enable_external(ctx);
    }
    ctx->bdrv_graph = NULL;
    qemu_mutex_unlock(&lock);
    free(graph);
}

static int reader_count(void)
{
    BdrvGraphRWlock *graph;

    qemu_mutex_lock(&lock);
    int sum = orphaned_reader_count;
    QTAILQ_FOREACH(graph, &counts, next) {
        sum += __atomic_load_n(&graph->reader_count, __ATOMIC_SEQ_CST);
    }
    qemu_mutex_unlock(&lock);
    return sum;
}

static void set_externals_disabled(bool disabled)
{
    BdrvGraphRWlock *graph;

    qemu_mutex_lock(&lock);
    externals_disabled = disabled;
    QTAILQ_FOREACH(graph, &counts, next) {
        if (disabled) {
            aio_disable_external(graph->ctx);
        } else {
            aio_enable_external(graph->ctx);
        }
    }
    qemu_mutex_unlock(&lock);
}

/* ---- the writer --------------------------------------------------------- */

static void check_main_loop(const char *what)
{
    CHECKF(qemu_in_main_thread() && !qemu_in_coroutine(),
           "%s() is for the main thread, outside of coroutines", what);
}

static void withdraw(void)
{
    __atomic_store_n(&has_writer, false, __ATOMIC_SEQ_CST);
    qemu_mutex_lock(&lock);
    qemu_co_enter_all(&queue, &lock);
    qemu_mutex_unlock(&lock);
}

/* True: there are no readers, and there will be none. */
static bool announce(void)
{
    __atomic_store_n(&has_writer, true, __ATOMIC_SEQ_CST);
    for (int i = 0; i < BACK_OUT_ROUNDS; i++) {
        int readers = reader_count();

        CHECKF(readers >= 0,
               "%d more readers of the graph have unlocked than "
               "locked it",
               -readers);
        if (readers == 0) {
            return true;
        }
        cpu_relax();
    }
    withdraw();
    return false;
}

void bdrv_graph_wrlock(void)
{
    check_main_loop(__func__);
    CHECKF(!qatomic_read(&has_writer), "the graph is locked for writing twice");
    set_externals_disabled(true);
    /* Ends when the readers pause; see the header. */
    do {
        AIO_WAIT_WHILE_UNLOCKED(NULL, reader_count() > 0);
    } while (!announce());
}

void bdrv_graph_wrunlock(void)
{
    check_main_loop(__func__);
    CHECKF(qatomic_read(&has_writer), "the graph is not locked for writing");
    set_externals_disabled(false);
    withdraw();
}

/* ---- readers ------------------------------------------------------------ */

/* That of the context in which the coroutine runs now. */
static BdrvGraphRWlock *current_count(void)
{
    AioContext *ctx = qemu_get_current_aio_context();

    CHECKF(ctx && qemu_in_coroutine(),
           "the graph is read outside of coroutines of a context");
    if (unlikely(!ctx->bdrv_graph)) {
        register_aiocontext(ctx);
    }
    return ctx->bdrv_graph;
}

static void add_reader(BdrvGraphRWlock *graph, int n)
{
    __atomic_fetch_add(&graph->reader_count, n, __ATOMIC_SEQ_CST);
}

static bool writer_announced(void)
{
    return __atomic_load_n(&has_writer, __ATOMIC_SEQ_CST);
}

/* Backs out and waits until the writer has gone. */
static void coroutine_fn wait_for_writer(BdrvGraphRWlock *graph)
{
    add_reader(graph, -1);
    qemu_mutex_lock(&lock);
    if (writer_announced()) {
        qemu_co_queue_wait(&queue, &lock);
    }
    qemu_mutex_unlock(&lock);
}

void coroutine_fn bdrv_graph_co_rdlock(void)
{
    /* Ends: each round waits for one writer to come and go. */
    for (;;) {
        BdrvGraphRWlock *graph = current_count();

        add_reader(graph, 1);
        if (likely(!writer_announced())) {
            return;
        }
        wait_for_writer(graph);
    }
}

void coroutine_fn bdrv_graph_co_rdunlock(void)
{
    add_reader(current_count(), -1);
    aio_wait_kick();
}

void bdrv_graph_rdlock_main_loop(void)
{
    check_main_loop(__func__);
}

void bdrv_graph_rdunlock_main_loop(void)
{
    check_main_loop(__func__);
}

/* ---- checks ------------------------------------------------------------- */

void assert_bdrv_graph_readable(void)
{
    CHECKF(qemu_in_main_thread() || reader_count() > 0,
           "the graph is read without its lock");
}

void assert_bdrv_graph_writable(void)
{
    CHECKF(qemu_in_main_thread() && qatomic_read(&has_writer),
           "the graph is written without its lock");
}
