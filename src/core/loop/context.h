/*
 * context.h - the layout of AioContext, and what the files of loop/ share
 *
 * Each group of fields says who may touch it:
 *   home      only the home thread (before there is one: the only user)
 *   list_lock with ctx->list_lock held
 *   atomic    any thread, with explicit memory order
 * One layout whatever the build options.
 */
#ifndef LOOP_CONTEXT_H
#define LOOP_CONTEXT_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>

#include "aioctl/context.h"
#include "base/check.h"
#include "base/clock.h"
#include "block/aio.h"
#include "coro/ready.h"
#include "loop/fdmon.h"

/* ---- handlers ----------------------------------------------------------- */

/* What an event touches comes first. */
struct AioHandler {
    /* Fixed at creation; -1 for a pseudo handler. */
    int fd;
    bool is_external;

    /* Changed by the home thread only (others put a new node in its place). */
    bool is_notifier; /* the context's own: running it is no progress */
    bool is_edge;     /* ... and each write of it counts: report it once */
    bool cleared;     /* the callback has left @notifier clear */
    bool in_ready_list;
    bool in_poll_list;
    bool poll_ready;   /* on the ready list because io_poll said so */
    bool poll_busy;    /* its io_poll or io_poll_ready is running */
    uint32_t *unusual; /* of aio_set_fd_edges(), else NULL */
    struct AioAccepted *accepted; /* with a reference, else NULL */
    uint32_t revents;     /* events to be dispatched; valid in the ready list */
    uint64_t ready_slice; /* see handler_dispatch_ready() */
    IOHandler *io_read;
    IOHandler *io_write;
    AioPollFn *io_poll;
    void *opaque;
    const EventNotifier *notifier; /* one that a read empties, or NULL; only to
                                      be compared: it may be gone */
    QTAILQ_ENTRY(AioHandler) node_ready;

    /* atomic: set once, under list_lock */
    bool deleted;

    /* list_lock */
    uint32_t events; /* what the callbacks ask for */
    uint32_t watch;  /* the same, 0 while externals are disabled */

    /* The monitor's own: see the contract in fdmon.h. */
    uint32_t mon_refs;
    uint32_t mon_events; /* what the kernel was last told to watch */
    uint32_t mon_flags;
    uint32_t mon_id;
    AioHandler *mon_next;
    AioHandler **mon_prev;

    /* As above: list_lock, then the home thread only. */
    QTAILQ_ENTRY(AioHandler) node;         /* in aio_handlers */
    QTAILQ_ENTRY(AioHandler) node_deleted; /* in deleted_aio_handlers */
    QTAILQ_ENTRY(AioHandler) node_poll;
    bool poll_started;    /* io_poll_begin called, io_poll_end not yet */
    int64_t poll_idle_ns; /* when to leave the poll list; 0: not yet set */
    IOHandler *io_poll_ready;
    IOHandler *io_poll_begin;
    IOHandler *io_poll_end;
    const void *creator; /* the code that set it last, for reports */
};

/* What a monitor that knows edges adds to node->watch. */
static inline uint32_t handler_edge_events(const AioHandler *node)
{
    return node->unusual ? EPOLLRDHUP | EPOLLPRI : 0;
}

/* Reported once per event, or else as long as it lasts? */
static inline bool handler_is_edge(const AioHandler *node)
{
    return node->is_edge || node->unusual;
}

/* ---- hooks of the file engines ------------------------------------------ */

/*
 * Called in the home thread.  before_wait comes before every wait for fds, also
 * a non-blocking one, and before the timeout is computed: submit what is
 * queued.  What it completes goes to the ready list.  Any may be NULL.  destroy
 * comes while the context is being destroyed, when handlers, bottom halves and
 * monitor still work; hooks are destroyed in the reverse order of their
 * addition.
 */
typedef struct ContextHook {
    void (*before_wait)(AioContext *ctx);
    void (*destroy)(AioContext *ctx);
} ContextHook;

enum { CONTEXT_HOOKS_MAX = 8 };

/* ---- the context -------------------------------------------------------- */

typedef struct LoopThread LoopThread;     /* home.c: a thread that runs loops */
typedef struct HandlerTable HandlerTable; /* handler.c */

/* Singly linked FIFO of bottom halves; pushed - popped is its length. */
typedef struct BHQueue {
    QEMUBH *spare; /* one-shots for reuse, spare_count of them */
    unsigned spare_count;
    QEMUBH *head;
    QEMUBH *tail;
    uint64_t pushed;
    uint64_t popped;
    volatile sig_atomic_t busy; /* being changed: a signal handler keeps off */
} BHQueue;

struct EngineState;
struct Ring;
struct FDMonPollState;
struct FDMonEpollState;
struct FDMonUringState;

struct AioContext {
    unsigned fork_count;     /* when it was made */
    unsigned notifier_forks; /* when its notifier was */

    /* ---- home: touched on every tick */
    BHQueue bh_queue;
    ReadyQueue ready;
    AioHandlerList ready_list; /* handlers to dispatch, FIFO */
    AioHandlerList poll_list;  /* handlers that busy polling calls */
    uint64_t ready_slice;
    unsigned depth;          /* ticks of this context on the stack */
    bool poll_started;       /* busy polling has begun, not yet ended */
    bool was_ready;          /* the last wait for fds did not sleep */
    bool unlocked;           /* this sleep has given up the big lock */
    unsigned walking;        /* of the ticks, how many may hold handlers */
    unsigned unlock_depth;   /* the depth whose sleep does; 0: none */
    AioContext *shown_as;    /* what callbacks see as current; NULL: this one */
    uint32_t notify_me_home; /* what home last stored to notify_me */
    int64_t poll_ns;         /* current busy-polling budget */
    int64_t expect_ns; /* by the hooks: look for work so long before a sleep */
    AioPollPolicy *poll_policy; /* chooses it; NULL: the default does */
    void *poll_policy_opaque;
    bool timed; /* looked_ns is kept */
    int64_t looked_ns;
    AioContextStats stats; /* (notifies is in notify_count) */

    /* ---- atomic: settings */
    int64_t poll_max_ns;
    int64_t poll_grow;
    int64_t poll_shrink;
    int64_t aio_max_batch; /* 0: the engine's default */
    bool poll_changed;     /* home has to begin with poll_ns anew */

    /* ---- home: file engines, each owned by the file that sets it */
    struct Ring *ring;                /* ring.c */
    struct EngineState *engine_state; /* request.c: queues */
    struct ThreadPool *thread_pool;   /* changes under list_lock */
    struct LinuxAioState *linux_aio;
    struct LuringState *linux_io_uring;
    unsigned plug_depth;
    const ContextHook *hooks[CONTEXT_HOOKS_MAX];
    unsigned hook_count;

    /* ---- home: monitors; fdmon itself changes under list_lock too */
    const FDMonBackend *fdmon;        /* NULL until first needed */
    const FDMonBackend *fdmon_next;   /* takes over at the end of tick */
    const FDMonBackend *fdmon_wanted; /* NULL: auto */
    char *fdmon_fallback;             /* why it is not the one wanted */
    bool external_applied;            /* externals have watch == 0 */
    bool external_look_due;           /* their io_poll may have been missed */
    struct FDMonPollState *fdmon_poll;
    struct FDMonEpollState *fdmon_epoll;
    struct FDMonUringState *fdmon_io_uring;

    /* ---- home: gsource.c; the source has a reference to us, not we to it */
    GSource *source;
    void (*source_wake)(AioContext *ctx); /* its loop shall not sleep */

    /* ---- own locking */
    QEMUTimerListGroup tlg;
    QemuRecMutex lock;   /* aio_context_acquire() */
    unsigned lock_depth; /* under the lock: how often it is held */
    BdrvGraphRWlock *bdrv_graph;

    /* ---- list_lock */
    QemuMutex list_lock;
    AioHandlerList aio_handlers; /* in the order of registration */
    AioHandlerList deleted_aio_handlers;
    HandlerTable *fd_table; /* also read by home without the lock */
    int64_t thread_pool_min, thread_pool_max;
    unsigned external_count;      /* registered handlers that are external */
    QTAILQ_HEAD(, QEMUBH) bh_all; /* those of aio_bh_new(), to find leaks */

    /* ---- atomic */
    int refcnt;
    int visitors; /* see context_visit() */
    LoopThread *home;
    const void *lock_owner; /* CoroutineThread; NULL: not held */
    uint32_t notify_me;     /* notify.c */
    bool notified;
    uint64_t notify_count;
    int64_t kicked_ns;         /* when a sleep was last ended by a notifier */
    QEMUBH *bh_remote;         /* scheduled by others, last one first */
    Coroutine *co_remote;      /* the same of coroutines */
    unsigned handlers_version; /* counts changes of what is watched */
    int handler_count;         /* registered, without the notifier */
    int deleted_count;         /* length of deleted_aio_handlers */
    int poll_disable_cnt;      /* registered handlers without io_poll */
    int external_disable_cnt;
    EventNotifier notifier; /* written by any thread */
};

/* ---- context.c ---------------------------------------------------------- */

/* How often the calling thread holds aio_context_acquire()'s lock. */
unsigned context_lock_depth(AioContext *ctx);

/* Registers a hook once; again: nothing.  Home thread. */
void context_add_hook(AioContext *ctx, const ContextHook *hook);
void context_run_before_wait(AioContext *ctx);

/*
 * Around what another thread queues, and the notification: the context may run
 * it, and be destroyed, before the other thread has finished looking at it.
 * Destruction waits for visitors.  (A reference would do, but drop the last one
 * in a thread that cannot destroy a ring.)
 */
void context_visit(AioContext *ctx);
void context_end_visit(AioContext *ctx);

/* ---- mainloop.c: around a sleep at ctx->unlock_depth -------------------- */

void main_loop_begin_sleep(AioContext *ctx);
void main_loop_end_sleep(AioContext *ctx);

/* ---- biglock.c ---------------------------------------------------------- */

/* Gives up the big lock until a thread that waits for it, if one does, has had
 * it.  Nothing when the caller does not hold it. */
void big_lock_let_in(void);

/* ---- home.c: which thread may poll -------------------------------------- */

/* Is the calling thread the home?  (No home: false.)  Cheap, any thread. */
bool context_is_home(AioContext *ctx);
/* Makes the calling thread the home, or aborts naming both threads. */
void context_adopt(AioContext *ctx);
/* The calling thread's loop is now @ctx; returns what to restore. */
AioContext *context_enter(AioContext *ctx);
void context_leave(AioContext *ctx, AioContext *previous);
/* Nobody's any more; part of the destruction. */
void context_drop_home(AioContext *ctx);

/* ---- handler.c ---------------------------------------------------------- */

/*
 * handler_make_ready: append @node to @list, or add to what it is ready for
 * @revents: EPOLLIN and so on
 *
 * Returns true when it is newly in the list.  Nothing happens to a deleted node
 * and for events that it does not handle.  Home thread.
 */
bool handler_make_ready(AioContext *ctx, AioHandlerList *list, AioHandler *node,
                        uint32_t revents);

/*
 * A handler without an fd: @io_read is called when somebody has put it on the
 * ready list by handler_make_ready(ctx, &ctx->ready_list, node, EPOLLIN).  It
 * runs in the phase of ready handlers; freeing is allowed in its callback.
 */
AioHandler *handler_new_pseudo(AioContext *ctx, IOHandler *io_read,
                               void *opaque);
void handler_free_pseudo(AioContext *ctx, AioHandler *node);

/* The same for a node whose io_poll found work. */
void handler_make_poll_ready(AioContext *ctx, AioHandler *node);

/* Runs ready handlers, a slice.  True: progress. */
bool handler_dispatch_ready(AioContext *ctx);
/* A handler that another thread has put in the place of @node, which took part
 * in busy polling, takes part too, and is owed the same io_poll_end.  It comes
 * behind @node in the poll list. */
void handler_hand_over_polling(AioContext *ctx, AioHandler *node);
/* Frees removed handlers; nobody may be walking. */
void handler_free_deleted_slow(AioContext *ctx);
static inline void handler_free_deleted(AioContext *ctx)
{
    DCHECK(!ctx->walking);
    if (unlikely(__atomic_load_n(&ctx->deleted_count, __ATOMIC_RELAXED))) {
        handler_free_deleted_slow(ctx);
    }
}
/* What the setters of handlers do; @node is a stack copy. */
void handler_set(AioContext *ctx, const AioHandler *node);
/* What @fd is handled by, or NULL.  With list_lock; in the home thread also
 * without, and then it may just have been replaced. */
AioHandler *handler_find(AioContext *ctx, int fd);
void handler_setup(AioContext *ctx);
/* The handler of @fd is the context's own notifier: no progress.  @edge: each
 * write makes it fire, read or not. */
void handler_mark_notifier(AioContext *ctx, int fd, bool edge);
/* Aborts naming what is still registered. */
void handler_destroy(AioContext *ctx);

/* ---- fdmon.c, the part that ticks use ----------------------------------- */

static inline bool fdmon_need_wait(AioContext *ctx)
{
    return likely(ctx->fdmon)
               ? ctx->fdmon->ops.need_wait(ctx)
               : __atomic_load_n(&ctx->handler_count, __ATOMIC_RELAXED) > 0;
}

static inline void fdmon_apply_external(AioContext *ctx)
{
    bool disabled =
        __atomic_load_n(&ctx->external_disable_cnt, __ATOMIC_RELAXED) > 0;

    if (unlikely((disabled != ctx->external_applied) |
                 ctx->external_look_due)) {
        fdmon_apply_external_slow(ctx);
    }
}

/*
 * How many handlers became ready.  Home thread.  Inlined: returning from a
 * function that has made a system call costs a branch that the processor
 * predicts wrongly, where the kernel's own returns have confused it.
 */
static inline int fdmon_wait(AioContext *ctx, int64_t timeout)
{
    CHECK(timeout >= -1);
    DCHECK(context_is_home(ctx));
    if (unlikely(!ctx->fdmon)) {
        if (timeout == 0 && !fdmon_need_wait(ctx)) {
            return 0;
        }
        fdmon_ensure(ctx);
    }

    int ready = ctx->fdmon->ops.wait(ctx, &ctx->ready_list, timeout);

    if (unlikely(ready < 0)) {
        fdmon_bad_count(ctx, ready);
    }
    return ready;
}

/* ---- bh.c --------------------------------------------------------------- */

/* Is anything scheduled? */
static inline bool bh_any(const AioContext *ctx)
{
    return ctx->bh_queue.head ||
           __atomic_load_n(&ctx->bh_remote, __ATOMIC_RELAXED);
}

/* 0: something to run now; else how long an idle one may wait, or -1. */
int64_t bh_timeout(AioContext *ctx);
/* Aborts naming what was not deleted. */
void bh_destroy(AioContext *ctx);

/* ---- notify.c ----------------------------------------------------------- */

bool notify_setup(AioContext *ctx, Error **errp);
void notify_destroy(AioContext *ctx);
/* Around a wait that must be woken: true when there is no need to wait. */
bool notify_begin_wait(AioContext *ctx);
void notify_end_wait(AioContext *ctx);
/* The same for a GSource, between prepare and check. */
bool notify_begin_source(AioContext *ctx);
void notify_end_source(AioContext *ctx);
/* A tick has ended: what a GSource has been told may no longer be so. */
void notify_end_tick(AioContext *ctx);
/* aio_notify() for the home thread, which is not waiting: unless a signal
 * handler that interrupted the wait is calling. */
void notify_interrupted(AioContext *ctx);

/* ---- poll.c ------------------------------------------------------------- */

/* Between two slices of ready coroutines: would a tick find nothing else to
 * do?  A system call only where need_wait() is not exact, a clock read only
 * when a timer is armed. */
bool tick_would_be_idle(AioContext *ctx);
/* aio_dispatch(), and up to @more slices as in aio_poll_more().  True:
 * progress. */
bool context_dispatch(AioContext *ctx, unsigned more);

/* ---- coschedule.c ------------------------------------------------------- */

static inline bool coschedule_pending(const AioContext *ctx)
{
    return ctx->ready.head ||
           __atomic_load_n(&ctx->co_remote, __ATOMIC_RELAXED);
}
/* Resumes what was ready when called, and then up to @more slices for which
 * the loop would have nothing to do between.  True: progress. */
bool coschedule_run(AioContext *ctx, unsigned more);
void coschedule_destroy(AioContext *ctx);

/* ---- busypoll.c --------------------------------------------------------- */

/* Polls from @start_ns for at most the budget, and shortens @timeout by the
 * time that took, to 0 when there is something to do. */
void busypoll_run(AioContext *ctx, int64_t start_ns, int64_t *timeout);
/* Do the settings allow it?  Takes over what another thread has set. */
bool busypoll_allowed(AioContext *ctx);
/* Adapts the budget to how long after it began to wait there was work. */
void busypoll_adjust(AioContext *ctx, int64_t block_ns);
/* The same for a wait that polling ended: of interest to a policy only. */
void busypoll_hit(AioContext *ctx, int64_t block_ns);
/* The time until there was work, of a wait that has just ended: without the
 * time it took to wake up, where that is known. */
int64_t busypoll_block_ns(AioContext *ctx, int64_t start_ns, int64_t end_ns);
/* A handler has fired: from now on busy polling calls its io_poll. */
/* Looks for up to expect_ns; true: other threads have queued something. */
bool busypoll_expected(AioContext *ctx, int64_t timeout);
/* May this thread use one processor only? */
bool busypoll_single_cpu(void);
void busypoll_add(AioContext *ctx, AioHandler *node);
/* Ends busy polling: io_poll_end for all.  True: a last io_poll found work. */
bool busypoll_stop(AioContext *ctx);
/* Externals are enabled again: what io_poll found meanwhile was dropped, and no
 * fd tells of it.  ctx->walking is held. */
void busypoll_look_at_externals(AioContext *ctx);

#endif
