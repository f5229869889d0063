/*
 * lcrossunpack.c - message -> values of another state
 *
 * The message was made by lcrosspack.c in this very process, so its layout is
 * trusted.  Things are numbered in the order in which they were put; a table of
 * them exists only when the message refers back to one.
 */
#include <stdint.h>
#include <string.h>

#include "lcross.h"
#include "vm.h"

typedef struct Unpacker {
    CrossPack *pack;
    size_t at;
    int things; /* stack index of the table of what can occur again, or 0 */
    lua_Integer numbered;
} Unpacker;

static void get_value(lua_State *L, Unpacker *u);

static void get_bytes(Unpacker *u, void *to, size_t len)
{
    memcpy(to, u->pack->data + u->at, len);
    u->at += len;
}

static uint32_t get_u32(Unpacker *u)
{
    uint32_t n;

    get_bytes(u, &n, sizeof(n));
    return n;
}

/* A length and so many bytes, which are skipped. */
static const char *get_block(Unpacker *u, size_t *len)
{
    get_bytes(u, len, sizeof(*len));
    const char *block = (const char *)u->pack->data + u->at;
    u->at += *len;
    return block;
}

/* The value on top gets the next number. */
static void number_it(lua_State *L, Unpacker *u)
{
    if (u->things) {
        lua_pushvalue(L, -1);
        lua_rawseti(L, u->things, ++u->numbered);
    }
}

static void get_table(lua_State *L, Unpacker *u)
{
    uint32_t array = get_u32(u), hash = get_u32(u);

    luaL_checkstack(L, 8, "message from another thread");
    lua_createtable(L, (int)array, (int)hash);
    number_it(L, u);
    while (u->pack->data[u->at] != CROSS_NIL) {
        get_value(L, u);
        get_value(L, u);
        lua_rawset(L, -3);
    }
    u->at++;
}

/* Of the function on top. */
static void get_upvalue(lua_State *L, Unpacker *u, int i)
{
    if (u->pack->data[u->at] != CROSS_SHARED) {
        get_value(L, u);
        lua_setupvalue(L, -2, i);
        return;
    }
    u->at++;
    lua_Integer number = (lua_Integer)get_u32(u) + 1;
    lua_rawgeti(L, u->things, number);
    lua_upvaluejoin(L, -2, i, -1, u->pack->data[u->at++]);
    lua_pop(L, 1);
}

/* Its owner drops the code, as it does all that has not arrived. */
static const CrossCode *get_code(Unpacker *u)
{
    return cross_object(u->pack, get_u32(u))->what;
}

static void get_plain(lua_State *L, Unpacker *u)
{
    const CrossCode *code = get_code(u);

    luaL_checkstack(L, 8, "message from another thread");
    cross_push_function(L, code, true);
    if (code->env) { /* it may have assigned to its _ENV */
        lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
        lua_setupvalue(L, -2, 1);
    }
}

static void get_function(lua_State *L, Unpacker *u)
{
    const CrossCode *code = get_code(u);
    int count = u->pack->data[u->at++];

    luaL_checkstack(L, 8, "message from another thread");
    cross_push_function(L, code,
                        count == 1 && u->pack->data[u->at] == CROSS_KNOWN);
    number_it(L, u);
    for (int i = 1; i <= count; i++) {
        get_upvalue(L, u, i);
    }
}

static void get_object(lua_State *L, Unpacker *u)
{
    CrossObject *o = cross_object(u->pack, get_u32(u));

    luaL_checkstack(L, 8, "message from another thread");
    o->cls->arrive(L, o);
    number_it(L, u);
}

static void get_known(lua_State *L, Unpacker *u)
{
    size_t len;
    const char *name = get_block(u, &len);

    luaL_checkstack(L, 8, "message from another thread");
    lua_pushlstring(L, name, len);
    cross_push_named(L, lua_tostring(L, -1));
    lua_remove(L, -2);
}

static void get_number(lua_State *L, Unpacker *u, enum CrossTag tag)
{
    lua_Integer integer;
    lua_Number number;

    if (tag == CROSS_INTEGER) {
        get_bytes(u, &integer, sizeof(integer));
        lua_pushinteger(L, integer);
    } else {
        get_bytes(u, &number, sizeof(number));
        lua_pushnumber(L, number);
    }
}

static void get_value(lua_State *L, Unpacker *u)
{
    enum CrossTag tag = u->pack->data[u->at++];
    size_t len;

    switch (tag) {
    case CROSS_NIL:
        lua_pushnil(L);
        break;
    case CROSS_FALSE:
    case CROSS_TRUE:
        lua_pushboolean(L, tag == CROSS_TRUE);
        break;
    case CROSS_INTEGER:
    case CROSS_NUMBER:
        get_number(L, u, tag);
        break;
    case CROSS_STRING: {
        const char *s = get_block(u, &len);

        lua_pushlstring(L, s, len);
        break;
    }
    case CROSS_TABLE:
        get_table(L, u);
        break;
    case CROSS_PLAIN:
        get_plain(L, u);
        break;
    case CROSS_FUNCTION:
        get_function(L, u);
        break;
    case CROSS_OBJECT:
        get_object(L, u);
        break;
    case CROSS_KNOWN:
        get_known(L, u);
        break;
    default: /* CROSS_AGAIN; CROSS_SHARED stands only before upvalues */
        lua_rawgeti(L, u->things, (lua_Integer)get_u32(u) + 1);
    }
}

int cross_unpack_kept(lua_State *L, CrossPack *pack)
{
    Unpacker u = {.pack = pack};
    int count = (int)pack->count;

    luaL_checkstack(L, count + 8, "too many values from another thread");
    if (pack->has_refs) {
        lua_newtable(L);
        u.things = lua_gettop(L);
    }
    for (int i = 0; i < count; i++) {
        get_value(L, &u);
    }
    if (u.things) {
        lua_remove(L, u.things);
    }
    return count;
}

/* Protected: pack -> the values. */
static int unpack_all(lua_State *L)
{
    CrossPack *pack = lua_touserdata(L, 1);

    lua_settop(L, 0);
    return cross_unpack_kept(L, pack);
}

int cross_unpack(lua_State *L, CrossPack *pack)
{
    int count = (int)pack->count;
    int status = LUA_ERRMEM;

    if (!lua_checkstack(L, count + 8)) {
        lua_pushnil(L);
    } else if (pack->light) { /* nothing in it can raise */
        status = LUA_OK;
        cross_unpack_kept(L, pack);
    } else {
        lua_pushcfunction(L, unpack_all);
        lua_pushlightuserdata(L, pack);
        status = lua_pcall(L, 1, count, 0);
    }
    cross_free(pack);
    if (status != LUA_OK) {
        lua_error(L);
    }
    return count;
}
