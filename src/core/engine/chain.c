/*
 * chain.c - requests that run one after another, until one fails
 *
 * A chain is one list in the order of submission: first what an engine has,
 * then what waits.  It is handed on piece by piece: several requests at once
 * where the engine can link them (io_uring), else one at a time, so that every
 * engine, and every mix of them, gives the same results.
 *
 * The chain, not the engine, decides what a completion means.  A link that the
 * kernel broke because a request was interrupted, and is tried again, broke
 * nothing: what it cancelled goes back to the waiting.
 *
 * The rule that keeps it right: nothing of a chain is handed on while an engine
 * still has a piece of it, and completions count in the order of the list.
 */
#include <errno.h>

#include "base/check.h"
#include "engine/chain.h"
#include "engine/state.h"

enum { PIECE_MAX = 64, KERNEL_RW_MAX = 0x7ffff000 };

/* AioRequest.chain_state */
enum {
    CHAIN_WAITS = 1,
    CHAIN_RUNS = 2,
    CHAIN_ENDED = 4,
    CHAIN_DROPPED = 8, /* no longer in the list */
    CHAIN_LINKED = 16, /* may have been cancelled by the engine */
    CHAIN_CANCELLED = 32,
};

/* ---- the list of chains that have something to begin -------------------- */

static void idle_add(AioChain *chain, EngineState *state)
{
    if (!chain->idle) {
        chain->idle = true;
        chain->next_idle = state->idle_chains;
        state->idle_chains = chain;
    }
}

static void idle_remove(AioChain *chain, EngineState *state)
{
    AioChain **p = &state->idle_chains;

    while (chain->idle && *p != chain) {
        p = &(*p)->next_idle;
    }
    if (chain->idle) {
        *p = chain->next_idle;
        chain->idle = false;
    }
}

/* ---- handing on --------------------------------------------------------- */

static size_t wanted_bytes(const AioRequest *req)
{
    size_t sum = 0;

    if (req->op == AIO_OP_READ || req->op == AIO_OP_WRITE) {
        return req->len;
    }
    for (int i = 0; i < req->iovcnt; i++) {
        sum += req->iov[i].iov_len;
    }
    return sum;
}

static bool is_transfer(const AioRequest *req)
{
    return AIO_OP_BIT(req->op) & AIO_OPS_RW;
}

/* What may wait for ever must be cancellable, which nothing in a link is; and
 * the kernel must not take for whole what we take for short. */
static bool may_be_linked(const AioRequest *req)
{
    return !is_transfer(req) ||
           (req->offset >= 0 && wanted_bytes(req) <= KERNEL_RW_MAX);
}

static unsigned piece_length(const AioChain *chain)
{
    const AioEngine *engine = chain->waiting->engine;
    unsigned n = 0;

    for (const AioRequest *req = chain->waiting;
         req && n < PIECE_MAX && req->engine == engine && may_be_linked(req);
         req = req->chain_next) {
        n++;
    }
    return engine->submit_linked ? n : 0;
}

static void take_piece(AioChain *chain, unsigned n, unsigned state)
{
    chain->running += n;
    for (; n > 0; n--) {
        chain->waiting->chain_state = state;
        chain->waiting = chain->waiting->chain_next;
    }
}

static void chain_go_on(AioChain *chain)
{
    AioRequest *req = chain->waiting;
    unsigned n = piece_length(chain);

    if (n > 1 && req->engine->submit_linked(req->ctx, req, n)) {
        take_piece(chain, n, CHAIN_RUNS | CHAIN_LINKED);
    } else {
        take_piece(chain, 1, CHAIN_RUNS);
        req->engine->submit(req->ctx, req);
    }
}

/* ---- ending without having run ------------------------------------------ */

static void drop(AioRequest *req)
{
    req->chain_state = CHAIN_DROPPED;
    request_finish(req, -ECANCELED);
}

/* @from and all behind it: nothing of that has been handed on. */
static void drop_from(AioChain *chain, AioRequest *from)
{
    AioRequest **p = &chain->first;

    while (*p != from) {
        p = &(*p)->chain_next;
    }
    *p = NULL;
    chain->tail = p;
    if (chain->waiting == from) {
        chain->waiting = NULL;
        idle_remove(chain, from->ctx->engine_state);
    }
    while (from) {
        AioRequest *next = from->chain_next;

        drop(from);
        from = next;
    }
}

/* ---- for request.c ------------------------------------------------------ */

void chain_submit(AioRequest *req)
{
    AioChain *chain = req->chain;

    req->chain_next = NULL;
    if (chain->failed || chain->closed) {
        drop(req);
        return;
    }
    req->chain_state = CHAIN_WAITS;
    if (!chain->first) {
        chain->tail = &chain->first;
    }
    *chain->tail = req;
    chain->tail = &req->chain_next;
    if (!chain->waiting) {
        chain->waiting = req;
        idle_add(chain, req->ctx->engine_state);
    }
}

void chain_cancel(AioRequest *req)
{
    if (req->chain_state & CHAIN_WAITS) {
        req->chain->closed = true; /* what stands before it goes on */
        drop_from(req->chain, req);
    } else if (req->chain_state & CHAIN_RUNS) {
        req->chain_state |= CHAIN_CANCELLED;
        req->engine->cancel(req->ctx, req);
    }
}

static bool has_failed(const AioRequest *req)
{
    return req->ret < 0 ||
           (is_transfer(req) && (size_t)req->ret < wanted_bytes(req));
}

/* Cancelled by a broken link although all before it have ended well. */
static bool must_run_again(const AioChain *chain, const AioRequest *req)
{
    return !chain->failed && req->ret == -ECANCELED &&
           (req->chain_state & (CHAIN_LINKED | CHAIN_CANCELLED)) ==
               CHAIN_LINKED;
}

static void call_back(AioChain *chain)
{
    AioRequest *req = chain->first;

    chain->first = req->chain_next;
    chain->failed = chain->failed || has_failed(req);
    req->done(req);
}

static void all_wait(AioChain *chain)
{
    chain->waiting = chain->first;
    for (AioRequest *req = chain->first; req; req = req->chain_next) {
        if (req->chain_state & CHAIN_ENDED) {
            req->ctx->stats.submitted++; /* once more */
        }
        req->chain_state = CHAIN_WAITS;
    }
}

/* A callback may poll the context, and so come here again. */
static void chain_settle(AioChain *chain)
{
    while (chain->first && (chain->first->chain_state & CHAIN_ENDED) &&
           !must_run_again(chain, chain->first)) {
        call_back(chain);
    }
    if (chain->running > 0 || !chain->first) {
        return;
    }
    all_wait(chain);
    if (chain->failed) {
        drop_from(chain, chain->first);
    } else {
        chain_go_on(chain);
    }
}

void chain_ended(AioRequest *req)
{
    EngineState *state = req->ctx->engine_state;
    AioChain *chain = req->chain;

    if (req->chain_state == CHAIN_DROPPED) {
        req->done(req);
        return;
    }
    req->chain_state = (req->chain_state & ~CHAIN_RUNS) | CHAIN_ENDED;
    if (--chain->running == 0 && chain->first->chain_next) {
        idle_add(chain, state); /* a nested poll must find the rest */
    }
    chain_settle(chain);
    idle_remove(chain, state);
}

void chain_start_all(EngineState *state)
{
    while (state->idle_chains) {
        AioChain *chain = state->idle_chains;

        idle_remove(chain, state);
        chain_settle(chain);
    }
}
