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
#include "vm.h"

enum { UV_MUTEX = 1 };

typedef struct LuaMutex {
    AluaObject object;
    uint64_t owner; /* id of a task, 0: free */
    WaitQueue waiters;
} LuaMutex;

typedef struct LuaGuard {
    AluaObject object;
    uint64_t owner; /* 0 when it has let go */
} LuaGuard;

static const AluaClass mutex_class;
static const AluaClass guard_class;

static LuaMutex *mutex_check(lua_State *L)
{
    return alua_check(L, 1, &mutex_class);
}

static uint64_t current_id(const LuaVM *vm)
{
    return vm->current && !vm->callback ? task_id(vm->current) : 0;
}

/* Give the lock to the first waiter, or free it. */
static void mutex_hand_over(LuaMutex *self)
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
            mutex_hand_over(self);
        }
        lsync_throw(L, task, &wait);
    }
    return wait.given ? 0 : alua_timeout(L);
}

/* sync.mutex() -> mutex */
static int mutex_new(lua_State *L)
{
    alua_new(L, &mutex_class, sizeof(LuaMutex), 0);
    return 1;
}

/*
 * mutex:lock([sec]) -> true
 * nil, "timeout", ETIMEDOUT.  Raises when the calling task has the lock.
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

/* mutex:try_lock() -> boolean; never parks, but needs a task as the owner */
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

/* mutex:unlock(); raises unless the calling task has the lock */
static int mutex_unlock(lua_State *L)
{
    LuaMutex *self = mutex_check(L);

    if (!self->owner) {
        return luaL_error(L, "mutex is not locked");
    }
    if (self->owner != current_id(self->object.vm)) {
        return luaL_error(L, "mutex is locked by another task");
    }
    mutex_hand_over(self);
    return 0;
}

/* mutex:is_locked() -> boolean */
static int mutex_is_locked(lua_State *L)
{
    lua_pushboolean(L, mutex_check(L)->owner != 0);
    return 1;
}

/*
 * mutex:guard([sec]) -> guard
 * lock(), and an object that unlocks when it is closed:
 * local guard <close> = mutex:guard()
 */
static int mutex_guard(lua_State *L)
{
    LuaMutex *self = mutex_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));
    LuaGuard *guard = alua_new(L, &guard_class, sizeof(*guard), 1);
    int results;

    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, UV_MUTEX);
    results = mutex_take(L, self, deadline);
    if (results == 0) {
        guard->owner = self->owner;
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

/* guard:unlock(), guard:close(): unlock if it has not yet; idempotent. */
static int guard_close(lua_State *L)
{
    LuaGuard *guard = alua_check(L, 1, &guard_class);
    uint64_t owner = guard->owner;
    LuaMutex *mutex;

    if (!owner) {
        return 0;
    }
    lua_getiuservalue(L, 1, UV_MUTEX);
    mutex = lua_touserdata(L, -1);
    if (mutex->owner == owner && owner != current_id(guard->object.vm)) {
        return luaL_error(L, "guard is closed by another task than locked it");
    }
    guard->owner = 0;
    if (mutex->owner == owner) { /* not unlocked by hand before */
        mutex_hand_over(mutex);
    }
    return 0;
}

/* Collected without <close>: the lock must not stay with nobody. */
static int guard_gc(lua_State *L)
{
    LuaGuard *guard = alua_check(L, 1, &guard_class);
    LuaMutex *mutex;

    lua_getiuservalue(L, 1, UV_MUTEX);
    mutex = lua_touserdata(L, -1);
    if (guard->owner && mutex->owner == guard->owner) {
        lua_warning(L,
                    "aio.mutex: a guard was collected while it held the "
                    "lock; use local guard <close> = mutex:guard()",
                    0);
        mutex_hand_over(mutex);
    }
    guard->owner = 0;
    return 0;
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

static const luaL_Reg guard_methods[] = {
    {"unlock", guard_close},
    {"close", guard_close},
    {NULL, NULL},
};

static const luaL_Reg guard_metamethods[] = {
    {"__close", guard_close},
    {"__gc", guard_gc},
    {NULL, NULL},
};

static const AluaClass guard_class = {
    .name = "aio.guard",
    .methods = guard_methods,
    .metamethods = guard_metamethods,
};

static const luaL_Reg mutex_functions[] = {
    {"mutex", mutex_new},
    {NULL, NULL},
};

void lmutex_open(lua_State *L)
{
    alua_class(L, &mutex_class);
    alua_class(L, &guard_class);
    alua_setfuncs(L, mutex_functions);
}
