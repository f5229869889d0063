/*
 * lcrossplain.c - a message of plain values, which most of them are
 *
 * A few nils, booleans, numbers and short strings, and one function that was
 * sent before.  Nothing here raises, so no lua_pcall() is needed to free a
 * half-made message; nothing can occur twice; and the memory of a message that
 * was read may be used again.  All else is lcrosspack.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "lcross.h"

enum { LIGHT_MAX = 8 };

static bool put(CrossPack *pack, enum CrossTag tag, const void *bytes,
                size_t len)
{
    if (1 + len > pack->size - pack->len) {
        return false;
    }
    pack->data[pack->len] = (unsigned char)tag;
    memcpy(pack->data + pack->len + 1, bytes, len);
    pack->len += 1 + len;
    return true;
}

static bool put_number(lua_State *L, int index, CrossPack *pack)
{
    if (lua_isinteger(L, index)) {
        lua_Integer n = lua_tointeger(L, index);

        return put(pack, CROSS_INTEGER, &n, sizeof(n));
    }
    lua_Number n = lua_tonumber(L, index);
    return put(pack, CROSS_NUMBER, &n, sizeof(n));
}

static bool put_string(lua_State *L, int index, CrossPack *pack)
{
    size_t len;
    const char *s = lua_tolstring(L, index, &len);

    pack->light = false;
    if (len > pack->size || 1 + sizeof(len) + len > pack->size - pack->len) {
        return false;
    }
    put(pack, CROSS_STRING, &len, sizeof(len));
    memcpy(pack->data + pack->len, s, len);
    pack->len += len;
    return true;
}

static bool put_function(lua_State *L, int index, CrossPack *pack)
{
    const uint32_t first = 0;
    CrossCode *code = pack->nobjects == 0 ? cross_code_known(L, index) : NULL;

    if (!code || !code->plain ||
        !put(pack, CROSS_PLAIN, &first, sizeof(first))) {
        return false;
    }
    pack->first =
        (CrossObject){.cls = &code_cross, .what = cross_code_ref(code)};
    pack->nobjects = 1;
    pack->light = false;
    return true;
}

static bool put_value(lua_State *L, int index, CrossPack *pack)
{
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return put(pack, CROSS_NIL, "", 0);
    case LUA_TBOOLEAN:
        return put(pack, lua_toboolean(L, index) ? CROSS_TRUE : CROSS_FALSE, "",
                   0);
    case LUA_TNUMBER:
        return put_number(L, index, pack);
    case LUA_TSTRING:
        return put_string(L, index, pack);
    case LUA_TFUNCTION:
        return put_function(L, index, pack);
    default:
        return false;
    }
}

static CrossPack *pack_new(void)
{
    CrossPack *pack = check_malloc(sizeof(*pack) + CROSS_FIRST_SIZE);

    *pack = (CrossPack){.size = CROSS_FIRST_SIZE};
    return pack;
}

CrossPack *cross_pack_plain(lua_State *L, int count, CrossPack *old)
{
    int first = lua_gettop(L) - count + 1;

    if (!lua_checkstack(L, 4)) {
        return NULL;
    }
    CrossPack *pack = old ? old : pack_new();
    pack->count = (unsigned)count;
    pack->light = count <= LIGHT_MAX;
    for (int i = 0; i < count; i++) {
        if (!put_value(L, first + i, pack)) {
            (old ? cross_reset : cross_free)(pack);
            return NULL;
        }
    }
    return pack;
}

/* ---- any message -------------------------------------------------------- */

CrossPack *cross_pack_into(lua_State *L, int count, const CrossWords *words,
                           CrossPack *old)
{
    if (old) {
        cross_reset(old);
    }
    CrossPack *pack = cross_pack_plain(L, count, old);
    if (!pack) {
        pack = cross_pack_all(L, count, words, PACK_TO_SEND);
        cross_free(old);
    }
    return pack;
}

CrossPack *cross_pack(lua_State *L, int count, const CrossWords *words)
{
    return cross_pack_into(L, count, words, NULL);
}

CrossPack *cross_pack_held(lua_State *L, int count, const CrossWords *words)
{
    CrossPack *pack = cross_pack_plain(L, count, NULL);

    if (pack) {
        lua_pushnil(L); /* nothing moved */
        return pack;
    }
    return cross_pack_all(L, count, words, PACK_TO_OFFER);
}

void cross_check(lua_State *L, int count, const CrossWords *words)
{
    cross_free(cross_pack_all(L, count, words, PACK_TO_CHECK));
}
