/*
 * state.h - what the file engines keep per context
 *
 * Made with the first request or engine, freed with the context.  Home thread.
 */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include "engine/engine.h"

enum { ENGINES_MAX = 3 };

typedef struct EngineState {
    AioContext *ctx;
    AioHandler *pseudo; /* ready when requests have finished */
    AioRequest *finished, **finished_tail;
    unsigned finished_count;
    unsigned muted; /* request_finish() does not make pseudo ready */
    unsigned dispatching;
    unsigned fork_count;       /* when abandoned was last looked at */
    uint64_t abandoned;        /* that only our parent will see the end of */
    const AioEngine *last;     /* the one last found ready */
    uint64_t device_batch;     /* of the request being submitted; 0: no wish */
    AioChain *idle_chains;     /* with something to begin, see chain.c */
    unsigned ready_engines;    /* bit per row: setup() succeeded */
    char *reason[ENGINES_MAX]; /* why setup() failed last */
} EngineState;

/* How block/raw-aio.h sees either of its states. */
typedef struct RawState {
    AioContext *ctx; /* NULL: not attached */
    const AioEngine *engine;
    uint64_t device_batch; /* what the last transfer wished */
} RawState;

/* engine_io_uring.c */
struct LuringState {
    RawState raw; /* first */
    AioRequest *backlog, *backlog_tail;
    AioRequest *streams;    /* see uring_streams.c */
    unsigned cancels;       /* of streams, that the kernel has not taken yet */
    bool elsewhere;         /* another loop sleeps for us */
    EventNotifier notifier; /* for monitors that do not see the ring */
    bool watched;           /* ... which is so now */
    unsigned generation;
    unsigned fork_count; /* when the requests in here were ours */
};
typedef struct LuringState LuringState;

/* A notifier for the kernel to signal: an eventfd, no pipe. */
bool engine_notifier_init(EventNotifier *e, const char *engine, Error **errp);

/* The state of @ctx, made when needed. */
EngineState *engine_state(AioContext *ctx);

/*
 * Around a reap whose caller runs the callbacks itself: engine_unmute() calls
 * those of everything that has finished.
 */
void engine_mute(AioContext *ctx);
void engine_unmute(AioContext *ctx);

#endif
