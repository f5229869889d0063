/*
 * vm_private.h - what the files of the VM and of its tasks share
 *
 * A flow is one chain of Lua calls on one C stack: a task, or the callbacks on
 * the loop's stack.  vm->current, vm->callback and priv->inner describe the
 * flow that is running; a task saves and restores them around every switch
 * (task.c), so they are always true of the stack one is on.
 */
#ifndef VM_PRIVATE_H
#define VM_PRIVATE_H

#include <pthread.h>
#include <signal.h>

#include "base/check.h"
#include "qemu/atomic.h"
#include "task.h"
#include "taskslot.h"
#include "vm.h"

/* A group of flags that make the loop look up between two iterations. */
enum {
    VM_INTERRUPTED = 1, /* SIGINT came */
    VM_UNCAUGHT = 2,    /* errors wait in the registry for their report */
    VM_REAP = 4,        /* failed tasks may have become unreachable */
};

/* Places whose spawning is remembered. */
enum { ORIGINS_KEPT = 64 };

typedef struct LuaVMPrivate LuaVMPrivate;
typedef struct LuaReserve LuaReserve;
typedef struct SlowGuard SlowGuard;

typedef struct Anchors {
    int table; /* registry reference */
    int *free; /* stack of free slots */
    int free_count, free_size, next;
} Anchors;

struct LuaVMPrivate {
    /* Innermost running lua_State of the running flow; NULL on the loop's stack
     * outside of callbacks.  Also read by the SIGINT handler. */
    lua_State *volatile inner;
    volatile sig_atomic_t attention; /* VM_* flags */
    int64_t spin_deadline;           /* interrupt.c */
    pthread_t thread;

    Anchors handles, objects;
    int task_meta; /* registry reference to the metatable of task handles */

    LuaTask *live; /* every task that has not ended */
    LuaTask *main_task;
    LuaTask *pool; /* ended ones, ready for reuse */
    size_t pool_count;
    LuaTask *retired; /* ended ones whose thread a script has seen */
    TaskSlots task_slots;
    uint64_t live_refd;
    uint64_t live_count;
    uint64_t tasks_made; /* ever: numbers for them */
    uint64_t failed;     /* ended with an error that nobody received yet */
    struct TaskOrigin *origins[ORIGINS_KEPT]; /* origin.c */
    int64_t reap_next_ns;
    QEMUTimer reap_timer;

    int watch;        /* are slices watched?  slice.h */
    int64_t due_ns;   /* when the next callback should run; 0: unknown */
    SlowGuard *guard; /* slow.c */

    /* gcpace.c */
    bool pace;
    bool heap_shrinks;
    unsigned turns;            /* of the loop */
    int heap_kib;              /* when it was looked at last */
    int pause;                 /* as we set it last; 0: not yet */
    struct LuaFdWatch *doubts; /* to be settled before a sleep; lwait.c */
    unsigned doubtful_turns;   /* of the loop, since it was done last */

    LuaReserve *reserve;
    struct VMPort *port;  /* what other threads send; vmport.c */
    LuaTask *exit_caller; /* called os.exit(); its C stack is dead */
    bool exit_close;
    bool process_exit; /* vm_exit() was called */
    bool closed;
    bool gave_up; /* the last vm_shutdown() could not end everything */
    bool stop;    /* the loop ends; nobody chose an exit status */
    bool running; /* vm_run_main() is on the stack */

    struct IOThreadHandle *iothreads; /* open ones it made; liothread.c */
    uint64_t iothreads_refd;          /* ... that may wake a parked task */
    uint64_t calls;                   /* in flight there, ref'd or not */
    struct OffloadPool *offload;      /* loffload.c */

    /* Of the VM of an iothread: an error that nobody receives, on top of the
     * traceback's place (error, traceback), goes to the owner. */
    void (*forward)(LuaVM *vm, lua_State *L, int at, const char *origin);
    void *iothread; /* the Thread, in such a VM */
};

/* Registry keys (their addresses). */
extern const char vm_key_guard, vm_key_traceback, vm_key_on_error,
    vm_key_uncaught, vm_key_failed, vm_key_cancelled;

/* ---- alua.c, handle.c ------------------------------------------------------
 */

/* Message handler: keeps the error value, files the traceback away. */
int alua_traceback(lua_State *L);
/* Files the text on top, which is popped, as that of the value below it. */
void alua_file_traceback(lua_State *L);
/* Pushes and forgets the filed traceback (nil when there is none). */
void alua_take_traceback(lua_State *L);
/* The next alua_traceback() for this same value keeps the older, deeper one. */
_Noreturn void alua_rethrow(lua_State *L);
/* First Lua function on @L at or above @level: pushes it (false when there is
 * none) and returns the current line (or 0). */
int alua_caller(lua_State *L, int level);
/* "f.lua:12" of a function pushed by alua_caller(). */
void alua_format_origin(lua_State *L, int index, int line, char *buf,
                        size_t size);
void anchor_init(lua_State *L, LuaVM *vm);
/* How many objects are anchored. */
int anchor_count(const LuaVM *vm);
/* alua_new() for callers that know the VM. */
void *alua_new_of(lua_State *L, LuaVM *vm, const AluaClass *cls, size_t size,
                  int uservalues);
/* alua_anchor() of what was just made and is on top; uses three slots. */
void alua_anchor_top(lua_State *L, AluaObject *o);
/* alua_unanchor() of what is anchored, with its table at @table > 0. */
void anchor_clear(lua_State *L, int table, AluaObject *o);
void anchor_free(LuaVM *vm);

/* Where a handle and its callback are. */
static inline int anchor_handle_key(int slot)
{
    return 2 * slot - 1;
}

static inline int anchor_callback_key(int slot)
{
    return 2 * slot;
}

/* ---- door.c ------------------------------------------------------------- */

/* Makes the new thread @L one that callbacks run on. */
void door_open(lua_State *L, LuaVM *vm);
/* Is @L one?  Scripts may see it, but not resume or close it. */
bool door_is(const LuaVM *vm, const lua_State *L);

/* ---- reserve.c: from the beginning to the end of a VM ------------------- */

bool reserve_install(lua_State *L, LuaVM *vm); /* false: no memory */
void reserve_remove(LuaVM *vm);

/* ---- gcpace.c, between two turns ------------------------------------------
 */

void gcpace_look(LuaVM *vm);

/* ---- vm.c, loop.c ------------------------------------------------------- */

/* Run the task that sits on @L with @nargs arguments above its function as the
 * main task, and the loop until everything has ended. */
int vm_run(LuaVM *vm, LuaTask *main_task);
/* Cancel everything and run the loop for a bounded time. */
void vm_shutdown(LuaVM *vm);
void vm_note_uncaught(lua_State *L); /* {err, traceback, origin} on top */
void vm_report_uncaught(LuaVM *vm);
void vm_report_failed(LuaVM *vm); /* at the end: all that is left */
void vm_interrupt_deliver(LuaVM *vm);
/* Have we been called by a callback of the loop that drives ours? */
bool vm_in_drivers_callback(LuaVM *vm);

/* Async-signal-safe. */
static inline void vm_attend(LuaVM *vm, int flag)
{
    __atomic_fetch_or(&vm->priv->attention, flag, __ATOMIC_RELAXED);
    if (vm->home) {
        aio_notify(vm->home->ctx); /* ends aio_poll_more() */
    }
}

/* Raises unless the caller is in the VM's own thread. */
void vm_check_thread(lua_State *L, LuaVM *vm);

#endif
