/*
 * lfileattr.c - functions of aio.file on what a path says of itself: where a
 * link points, permissions, times
 *
 * As in lfilefs.c: one call on the C stack, run on the thread pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "lcheck.h"
#include "lfile.h"

#define PERM_MAX 07777

typedef struct AttrCall {
    const char *path;
    mode_t perm;
    struct timespec times[2]; /* of access, of modification */
    char target[PATH_MAX];    /* as long as one can be, without its zero */
} AttrCall;

static int64_t readlink_call(void *arg)
{
    AttrCall *c = arg;
    ssize_t len = readlink(c->path, c->target, sizeof(c->target));

    return len < 0 ? -errno : len;
}

/**
 * file.readlink(path: string) -> string!
 *
 * Where a symbolic link points.
 */
static int fs_readlink(lua_State *L)
{
    AttrCall c;

    c.path = lcheck_path(L, 1);
    int64_t ret = file_call(L, NULL, readlink_call, &c, NULL);
    if (ret < 0) {
        return path_result(L, c.path, ret, "readlink");
    }
    lua_pushlstring(L, c.target, (size_t)ret);
    return 1;
}

static int64_t chmod_call(void *arg)
{
    AttrCall *c = arg;
    return chmod(c->path, c->perm) < 0 ? -errno : 0;
}

/**
 * file.chmod(path: string, perm: integer) -> true!
 *
 * Sets the permissions, of what a link points to.
 */
static int fs_chmod(lua_State *L)
{
    AttrCall c;

    c.path = lcheck_path(L, 1);
    lua_Integer perm = luaL_checkinteger(L, 2);
    luaL_argcheck(L, perm >= 0 && perm <= PERM_MAX, 2,
                  "permissions are 0 to 4095 (octal 7777)");
    c.perm = (mode_t)perm;
    return path_result(L, c.path, file_call(L, NULL, chmod_call, &c, NULL),
                       "chmod");
}

static int64_t utime_call(void *arg)
{
    AttrCall *c = arg;
    int ret = utimensat(AT_FDCWD, c->path, c->times, AT_SYMLINK_NOFOLLOW);

    return ret < 0 ? -errno : 0;
}

/* Seconds since 1970 at @arg; nil leaves that time as it is. */
static struct timespec check_time(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg)) {
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    }
    lua_Number sec = luaL_checknumber(L, arg);
    luaL_argcheck(L, fabs(sec) < 1e15, arg,
                  "seconds since 1970 expected, less than 1e15");
    lua_Number whole = floor(sec);
    return (struct timespec){
        .tv_sec = (time_t)whole,
        .tv_nsec = (long)((sec - whole) * 1e9),
    };
}

/**
 * file.utime(path: string, atime?: number, mtime?: number) -> true!
 *
 * Sets the times of the last read and write, in seconds since 1970, of a link
 * itself; `nil` leaves one as it is.
 */
static int fs_utime(lua_State *L)
{
    AttrCall c;

    c.path = lcheck_path(L, 1);
    c.times[0] = check_time(L, 2);
    c.times[1] = check_time(L, 3);
    return path_result(L, c.path, file_call(L, NULL, utime_call, &c, NULL),
                       "utime");
}

const luaL_Reg file_attr_functions[] = {
    {"readlink", fs_readlink},
    {"chmod", fs_chmod},
    {"utime", fs_utime},
    {NULL, NULL},
};
