/*
 * lsem.c - class aio.sem: a number of permits
 *
 * release() hands its permit to the first waiter, so waiters are served in
 * order and a permit is at every moment in exactly one place: in the count,
 * with a holder, or with a woken waiter (who passes it on when cancelled).
 */
#include "lsync.h"

typedef struct LuaSem {
    AluaObject object;
    lua_Integer permits;
    WaitQueue waiters;
} LuaSem;

static LuaSem *sem_check(lua_State *L)
{
    return alua_check(L, 1, &sem_class);
}

static bool sem_take(LuaSem *self)
{
    if (self->permits > 0 && !self->waiters.head) {
        self->permits--;
        return true;
    }
    return false;
}

static void sem_give(LuaSem *self)
{
    if (!lsync_give(&self->waiters)) {
        self->permits++;
    }
}

/**
 * class Sem (sem)
 *
 * A number of permits.
 */

/**
 * sync.sem(n: integer) -> Sem
 *
 * A semaphore with `n` permits.
 */
static int sem_new(lua_State *L)
{
    lua_Integer permits = luaL_checkinteger(L, 1);
    LuaSem *self;

    luaL_argcheck(L, permits >= 0, 1, "permits must not be negative");
    self = alua_new(L, &sem_class, sizeof(*self), 0);
    self->permits = permits;
    return 1;
}

/**
 * sem:acquire(sec?: aio.Wait) -> true!
 *
 * Parks until there is a permit; the longest waiter gets it.
 */
static int sem_acquire(lua_State *L)
{
    LuaSem *self = sem_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));
    LuaTask *task = task_check_can_park(L);
    LuaSyncWait wait;
    ParkResult why;

    if (!sem_take(self)) {
        why = lsync_wait(L, &self->waiters, &wait, task, deadline);
        if (why == PARK_CANCELLED) {
            if (wait.given) {
                sem_give(self);
            }
            lsync_throw(L, task, &wait);
        }
        if (!wait.given) {
            return alua_timeout(L);
        }
    }
    lua_pushboolean(L, true);
    return 1;
}

/**
 * sem:try_acquire() -> boolean
 *
 * Takes a permit if there is one. Never parks.
 */
static int sem_try_acquire(lua_State *L)
{
    lua_pushboolean(L, sem_take(sem_check(L)));
    return 1;
}

/**
 * sem:release()
 *
 * Gives one back, from anywhere.
 */
static int sem_release(lua_State *L)
{
    sem_give(sem_check(L));
    return 0;
}

/**
 * sem:value() -> integer
 *
 * The permits that are free.
 */
static int sem_value(lua_State *L)
{
    lua_pushinteger(L, sem_check(L)->permits);
    return 1;
}

/* ---- as a case of select() ---- */

static int source_try(lua_State *L, void *source, int at, int value)
{
    if (!sem_take(source)) {
        return -1;
    }
    lua_pushboolean(L, true);
    return 1;
}

static WaitQueue *source_queue(void *source, int value)
{
    return &((LuaSem *)source)->waiters;
}

static bool source_undo(lua_State *L, void *source, int at, LuaSyncWait *wait)
{
    sem_give(source);
    return true;
}

const LuaSource sem_source = {
    .try = source_try,
    .queue = source_queue,
    .finish = lsync_finish_true,
    .undo = source_undo,
};

static int sem_tostring(lua_State *L)
{
    lua_pushfstring(L, "aio.sem (%I free)", sem_check(L)->permits);
    return 1;
}

static const luaL_Reg sem_methods[] = {
    {"acquire", sem_acquire},
    {"try_acquire", sem_try_acquire},
    {"release", sem_release},
    {"value", sem_value},
    {NULL, NULL},
};

static const luaL_Reg sem_metamethods[] = {
    {"__tostring", sem_tostring},
    {NULL, NULL},
};

const AluaClass sem_class = {
    .name = "aio.sem",
    .methods = sem_methods,
    .metamethods = sem_metamethods,
};

static const luaL_Reg sem_functions[] = {
    {"sem", sem_new},
    {NULL, NULL},
};

void lsem_open(lua_State *L)
{
    alua_class(L, &sem_class);
    alua_setfuncs(L, sem_functions);
}
