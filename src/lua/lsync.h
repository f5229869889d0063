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

/* One wait, on the waiting task's C stack; Waiter.slot points to it. */
typedef struct LuaSyncWait {
    Waiter waiter;
    lua_State *L; /* of the waiter: a value can be moved to or from its top */
    bool given;   /* the waker handed over what was waited for */
    bool closed;  /* woken because the channel was closed */
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

/* Raises the cancellation; does not return. */
void lsync_throw(lua_State *L, LuaTask *task, const LuaSyncWait *wait);

/* Dequeue the first waiter of @q and mark it given; NULL when there is none. */
LuaSyncWait *lsync_give(WaitQueue *q);

/* The first waiter, still queued, or NULL. */
LuaSyncWait *lsync_first(const WaitQueue *q);

/* The classes; each adds its constructor to the table on the top. */
void lchan_open(lua_State *L);
void lsem_open(lua_State *L);
void lmutex_open(lua_State *L);
void levent_open(lua_State *L);

#endif
