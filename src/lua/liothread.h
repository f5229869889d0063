/*
 * liothread.h - a thread with a context and a VM of its own
 *
 *   liothread.c     class aio.iothread: the owner's side
 *   liothreadend.c  closing it
 *   liothreadopts.c its options
 *   liothreadrun.c  what runs in the thread: its VM, serving calls, the end
 *   licall.c        one call: from the owner's task to a task of the thread
 *   lvmstate.c      making another lua_State like the owner's
 *
 * The owner is the VM that made the thread.  Both sides share a counted Thread
 * and talk by posting nodes to each other's port; neither ever touches the
 * other's Lua state.  Only the owner waits for the thread (to end), never the
 * other way round.
 */
#ifndef LIOTHREAD_H
#define LIOTHREAD_H

#include "aioctl/iothread.h"
#include "lcross.h"
#include "qapi/error.h"
#include "task_private.h"
#include "vmport.h"

/* ---- lvmstate.c --------------------------------------------------------- */

/* How further states of this program are made: what they take over. */
typedef struct StatePlan {
    char *path, *cpath;            /* package.path, package.cpath */
    void (*prepare)(lua_State *L); /* the host's, or NULL */
    const char *default_fdmon, *default_engine;
    bool log_errors;
} StatePlan;

/* Pushes the two paths; then the rest, which pops them, does not raise. */
void state_plan_push(lua_State *L);
void state_plan_init(lua_State *L, StatePlan *plan);
void state_plan_free(StatePlan *plan);
/* Opens the libraries; any thread.  NULL with @errp set. */
lua_State *state_new(const StatePlan *plan, Error **errp);

/* ---- the thread --------------------------------------------------------- */

typedef struct Call Call;
typedef struct Thread Thread;

struct Thread {
    int refs; /* atomic: the handle's, the thread's, one per call */
    /* Fixed once it runs. */
    char *name;
    StatePlan plan;
    int64_t slow_ns; /* vm_guard_limit() of the owner */
    VMPort *owner;
    VMPort *port; /* NULL: its VM could not be made */
    pthread_t id;
    char *why; /* it could not */

    /* The owner's. */
    IOThread *iothread; /* NULL: joined */
    LuaTask *starter;   /* waits until it has begun */
    bool begun;
    bool closing, ended;
    bool counted; /* in priv->iothreads_refd */
    WaitQueue closers;
    PortNode begin;             /* its VM is made, or cannot be */
    PortNode close, exit, over; /* ask it to end; os.exit(); it has ended */

    /* The thread's. */
    lua_State *L;
    LuaVM *vm;
    LuaTask *server;               /* its main task, while it serves */
    Call *waiting, **waiting_tail; /* calls without a task yet */
    Call *running;

    /* Under lock. */
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    bool done;     /* it touches nothing of ours any more */
    bool stuck;    /* ... and never ends: something in it could not be ended */
    int exit_code; /* of os.exit() */
};

typedef struct IOThreadHandle {
    AluaObject object;
    Thread *thread;                     /* NULL: closed */
    struct IOThreadHandle *prev, *next; /* priv->iothreads */
} IOThreadHandle;

extern const AluaClass iothread_class;

Thread *thread_ref(Thread *t);
void thread_unref(Thread *t);

/* ---- liothreadend.c ----------------------------------------------------- */

/* Is it something that may wake a parked task? */
void thread_set_counted(Thread *t, bool counted);
void thread_over(PortNode *node); /* the thread has said that it is over */
void thread_join(Thread *t);      /* it has ended, or never began */
int iothread_close(lua_State *L);
int iothread_gc(lua_State *L);

/* ---- liothreadopts.c ---------------------------------------------------- */

enum { THREAD_CPUS_MAX = 256 };

/* The table at 2 into @params, which points to @cpus; raises. */
void thread_options(lua_State *L, AioIOThreadParams *params,
                    int cpus[THREAD_CPUS_MAX]);

/* ---- liothreadrun.c ----------------------------------------------------- */

/* For AioIOThreadParams: in the thread, with a Thread as opaque. */
void thread_begin(AioContext *ctx, void *opaque);
void thread_body(AioContext *ctx, void *opaque);

/* Interrupts Lua code that spins in the thread; async-signal-safe there. */
void thread_kick(Thread *t);

/* ---- licall.c ----------------------------------------------------------- */

/* Function and @nargs arguments on top; leaves the local task that stands for
 * the call.  @self: index of the iothread, kept alive by it. */
void call_start(lua_State *L, Thread *t, int self, int nargs);
/* In the thread: a task for the first waiting call; false: there is none. */
bool call_serve(lua_State *L, Thread *t);
/* In the thread, as it ends: calls that are left over are cancelled. */
void call_abandon_all(Thread *t);

void licall_open(lua_State *L);

#endif
