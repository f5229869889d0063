/*
 * lcond.c - class aio.cond: wait for what a mutex protects to change
 *
 *     local guard <close> = mutex:guard()
 *     while not ready() do cond:wait(mutex) end
 *
 * wait() returns with the mutex locked on every way out, a time-out and a
 * cancellation included, so that whoever unlocks it afterwards may.
 */
#include "lsync.h"

typedef struct LuaCond {
    AluaObject object;
    WaitQueue waiters;
} LuaCond;

static const AluaClass cond_class;

static LuaCond *cond_check(lua_State *L)
{
    return alua_check(L, 1, &cond_class);
}

/**
 * class Cond (cond)
 *
 * A place to wait for what a mutex protects.
 */

/**
 * sync.cond() -> Cond
 */
static int cond_new(lua_State *L)
{
    alua_new(L, &cond_class, sizeof(LuaCond), 0);
    return 1;
}

/**
 * cond:wait(mutex: Mutex, sec?: aio.Wait) -> true!
 *
 * Unlocks the mutex, parks, locks it again, on a time-out and a cancellation
 * too.
 */
static int cond_wait(lua_State *L)
{
    LuaCond *self = cond_check(L);
    LuaMutex *mutex = lmutex_check_held(L, 2);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 3));
    LuaTask *task = task_check_can_park(L);
    LuaSyncWait wait;

    lmutex_release(mutex);
    ParkResult why = lsync_wait(L, &self->waiters, &wait, task, deadline);
    lmutex_retake(L, mutex, task);
    if (why == PARK_CANCELLED) {
        if (wait.given) {
            lsync_give(&self->waiters); /* the signal is another one's */
        }
        lsync_throw(L, task, &wait);
    }
    if (!wait.given) {
        return alua_timeout(L);
    }
    lua_pushboolean(L, true);
    return 1;
}

/**
 * cond:signal()
 *
 * Wakes the longest waiter.
 */
static int cond_signal(lua_State *L)
{
    lsync_give(&cond_check(L)->waiters);
    return 0;
}

/**
 * cond:broadcast()
 *
 * Wakes all.
 */
static int cond_broadcast(lua_State *L)
{
    LuaCond *self = cond_check(L);

    while (lsync_give(&self->waiters)) {
        continue;
    }
    return 0;
}

static int cond_tostring(lua_State *L)
{
    bool waited = cond_check(L)->waiters.head != NULL;

    lua_pushfstring(L, "aio.cond (%s)", waited ? "waited for" : "idle");
    return 1;
}

static const luaL_Reg cond_methods[] = {
    {"wait", cond_wait},
    {"signal", cond_signal},
    {"broadcast", cond_broadcast},
    {NULL, NULL},
};

static const luaL_Reg cond_metamethods[] = {
    {"__tostring", cond_tostring},
    {NULL, NULL},
};

static const AluaClass cond_class = {
    .name = "aio.cond",
    .methods = cond_methods,
    .metamethods = cond_metamethods,
};

static const luaL_Reg cond_functions[] = {
    {"cond", cond_new},
    {NULL, NULL},
};

void lcond_open(lua_State *L)
{
    alua_class(L, &cond_class);
    alua_setfuncs(L, cond_functions);
}
