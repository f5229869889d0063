/*
 * lfilefs.c - functions of aio.file on paths
 *
 * One PathCall on the C stack per function, run on the thread pool; the Lua
 * strings it points to stay on the caller's Lua stack meanwhile.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcheck.h"
#include "lfile.h"

typedef struct PathCall {
    const char *path, *to;
    mode_t perm;
} PathCall;

static int64_t or_errno(int ret)
{
    return ret < 0 ? -errno : 0;
}

static int64_t unlink_call(void *arg)
{
    PathCall *c = arg;
    return or_errno(unlink(c->path));
}

static int64_t rename_call(void *arg)
{
    PathCall *c = arg;
    return or_errno(rename(c->path, c->to));
}

static int64_t link_call(void *arg)
{
    PathCall *c = arg;
    return or_errno(link(c->path, c->to));
}

static int64_t symlink_call(void *arg)
{
    PathCall *c = arg;
    return or_errno(symlink(c->path, c->to));
}

static int64_t mkdir_call(void *arg)
{
    PathCall *c = arg;
    return or_errno(mkdir(c->path, c->perm));
}

static int64_t rmdir_call(void *arg)
{
    PathCall *c = arg;
    return or_errno(rmdir(c->path));
}

static int run_one(lua_State *L, FileCall *fn, const char *name)
{
    PathCall c = {.path = lcheck_path(L, 1)};
    return path_result(L, c.path, file_call(L, NULL, fn, &c, NULL), name);
}

static int run_two(lua_State *L, FileCall *fn, const char *name)
{
    PathCall c = {.path = lcheck_path(L, 1), .to = lcheck_path(L, 2)};
    int64_t ret = file_call(L, NULL, fn, &c, NULL);

    lua_pushfstring(L, "%s to %s", c.path, c.to);
    return path_result(L, lua_tostring(L, -1), ret, name);
}

/**
 * file.unlink(path: string) -> true!
 *
 * Removes a name.
 */
static int fs_unlink(lua_State *L)
{
    return run_one(L, unlink_call, "unlink");
}

/**
 * file.rmdir(path: string) -> true!
 *
 * Removes an empty folder.
 */
static int fs_rmdir(lua_State *L)
{
    return run_one(L, rmdir_call, "rmdir");
}

/**
 * file.rename(from: string, to: string) -> true!
 *
 * Gives it another name, replacing a file that has it.
 */
static int fs_rename(lua_State *L)
{
    return run_two(L, rename_call, "rename");
}

/**
 * file.link(from: string, to: string) -> true!
 *
 * Gives it one more name.
 */
static int fs_link(lua_State *L)
{
    return run_two(L, link_call, "link");
}

/**
 * file.symlink(target: string, path: string) -> true!
 *
 * Makes a symbolic link at `path`.
 */
static int fs_symlink(lua_State *L)
{
    return run_two(L, symlink_call, "symlink");
}

static mode_t opt_perm(lua_State *L, int arg, lua_Integer fallback)
{
    lua_Integer perm = luaL_optinteger(L, arg, fallback);

    luaL_argcheck(L, perm >= 0 && perm <= 07777, arg,
                  "permissions are 0 to 4095 (octal 7777)");
    return (mode_t)perm;
}

/**
 * file.mkdir(path: string, perm?: integer) -> true!
 *
 * Makes a folder, `perm` being `0777` before the umask.
 */
static int fs_mkdir(lua_State *L)
{
    PathCall c = {.path = lcheck_path(L, 1), .perm = opt_perm(L, 2, 0777)};
    return path_result(L, c.path, file_call(L, NULL, mkdir_call, &c, NULL),
                       "mkdir");
}

static int stat_path(lua_State *L, int flags, const char *name)
{
    FileStat st = {.fd = -1, .path = lcheck_path(L, 1), .flags = flags};
    int64_t ret = file_call(L, NULL, file_stat_call, &st, NULL);

    if (ret < 0) {
        return path_result(L, st.path, ret, name);
    }
    file_push_stat(L, &st);
    return 1;
}

/**
 * class aio.Stat
 *
 * type: "file"|"directory"|"link"|"block"|"char"|"fifo"|"socket"
 * size: integer - bytes
 * mode: integer - type and permissions
 * perm: integer - permissions
 * uid: integer - owner
 * gid: integer - group
 * nlink: integer - names
 * ino: integer - number in its file system
 * dev: integer - the file system
 * rdev: integer - the device that it is
 * blksize: integer - good size for I/O
 * blocks: integer - of 512 bytes, that it takes
 * atime: number - last read, in seconds since 1970
 * mtime: number - last written
 * ctime: number - last change of any of this
 * btime?: number - made, where that is known
 * dio_memory_align?: integer - of O_DIRECT, where that is known
 * dio_offset_align?: integer - of O_DIRECT, where that is known
 */

/**
 * file.stat(path: string) -> aio.Stat!
 *
 * What is known about a file, of what a link points to.
 */
static int fs_stat(lua_State *L)
{
    return stat_path(L, 0, "stat");
}

/**
 * file.lstat(path: string) -> aio.Stat!
 *
 * The same of a link itself.
 */
static int fs_lstat(lua_State *L)
{
    return stat_path(L, AT_SYMLINK_NOFOLLOW, "lstat");
}

/* ---- readdir ------------------------------------------------------------ */

/* Names, each ended by a zero; freed by its metatable's __gc. */
typedef struct Names {
    const char *path;
    char *bytes;
    size_t len, size;
} Names;

#define NAMES "aio.file.names"

static int names_add(Names *names, const char *name)
{
    size_t n = strlen(name) + 1;

    if (names->len + n > names->size) {
        size_t size = 2 * names->size + n + 1024;
        char *bytes = realloc(names->bytes, size);
        if (!bytes) {
            return -ENOMEM;
        }
        names->bytes = bytes;
        names->size = size;
    }
    memcpy(names->bytes + names->len, name, n);
    names->len += n;
    return 0;
}

static int64_t readdir_call(void *arg)
{
    Names *names = arg;
    DIR *dir = opendir(names->path);
    struct dirent *entry;
    int ret = 0;

    if (!dir) {
        return -errno;
    }
    while (ret == 0 && (errno = 0, entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            ret = names_add(names, entry->d_name);
        }
    }
    ret = ret < 0 ? ret : -errno;
    closedir(dir);
    return ret;
}

static int names_gc(lua_State *L)
{
    Names *names = lua_touserdata(L, 1);

    free(names->bytes);
    names->bytes = NULL;
    return 0;
}

/**
 * file.readdir(path: string) -> string[]!
 *
 * The names in a folder, without `.` and `..`, unsorted.
 */
static int fs_readdir(lua_State *L)
{
    const char *path = lcheck_path(L, 1);
    Names *names = lua_newuserdatauv(L, sizeof(*names), 0);

    *names = (Names){.path = path};
    if (luaL_newmetatable(L, NAMES)) {
        lua_pushcfunction(L, names_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    int64_t ret = file_call(L, NULL, readdir_call, names, NULL);
    if (ret < 0) {
        return path_result(L, path, ret, "readdir");
    }
    lua_newtable(L);
    size_t at = 0;
    for (lua_Integer i = 1; at < names->len; i++) {
        lua_pushstring(L, names->bytes + at);
        lua_rawseti(L, -2, i);
        at += strlen(names->bytes + at) + 1;
    }
    return 1;
}

const luaL_Reg file_fs_functions[] = {
    {"stat", fs_stat},       {"lstat", fs_lstat},
    {"unlink", fs_unlink},   {"rename", fs_rename},
    {"mkdir", fs_mkdir},     {"rmdir", fs_rmdir},
    {"readdir", fs_readdir}, {"link", fs_link},
    {"symlink", fs_symlink}, {NULL, NULL},
};
