/*
 * cmodules.c - modules of ours that are shared objects, beside the executable
 *
 * require "aio.tls" finds lua/aio/tls.so next to the executable (build tree),
 * or lib/lua/5.4/aio/tls.so of the prefix that the executable is in, wherever
 * that has been moved, and whatever LUA_CPATH says.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"

enum { MODULE_PATH_SIZE = 1024 };

/* Relative to the folder of the executable. */
static const char *const folders[] = {
    "lua",
    HOST_LIB_FROM_BIN "/lua/5.4",
};

/* The folder of the executable; false when nobody knows. */
static bool executable_folder(char *buf, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", buf, size - 1);

    if (n <= 0) {
        return false;
    }
    buf[n] = '\0';
    char *slash = strrchr(buf, '/');
    *slash = '\0';
    return true;
}

/* "aio.tls" -> "FOLDER/aio/tls.so", if there is one */
static bool find_object(const char *name, char *path, size_t size)
{
    char folder[MODULE_PATH_SIZE / 2];

    if (!executable_folder(folder, sizeof(folder))) {
        return false;
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        int n = snprintf(path, size, "%s/%s/aio/%s.so", folder, folders[i],
                         name + strlen("aio."));
        if (n > 0 && (size_t)n < size && access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* package.searchers entry; upvalue 1: package.loadlib */
static int search_object(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    char path[MODULE_PATH_SIZE];

    if (strncmp(name, "aio.", 4) != 0 || strchr(name, '/') ||
        strchr(name + 4, '.') || !find_object(name, path, sizeof(path))) {
        return 0; /* adds nothing to the message of require() */
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushstring(L, path);
    lua_pushfstring(L, "luaopen_aio_%s", name + 4);
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2)) {
        return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s",
                          name, path, lua_tostring(L, -1));
    }
    lua_pop(L, 1);
    lua_pushstring(L, path);
    return 2;
}

/* After the embedded scripts, before LUA_PATH. */
void cmodules_install(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = luaL_len(L, -1); i >= 3; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_getfield(L, -2, "loadlib");
    lua_pushcclosure(L, search_object, 1);
    lua_rawseti(L, -2, 3);
    lua_pop(L, 2);
}
