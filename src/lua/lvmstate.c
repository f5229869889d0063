/*
 * lvmstate.c - making another lua_State like the owner's
 *
 * The libraries, the host's additions to them, and the same search paths.
 */
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "lchild.h"
#include "liothread.h"
#include "memlimit.h"

void state_plan_push(lua_State *L)
{
    lua_getglobal(L, "package");
    if (!lua_istable(L, -1)) { /* somebody's own world */
        lua_pushnil(L);
        return;
    }
    lua_getfield(L, -1, "path");
    lua_getfield(L, -2, "cpath");
    lua_remove(L, -3);
}

static char *copy_string(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING
               ? check_strdup(lua_tostring(L, index))
               : NULL;
}

void state_plan_init(lua_State *L, StatePlan *plan)
{
    LuaVM *vm = alua_vm(L);

    plan->prepare = vm->prepare_state;
    plan->default_fdmon = vm->default_fdmon;
    plan->default_engine = vm->default_engine;
    plan->log_errors = vm->log_errors;
    plan->path = copy_string(L, -2);
    plan->cpath = copy_string(L, -1);
    lua_pop(L, 2);
}

void state_plan_free(StatePlan *plan)
{
    free(plan->path);
    free(plan->cpath);
}

static void set_field(lua_State *L, const char *field, const char *value)
{
    if (value) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, field);
    }
}

/* Protected: plan. */
static int open_libraries(lua_State *L)
{
    const StatePlan *plan = lua_touserdata(L, 1);

    luaL_checkversion(L);
    luaL_openlibs(L);
    child_install(L);
    if (plan->prepare) {
        plan->prepare(L);
    }
    lua_getglobal(L, "package");
    set_field(L, "path", plan->path);
    set_field(L, "cpath", plan->cpath);
    return 0;
}

lua_State *state_new(const StatePlan *plan, Error **errp)
{
    lua_State *L = memlimit_newstate();

    if (!L) {
        error_setg(errp, "not enough memory for another Lua state");
        return NULL;
    }
    alua_keep_blocks(L);
    alua_clear_extra_space(L);
    lua_pushcfunction(L, open_libraries);
    lua_pushlightuserdata(L, (void *)plan);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        error_setg(errp, "cannot open another Lua state: %s",
                   lua_tostring(L, -1));
        lua_close(L);
        return NULL;
    }
    return L;
}
