/*
 * aioctl/context.h - what our AioContext offers beyond block/aio.h
 *
 * Thread rules are given per function: "home" means the thread that polls the
 * context (a context without a home adopts the first thread that polls it).
 */
#ifndef AIOCTL_CONTEXT_H
#define AIOCTL_CONTEXT_H

#include "aioctl/decls.h"
#include "block/aio.h"

AIOCTL_BEGIN_DECLS

/*
 * aio_context_set_fdmon: choose the file descriptor monitor of @ctx
 * @name: "auto", "poll", "epoll" or "io_uring"; a '!' at the end means: fail
 *        rather than fall back to the next usable monitor.
 * @errp: set when the name is unknown, or the monitor is unusable and '!' given
 *
 * Home thread only.  Inside a callback the switch takes effect at the end of
 * the tick; outside of aio_poll() at once.  File I/O in flight is not touched.
 * Returns: true on success (a fall-back is success; see aio_context_fdmon()).
 */
bool aio_context_set_fdmon(AioContext *ctx, const char *name, Error **errp);

/* Name of the monitor in use ("epoll"); any thread. */
const char *aio_context_fdmon(AioContext *ctx);

/* Why the monitor first asked for is not in use, or NULL.  Home thread. */
const char *aio_context_fdmon_fallback(AioContext *ctx);

/*
 * aio_fdmon_probe: can monitor @name be used on this machine?
 * @why: on failure receives a malloc'ed reason with its remedy; the caller
 *       frees it.  May be NULL.
 * Any thread.  The answer is not cached.
 */
bool aio_fdmon_probe(const char *name, char **why);

/* NULL-terminated list of the monitors compiled in, best first. */
const char *const *aio_fdmon_names(void);

/*
 * aio_co_ready: run @co (which has yielded, or never ran) at the end of this
 * tick or in the next one.
 *
 * Home thread only: the cheap sibling of aio_co_schedule(), same FIFO queue,
 * no atomics, no wake-up.  Aborts when @co is already scheduled.
 */
void aio_co_ready(AioContext *ctx, Coroutine *co);

/*
 * aio_poll_more: aio_poll(), and up to @more iterations after it
 *
 * These follow only while there is nothing else to do in them than to run
 * coroutines that aio_co_ready() queued: whatever comes up meanwhile, be it an
 * fd, a timer, a bottom half, or aio_notify(), ends the call.  For the
 * outermost loop of a thread, which gains by not going through all phases
 * between two slices of coroutines that wake each other.  Home thread.
 */
bool aio_poll_more(AioContext *ctx, bool blocking, unsigned more);

/*
 * aio_set_fd_edges: aio_set_fd_handler() for who remembers what it left behind
 * @unusual: where the loop notes what comes besides EPOLLIN and EPOLLOUT:
 *           EPOLLRDHUP, EPOLLPRI, EPOLLHUP and EPOLLERR, added before the
 *           callback; valid until the handler is removed
 *
 * A callback is called when something comes in, and need not be called again
 * for what was there before: that saves asking for it in each wait.  It may be,
 * with a monitor that does not know edges.  Each call of this function reports
 * anew what is ready.
 *
 * Who stops reading after a short read must look at @unusual: behind the data
 * there may be an end or an urgent mark, which were reported with it.  (The
 * io_uring monitor does not tell of urgent marks.)
 */
void aio_set_fd_edges(AioContext *ctx, int fd, bool is_external,
                      IOHandler *io_read, IOHandler *io_write,
                      uint32_t *unusual, void *opaque);

/* Is @bh to be called?  Any thread. */
bool aio_bh_is_scheduled(QEMUBH *bh);

/* True when the calling thread may poll @ctx. */
bool aio_context_in_home_thread(AioContext *ctx);

/* True while an aio_poll() or GSource dispatch of @ctx is on the stack. */
bool aio_context_is_dispatching(AioContext *ctx);

/*
 * What a wait was like, for whoever decides how long the next one may poll
 * before it sleeps.  Nanoseconds.
 */
typedef struct AioPollState {
    int64_t poll_ns;  /* the budget that this wait had */
    int64_t block_ns; /* how long there was nothing to do */
    int64_t poll_max_ns, poll_grow, poll_shrink; /* the settings */
    bool hit; /* polling found the work: there was no sleep */
} AioPollState;

/* The next budget. */
typedef int64_t AioPollPolicy(void *opaque, const AioPollState *state);

/*
 * aio_context_set_poll_policy: let @fn choose the budgets of busy polling
 * @fn: called after each wait that polled or slept, while poll_max_ns is not 0,
 *      in the tick, before its callbacks; NULL: aio_poll_budget() chooses again
 *
 * What it returns is brought into the range from 0 to poll_max_ns, and to 0
 * where the thread has only one processor.  Home thread.
 */
void aio_context_set_poll_policy(AioContext *ctx, AioPollPolicy *fn,
                                 void *opaque);

/*
 * aio_poll_budget: what the loop chooses when nobody else does
 *
 * A wait that would have ended within poll_max_ns lengthens the budget, a
 * longer one shortens it.  Any thread; looks at nothing but @state.
 */
int64_t aio_poll_budget(const AioPollState *state);

/*
 * aio_fd_handler_opaque: what the handler of @fd is called with
 *
 * NULL when there is none.  Tells who kept a number for long whether it is his
 * still.  Home thread.
 */
void *aio_fd_handler_opaque(AioContext *ctx, int fd);

/*
 * aio_context_set_timed: note the time whenever the wait of a tick has ended
 * aio_context_looked_ns: when that was; 0 while it waits.  Monotonic clock.
 *
 * Costs a clock reading per tick.  Home thread.
 */
void aio_context_set_timed(AioContext *ctx, bool timed);
int64_t aio_context_looked_ns(AioContext *ctx);

/* Counters since creation.  All monotonic except in_flight. */
typedef struct AioContextStats {
    uint64_t iterations;         /* aio_poll() calls and GSource dispatches */
    uint64_t polls;              /* busy-poll rounds entered */
    uint64_t poll_hits;          /* ... that found work before blocking */
    uint64_t poll_ns_total;      /* time spent busy polling */
    uint64_t blocked_ns;         /* time spent in blocking waits */
    uint64_t blocked;            /* waits with a timeout other than 0 */
    uint64_t bhs;                /* bottom halves run */
    uint64_t fds;                /* fd callbacks run */
    uint64_t timers;             /* timer callbacks run */
    uint64_t coroutines;         /* coroutines resumed from the ready queue */
    uint64_t submitted;          /* requests handed to a file engine */
    uint64_t completed;          /* requests completed */
    uint64_t in_flight;          /* submitted - completed */
    uint64_t batches;            /* submit system calls */
    uint64_t notifies;           /* event notifier writes */
    uint64_t wakeups;            /* ... that this context consumed */
    int64_t poll_ns;             /* current busy-poll budget */
    uint64_t registered_buffers; /* in the ring's buffer table */
    uint64_t registered_files;   /* in the ring's file table */
    uint64_t registration_failures; /* fell back to what is not registered */
    uint64_t accepted_ahead;        /* connections, by multishot accept */
} AioContextStats;

/* Copies the counters.  Home thread. */
void aio_context_get_stats(AioContext *ctx, AioContextStats *stats);

/* Current settings; any thread. */
typedef struct AioContextParams {
    int64_t poll_max_ns, poll_grow, poll_shrink;
    int64_t max_batch;
    int64_t thread_pool_min, thread_pool_max;
} AioContextParams;
void aio_context_get_params(AioContext *ctx, AioContextParams *params);

AIOCTL_END_DECLS
#endif
