/*
 * lsync.h - what the classes of aio.sync share
 *
 * All of them queue their waiters in a WaitQueue and hand over directly: who
 * wakes a waiter gives it what it waited for (a value, a permit, the lock) and
 * marks its LuaSyncWait.  So nobody can overtake a woken waiter, and a waiter
 * that was cancelled in the meantime knows that it has something to pass on.
 */
#ifndef LSYNC_H
#define LSYNC_H

#include "task.h"
#include "vm.h"

/* One wait, on the waiting task's C stack; Waiter.slot points to it. */
typedef struct LuaSyncWait {
    Waiter waiter;
    lua_State *L; /* of the waiter: a value given to it goes onto its top */
    int value;    /* index on it of what a putter offers; 0: the top */
    bool given;   /* the waker handed over what was waited for */
    bool closed;  /* woken because the channel was closed */
    bool moved;   /* woken because the channel is a shared one now */
    bool pending; /* cancelled after it was given something */
} LuaSyncWait;

/*
 * lsync_wait: append to @q and park until @deadline
 *
 * PARK_CANCELLED: pass on what was given, if anything, then lsync_throw().
 * Otherwise wait->given tells whether it was served.
 */
ParkResult lsync_wait(lua_State *L, WaitQueue *q, LuaSyncWait *wait,
                      LuaTask *task, int64_t deadline);

/*
 * lsync_wait_open: the wait of what opens for all at once (events, latches)
 *
 * Pushes true, or the timeout triple, and returns the count; a cancellation is
 * raised, for there is nothing to pass on.
 */
int lsync_wait_open(lua_State *L, WaitQueue *q, LuaTask *task,
                    int64_t deadline);

/* Raises the cancellation; does not return. */
void lsync_throw(lua_State *L, LuaTask *task, const LuaSyncWait *wait);

/* Dequeue the first waiter of @q and mark it given; NULL when there is none. */
LuaSyncWait *lsync_give(WaitQueue *q);

/* The first waiter, still queued, or NULL. */
LuaSyncWait *lsync_first(const WaitQueue *q);

/* The id of the running task; 0 in a callback. */
uint64_t lsync_task_id(const LuaVM *vm);

/* ---- lguard.c: what unlocks at the end of a scope ----------------------- */

/* What a guard asks of its lock.  @owner is a task's id. */
typedef struct LuaGuardOps {
    const char *lock; /* "mutex:guard()": for the message */
    bool (*is_held)(const void *lock, uint64_t owner);
    void (*release)(void *lock, uint64_t owner);
} LuaGuardOps;

/* lguard_push: a guard of the lock at 1 that holds nothing yet; before taking
 * the lock, because it may raise.  Then set_owner(). */
void lguard_push(lua_State *L, const LuaGuardOps *ops);
void lguard_set_owner(lua_State *L, int arg, uint64_t owner);

/* ---- lmutex.c: what a condition variable needs -------------------------- */

typedef struct LuaMutex LuaMutex;

/* The mutex at @arg; raises unless the running task has it. */
LuaMutex *lmutex_check_held(lua_State *L, int arg);
void lmutex_release(LuaMutex *mutex);
/* Waits for it whatever happens: a cancellation has to come later. */
void lmutex_retake(lua_State *L, LuaMutex *mutex, LuaTask *task);

/* ---- what select() needs ------------------------------------------------ */

/*
 * A case that @source can serve.  try() serves it at once if it can: pushes
 * the results and returns their count, or -1.  queue() is where to wait
 * otherwise.  finish() pushes the results after @wait was served or closed.
 * undo() passes on what a task that is cancelled was given (NULL: there is
 * nothing to pass on); false: that cannot be, the results count.  The
 * source is at the stack index @at, and in @value and @wait->value the index of
 * what is put.
 */
typedef struct LuaSource {
    int (*try)(lua_State *L, void *source, int at, int value);
    WaitQueue *(*queue)(void *source, int value);
    int (*finish)(lua_State *L, void *source, int at, LuaSyncWait *wait);
    bool (*undo)(lua_State *L, void *source, int at, LuaSyncWait *wait);
} LuaSource;

/* A finish() that pushes true. */
int lsync_finish_true(lua_State *L, void *source, int at, LuaSyncWait *wait);

extern const AluaClass chan_class, sem_class, event_class;
extern const LuaSource chan_source, sem_source, event_source, task_source;

/* The classes; each adds its constructor to the table on the top. */
void lchan_open(lua_State *L);
void lsem_open(lua_State *L);
void lguard_open(lua_State *L);
void lmutex_open(lua_State *L);
void lrwlock_open(lua_State *L);
void lcond_open(lua_State *L);
void levent_open(lua_State *L);
void llatch_open(lua_State *L);

#endif
