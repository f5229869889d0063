/*
 * lguard.c - class aio.guard: unlocks at the end of its scope
 *
 * local guard <close> = mutex:guard()
 *
 * It unlocks in the task that made it, on every way out, cancellation included.
 * It knows which task locked, so one whose lock was released by hand before
 * does nothing.
 */
#include "lsync.h"

enum { UV_LOCK = 1 };

typedef struct LuaGuard {
    AluaObject object;
    const LuaGuardOps *ops;
    uint64_t owner; /* 0: holds nothing (any more) */
} LuaGuard;

static const AluaClass guard_class;

void lguard_push(lua_State *L, const LuaGuardOps *ops)
{
    LuaGuard *guard = alua_new(L, &guard_class, sizeof(*guard), 1);

    guard->ops = ops;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, UV_LOCK);
}

void lguard_set_owner(lua_State *L, int arg, uint64_t owner)
{
    LuaGuard *guard = alua_check(L, arg, &guard_class);

    guard->owner = owner;
}

/**
 * class Guard (guard)
 *
 * Unlocks at the end of its scope.
 */

/**
 * guard:unlock()
 * guard:close()
 *
 * Unlock before that. May be called twice.
 */
static int guard_close(lua_State *L)
{
    LuaGuard *guard = alua_check(L, 1, &guard_class);
    uint64_t owner = guard->owner;

    if (!owner) {
        return 0;
    }
    lua_getiuservalue(L, 1, UV_LOCK);
    void *lock = lua_touserdata(L, -1);
    bool held = guard->ops->is_held(lock, owner);
    if (held && owner != lsync_task_id(guard->object.vm)) {
        return luaL_error(L, "guard is closed by another task than locked it");
    }
    guard->owner = 0;
    if (held) {
        guard->ops->release(lock, owner);
    }
    return 0;
}

/* Collected without <close>: the lock must not stay with nobody. */
static int guard_gc(lua_State *L)
{
    LuaGuard *guard = alua_check(L, 1, &guard_class);

    lua_getiuservalue(L, 1, UV_LOCK);
    void *lock = lua_touserdata(L, -1);
    if (guard->owner && guard->ops->is_held(lock, guard->owner)) {
        lua_warning(L, "a guard was collected while it held its lock; use ", 1);
        lua_warning(L, "local guard <close> = ", 1);
        lua_warning(L, guard->ops->lock, 0);
        guard->ops->release(lock, guard->owner);
    }
    guard->owner = 0;
    return 0;
}

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

void lguard_open(lua_State *L)
{
    alua_class(L, &guard_class);
}
