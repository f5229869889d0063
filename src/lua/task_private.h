/*
 * task_private.h - what a task is made of
 *
 * LuaTask is the C side: coroutine, Lua thread, timer.  It lives from spawn to
 * end and is recycled.  TaskHandle is what scripts hold: while the task lives
 * it points to it (and lies in the task's slot, so a live task keeps its
 * handle); afterwards it holds the results.
 *
 * The task's Lua stack: 1 alua_traceback (stays there for the next task),
 * 2 body, 3... arguments.
 */
#ifndef TASK_PRIVATE_H
#define TASK_PRIVATE_H

#include "aioctl/context.h"
#include "aioctl/coroutine.h"
#include "batch.h"
#include "origin.h"
#include "qapi/error.h"
#include "slice.h"
#include "trace.h"
#include "vm_private.h"

typedef struct TaskHandle TaskHandle;
typedef struct LuaGroup LuaGroup;

typedef enum TaskState {
    TASK_READY,
    TASK_RUNNING,
    TASK_PARKED,
    TASK_DONE,
    TASK_FAILED,
    TASK_CANCELLED,
} TaskState;

/*
 * Who may cancel what a task is doing.  Scopes form a stack per task, with the
 * task's own (root) at the bottom.  A request is delivered once, at a park; the
 * outermost request is delivered first, but a shield hides all those below it.
 *
 * A scope that was opened in a user's coroutine counts only while that one is
 * not suspended: what the task does meanwhile is not in the scope.
 */
typedef enum ScopeKind {
    SCOPE_ROOT,
    SCOPE_TIMEOUT,
    SCOPE_GROUP,
    SCOPE_SHIELD
} ScopeKind;

typedef struct Scope {
    AluaObject object; /* class aio.scope; unused in the root */
    lua_State *L;      /* the coroutine it is in, kept alive; NULL: the task */
    ScopeKind kind;
    bool fired; /* asked to cancel and not yet delivered */
    bool open;
    bool threw;       /* its cancellation was raised */
    QEMUTimer *timer; /* armed (and counted in vm->active), or NULL */
    LuaTask *task;
    struct Scope *outer;
} Scope;

enum { AT_HANDLER = 1 }; /* on the task's Lua stack */
/* What Lua grants without lua_checkstack() leaves room for so many values
 * besides what we need ourselves. */
enum { FEW_VALUES = 8 };
enum { UV_SCOPE_THREAD = 1 };
/* The user value of a handle: the result (a table when there are several), or,
 * once there is more to keep, a table with all of it. */
enum { UV_RESULT = 1 };
enum {
    INFO_RESULT = 1,
    INFO_NAME = 2,
    INFO_TRACEBACK = 3,
    INFO_ORIGIN = 4,
};

struct TaskHandle {
    AluaObject object;
    LuaTask *task; /* NULL once ended */
    uint8_t state; /* TaskState, valid when ended */
    bool received; /* somebody got the error */
    bool counted;  /* in priv->failed */
    bool has_info; /* the user value is the table */
    int nresults;
};

/* Aligned to a cache line; parking and waking touches the first. */
struct LuaTask {
    LuaVM *vm;
    Coroutine *co;

    /* The flow that runs when this one leaves; and ours while parked. */
    LuaTask *outer_task;
    const LuaHandle *outer_callback;
    lua_State *outer_inner;
    lua_State *inner;

    uint8_t state;  /* READY, RUNNING, PARKED */
    uint8_t reason; /* ParkResult, why it was woken */
    bool woken;     /* task_wake() came before the park */
    bool deaf;      /* parked uncancellably */
    bool queued;    /* on the ready queue */
    bool counted;   /* its park counts in vm->active */
    bool countable; /* ... would, if it were ref'd */
    bool unrefd;
    bool token;     /* aio.park(): a wake came early */
    bool in_park;   /* inside aio.park() */
    uint32_t fired; /* scopes with an undelivered request */

    TaskHandle *handle;
    void (*run)(LuaTask *t);
    uint64_t id;
    bool started;
    bool is_main;
    bool seen;     /* a script may hold the thread */
    bool leaving;  /* called os.exit: never run again */
    bool must_run; /* its body has something to finish also when cancelled */
    int nargs;
    int status;         /* lua_pcall's, for main tasks run by vm_run() */
    int base;           /* of main tasks: index of the message handler, or 0 */
    TaskOrigin *origin; /* where it was spawned; counted, may be NULL */
    TaskOrigin *named;  /* its name, for its children; counted, or NULL */
    int64_t due_ns;     /* deadline of the last park that had one */
    int64_t ready_ns, began_ns; /* of its slice, while watched (slice.c) */

    Scope root;
    Scope *scope;    /* innermost */
    Scope *throwing; /* whose cancellation task_throw_cancel() raises */

    WaitQueue joiners;
    LuaGroup *group;
    LuaWaker *waker;
    LuaLink *link;        /* of aio.batch(), with a reference; or NULL */
    LuaTask *prev, *next; /* live list; next also: pool */

    /* Kept from task to task, as vm is; see task_reset(). */
    lua_State *L;
    TaskSlot slot; /* of the thread, and of the handle while it lives */
    QEMUTimer timer;
};

extern const AluaClass task_class, scope_class;

/* Registers the classes of tasks; idempotent. */
void task_open_class(lua_State *L);
/* Pushes the waker of a task, live or ended. */
int waker_push(lua_State *L, TaskHandle *h);

/* What each task's coroutine runs. */
void coroutine_fn task_entry(void *opaque);
/* The task whose C stack this is, or NULL. */
static inline LuaTask *task_on_this_stack(void)
{
    return aio_co_self_opaque(task_entry);
}

/* A task around a lua_State that exists already: the main chunk's. */
LuaTask *task_new_main(lua_State *L, LuaVM *vm, lua_State *on,
                       size_t stack_size);
/* aio.spawn() for C: function and arguments on top; pushes the handle.  Needs
 * ten free slots of @L's stack, which every C function has at first. */
LuaTask *task_spawn(lua_State *L, LuaVM *vm, int nargs);

void task_request_cancel(LuaTask *t);
void task_fire(Scope *scope);
/* Opens the anchored scope at @index of @L, in @L; user value 1 is ours. */
void scope_push(lua_State *L, int index, LuaTask *t, ScopeKind kind);
void scope_pop(Scope *scope);
/* Their coroutines are dead or will never run in this task again. */
void scope_pop_all(LuaTask *t);
/* The children of a group whose body will not wait for them. */
void group_detach(Scope *scope);
/* Is the value at @arg a group that was raised in its body? */
bool group_is_cancel(lua_State *L, int arg);
/* Take back a PARK_CANCELLED that will not be raised now. */
void task_unreport(LuaTask *t);
/* A cancellation could be raised right now. */
bool task_has_pending(LuaTask *t);
/* Raises it. */
_Noreturn void task_throw_pending(lua_State *L, LuaTask *t);
/* The timer of a task: its park is over. */
void task_late(void *opaque);
/* Would task_check_can_park() find nothing wrong but a pending cancel? */
bool task_may_park(lua_State *L);
/* Its error counts as received. */
void task_receive(TaskHandle *h);
void task_yield(lua_State *L, LuaTask *t);
/* Leaves this stack for good (os.exit). */
_Noreturn void task_abandon(LuaTask *t);
/* Runs the pending __close handlers of an abandoned task on a fresh stack. */
bool task_unwind_abandoned(LuaTask *t);
void task_trim(lua_State *L, LuaVM *vm);
void task_destroy_all(LuaVM *vm);
void task_free_main(LuaTask *t);
const char *task_state_name(int state);
int task_state(const LuaTask *t);
/* "task 'x', created at f.lua:3"; may not raise. */
void task_describe(const LuaTask *t, char *buf, size_t size);
/* Pushes the handle of a task that has not ended. */
void task_push_handle(lua_State *L, const LuaTask *t);
/* Pushes the user value of the handle at @at that is the result. */
void task_push_result(lua_State *L, int at, const TaskHandle *h);
/* Pops the result of the handle at @at; allocates nothing. */
void task_set_result(lua_State *L, int at, const TaskHandle *h);
/* Pushes the table of the handle at @at, making it. */
void task_push_info(lua_State *L, int at, TaskHandle *h);
/* The handle is garbage from here on, unless somebody has it. */
void task_drop_handle(lua_State *L, const LuaTask *t);
/* Keeps what lua_pcall() left above the message handler. */
void task_finish(LuaTask *t, int status);
void task_finish_cancelled(LuaTask *t);
/* Appends who spawned @t to the traceback on top. */
void task_add_spawners(lua_State *L, const LuaTask *t);
/* Pushes the traceback of a task that is not running, nested threads too. */
void task_push_traceback(lua_State *L, LuaTask *t);
/* Is @co the innermost function of lcoroutine.c on its level 0?  Pushes the
 * thread it is running, or returns NULL. */
lua_State *coroutine_resumed_by(lua_State *L);
void lgroup_open(lua_State *L);
void lspawn_open(lua_State *L);
void coroutine_install(lua_State *L, LuaVM *vm);
void require_install(lua_State *L, LuaVM *vm);

/* The end of the program, in two steps: ask all iothreads to end; join them. */
void iothread_end_all(LuaVM *vm);
void iothread_join_all(LuaVM *vm);
void offload_close(LuaVM *vm);
/* os.exit() was called in the VM of an iothread: the program ends. */
void iothread_exits(LuaVM *vm, int code);

/* Called by a task that ended, before its joiners wake; may be NULL group. */
void group_child_ended(LuaGroup *g, LuaTask *t, TaskHandle *h);
void waker_task_ended(LuaWaker *w);

/* A slice of @t begins; trace_end() ends it. */
void task_trace_begin(LuaTask *t);

/* ---- switching flows -------------------------------------------------------
 */

static inline void task_flow_enter(LuaTask *t)
{
    LuaVM *vm = t->vm;

    t->outer_task = vm->current;
    t->outer_callback = vm->callback;
    t->outer_inner = vm->priv->inner;
    vm->current = t;
    vm->callback = NULL;
    vm->priv->inner = t->inner;
    t->queued = false;
    vm->ready--;
    t->state = TASK_RUNNING;
    if (unlikely(trace_on)) {
        task_trace_begin(t);
    }
    if (unlikely(vm->priv->watch)) {
        slice_begin_task(t);
    }
}

static inline void task_flow_leave(LuaTask *t)
{
    LuaVM *vm = t->vm;

    if (unlikely(trace_on)) {
        trace_end();
    }
    if (unlikely(vm->priv->watch)) {
        slice_end_task(t);
    }
    t->inner = vm->priv->inner;
    vm->current = t->outer_task;
    vm->callback = t->outer_callback;
    vm->priv->inner = t->outer_inner;
}

static inline void task_make_ready(LuaTask *t)
{
    DCHECK(!t->queued);
    t->queued = true;
    t->vm->ready++;
    if (unlikely(t->vm->priv->watch)) {
        t->ready_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    }
    aio_co_ready(t->vm->home->ctx, t->co);
}

#endif
