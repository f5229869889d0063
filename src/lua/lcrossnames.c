/*
 * lcrossnames.c - modules and functions that every state has of its own
 *
 * The standard library, aio and its submodules are the same in each thread, so
 * they cross by name: a function that uses `aio` or `string.format` as an
 * upvalue finds those of the thread it runs in.  A table in the registry maps
 * each of them to its name, "aio.file" or "string format".
 */
#include <lauxlib.h>
#include <string.h>

#include "lcross.h"

static const char names_key; /* its address: registry key */

static bool is_everywhere(const char *module)
{
    static const char *const standard[] = {
        "_G",   "coroutine", "table", "io",      "os",
        "math", "string",    "utf8",  "package", "debug",
    };

    for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]); i++) {
        if (strcmp(module, standard[i]) == 0) {
            return true;
        }
    }
    return strcmp(module, "aio") == 0 || strncmp(module, "aio.", 4) == 0;
}

/* names, module table: the functions of the module. */
static void add_functions(lua_State *L, int names, const char *module)
{
    int table = lua_gettop(L);

    for (lua_pushnil(L); lua_next(L, table); lua_settop(L, table + 1)) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_isfunction(L, -1)) {
            lua_pushfstring(L, "%s %s", module, lua_tostring(L, -2));
            lua_rawset(L, names);
        }
    }
}

/* A name that several modules have (aio, aio.core) is the shorter one's. */
static void add_module(lua_State *L, int names, const char *module)
{
    lua_pushvalue(L, -1);
    if (lua_rawget(L, names) == LUA_TSTRING &&
        strlen(lua_tostring(L, -1)) <= strlen(module)) {
        lua_pop(L, 1);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushstring(L, module);
    lua_rawset(L, names);
    add_functions(L, names, module);
}

/* Pushes the table. */
static void build(lua_State *L)
{
    lua_newtable(L);
    int names = lua_gettop(L);
    lua_pushvalue(L, names);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    for (lua_pushnil(L); lua_next(L, names + 1); lua_settop(L, names + 2)) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1) &&
            is_everywhere(lua_tostring(L, -2))) {
            add_module(L, names, lua_tostring(L, -2));
        }
    }
    lua_settop(L, names);
}

const char *cross_name_of(lua_State *L, int arg, bool rebuild)
{
    if (rebuild ||
        lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key) != LUA_TTABLE) {
        if (!rebuild) {
            lua_pop(L, 1);
        }
        build(L);
    }
    lua_pushvalue(L, arg);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return lua_tostring(L, -1);
}

void cross_push_named(lua_State *L, const char *name)
{
    size_t module = strcspn(name, " ");

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushlstring(L, name, module);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_getglobal(L, "require");
        lua_pushlstring(L, name, module);
        lua_call(L, 1, 1);
    }
    lua_remove(L, -2);
    if (name[module] == '\0') {
        return;
    }
    if (!lua_istable(L, -1) ||
        lua_getfield(L, -1, name + module + 1) == LUA_TNIL) {
        lua_pushlstring(L, name, module);
        luaL_error(L, "the receiving thread has no function '%s' in '%s'",
                   name + module + 1, lua_tostring(L, -1));
    }
    lua_remove(L, -2);
}
