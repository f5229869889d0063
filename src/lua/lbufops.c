/*
 * lbufops.c - methods of aio.buf that read or change its bytes
 *
 * Offsets count from 0; a length left out means "to the end".  Every method
 * takes its range from buf_range(), which is the one bounds check, and none
 * parks, so the memory cannot move underneath.  pack() and unpack() hand over
 * to Lua's own string.pack() and string.unpack(), kept as upvalue 2.
 */
#include <lualib.h>
#include <string.h>

#include "lbuf.h"
#include "open.h"

/* Arguments [off [, len]] at @arg. */
static uint8_t *opt_range(lua_State *L, const LuaBuf *b, int arg, size_t *len)
{
    int64_t off = luaL_optinteger(L, arg, 0);
    int64_t n = buf_opt_length(L, arg + 1, b, off);
    uint8_t *p = buf_range(L, b, off, n);

    *len = (size_t)n;
    return p;
}

/**
 * buf:tostring(off?: integer, len?: integer) -> string
 *
 * Its bytes as a string.
 */
static int buf_tostring(lua_State *L)
{
    size_t len;
    const uint8_t *p = opt_range(L, buf_check(L, 1), 2, &len);

    lua_pushlstring(L, (const char *)p, len);
    return 1;
}

/**
 * buf:set(off: integer, s: string) -> Buf
 *
 * Writes the string there.
 */
static int buf_set(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    size_t len;
    int64_t off = luaL_checkinteger(L, 2);
    const char *s = luaL_checklstring(L, 3, &len);

    memcpy(buf_range(L, b, off, (int64_t)len), s, len);
    lua_settop(L, 1);
    return 1;
}

static int check_byte(lua_State *L, int arg)
{
    size_t len;

    if (lua_type(L, arg) == LUA_TSTRING) {
        const char *s = lua_tolstring(L, arg, &len);
        luaL_argcheck(L, len == 1, arg, "one byte expected");
        return (unsigned char)s[0];
    }
    lua_Integer byte = luaL_checkinteger(L, arg);
    luaL_argcheck(L, byte >= 0 && byte <= 255, arg, "not a byte (0 to 255)");
    return (int)byte;
}

/**
 * buf:fill(byte: integer|string, off?: integer, len?: integer) -> Buf
 *
 * The byte as a number or a string.
 */
static int buf_fill(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    int byte = check_byte(L, 2);
    size_t len;
    uint8_t *p = opt_range(L, b, 3, &len);

    memset(p, byte, len);
    lua_settop(L, 1);
    return 1;
}

/**
 * buf:copy(dst_off: integer, src: Buf, src_off?: integer, len?: integer) ->
 *     Buf
 *
 * From another buffer or itself; ranges may overlap.
 */
static int buf_copy(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    int64_t off = luaL_checkinteger(L, 2);
    const LuaBuf *src = buf_check(L, 3);
    size_t len;
    const uint8_t *from = opt_range(L, src, 4, &len);

    memmove(buf_range(L, b, off, (int64_t)len), from, len);
    lua_settop(L, 1);
    return 1;
}

/**
 * buf:find(s: string, off?: integer) -> integer|nil
 *
 * The offset of the first occurrence, at `off` or later.
 */
static int buf_find(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    size_t needle_len, len;
    const char *needle = luaL_checklstring(L, 2, &needle_len);

    lua_settop(L, 3);
    const uint8_t *from = opt_range(L, b, 3, &len);
    const uint8_t *hit = needle_len == 1
                             ? memchr(from, needle[0], len)
                             : memmem(from, len, needle, needle_len);
    if (!hit) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, hit - b->base);
    return 1;
}

/**
 * buf:equal(other: Buf|string) -> boolean
 *
 * Are the bytes the same?
 */
static int buf_equal(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    LuaBuf *other = buf_test(L, 2);
    size_t len = other ? other->size : 0;
    const void *bytes =
        other ? other->base : (const void *)luaL_checklstring(L, 2, &len);

    lua_pushboolean(L, len == b->size && memcmp(b->base, bytes, len) == 0);
    return 1;
}

/**
 * buf:mismatch(other: Buf) -> integer|nil
 *
 * The offset of the first difference (the end of the shorter one counts), or
 * `nil`.
 */
static int buf_mismatch(lua_State *L)
{
    LuaBuf *a = buf_check(L, 1);
    LuaBuf *b = buf_check(L, 2);
    size_t len = a->size < b->size ? a->size : b->size;
    size_t at = 0;

    while (at < len) { /* narrow down by blocks, then by bytes */
        size_t n = len - at < 4096 ? len - at : 4096;
        if (memcmp(a->base + at, b->base + at, n) != 0) {
            break;
        }
        at += n;
    }
    while (at < len && a->base[at] == b->base[at]) {
        at++;
    }
    if (at == len && a->size == b->size) {
        lua_pushnil(L);
    } else {
        lua_pushinteger(L, (lua_Integer)at);
    }
    return 1;
}

/* Data usually shows in the first bytes; then the memory equals itself moved
 * by those bytes exactly when all of it is zero. */
static bool is_zero(const uint8_t *p, size_t len)
{
    size_t head = len < 16 ? len : 16;

    for (size_t i = 0; i < head; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return len <= 16 || memcmp(p, p + 16, len - 16) == 0;
}

/**
 * buf:is_zero(off?: integer, len?: integer) -> boolean
 *
 * Are all bytes of the range zero?
 */
static int buf_is_zero(lua_State *L)
{
    size_t len;
    const uint8_t *p = opt_range(L, buf_check(L, 1), 2, &len);

    lua_pushboolean(L, is_zero(p, len));
    return 1;
}

/**
 * buf:crc32c(off?: integer, len?: integer, crc?: integer) -> integer
 *
 * The checksum of the range, continued from `crc`.
 */
static int buf_crc32c(lua_State *L)
{
    size_t len;
    const uint8_t *p = opt_range(L, buf_check(L, 1), 2, &len);

    lua_pushinteger(L, crc32c((uint32_t)luaL_optinteger(L, 4, 0), p, len));
    return 1;
}

/* ---- pack and unpack ---------------------------------------------------- */

#define STRING_LIBRARY lua_upvalueindex(2)

/**
 * buf:pack(off: integer, fmt: string, ...) -> integer after
 *
 * The offset after what was written, in the formats of `string.pack`.
 */
static int buf_pack(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    int64_t off = luaL_checkinteger(L, 2);
    size_t len;

    luaL_checkstring(L, 3);
    buf_range(L, b, off, 0);
    lua_getfield(L, STRING_LIBRARY, "pack");
    lua_insert(L, 3);
    lua_call(L, lua_gettop(L) - 3, 1);
    const char *bytes = lua_tolstring(L, -1, &len);
    memcpy(buf_range(L, b, off, (int64_t)len), bytes, len);
    lua_pushinteger(L, off + (int64_t)len);
    return 1;
}

/* What string.unpack() needs to see: all there is when @fmt has strings. */
static int64_t unpack_window(lua_State *L, const char *fmt, int64_t rest)
{
    if (strpbrk(fmt, "sz")) {
        return rest;
    }
    lua_getfield(L, STRING_LIBRARY, "packsize");
    lua_pushvalue(L, 3);
    lua_call(L, 1, 1);
    int64_t size = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return size;
}

/**
 * buf:unpack(off: integer, fmt: string) -> any ...
 *
 * The values, then the offset after them. With `"s"` or `"z"` in the format
 * everything from `off` to the end becomes a Lua string first: cut a slice to
 * bound that.
 */
static int buf_unpack(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    int64_t off = luaL_checkinteger(L, 2);
    const char *fmt = luaL_checkstring(L, 3);

    lua_settop(L, 3);
    buf_range(L, b, off, 0);
    int64_t len = unpack_window(L, fmt, (int64_t)b->size - off);
    const uint8_t *p = buf_range(L, b, off, len);
    lua_getfield(L, STRING_LIBRARY, "unpack");
    lua_pushvalue(L, 3);
    lua_pushlstring(L, (const char *)p, (size_t)len);
    lua_call(L, 2, LUA_MULTRET);
    lua_pushinteger(L, off + lua_tointeger(L, -1) - 1);
    lua_replace(L, -2);
    return lua_gettop(L) - 3;
}

static const luaL_Reg pack_methods[] = {
    {"pack", buf_pack},
    {"unpack", buf_unpack},
    {NULL, NULL},
};

static const luaL_Reg byte_methods[] = {
    {"tostring", buf_tostring}, {"set", buf_set},
    {"fill", buf_fill},         {"copy", buf_copy},
    {"find", buf_find},         {"equal", buf_equal},
    {"mismatch", buf_mismatch}, {"is_zero", buf_is_zero},
    {"crc32c", buf_crc32c},     {NULL, NULL},
};

void buf_open_byte_methods(lua_State *L)
{
    luaL_getmetatable(L, buf_class.name);
    lua_getfield(L, -1, "__index");
    alua_setfuncs(L, byte_methods);
    lua_pushlightuserdata(L, alua_vm_of(L));
    luaL_requiref(L, "string", luaopen_string, 0);
    luaL_setfuncs(L, pack_methods, 2);
    lua_pop(L, 2);
}
