/*
 * lcheck.c - argument checks that the callback classes share
 *
 * All of them raise in the caller's name, so they are called before anything
 * is acquired.
 */
#include "lcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void lcheck_open(lua_State *L, const LuaHandle *h)
{
    char what[160];

    if (!h->owner) {
        handle_describe(h, what, sizeof(what));
        luaL_error(L, "%s, is closed", what);
    }
}

int lcheck_tostring(lua_State *L, const LuaHandle *h)
{
    const char *state = h->armed ? "armed" : "idle";
    char what[160];

    handle_describe(h, what, sizeof(what));
    lua_pushfstring(L, "%s (%s)", what, h->owner ? state : "closed");
    return 1;
}

int64_t lcheck_clock_seconds(lua_State *L, int arg)
{
    lua_Number seconds = luaL_checknumber(L, arg);
    lua_Number ns = seconds * 1e9;

    luaL_argcheck(L, !isnan(seconds), arg, "seconds expected, got nan");
    if (ns < 0) {
        return 0;
    }
    /* 2^63 is exact as a double; INT64_MAX is not. */
    return ns >= 0x1p63 ? INT64_MAX : (int64_t)ns;
}

/* Pushes what object[@key] yields as a descriptor; false when it has none. */
static bool fd_of_field(lua_State *L, int arg, const char *key)
{
    if (lua_getfield(L, arg, key) == LUA_TFUNCTION) {
        lua_pushvalue(L, arg);
        lua_call(L, 1, 1);
    }
    if (lua_isinteger(L, -1)) {
        return true;
    }
    lua_pop(L, 1);
    return false;
}

void lcheck_name(lua_State *L, int arg)
{
    if (lua_getfield(L, arg, "name") != LUA_TNIL && !lua_isstring(L, -1)) {
        luaL_error(L, "field 'name' must be a string, got %s",
                   luaL_typename(L, -1));
    }
}

/* Only for a message that names the field: lcontext_opt() looks closely. */
void lcheck_context(lua_State *L, int arg)
{
    bool ours = false;

    if (lua_getfield(L, arg, "ctx") == LUA_TNIL) {
        return;
    }
    if (luaL_getmetafield(L, -1, "__name") != LUA_TNIL) {
        lua_pushliteral(L, "aio.context");
        ours = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    if (!ours) {
        luaL_error(L, "field 'ctx' must be a context, got %s",
                   luaL_typename(L, -1));
    }
}

const char *lcheck_path(lua_State *L, int arg)
{
    size_t len;
    const char *path = luaL_checklstring(L, arg, &len);

    luaL_argcheck(L, strlen(path) == len, arg, "a path must not contain zeros");
    return path;
}

static int fd_of_object(lua_State *L, int arg)
{
    static const char *const keys[] = {"fd", "getfd", "fileno"};

    if (luaL_getmetafield(L, arg, "__index") != LUA_TNIL) {
        lua_pop(L, 1);
    } else if (!lua_istable(L, arg)) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (fd_of_field(L, arg, keys[i])) {
            int fd = (int)lua_tointeger(L, -1);

            lua_pop(L, 1);
            return fd;
        }
    }
    return -1;
}

int lcheck_fd(lua_State *L, int arg)
{
    lua_Integer fd = -1;

    if (lua_type(L, arg) == LUA_TNUMBER) { /* LuaSocket has float ones */
        fd = luaL_checkinteger(L, arg);
        luaL_argcheck(L, fd >= 0 && fd <= INT32_MAX, arg,
                      "file descriptor out of range");
        return (int)fd;
    }
    const luaL_Stream *stream = luaL_testudata(L, arg, LUA_FILEHANDLE);
    if (stream) {
        luaL_argcheck(L, stream->closef, arg, "attempt to use a closed file");
        return fileno(stream->f);
    }
    if (lua_isuserdata(L, arg) || lua_istable(L, arg)) {
        fd = fd_of_object(L, arg);
    }
    if (fd < 0) {
        luaL_typeerror(L, arg, "file descriptor");
    }
    return (int)fd;
}

bool lcheck_fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

int lcheck_fail_fd(lua_State *L, int fd, const char *call)
{
    char what[24];

    snprintf(what, sizeof(what), "fd %d", fd);
    return alua_fail(L, EBADF, what, call);
}
