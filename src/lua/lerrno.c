/*
 * lerrno.c - aio.errno, aio.errname, aio.size: numbers and their names
 */
#include <errno.h>
#include <string.h>

#include "alua.h"
#include "open.h"

/**
 * aio.errname(errno: integer) -> string|nil name, string? description
 *
 * As in `"ENOENT", "No such file or directory"`; `nil` for a number that is
 * none.
 */
static int errno_name(lua_State *L)
{
    lua_Integer err = luaL_checkinteger(L, 1);
    const char *name = err > 0 && err < 4096 ? strerrorname_np((int)err) : NULL;

    if (!name) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushstring(L, name);
    lua_pushstring(L, strerrordesc_np((int)err));
    return 2;
}

/**
 * aio.size(s: aio.Size) -> integer
 *
 * The bytes of a size as options take it. Raises for others.
 */
static int errno_size(lua_State *L)
{
    lua_pushinteger(L, alua_check_size(L, 1));
    return 1;
}

/* aio.errno: name -> number, of every error of this system. */
static void push_errno_table(lua_State *L)
{
    lua_createtable(L, 0, 140);
    for (int err = 1; err < 256; err++) {
        const char *name = strerrorname_np(err);

        if (name) {
            lua_pushinteger(L, err);
            lua_setfield(L, -2, name);
        }
    }
    lua_pushinteger(L, EWOULDBLOCK); /* second names */
    lua_setfield(L, -2, "EWOULDBLOCK");
    lua_pushinteger(L, EOPNOTSUPP);
    lua_setfield(L, -2, "EOPNOTSUPP");
    lua_pushinteger(L, ENOTSUP);
    lua_setfield(L, -2, "ENOTSUP");
    lua_pushinteger(L, EDEADLOCK);
    lua_setfield(L, -2, "EDEADLOCK");
}

static const luaL_Reg errno_functions[] = {
    {"errname", errno_name},
    {"size", errno_size},
    {NULL, NULL},
};

/**
 * aio.errno: table<string, integer>
 *
 * Numbers by name: `aio.errno.ENOENT`.
 */
void lerrno_open(lua_State *L)
{
    alua_setfuncs(L, errno_functions);
    push_errno_table(L);
    lua_setfield(L, -2, "errno");
}
