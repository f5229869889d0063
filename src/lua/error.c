/*
 * error.c - operational errors as Lua sees them
 *
 *     nil, "ENOENT: No such file or directory: /path (open)", 2
 *
 * The symbol comes first so that a script can match it, the number last.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "qapi/error.h"
#include "vm_private.h"

const char *alua_errno_name(int err)
{
    static __thread char unknown[24];
    const char *name = strerrorname_np(err);

    if (name) {
        return name;
    }
    snprintf(unknown, sizeof(unknown), "E%d", err);
    return unknown;
}

int alua_fail(lua_State *L, int err, const char *what, const char *call)
{
    err = err < 0 ? -err : err;
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", alua_errno_name(err), strerror(err));
    if (what) {
        lua_pushfstring(L, ": %s", what);
        lua_concat(L, 2);
    }
    if (call) {
        lua_pushfstring(L, " (%s)", call);
        lua_concat(L, 2);
    }
    lua_pushinteger(L, err);
    return 3;
}

int alua_timeout(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "timeout");
    lua_pushinteger(L, ETIMEDOUT);
    return 3;
}

int alua_raise_error(lua_State *L, Error *err)
{
    int code = error_get_errno(err);

    if (code == 0) {
        luaL_where(L, 1);
        lua_pushstring(L, error_get_pretty(err));
        lua_concat(L, 2);
        error_free(err);
        return lua_error(L);
    }
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", alua_errno_name(code), error_get_pretty(err));
    lua_pushinteger(L, code);
    error_free(err);
    return 3;
}
