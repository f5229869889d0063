/*
 * home.c - which thread may poll a context, and which context a thread runs
 *
 * A context has a home thread: the first one that polls it, or the one that
 * called qemu_set_current_aio_context().  Threads are compared by the address
 * of their LoopThread, which lives until the thread has ended and no context
 * calls it home any more, so that an address never means two threads.  When the
 * home thread has ended the context may be adopted again.
 *
 * Any thread may ask, also while another one adopts the context: so a
 * LoopThread is never freed, but used again for a later thread.
 *
 * Rule: ctx->home changes only here; to see oneself in it is proof that nobody
 * else polls the context.
 */
#include <pthread.h>

#include "coro/thread.h"
#include "loop/context.h"
#include "qemu/atomic.h"

struct LoopThread {
    int refcnt; /* atomic: the thread itself, and contexts */
    bool ended; /* atomic */
    int id;
    char name[16];
    AioContext *assigned; /* own: by qemu_set_current_aio_context() */
    LoopThread *next_spare;
};

static LoopThread *get_loop_thread(void)
{
    return coroutine_thread_storage()->loop;
}

static void set_loop_thread(LoopThread *thread)
{
    coroutine_thread_storage()->loop = thread;
}

static pthread_key_t loop_thread_key;
static pthread_once_t loop_thread_once = PTHREAD_ONCE_INIT;

static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;
static LoopThread *spare; /* under spare_lock */

static void loop_thread_unref(LoopThread *thread)
{
    if (thread && qatomic_fetch_dec(&thread->refcnt) == 1) {
        CHECK(pthread_mutex_lock(&spare_lock) == 0);
        thread->next_spare = spare;
        spare = thread;
        CHECK(pthread_mutex_unlock(&spare_lock) == 0);
    }
}

static LoopThread *loop_thread_new(void)
{
    CHECK(pthread_mutex_lock(&spare_lock) == 0);
    LoopThread *thread = spare;
    spare = thread ? thread->next_spare : NULL;
    CHECK(pthread_mutex_unlock(&spare_lock) == 0);
    return thread ? thread : check_calloc(1, sizeof(*thread));
}

static void loop_thread_end(void *opaque)
{
    LoopThread *thread = opaque;

    set_loop_thread(NULL);
    /* Pairs with context_adopt(): who sees it takes over all that the loop
     * left. */
    qatomic_store_release(&thread->ended, true);
    loop_thread_unref(thread);
}

static void loop_thread_make_key(void)
{
    CHECK(pthread_key_create(&loop_thread_key, loop_thread_end) == 0);
}

static LoopThread *loop_thread_self(void)
{
    LoopThread *thread = get_loop_thread();

    if (!thread) {
        thread = loop_thread_new();
        thread->assigned = NULL;
        qatomic_set(&thread->refcnt, 1);
        qatomic_set(&thread->ended, false);
        thread->id = qemu_get_thread_id();
        pthread_getname_np(pthread_self(), thread->name, sizeof(thread->name));
        CHECK(pthread_once(&loop_thread_once, loop_thread_make_key) == 0);
        CHECK(pthread_setspecific(loop_thread_key, thread) == 0);
        set_loop_thread(thread);
    }
    return thread;
}

bool context_is_home(AioContext *ctx)
{
    LoopThread *thread = get_loop_thread();

    return thread && qatomic_read(&ctx->home) == thread;
}

bool aio_context_in_home_thread(AioContext *ctx)
{
    LoopThread *home = qatomic_load_acquire(&ctx->home);

    return !home || home == get_loop_thread() ||
           qatomic_load_acquire(&home->ended);
}

static void adopt_failed(LoopThread *home, LoopThread *self)
{
    check_failedf(__FILE__, __LINE__, "aio_context_in_home_thread(ctx)",
                  "thread %d (%s) polls a context whose home is thread %d (%s);"
                  " only the home thread may poll it",
                  self->id, self->name, home->id, home->name);
}

void context_adopt(AioContext *ctx)
{
    if (likely(context_is_home(ctx))) {
        return;
    }

    LoopThread *self = loop_thread_self();
    LoopThread *old = qatomic_load_acquire(&ctx->home);

    if (old && !qatomic_load_acquire(&old->ended)) {
        adopt_failed(old, self);
    }
    qatomic_inc(&self->refcnt);
    LoopThread *found = qatomic_cmpxchg(&ctx->home, old, self);
    if (found != old) {
        adopt_failed(found, self); /* two threads began at the same time */
    }
    loop_thread_unref(old);
    if (!coroutine_thread_context()) {
        coroutine_set_thread_context(ctx);
    }
}

void context_drop_home(AioContext *ctx)
{
    LoopThread *home = qatomic_xchg(&ctx->home, NULL);

    if (coroutine_thread_context() == ctx) {
        coroutine_set_thread_context(NULL);
    }
    if (home && home == get_loop_thread() && home->assigned == ctx) {
        home->assigned = NULL;
    }
    loop_thread_unref(home);
}

AioContext *context_enter(AioContext *ctx)
{
    AioContext *previous = coroutine_thread_context();
    AioContext *shown = ctx->shown_as ? ctx->shown_as : ctx;

    if (previous != shown) {
        coroutine_set_thread_context(shown);
    }
    return previous;
}

void context_leave(AioContext *ctx, AioContext *previous)
{
    if (previous != ctx) {
        coroutine_set_thread_context(previous);
    }
}

AioContext *qemu_get_current_aio_context(void)
{
    return coroutine_thread_context();
}

void qemu_set_current_aio_context(AioContext *ctx)
{
    LoopThread *self = loop_thread_self();

    if (!ctx) {
        CHECKF(self->assigned, "this thread has no context to give up");
        context_drop_home(self->assigned);
        self->assigned = NULL;
        return;
    }
    CHECKF(!self->assigned, "thread %d (%s) already has a context of its own",
           self->id, self->name);
    context_adopt(ctx);
    self->assigned = ctx;
    coroutine_set_thread_context(ctx);
}
