/*
 * search.c - modules and commands that are part of the executable
 *
 * require "aio.sync" finds aio/sync.lua, or aio/sync/init.lua, in the embedded
 * table before LUA_PATH is searched: a script cannot be handed another aio by
 * the folder it runs in.  Files at the top of the table are commands and no
 * modules, so that require "copy" still means the user's own.
 *
 * For work on the scripts themselves AIOCTL_SCRIPTS names a folder that is
 * looked at first.
 */
#include "embedded.h"
#include "host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 512

static const char *scripts_dir; /* AIOCTL_SCRIPTS, or NULL */

static const AioctlEmbedded *find_embedded(const char *path)
{
    for (const AioctlEmbedded *e = aioctl_embedded; e->path; e++) {
        if (strcmp(e->path, path) == 0) {
            return e;
        }
    }
    return NULL;
}

/* True when @path exists in the development folder, whose name it receives. */
static bool find_in_dir(const char *path, char *full, size_t size)
{
    if (scripts_dir == NULL) {
        return false;
    }
    int len = snprintf(full, size, "%s/%s", scripts_dir, path);
    return len > 0 && (size_t)len < size && access(full, R_OK) == 0;
}

static int load_embedded(lua_State *L, const AioctlEmbedded *e)
{
    char name[PATH_SIZE];

    snprintf(name, sizeof(name), "@scripts/%s", e->path);
    return luaL_loadbufferx(L, (const char *)e->data, e->size, name, NULL);
}

/* Pushes the compiled script @path, or returns LUA_ERRFILE. */
static int load_script(lua_State *L, const char *path)
{
    char full[PATH_SIZE];

    if (find_in_dir(path, full, sizeof(full))) {
        return luaL_loadfile(L, full);
    }
    const AioctlEmbedded *e = find_embedded(path);
    return e ? load_embedded(L, e) : LUA_ERRFILE;
}

/* ---- modules ------------------------------------------------------------ */

static bool script_exists(const char *path)
{
    char full[PATH_SIZE];

    return find_in_dir(path, full, sizeof(full)) || find_embedded(path);
}

/* package.searchers entry: name -> loader, path */
static int search_module(lua_State *L)
{
    static const char *const patterns[] = {"%s.lua", "%s/init.lua"};
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    char path[PATH_SIZE];

    if (len > PATH_SIZE - 16 || strchr(name, '/') != NULL) {
        return 0;
    }
    const char *slashed = luaL_gsub(L, name, ".", "/");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), patterns[i], slashed);
        if (strchr(path, '/') == NULL || !script_exists(path)) {
            continue;
        }
        if (load_script(L, path) != LUA_OK) {
            return luaL_error(L, "error loading module '%s':\n\t%s", name,
                              lua_tostring(L, -1));
        }
        lua_pushfstring(L, "scripts/%s", path);
        return 2;
    }
    return 0; /* adds nothing to the message of require() */
}

void search_install(lua_State *L, bool use_env)
{
    const char *dir = use_env ? getenv("AIOCTL_SCRIPTS") : NULL;

    scripts_dir = dir && dir[0] ? dir : NULL;
    search_add(L);
}

void search_add(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, search_module);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}

/* ---- commands ----------------------------------------------------------- */

/* Commands are plain words, so that "./copy" and "copy.lua" stay files. */
static bool command_path(const char *name, char *path, size_t size)
{
    if (name[0] == '\0' || name[0] == '-' || strpbrk(name, "/.") != NULL) {
        return false;
    }
    int len = snprintf(path, size, "%s.lua", name);
    return len > 0 && (size_t)len < size;
}

bool search_is_command(const char *name)
{
    char path[PATH_SIZE];

    return command_path(name, path, sizeof(path)) && script_exists(path);
}

int search_load_command(lua_State *L, const char *name)
{
    char path[PATH_SIZE];

    if (!command_path(name, path, sizeof(path))) {
        return LUA_ERRFILE;
    }
    return load_script(L, path);
}

const char *search_command_name(size_t index, char *buf, size_t size)
{
    for (const AioctlEmbedded *e = aioctl_embedded; e->path; e++) {
        if (strchr(e->path, '/') == NULL && index-- == 0) {
            snprintf(buf, size, "%.*s", (int)strcspn(e->path, "."), e->path);
            return buf;
        }
    }
    return NULL;
}
