/*
 * lcrosscode.c - functions -> code -> functions, each once
 *
 * Dumping and loading a small function costs more than all the rest of its way
 * to another thread.  So the sender keeps the code of a function as long as the
 * function, and the receiver a function as long as somebody uses it.
 */
#include <lauxlib.h>

#include "lcross.h"

/* Registry keys: function -> its code; code -> function. */
static const char codes_key, loaded_key;

/* The registry's table under @key, made at first. */
static void push_weak(lua_State *L, const void *key, const char *mode)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) {
        return;
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

typedef struct Dump {
    luaL_Buffer buffer;
    bool begun;
} Dump;

/* The buffer may have a place on the stack, above the function, which
 * lua_dump() looks for before it calls this. */
static int append(lua_State *L, const void *code, size_t len, void *opaque)
{
    Dump *d = opaque;

    if (!d->begun) {
        d->begun = true;
        luaL_buffinit(L, &d->buffer);
    }
    luaL_addlstring(&d->buffer, code, len);
    return 0;
}

static void push_dump(lua_State *L, int index)
{
    Dump d = {.begun = false};

    lua_pushvalue(L, index);
    lua_dump(L, append, &d, false);
    luaL_pushresult(&d.buffer);
    lua_remove(L, -2);
}

void cross_push_code(lua_State *L, int index)
{
    push_weak(L, &codes_key, "k");
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) != LUA_TSTRING) {
        lua_pop(L, 1);
        push_dump(L, index);
        lua_pushvalue(L, index);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    lua_remove(L, -2);
}

static void load(lua_State *L, const char *code, size_t len)
{
    if (luaL_loadbufferx(L, code, len, "=(another thread)", "b") != LUA_OK) {
        lua_error(L);
    }
}

void cross_load_code(lua_State *L, const char *code, size_t len, bool stateless)
{
    if (!stateless) {
        load(L, code, len);
        return;
    }
    push_weak(L, &loaded_key, "v");
    lua_pushlstring(L, code, len);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        load(L, code, len);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}
