/*
 * lcrosscode.c - functions -> code -> functions, each once
 *
 * Dumping and loading a small function costs more than all the rest of its way
 * to another thread.  So the sender keeps the code of a function as long as the
 * function, messages have a reference to it, and the receiver keeps a function
 * as long as somebody uses it.
 *
 * Closures made again and again from the same source have one code, or the
 * receiver would load each of them.
 */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "lcross.h"

/* Registry keys: function -> Handle of its code; the code's bytes -> Handle;
 * id of a code -> function. */
static const char codes_key, known_key, loaded_key;

typedef struct Handle {
    CrossCode *code; /* a reference */
} Handle;

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

CrossCode *cross_code_ref(CrossCode *code)
{
    __atomic_fetch_add(&code->refs, 1, __ATOMIC_RELAXED);
    return code;
}

static void code_unref(void *what)
{
    CrossCode *code = what;

    if (__atomic_sub_fetch(&code->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        free(code);
    }
}

const CrossClass code_cross = {.drop = code_unref};

/* ---- function -> code --------------------------------------------------- */

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

static int handle_gc(lua_State *L)
{
    Handle *h = lua_touserdata(L, 1);

    if (h->code) {
        code_unref(h->code);
        h->code = NULL;
    }
    return 0;
}

static void describe(lua_State *L, int index, CrossCode *code)
{
    static lua_Integer last_id; /* atomic */
    lua_Debug ar;

    lua_pushvalue(L, index);
    lua_getinfo(L, ">u", &ar);
    if (ar.nups == 1) {
        const char *name = lua_getupvalue(L, index, 1);

        code->env = strcmp(name, "_ENV") == 0;
        lua_pop(L, 1);
    }
    code->plain = ar.nups == 0 || code->env;
    code->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
}

/* bytes of the function at @index -> Handle */
static void make_handle(lua_State *L, int index)
{
    size_t len;
    const char *bytes = lua_tolstring(L, -1, &len);
    Handle *h = lua_newuserdatauv(L, sizeof(*h), 0);

    h->code = NULL;
    if (luaL_newmetatable(L, "aio.code")) {
        lua_pushcfunction(L, handle_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    h->code = malloc(sizeof(*h->code) + len);
    if (!h->code) {
        luaL_error(L, "not enough memory for a message to another thread");
        return;
    }
    *h->code = (CrossCode){.refs = 1, .len = len};
    memcpy(h->code->bytes, bytes, len);
    describe(L, index, h->code);
    lua_remove(L, -2);
}

/* Pushes the Handle of the same code, or a new one. */
static void push_handle(lua_State *L, int index)
{
    push_weak(L, &known_key, "v");
    push_dump(L, index);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        make_handle(L, index); /* known, bytes, handle */
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}

CrossCode *cross_code_known(lua_State *L, int index)
{
    CrossCode *code = NULL;

    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &codes_key) == LUA_TTABLE) {
        lua_pushvalue(L, index);
        lua_rawget(L, -2);
        Handle *h = lua_touserdata(L, -1);
        code = h ? h->code : NULL;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return code;
}

CrossCode *cross_code_of(lua_State *L, int index)
{
    CrossCode *code = cross_code_known(L, index);

    if (code) {
        return code;
    }
    push_weak(L, &codes_key, "k");
    lua_pushvalue(L, index);
    push_handle(L, index);
    code = ((Handle *)lua_touserdata(L, -1))->code;
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return code;
}

/* ---- code -> function --------------------------------------------------- */

static void load(lua_State *L, const CrossCode *code)
{
    if (luaL_loadbufferx(L, code->bytes, code->len, "=(another thread)", "b") !=
        LUA_OK) {
        lua_error(L);
    }
}

void cross_push_function(lua_State *L, const CrossCode *code, bool stateless)
{
    if (!stateless) {
        load(L, code);
        return;
    }
    push_weak(L, &loaded_key, "v");
    if (lua_rawgeti(L, -1, code->id) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        load(L, code);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, code->id);
    }
    lua_remove(L, -2);
}
