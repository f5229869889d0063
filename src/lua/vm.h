/*
 * vm.h - one Lua VM and the contexts it drives
 *
 * Home-thread only, except where said.
 */
#ifndef VM_H
#define VM_H

#include "alua.h"

/* One AioContext as the VM sees it. */
struct LuaContext {
    AluaObject object; /* class aio.context */
    LuaVM *vm;
    AioContext *ctx;          /* NULL when closed */
    lua_State *L;             /* callbacks run here; anchored in user value 1 */
    LuaContext *next;         /* all open contexts of the VM */
    struct LuaFdTable *fds;   /* who watches which descriptor (lfdtable.c) */
    LuaHandle *policy;        /* what steers it (lpolicy.c), or NULL */
    struct LuaTiming *timing; /* slice.c; NULL: never timed */
    bool timed;
    int externals_disabled; /* by ctx:disable_external() */
    int acquired;           /* by ctx:acquire() */
    bool foreign;           /* another thread's: only a reference to ctx */
};

/* Another loop that waits for the home context, which is part of it. */
typedef struct LoopDriver {
    bool (*poll)(AioContext *ctx, bool blocking, unsigned more); /* as
                                                       aio_poll_more() */
    bool (*may_act)(AioContext *ctx); /* might it do something without ctx? */
    /* Has it called somebody else, who has called us?  He may use the lua_State
     * of a parked task, so no task may run. */
    bool (*in_callback)(AioContext *ctx);
    void (*end)(AioContext *ctx); /* lets go of it; idempotent */
} LoopDriver;

struct LuaVM {
    lua_State *main;            /* the real main lua_State */
    LuaContext *home;           /* the default context: aio.context() */
    LuaContext *contexts;       /* all open ones, home included */
    struct LuaSignals *signals; /* those it listens for (lsignal.c) */
    struct LuaPoller *pollers;  /* tasks inside home:poll() (lpoll.c) */
    LuaHandle *handles;         /* all open ones, of every context */
    LuaTask *current;           /* running task; NULL on the loop's stack */
    const LuaHandle *callback;  /* running callback on the loop's stack */
    uint64_t active;            /* armed ref'd handles + ref'd waits that the
                                   world can end (I/O, time, signals, remote) */
    uint64_t ready;             /* tasks queued to run */
    uint64_t io_in_flight;
    size_t read_at_once; /* bytes, since others had their turn; lfilenow.c */
    struct LuaFileScratch *file_scratch;
    bool exiting;
    int exit_code;

    /* The host's options; zero means the built-in default.  The strings live as
     * long as the program. */
    const char *default_fdmon;  /* of new contexts: aio_context_set_fdmon() */
    const char *default_engine; /* of file.open() without engine= */
    const LoopDriver *driver;   /* NULL: the loop waits by itself */
    bool log_errors; /* an error nobody receives is printed, and we go on */

    /* How vm_exit() was called last; and what it calls, from a callback,
     * instead of lua_close() and exit(): must not return.  Set by the host. */
    bool exit_close;
    void (*terminate)(LuaVM *vm);
    /* Makes the libraries of a further state like the program's own; may raise
     * there.  Set by the host. */
    void (*prepare_state)(lua_State *L);

    struct LuaVMPrivate *priv; /* vm_private.h */
};

/*
 * vm_open: the VM of @L, created on first use (with its home context).
 * Returns NULL with @errp set.
 */
LuaVM *vm_open(lua_State *L, Error **errp);
/* The same, with @ctx as its home context. */
LuaVM *vm_open_in(lua_State *L, AioContext *ctx, Error **errp);
/* Without any: objects that need no loop work. */
LuaVM *vm_open_bare(lua_State *L, Error **errp);
/* Cancels tasks (bounded time), closes handles and contexts. */
void vm_close(LuaVM *vm);

/* The home context; raises in finalizers that run after vm_close(). */
LuaContext *vm_need_home(lua_State *L, LuaVM *vm);

/*
 * vm_run_main: run @fn as the main task on @L on a C stack of @stack_size, and
 * the loop beside it until nothing ref'd is armed and every task has ended.
 * @fn is called protected (its own lua_pcall, with nothing in between, so that
 * tracebacks end as in stock lua) with @arg as light userdata, and returns an
 * exit status; when it failed and the rest should end, it calls
 * vm_request_exit() itself.
 * Returns the exit status by the contract: 0, 1, n, 3 (deadlock).
 */
int vm_run_main(LuaVM *vm, lua_CFunction fn, void *arg, size_t stack_size);

/* Ask the loop to unwind and end with @code: os.exit, aio.exit. */
void vm_request_exit(LuaVM *vm, int code);

/*
 * vm_exit: os.exit() from anywhere; does not return
 *
 * From a task (the main one too) its stack is left for good, the loop cancels
 * the other tasks, runs until their __close handlers have ended (bounded time),
 * and vm_run_main() returns @code; vm->exit_close tells how it was called.
 * From a callback the same happens right there, then vm->terminate or exit().
 */
_Noreturn void vm_exit(lua_State *L, LuaVM *vm, int code, bool close);

/* The status that the arguments of os.exit() ask for. */
int vm_exit_status(lua_State *L);

/* First SIGINT: cancel the main task (all tasks once main has ended), also one
 * that spins.  Async-signal-safe. */
void vm_interrupt(LuaVM *vm);

/*
 * Tell on stderr, while it does, which callback or task holds the loop for
 * longer than @limit_ns.  Uses SIGURG and a thread.  In the VM's own thread;
 * the iothreads it makes from then on are watched like it.
 */
bool vm_guard_start(LuaVM *vm, int64_t limit_ns, Error **errp);
int64_t vm_guard_limit(const LuaVM *vm); /* 0: not watched */
void vm_guard_stop(LuaVM *vm);           /* idempotent */

/* Prints each task, its state and where it stands to stderr.  Home thread. */
void vm_print_tasks(LuaVM *vm);

/*
 * vm_uncaught: an error nobody will receive
 * @L: has the error value on top (popped), @traceback below it may be nil
 * @origin: "task 'x', created at f.lua:3"
 * Goes to aio.on_error(fn), else is printed and the program ends with 1.
 */
void vm_uncaught(LuaVM *vm, lua_State *L, const char *origin);

#endif
