/*
 * request.c - submitting requests to engines and calling back
 *
 * Finished requests wait in one FIFO per context.  A pseudo handler of the
 * loop, ready while the FIFO is not empty, runs their callbacks.
 *
 * The rule that keeps it right: callbacks run only in request_dispatch(), and a
 * pass ends after what had finished when it began.  A callback may submit,
 * cancel, or poll the context: the nested poll finds the rest of the FIFO
 * because before_wait() makes the handler ready again.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/fork.h"
#include "engine/chain.h"
#include "engine/state.h"
#include "engine/thread_pool.h"

/* ---- finished requests -------------------------------------------------- */

static void announce(EngineState *state)
{
    handler_make_ready(state->ctx, &state->ctx->ready_list, state->pseudo,
                       EPOLLIN);
}

void request_finish(AioRequest *req, int64_t ret)
{
    EngineState *state = req->ctx->engine_state;

    DCHECK(req->engine); /* NULL: it has called back already */
    req->ret = ret;
    req->next = NULL;
    *state->finished_tail = req;
    state->finished_tail = &req->next;
    if (state->finished_count++ == 0 && !state->muted) {
        announce(state);
    }
}

void request_complete(AioRequest *req, int64_t ret)
{
    req->ret = ret;
    req->ctx->stats.completed++;
    if (unlikely(req->chain)) {
        chain_ended(req);
    } else {
        req->done(req);
    }
}

static AioRequest *finished_pop(EngineState *state)
{
    AioRequest *req = state->finished;

    state->finished = req->next;
    if (!state->finished) {
        state->finished_tail = &state->finished;
    }
    state->finished_count--;
    return req;
}

static void request_dispatch(void *opaque)
{
    EngineState *state = opaque;
    unsigned budget = state->finished_count;

    state->dispatching++;
    while (budget-- && state->finished) { /* a nested pass may take some */
        AioRequest *req = finished_pop(state);

        request_complete(req, req->ret);
    }
    state->dispatching--;
    if (state->finished) {
        announce(state);
    }
}

void engine_mute(AioContext *ctx)
{
    ctx->engine_state->muted++;
}

void engine_unmute(AioContext *ctx)
{
    EngineState *state = ctx->engine_state;

    CHECK(state->muted > 0);
    state->muted--;
    request_dispatch(state);
}

/* Other threads look for it, to change its limits. */
static void set_pool(AioContext *ctx, ThreadPool *pool)
{
    qemu_mutex_lock(&ctx->list_lock);
    ctx->thread_pool = pool;
    qemu_mutex_unlock(&ctx->list_lock);
}

/* ---- the state of a context --------------------------------------------- */

/* In a child: what has not finished by now will do so in the parent only. */
static void leave_parent(EngineState *state)
{
    const AioContextStats *stats = &state->ctx->stats;

    if (unlikely(state->fork_count != fork_count)) {
        state->fork_count = fork_count;
        state->abandoned = stats->submitted - stats->completed;
        state->idle_chains = NULL; /* the parent begins them */
    }
}

static void engines_before_wait(AioContext *ctx)
{
    EngineState *state = ctx->engine_state;

    leave_parent(state);
    if (state->finished) {
        announce(state);
    }
    if (ctx->thread_pool) {
        thread_pool_before_wait(ctx->thread_pool);
    }
    chain_start_all(state);
    engine_before_wait_all(ctx);
}

static void engines_destroy(AioContext *ctx)
{
    EngineState *state = ctx->engine_state;
    uint64_t in_flight = ctx->stats.submitted - ctx->stats.completed;

    leave_parent(state);
    CHECKF(in_flight <= state->abandoned,
           "a context is destroyed with %llu file requests in flight, the "
           "last for engine %s; wait for their callbacks",
           (unsigned long long)in_flight,
           state->last ? state->last->name : engine_threads.name);
    CHECK(!state->dispatching);
    engine_destroy_all(ctx);
    thread_pool_free(ctx->thread_pool);
    set_pool(ctx, NULL);
    handler_free_pseudo(ctx, state->pseudo);
    for (int i = 0; i < ENGINES_MAX; i++) {
        free(state->reason[i]);
    }
    free(state);
    ctx->engine_state = NULL;
}

static const ContextHook engines_hook = {
    .before_wait = engines_before_wait,
    .destroy = engines_destroy,
};

static EngineState *state_new(AioContext *ctx)
{
    EngineState *state = check_calloc(1, sizeof(*state));

    state->ctx = ctx;
    state->fork_count = fork_count;
    state->finished_tail = &state->finished;
    state->pseudo = handler_new_pseudo(ctx, request_dispatch, state);
    ctx->engine_state = state;
    context_add_hook(ctx, &engines_hook);
    return state;
}

EngineState *engine_state(AioContext *ctx)
{
    EngineState *state = ctx->engine_state;

    return likely(state) ? state : state_new(ctx);
}

struct ThreadPool *aio_get_thread_pool(AioContext *ctx)
{
    if (!ctx->thread_pool) {
        engine_state(ctx); /* its hook frees the pool */
        set_pool(ctx, thread_pool_new(ctx));
        /* The limits may have been changed before they could see it. */
        thread_pool_update_params(ctx->thread_pool, ctx);
    }
    return ctx->thread_pool;
}

/* ---- submitting --------------------------------------------------------- */

/* The one that will run it: @engine, or the thread pool for what it lacks. */
static const AioEngine *choose(AioContext *ctx, const AioEngine *engine,
                               AioOp op)
{
    EngineState *state = engine_state(ctx);

    if (unlikely(state->last != engine)) {
        if (!engine_is_ready(ctx, engine)) {
            return &engine_threads;
        }
        state->last = engine;
    }
    return likely(engine->ops & AIO_OP_BIT(op)) ? engine : &engine_threads;
}

void aio_request_submit(AioContext *ctx, const AioEngine *engine,
                        AioRequest *req)
{
    DCHECK(aio_context_in_home_thread(ctx));
    CHECKF(req->op < AIO_OP__MAX && req->done,
           "a request on fd %d of op %d, %s callback", req->fd, (int)req->op,
           req->done ? "with a" : "without a");
    req->ctx = ctx;
    req->engine = choose(ctx, engine, req->op);
    req->next = NULL;
    ctx->stats.submitted++;
    if (unlikely(req->chain)) {
        chain_submit(req);
    } else {
        req->engine->submit(ctx, req);
    }
}

void request_hand_over(AioRequest *req)
{
    req->engine = &engine_threads;
    engine_threads.submit(req->ctx, req);
}

void aio_request_cancel(AioRequest *req)
{
    CHECKF(req->engine, "cancel of a request that was not submitted");
    if (req->chain) {
        chain_cancel(req);
    } else {
        req->engine->cancel(req->ctx, req);
    }
}

void aio_request_plug(AioContext *ctx)
{
    ctx->plug_depth++;
}

void aio_request_unplug(AioContext *ctx)
{
    CHECKF(ctx->plug_depth > 0,
           "aio_request_unplug() without aio_request_plug()");
    if (--ctx->plug_depth == 0 && ctx->engine_state) {
        chain_start_all(ctx->engine_state);
        engine_flush_all(ctx);
    }
}
