/*
 * lrequire.c - require() among tasks
 *
 * A module may park while it loads.  Another task that requires it meanwhile
 * waits for the first to finish instead of loading it again; when tasks wait
 * for each other's modules in a circle, the last one is told so.
 *
 * The lock is a userdata in a to-be-closed slot of the loading call, so it is
 * released however that call ends, and an error keeps its traceback.
 */
#include <lualib.h>
#include <string.h>

#include "open.h"
#include "task_private.h"

typedef struct RequireLock {
    AluaObject object;
    LuaTask *owner;
    const char *name; /* lives as long as the loading call */
    WaitQueue waiters;
    struct RequireLock *next;
    bool held;
} RequireLock;

static const char locks_key;

/* One list per VM; its head is a small userdata in the registry. */
static RequireLock **lock_list(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &locks_key) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        RequireLock **head = lua_newuserdatauv(L, sizeof(*head), 0);

        *head = NULL;
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &locks_key);
    }
    RequireLock **head = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return head;
}

static int unlock(lua_State *L)
{
    RequireLock *lock = lua_touserdata(L, 1);
    RequireLock **link = lock_list(L);

    if (!lock->held) {
        return 0;
    }
    lock->held = false;
    while (*link != lock) {
        link = &(*link)->next;
    }
    *link = lock->next;
    waitq_wake_all(&lock->waiters);
    return 0;
}

static const luaL_Reg lock_metamethods[] = {
    {"__close", unlock},
    {"__gc", unlock},
    {NULL, NULL},
};

static const AluaClass lock_class = {
    .name = "aio.require_lock",
    .metamethods = lock_metamethods,
};

static RequireLock *find_lock(RequireLock *list, const char *name)
{
    while (list && strcmp(list->name, name)) {
        list = list->next;
    }
    return list;
}

/* The lock that @t waits for, or NULL. */
static RequireLock *waits_for(RequireLock *list, const LuaTask *t)
{
    for (; list; list = list->next) {
        for (Waiter *w = list->waiters.head; w; w = w->next) {
            if (w->task == t) {
                return list;
            }
        }
    }
    return NULL;
}

static bool is_circular(RequireLock *list, RequireLock *lock, const LuaTask *t)
{
    /* Each step goes to a lock whose owner waits: a task waits for one lock
     * only, so this ends. */
    for (; lock; lock = waits_for(list, lock->owner)) {
        if (lock->owner == t) {
            return true;
        }
    }
    return false;
}

/* Waits until nobody else is loading @name. */
static void wait_for_others(lua_State *L, LuaVM *vm, const char *name)
{
    RequireLock **list = lock_list(L);
    RequireLock *lock;

    /* Ends: each round waits for the end of one loading call. */
    while ((lock = find_lock(*list, name)) && lock->owner != vm->current) {
        LuaTask *t = task_check_can_park(L);
        Waiter w;

        if (is_circular(*list, lock, t)) {
            luaL_error(L,
                       "circular require: module '%s' is being loaded by "
                       "a task that waits for this one",
                       name);
        }
        if (waitq_wait(&lock->waiters, &w, t, -1) == PARK_CANCELLED) {
            task_throw_cancel(L, t);
        }
    }
}

/* Pushes the module when it is loaded. */
static bool push_loaded(lua_State *L, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    if (lua_toboolean(L, -1)) {
        return true;
    }
    lua_pop(L, 1);
    return false;
}

/* Leaves the lock on the stack, to be closed. */
static void hold_lock(lua_State *L, LuaVM *vm, const char *name)
{
    RequireLock **list = lock_list(L);
    RequireLock *lock = alua_new(L, &lock_class, sizeof(*lock), 0);

    lua_toclose(L, -1);
    lock->owner = vm->current;
    lock->name = name;
    lock->held = true;
    lock->next = *list;
    *list = lock;
}

/* ---- loading ------------------------------------------------------------ */

/*
 * Asks package.searchers in turn: pushes the loader and the value that belongs
 * to it, or raises with what each searcher had to say.
 */
static void find_loader(lua_State *L, const char *name)
{
    luaL_Buffer tried;

    if (lua_getfield(L, lua_upvalueindex(2), "searchers") != LUA_TTABLE) {
        luaL_error(L, "'package.searchers' must be a table");
    }
    int searchers = lua_gettop(L);
    luaL_buffinit(L, &tried);
    for (int i = 1; lua_rawgeti(L, searchers, i) != LUA_TNIL; i++) {
        lua_pushstring(L, name);
        lua_call(L, 1, 2);
        if (lua_isfunction(L, -2)) {
            return;
        }
        lua_pop(L, 1);
        if (lua_isstring(L, -1)) {
            lua_pushliteral(L, "\n\t");
            lua_insert(L, -2);
            lua_concat(L, 2);
            luaL_addvalue(&tried);
        } else {
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
    luaL_pushresult(&tried);
    luaL_error(L, "module '%s' not found:%s", name, lua_tostring(L, -1));
}

/*
 * What require() does when the module is not loaded.  It is all done here, and
 * not by the function that was replaced, so that messages name the caller's
 * line and tracebacks show one require().
 */
static int load_module(lua_State *L, const char *name)
{
    find_loader(L, name);
    lua_insert(L, -2); /* data, loader */
    lua_pushstring(L, name);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_insert(L, -2); /* data, loaded, result */
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        if (lua_getfield(L, -1, name) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_pushboolean(L, 1);
        }
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, name);
    lua_remove(L, -2);
    lua_insert(L, -2);
    return 2;
}

/* require(name).  Upvalues: VM, package. */
static int require_locked(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    if (!push_loaded(L, name)) {
        wait_for_others(L, vm, name);
        if (!push_loaded(L, name)) {
            RequireLock **list = lock_list(L);

            if (vm->current && !vm->callback && !find_lock(*list, name)) {
                hold_lock(L, vm, name);
            }
            return load_module(L, name);
        }
    }
    return 1;
}

void require_install(lua_State *L, LuaVM *vm)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &locks_key) != LUA_TNIL) {
        lua_pop(L, 1); /* done before */
        return;
    }
    alua_class(L, &lock_class);
    lock_list(L);
    if (lua_getglobal(L, "require") != LUA_TFUNCTION ||
        !lua_iscfunction(L, -1)) {
        lua_pop(L, 2); /* somebody else's: leave it alone */
        return;
    }
    lua_pushlightuserdata(L, vm);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, LUA_LOADLIBNAME);
    lua_remove(L, -2);
    lua_pushcclosure(L, require_locked, 2);
    lua_setglobal(L, "require");
    lua_pop(L, 2);
}

void lrequire_open(lua_State *L)
{
    require_install(L, alua_vm_of(L));
}
