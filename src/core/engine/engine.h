/*
 * engine.h - file engines: how a context does file I/O
 *
 * An engine is one row in engines[] (request.c), best first.  It takes requests
 * and gives them back through request_finish(); it knows nothing of coroutines,
 * Lua or other engines.  An operation outside its `ops` never reaches it: the
 * thread pool runs those.
 *
 * The rule that keeps it right: request_finish() only queues.  The callbacks
 * run from one place (request_dispatch(), a ready-list entry of the context),
 * so no callback ever runs inside a submit, and each request has exactly one.
 * Everything here belongs to the home thread.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "aioctl/request.h"
#include "loop/context.h"

#define AIO_OP_BIT(op) (1u << (op))

/* What a plain file system call can do; a row of request_ops[] each. */
#define AIO_OPS_RW                                        \
    (AIO_OP_BIT(AIO_OP_READ) | AIO_OP_BIT(AIO_OP_WRITE) | \
     AIO_OP_BIT(AIO_OP_READV) | AIO_OP_BIT(AIO_OP_WRITEV))
#define AIO_OPS_SYNC (AIO_OP_BIT(AIO_OP_FSYNC) | AIO_OP_BIT(AIO_OP_FDATASYNC))
#define AIO_OPS_ALL (AIO_OP_BIT(AIO_OP__MAX) - 1)

struct AioEngine {
    const char *name;
    unsigned ops;     /* bit set of what it runs itself */
    bool direct_only; /* blocks in submit unless the file is O_DIRECT */

    /* Can it be used on this machine?  Any thread, nothing is kept. */
    bool (*probe)(Error **errp);

    /* Make it ready for @ctx; idempotent.  Home thread. */
    bool (*setup)(AioContext *ctx, Error **errp);

    /* Queue @req; may submit.  Must not call back. */
    void (*submit)(AioContext *ctx, AioRequest *req);

    /* Queue @n requests, by chain_next from @first on, each to run after the
     * one before has ended well; all or none (false).  NULL: it cannot. */
    bool (*submit_linked)(AioContext *ctx, AioRequest *first, unsigned n);

    /* Try to end @req early; it still finishes exactly once. */
    void (*cancel)(AioContext *ctx, AioRequest *req);

    /* The outermost plug ends: submit.  NULL: nothing is ever queued. */
    void (*flush)(AioContext *ctx);

    /* The context is about to wait: submit, unless waiting does.  NULL: as
     * flush(). */
    void (*before_wait)(AioContext *ctx);

    /* Undo setup(), if it was.  Nothing is in flight.  NULL: nothing to do. */
    void (*destroy)(AioContext *ctx);
};

extern const AioEngine engine_threads;
extern const AioEngine engine_linux_aio;
extern const AioEngine engine_io_uring;

/* ---- request.c: for engines --------------------------------------------- */

/*
 * request_finish: @req has ended with @ret; its callback runs in this or the
 * next tick, in the order of these calls.
 */
void request_finish(AioRequest *req, int64_t ret);

/* The same, calling back at once: for engines with a pass of their own that is
 * bounded and no part of a submit. */
void request_complete(AioRequest *req, int64_t ret);

/* The engine cannot do @req after all: the thread pool runs it. */
void request_hand_over(AioRequest *req);

/* ---- engines.c ---------------------------------------------------------- */

/* The engine called @name, not set up for anything; NULL with @errp set. */
const AioEngine *engine_lookup(const char *name, Error **errp);

/* Was @engine set up for @ctx, or could it be now? */
bool engine_is_ready(AioContext *ctx, const AioEngine *engine);
void engine_flush_all(AioContext *ctx);
void engine_before_wait_all(AioContext *ctx);
void engine_destroy_all(AioContext *ctx);

#endif
