/*
 * lmutex.c - class aio.mutex: one task at a time
 *
 * unlock() hands the lock to the first waiter.  The owner is a task, known by
 * its number: one that ended without unlocking is mixed up with no other, and
 * those who wait for it are told by the deadlock report.  The guard
 * that guard() returns unlocks at the end of its scope, in the task that made
 * it, so <close> is safe on every way out, cancellation included.
 */
#include "lsync.h"

struct LuaMutex {
    AluaObject object;
    uint64_t owner; /* id of a task, 0: free */
    WaitQueue waiters;
};

static const AluaClass mutex_class;

static LuaMutex *mutex_check(lua_State *L)
{
    return alua_check(L, 1, &mutex_class);
}

/* Give the lock to the first waiter, or free it. */
void lmutex_release(LuaMutex *self)
{
    LuaSyncWait *next = lsync_give(&self->waiters);

    self->owner = next ? task_id(next->waiter.task) : 0;
}

/* Returns 0 with the lock held by @task, or the number of results pushed. */
static int mutex_take(lua_State *L, LuaMutex *self, int64_t deadline)
{
    LuaTask *task = task_check_can_park(L);
    LuaSyncWait wait;
    ParkResult why;

    if (!self->owner) {
        self->owner = task_id(task);
        return 0;
    }
    if (self->owner == task_id(task)) {
        return luaL_error(L, "mutex is locked by this task already");
    }
    why = lsync_wait(L, &self->waiters, &wait, task, deadline);
    if (why == PARK_CANCELLED) {
        if (wait.given) {
            lmutex_release(self);
        }
        lsync_throw(L, task, &wait);
    }
    return wait.given ? 0 : alua_timeout(L);
}

/**
 * class Mutex (mutex)
 *
 * One task at a time.
 */

/**
 * sync.mutex() -> Mutex
 *
 * A lock that belongs to the task that has locked it.
 */
static int mutex_new(lua_State *L)
{
    alua_new(L, &mutex_class, sizeof(LuaMutex), 0);
    return 1;
}

/**
 * mutex:lock(sec?: aio.Wait) -> true!
 *
 * Parks. Raises when this task has it already.
 */
static int mutex_lock(lua_State *L)
{
    LuaMutex *self = mutex_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));
    int results = mutex_take(L, self, deadline);

    if (results == 0) {
        lua_pushboolean(L, true);
        results = 1;
    }
    return results;
}

/**
 * mutex:try_lock() -> boolean
 *
 * Locks it if nobody has. Never parks.
 */
static int mutex_try_lock(lua_State *L)
{
    LuaMutex *self = mutex_check(L);
    const LuaTask *task = self->object.vm->current;

    if (!task || self->object.vm->callback) {
        return luaL_error(L, "a mutex belongs to a task, and none is running");
    }
    if (!self->owner) {
        self->owner = task_id(task);
        lua_pushboolean(L, true);
    } else {
        lua_pushboolean(L, false);
    }
    return 1;
}

LuaMutex *lmutex_check_held(lua_State *L, int arg)
{
    LuaMutex *self = alua_check(L, arg, &mutex_class);

    if (!self->owner) {
        luaL_error(L, "mutex is not locked");
    }
    if (self->owner != lsync_task_id(self->object.vm)) {
        luaL_error(L, "mutex is locked by another task");
    }
    return self;
}

void lmutex_retake(lua_State *L, LuaMutex *self, LuaTask *task)
{
    if (!self->owner) {
        self->owner = task_id(task);
        return;
    }
    LuaSyncWait wait = {.L = L, .waiter.slot = &wait};

    waitq_wait_uncancellable(&self->waiters, &wait.waiter, task);
}

/**
 * mutex:unlock()
 *
 * Raises when another task has it, or nobody.
 */
static int mutex_unlock(lua_State *L)
{
    lmutex_release(lmutex_check_held(L, 1));
    return 0;
}

/**
 * mutex:is_locked() -> boolean
 */
static int mutex_is_locked(lua_State *L)
{
    lua_pushboolean(L, mutex_check(L)->owner != 0);
    return 1;
}

static bool mutex_is_held(const void *lock, uint64_t owner)
{
    return ((const LuaMutex *)lock)->owner == owner;
}

static void mutex_release(void *lock, uint64_t owner)
{
    lmutex_release(lock);
}

static const LuaGuardOps mutex_guard_ops = {
    .lock = "mutex:guard()",
    .is_held = mutex_is_held,
    .release = mutex_release,
};

/**
 * mutex:guard(sec?: aio.Wait) -> Guard!
 *
 * `lock`, and `unlock` at the end of the scope: `local guard <close> =
 * mutex:guard()`.
 */
static int mutex_guard(lua_State *L)
{
    LuaMutex *self = mutex_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));

    lguard_push(L, &mutex_guard_ops);
    int results = mutex_take(L, self, deadline);
    if (results == 0) {
        lguard_set_owner(L, -1, self->owner);
        results = 1;
    }
    return results;
}

static int mutex_tostring(lua_State *L)
{
    bool locked = mutex_check(L)->owner != 0;

    lua_pushfstring(L, "aio.mutex (%s)", locked ? "locked" : "free");
    return 1;
}

static const luaL_Reg mutex_methods[] = {
    {"lock", mutex_lock},     {"try_lock", mutex_try_lock},
    {"unlock", mutex_unlock}, {"is_locked", mutex_is_locked},
    {"guard", mutex_guard},   {NULL, NULL},
};

static const luaL_Reg mutex_metamethods[] = {
    {"__tostring", mutex_tostring},
    {NULL, NULL},
};

static const AluaClass mutex_class = {
    .name = "aio.mutex",
    .methods = mutex_methods,
    .metamethods = mutex_metamethods,
};

static const luaL_Reg mutex_functions[] = {
    {"mutex", mutex_new},
    {NULL, NULL},
};

void lmutex_open(lua_State *L)
{
    alua_class(L, &mutex_class);
    alua_setfuncs(L, mutex_functions);
}
