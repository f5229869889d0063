/*
 * lbufslice.c - buf:slice(), a window on a buffer
 *
 * Slices have a metatable of their own, without __gc: nothing has to be done
 * when one is collected, and a finalizer costs more than all the rest.  What
 * is in flight is counted in the root, which a slice keeps alive.
 */
#include "lbuf.h"

/* Registry key of that metatable. */
static const char slice_key;

/**
 * buf:slice(off: integer, len?: integer) -> Buf
 *
 * A buffer that shares the memory and keeps it.
 */
int buf_slice(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    int64_t off = luaL_checkinteger(L, 2);
    int64_t len = buf_opt_length(L, 3, b, off);
    uint8_t *base = buf_range(L, b, off, len);

    LuaBuf *s = lua_newuserdatauv(L, sizeof(*s), 1);
    *s = (LuaBuf){
        .object = {.cls = &buf_class, .vm = b->object.vm},
        .root = b->root,
        .generation = b->root->generation,
        .base = base,
        .size = (size_t)len,
    };
    if (b == b->root) {
        lua_pushvalue(L, 1);
    } else {
        lua_getiuservalue(L, 1, UV_PARENT);
    }
    lua_setiuservalue(L, -2, UV_PARENT);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &slice_key);
    lua_setmetatable(L, -2);
    return 1;
}

void buf_open_slices(lua_State *L)
{
    luaL_getmetatable(L, buf_class.name);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, -3);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_pushnil(L);
    lua_setfield(L, -2, "__gc");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &slice_key);
    lua_pop(L, 1);
}
