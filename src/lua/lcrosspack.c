/*
 * lcrosspack.c - values of a Lua state -> message
 *
 * A depth-first walk with raw access only: no code of the script runs, so
 * nothing changes meanwhile and addresses identify tables, functions, upvalues
 * and objects.  Where the walk stands is a chain of frames on the C stack, for
 * the message of what cannot cross.
 *
 * The walk runs inside one lua_pcall(): whatever raises, the half-made message
 * is freed.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "lcrosspath.h"
#include "lcrossseen.h"

enum { DEPTH_MAX = 500 }; /* levels of nesting: bounds the C stack */

typedef struct Packer {
    lua_State *L;
    const CrossWords *words;
    CrossPack *pack;
    CrossSeenSet seen;
    uint32_t numbered; /* tables, functions, objects so far */
    int depth;
    PackPurpose why;
    int held;     /* stack index of the table that keeps it, nil at first */
    bool retried; /* names of modules are up to date */
    bool retry;   /* failed; but they might have been the reason */
} Packer;

static void put_value(Packer *p, int index, const CrossFrame *frame);

/* ---- what is wrong, and where ------------------------------------------- */

static _Noreturn void refuse(Packer *p, const CrossFrame *frame,
                             const char *why)
{
    char path[256];

    cross_path(p->L, p->words, frame, path, sizeof(path));
    p->retry = !p->retried;
    luaL_error(p->L, "%s: %s%s", path, why,
               cross_path_has_upvalue(frame)
                   ? " (make or require it inside the function)"
                   : "");
    abort();
}

static _Noreturn void refuse_type(Packer *p, const CrossFrame *frame,
                                  const char *what)
{
    char why[128];

    snprintf(why, sizeof(why), "%s cannot be sent to another thread", what);
    refuse(p, frame, why);
}

/* ---- the block ---------------------------------------------------------- */

static _Noreturn void no_memory(Packer *p)
{
    luaL_error(p->L, "not enough memory for a message to another thread");
    abort();
}

static unsigned char *reserve(Packer *p, size_t len)
{
    CrossPack *pack = p->pack;

    if (len > pack->size - pack->len) {
        size_t size = pack->size * 2;

        size = size - pack->len < len ? pack->len + len : size;
        pack = realloc(pack, sizeof(*pack) + size);
        if (!pack) {
            no_memory(p);
        }
        pack->size = size;
        p->pack = pack;
    }
    unsigned char *at = pack->data + pack->len;
    pack->len += len;
    return at;
}

static void put_bytes(Packer *p, const void *bytes, size_t len)
{
    if (len > 0) {
        memcpy(reserve(p, len), bytes, len);
    }
}

static void put_tag(Packer *p, enum CrossTag tag)
{
    *reserve(p, 1) = (unsigned char)tag;
}

static void put_u32(Packer *p, uint32_t n)
{
    put_bytes(p, &n, sizeof(n));
}

static void put_string(Packer *p, enum CrossTag tag, const char *s, size_t len)
{
    put_tag(p, tag);
    put_bytes(p, &len, sizeof(len));
    put_bytes(p, s, len);
}

/* ---- what was met already ----------------------------------------------- */

/* The entry of @address; new when its address field is still NULL. */
static CrossSeen *seen_find(Packer *p, const void *address)
{
    CrossSeen *seen = cross_seen(&p->seen, address);

    if (!seen) {
        no_memory(p);
    }
    return seen;
}

/* True when the value at @index was put already: now it is put again. */
static bool put_again(Packer *p, int index)
{
    const void *address = lua_topointer(p->L, index);
    CrossSeen *seen = seen_find(p, address);

    if (seen->address) {
        put_tag(p, CROSS_AGAIN);
        put_u32(p, seen->number);
        p->pack->has_refs = true;
        return true;
    }
    *seen = (CrossSeen){.address = address, .number = p->numbered++};
    p->seen.count++;
    return false;
}

/* ---- the kinds of values ------------------------------------------------ */

static bool put_known(Packer *p, int index)
{
    const char *name = cross_name_of(p->L, index, false);

    if (name) {
        put_string(p, CROSS_KNOWN, name, strlen(name));
    }
    lua_pop(p->L, 1);
    return name != NULL;
}

static void put_fields(Packer *p, int index, const CrossFrame *frame)
{
    lua_State *L = p->L;
    int key = lua_gettop(L) + 1;
    CrossFrame at_key = {.up = frame, .kind = AT_KEY, .index = key};
    CrossFrame at_field = {.up = frame, .kind = AT_FIELD, .index = key};

    for (lua_pushnil(L); lua_next(L, index); lua_settop(L, key)) {
        put_value(p, key, &at_key);
        put_value(p, key + 1, &at_field);
    }
    put_tag(p, CROSS_NIL);
}

static uint32_t count_fields(lua_State *L, int index)
{
    uint32_t n = 0;

    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        n++;
    }
    return n;
}

static void put_table(Packer *p, int index, const CrossFrame *frame)
{
    lua_State *L = p->L;

    if (put_known(p, index) || put_again(p, index)) {
        return;
    }
    if (lua_getmetatable(L, index)) {
        refuse_type(p, frame, "a table with a metatable");
    }
    uint32_t all = count_fields(L, index);
    uint32_t array = (uint32_t)lua_rawlen(L, index);
    array = array < all ? array : all;
    put_tag(p, CROSS_TABLE);
    put_u32(p, array);
    put_u32(p, all - array);
    put_fields(p, index, frame);
}

/* Upvalue @i of the function numbered @number, whose value is on top. */
static void put_upvalue(Packer *p, int index, int i, uint32_t number,
                        const CrossFrame *frame)
{
    CrossSeen *seen = seen_find(p, lua_upvalueid(p->L, index, i));

    if (seen->address) {
        put_tag(p, CROSS_SHARED);
        put_u32(p, seen->number);
        *reserve(p, 1) = seen->upvalue;
        p->pack->has_refs = true;
        return;
    }
    *seen = (CrossSeen){.address = lua_upvalueid(p->L, index, i),
                        .number = number,
                        .upvalue = (uint8_t)i};
    p->seen.count++;
    put_value(p, lua_gettop(p->L), frame);
}

static CrossObject *reserve_object(Packer *p)
{
    CrossObject *o = cross_reserve_object(p->pack);
    if (!o) {
        no_memory(p);
    }
    return o;
}

static void put_code(Packer *p, enum CrossTag tag, CrossCode *code)
{
    *reserve_object(p) =
        (CrossObject){.cls = &code_cross, .what = cross_code_ref(code)};
    p->pack->nobjects++;
    put_tag(p, tag); /* may move the pack */
    put_u32(p, p->pack->nobjects - 1);
}

static void put_upvalues(Packer *p, int index, uint32_t number,
                         const CrossFrame *frame)
{
    lua_State *L = p->L;
    lua_Debug ar;

    lua_pushvalue(L, index);
    lua_getinfo(L, ">u", &ar);
    *reserve(p, 1) = ar.nups;
    for (int i = 1; i <= ar.nups; i++) {
        CrossFrame upvalue = {.up = frame, .kind = AT_UPVALUE, .index = i};

        upvalue.name = lua_getupvalue(L, index, i);
        if (strcmp(upvalue.name, "_ENV") == 0) {
            put_string(p, CROSS_KNOWN, "_G", 2); /* whatever it is here */
        } else {
            put_upvalue(p, index, i, number, &upvalue);
        }
        lua_pop(L, 1);
    }
}

static void put_function(Packer *p, int index, const CrossFrame *frame)
{
    uint32_t number = p->numbered;

    if (put_known(p, index)) {
        return;
    }
    if (lua_iscfunction(p->L, index)) {
        refuse_type(p, frame, "a C function");
    }
    CrossCode *code = cross_code_of(p->L, index);
    if (code->plain) { /* the same one over there, however often it is sent */
        put_code(p, CROSS_PLAIN, code);
    } else if (!put_again(p, index)) {
        put_code(p, CROSS_FUNCTION, code);
        put_upvalues(p, index, number, frame);
    }
}

static void put_object(Packer *p, int index, const CrossFrame *frame)
{
    lua_State *L = p->L;
    const CrossClass *cls = cross_class_of(L, index);
    const char *why = NULL;

    if (!cls) {
        bool named = luaL_getmetafield(L, index, "__name") == LUA_TSTRING;
        char what[80];

        snprintf(what, sizeof(what), "a userdata%s%.60s%s", named ? " (" : "",
                 named ? lua_tostring(L, -1) : "", named ? ")" : "");
        refuse_type(p, frame, what);
    }
    if (p->words->loopless && !cls->loopless) {
        refuse(p, frame, cross_push_loopless(L, cls));
    }
    if (put_again(p, index)) {
        return;
    }
    if (p->why == PACK_TO_OFFER && cls->restore) {
        cross_hold(L, p->held, index, p->pack->nobjects);
    }
    CrossObject *o = reserve_object(p);
    void *what = cls->take(L, index, &why);
    if (!what) {
        refuse(p, frame, why);
    }
    *o = (CrossObject){
        .cls = cls, .what = what, .from = lua_touserdata(L, index)};
    p->pack->nobjects++;
    put_tag(p, CROSS_OBJECT); /* may move the pack */
    put_u32(p, p->pack->nobjects - 1);
}

static void put_number(Packer *p, int index)
{
    if (lua_isinteger(p->L, index)) {
        lua_Integer n = lua_tointeger(p->L, index);

        put_tag(p, CROSS_INTEGER);
        put_bytes(p, &n, sizeof(n));
    } else {
        lua_Number n = lua_tonumber(p->L, index);

        put_tag(p, CROSS_NUMBER);
        put_bytes(p, &n, sizeof(n));
    }
}

static void put_nested(Packer *p, int index, const CrossFrame *frame, int type)
{
    if (++p->depth > DEPTH_MAX) {
        refuse(p, frame, "nested too deeply for another thread");
    }
    luaL_checkstack(p->L, LUA_MINSTACK, "message to another thread");
    if (type == LUA_TTABLE) {
        put_table(p, index, frame);
    } else {
        put_function(p, index, frame);
    }
    p->depth--;
}

/* @index is absolute. */
static void put_value(Packer *p, int index, const CrossFrame *frame)
{
    lua_State *L = p->L;
    int type = lua_type(L, index);
    size_t len;

    switch (type) {
    case LUA_TNIL:
        put_tag(p, CROSS_NIL);
        break;
    case LUA_TBOOLEAN:
        put_tag(p, lua_toboolean(L, index) ? CROSS_TRUE : CROSS_FALSE);
        break;
    case LUA_TNUMBER:
        put_number(p, index);
        break;
    case LUA_TSTRING: {
        const char *s = lua_tolstring(L, index, &len);

        put_string(p, CROSS_STRING, s, len);
        break;
    }
    case LUA_TTABLE:
    case LUA_TFUNCTION:
        put_nested(p, index, frame, type);
        break;
    case LUA_TUSERDATA:
        put_object(p, index, frame);
        break;
    case LUA_TTHREAD:
        refuse_type(p, frame, "a coroutine");
    default:
        refuse_type(p, frame, "a light userdata");
    }
}

/* ---- the whole ---------------------------------------------------------- */

/* Protected: the values, packer. */
static int pack_all(lua_State *L)
{
    Packer *p = lua_touserdata(L, -1);
    int count = lua_gettop(L) - 1;

    luaL_checkstack(L, LUA_MINSTACK, "message to another thread");
    lua_pushnil(L);
    lua_replace(L, count + 1);
    p->held = count + 1;
    p->L = L;
    p->pack->count = (unsigned)count;
    if (p->retried) {
        lua_pushnil(L);
        cross_name_of(L, 1, true);
        lua_settop(L, count + 1);
    }
    for (int i = 1; i <= count; i++) {
        put_value(p, i, &(CrossFrame){.kind = AT_VALUE, .index = i});
    }
    for (unsigned i = 0; i < p->pack->nobjects; i++) {
        CrossObject *o = cross_object(p->pack, i);

        if (o->cls->commit && p->why != PACK_TO_CHECK) {
            o->cls->commit(o->from, o->what);
        }
        o->from = p->why == PACK_TO_OFFER ? o->from : NULL;
    }
    lua_settop(L, p->held);
    return 1;
}

static int try_pack(lua_State *L, int count, Packer *p)
{
    int first = lua_gettop(L) - count + 1;

    p->pack = check_calloc(1, sizeof(CrossPack) + CROSS_FIRST_SIZE);
    p->pack->size = CROSS_FIRST_SIZE;
    lua_pushcfunction(L, pack_all);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, first + i);
    }
    lua_pushlightuserdata(L, p);
    int status = lua_pcall(L, count + 1, p->why == PACK_TO_OFFER ? 1 : 0, 0);
    free(p->seen.slots);
    if (status != LUA_OK) {
        cross_free(p->pack);
    }
    return status;
}

CrossPack *cross_pack_all(lua_State *L, int count, const CrossWords *words,
                          PackPurpose why)
{
    Packer p = {.words = words, .why = why};

    luaL_checkstack(L, count + 4, "too many values for another thread");
    int status = try_pack(L, count, &p);
    if (status == LUA_ERRRUN && p.retry) {
        lua_pop(L, 1);
        p = (Packer){.words = words, .why = why, .retried = true};
        status = try_pack(L, count, &p);
    }
    return status == LUA_OK ? p.pack : (lua_error(L), NULL);
}
