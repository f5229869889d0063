/*
 * lfilelock.c - locks on ranges of files, and advice about them
 *
 * The locks belong to the open file (F_OFD_SETLK), not to the process: two
 * files of one program exclude each other, and closing the file unlocks.  The
 * kernel can only wait for one by blocking a thread that nothing could call
 * back, so what is here does not wait; aio/file.lua asks again.
 */
#include <errno.h>
#include <fcntl.h>

#include "lfile.h"

typedef struct LockCall {
    int fd;
    struct flock lock;
} LockCall;

static int64_t lock_call(void *arg)
{
    LockCall *c = arg;

    return fcntl(c->fd, F_OFD_SETLK, &c->lock) < 0 ? -errno : 0;
}

static int64_t lock_now(lua_State *L, LuaFile *f, short type, int64_t offset,
                        int64_t len)
{
    LockCall c = {
        .fd = f->fd,
        .lock = {.l_type = type,
                 .l_whence = SEEK_SET,
                 .l_start = offset,
                 .l_len = len},
    };

    return file_call(L, f, lock_call, &c, NULL);
}

static void check_range(lua_State *L, int arg, int64_t *offset, int64_t *len)
{
    *offset = luaL_optinteger(L, arg, 0);
    *len = luaL_optinteger(L, arg + 1, 0);
    luaL_argcheck(L, *offset >= 0, arg, "an offset must not be negative");
    luaL_argcheck(L, *len >= 0, arg + 1, "a length must not be negative");
}

/**
 * f:try_lock(mode: aio.LockMode, off?: integer, len?: integer) -> boolean!
 *
 * Locks the range without an object and without waiting: did it?
 */
static int file_try_lock(lua_State *L)
{
    static const char *const names[] = {"shared", "exclusive", NULL};
    static const short types[] = {F_RDLCK, F_WRLCK};
    LuaFile *f = file_check(L);
    short type = types[luaL_checkoption(L, 2, NULL, names)];
    int64_t offset, len;

    check_range(L, 3, &offset, &len);
    int64_t ret = lock_now(L, f, type, offset, len);
    if (ret == -EAGAIN || ret == -EACCES) {
        lua_pushboolean(L, false);
        return 1;
    }
    if (ret == -EBADF) {
        lua_pushfstring(L, "%s: %s", f->path,
                        type == F_RDLCK ? "a shared lock needs a file that is "
                                          "open for reading"
                                        : "an exclusive lock needs a file that "
                                          "is open for writing");
        return alua_fail(L, EBADF, lua_tostring(L, -1), "lock");
    }
    return file_result(L, f, ret, "lock");
}

/**
 * f:unlock(off?: integer, len?: integer) -> true!
 *
 * Unlocks the range, all of it by default.
 */
static int file_unlock(lua_State *L)
{
    LuaFile *f = file_check(L);
    int64_t offset, len;

    check_range(L, 2, &offset, &len);
    return file_result(L, f, lock_now(L, f, F_UNLCK, offset, len), "unlock");
}

/* ---- advice ------------------------------------------------------------- */

typedef struct Advice {
    int fd, advice;
    int64_t offset, len;
} Advice;

static int64_t advise_call(void *arg)
{
    Advice *a = arg;

    return -posix_fadvise(a->fd, a->offset, a->len, a->advice);
}

/**
 * alias aio.Advice =
 *     "normal"|"sequential"|"random"|"willneed"|"dontneed"|"noreuse"
 */

/**
 * f:advise(what: aio.Advice, off?: integer, len?: integer) -> true!
 *
 * Tells the kernel how the range is going to be used.
 */
static int file_advise(lua_State *L)
{
    static const char *const names[] = {"normal",   "sequential", "random",
                                        "willneed", "dontneed",   "noreuse",
                                        NULL};
    static const int values[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL,
                                 POSIX_FADV_RANDOM,   POSIX_FADV_WILLNEED,
                                 POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE};
    LuaFile *f = file_check(L);
    Advice a = {.fd = f->fd,
                .advice = values[luaL_checkoption(L, 2, NULL, names)]};

    check_range(L, 3, &a.offset, &a.len);
    return file_result(L, f, file_call(L, f, advise_call, &a, NULL), "advise");
}

const luaL_Reg file_lock_methods[] = {
    {"try_lock", file_try_lock},
    {"unlock", file_unlock},
    {"advise", file_advise},
    {NULL, NULL},
};
