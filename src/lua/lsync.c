/*
 * lsync.c - aio.sync: the table of the classes, and the wait they share
 */
#include "lsync.h"

#include "open.h"
#include "task_private.h"

ParkResult lsync_wait(lua_State *L, WaitQueue *q, LuaSyncWait *wait,
                      LuaTask *task, int64_t deadline)
{
    ParkResult why;

    *wait = (LuaSyncWait){.L = L, .waiter.slot = wait};
    why = waitq_wait(q, &wait->waiter, task, deadline);
    /* The queue lets a hand-over win over a cancel of the same moment.  What
     * is handed over here would often be lost in a task that unwinds at its
     * next park: better that it never had it. */
    if (why == PARK_WOKEN && wait->given && task_has_pending(task)) {
        wait->pending = true;
        return PARK_CANCELLED;
    }
    return why;
}

int lsync_wait_open(lua_State *L, WaitQueue *q, LuaTask *task, int64_t deadline)
{
    LuaSyncWait wait;

    if (lsync_wait(L, q, &wait, task, deadline) == PARK_CANCELLED) {
        lsync_throw(L, task, &wait);
    }
    if (!wait.given) {
        return alua_timeout(L);
    }
    lua_pushboolean(L, true);
    return 1;
}

void lsync_throw(lua_State *L, LuaTask *task, const LuaSyncWait *wait)
{
    if (wait->pending) {
        task_throw_pending(L, task);
    }
    task_throw_cancel(L, task);
}

LuaSyncWait *lsync_first(const WaitQueue *q)
{
    return q->head ? q->head->slot : NULL;
}

LuaSyncWait *lsync_give(WaitQueue *q)
{
    Waiter *w = waitq_wake_one(q);
    LuaSyncWait *wait = w ? w->slot : NULL;

    if (wait) {
        wait->given = true;
    }
    return wait;
}

int lsync_finish_true(lua_State *L, void *source, int at, LuaSyncWait *wait)
{
    lua_pushboolean(L, true);
    return 1;
}

uint64_t lsync_task_id(const LuaVM *vm)
{
    return vm->current && !vm->callback ? task_id(vm->current) : 0;
}

/**
 * aio.sync: aio.sync
 *
 * The module of what tasks wait on.
 */
void lsync_open(lua_State *L)
{
    lua_createtable(L, 0, 8);
    lchan_open(L);
    lsem_open(L);
    lguard_open(L);
    lmutex_open(L);
    lrwlock_open(L);
    lcond_open(L);
    levent_open(L);
    llatch_open(L);
    lua_setfield(L, -2, "sync");
}
