/*
 * lfilemove.c - methods of aio.file that let the kernel move data
 *
 * copy_range() is a loop of copy_file_range(2) on the thread pool, in chunks
 * between which it can be cancelled; where the kernel has no way (other file
 * systems, old kernels) a chunk is read and written there.  splice() moves
 * between a pipe and something else, never waits inside the kernel, and waits
 * in the loop for whichever end is not ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcheck.h"
#include "lfile.h"
#include "lwait.h"

enum {
    CHUNK = 32 << 20,  /* of copy_range() between two looks at cancels */
    BOUNCE = 256 << 10 /* of the way without the kernel's help */
};

/* ---- copy_range --------------------------------------------------------- */

typedef struct CopyRange {
    int in, out;
    off_t in_offset, out_offset;
    size_t len; /* of this chunk */
} CopyRange;

/* May the same be had by reading and writing? */
static bool copy_unsupported(int err)
{
    return err == EXDEV || err == ENOSYS || err == EOPNOTSUPP || err == EINVAL;
}

static ssize_t write_fully(int fd, const char *data, size_t len, off_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pwrite(fd, data + done, len - done, offset + (off_t)done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* As much of the chunk as one buffer holds. */
static int64_t copy_by_hand(CopyRange *c)
{
    size_t len = c->len < BOUNCE ? c->len : BOUNCE;
    void *bounce;

    /* Aligned, for files that are open with O_DIRECT. */
    if (posix_memalign(&bounce, 4096, BOUNCE) != 0) {
        return -ENOMEM;
    }
    ssize_t n = pread(c->in, bounce, len, c->in_offset);
    n = n < 0 ? -errno : write_fully(c->out, bounce, (size_t)n, c->out_offset);
    free(bounce);
    return n;
}

static int64_t copy_call(void *arg)
{
    CopyRange *c = arg;
    off_t in = c->in_offset, out = c->out_offset;
    ssize_t n;

    do {
        n = copy_file_range(c->in, &in, c->out, &out, c->len, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && copy_unsupported(errno)) {
        return copy_by_hand(c);
    }
    return n < 0 ? -errno : n;
}

static int copy_fail(lua_State *L, const LuaFile *from, const LuaFile *to,
                     const CopyRange *c, int64_t ret)
{
    char what[640];

    snprintf(what, sizeof(what), "%.250s at offset %jd to %.250s at offset %jd",
             from->path, (intmax_t)c->in_offset, to->path,
             (intmax_t)c->out_offset);
    return alua_fail(L, (int)-ret, what, "copy_range");
}

/**
 * f:copy_range(off: integer, to: File, to_off: integer, len: aio.Size) ->
 *     integer!
 *
 * The number of bytes that were copied to the file `to` inside the kernel, or
 * their blocks shared where the file system can. Less than `len` only at the
 * end.
 */
static int file_copy_range(lua_State *L)
{
    LuaFile *from = file_check(L);
    int64_t offset = luaL_checkinteger(L, 2);
    LuaFile *to = file_check_at(L, 3);
    int64_t to_offset = luaL_checkinteger(L, 4);
    int64_t len = alua_check_size(L, 5), done = 0;

    luaL_argcheck(L, offset >= 0, 2, "an offset must not be negative");
    luaL_argcheck(L, to_offset >= 0, 4, "an offset must not be negative");
    luaL_argcheck(L, len >= 0, 5, "a length must not be negative");
    while (done < len) { /* ends: each round copies, fails, or meets the end */
        LuaFile *const files[2] = {from, to};
        int64_t left = len - done;
        CopyRange c = {
            .in = from->fd,
            .out = to->fd,
            .in_offset = offset + done,
            .out_offset = to_offset + done,
            .len = (size_t)(left < CHUNK ? left : CHUNK),
        };
        int64_t ret = file_call_two(L, files, copy_call, &c, NULL);

        if (ret < 0) {
            return copy_fail(L, from, to, &c, ret);
        }
        if (ret == 0) {
            break;
        }
        done += ret;
        file_check(L); /* closed by another task meanwhile */
        file_check_at(L, 3);
    }
    lua_pushinteger(L, done);
    return 1;
}

/* ---- splice ------------------------------------------------------------- */

typedef struct Splice {
    int in, out;
    loff_t in_offset, out_offset; /* -1: at its position, or a pipe */
    size_t len;
} Splice;

static int64_t splice_call(void *arg)
{
    Splice *s = arg;
    loff_t in = s->in_offset, out = s->out_offset;
    ssize_t n;

    do {
        n = splice(s->in, in < 0 ? NULL : &in, s->out, out < 0 ? NULL : &out,
                   s->len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Which end has nothing, or no room?  The loop waits for that one. */
static int splice_blocker(const Splice *s, int *want)
{
    struct pollfd fds[2] = {{s->in, POLLIN, 0}, {s->out, POLLOUT, 0}};

    poll(fds, 2, 0);
    *want = fds[0].revents ? LWAIT_WRITE : LWAIT_READ;
    return fds[0].revents ? s->out : s->in;
}

static int64_t check_position(lua_State *L, int arg)
{
    int64_t offset = luaL_optinteger(L, arg, -1);

    luaL_argcheck(L, offset >= 0 || lua_isnoneornil(L, arg), arg,
                  "an offset must not be negative");
    return offset;
}

static int splice_fail(lua_State *L, const LuaFile *f, int64_t ret)
{
    if (ret == -EINVAL) {
        lua_pushfstring(L,
                        "%s: one of both ends has to be a pipe, and nil the "
                        "offset of what has no position",
                        f->path);
        return alua_fail(L, EINVAL, lua_tostring(L, -1), "splice");
    }
    return file_result(L, f, ret, "splice");
}

/**
 * f:splice(off: integer|nil, to: aio.Descriptor, to_off: integer|nil, len:
 *     aio.Size, sec?: aio.Wait) -> integer!
 *
 * The number of bytes, at most `len`, that were moved to `to`, anything with a
 * descriptor, without a copy in user space. One of both is a pipe; an offset
 * is `nil` for what has none. Waits until something can be moved; 0 at the
 * end.
 */
static int file_splice(lua_State *L)
{
    LuaFile *f = file_check(L);
    Splice s = {.in = f->fd, .in_offset = check_position(L, 2)};

    s.out = lcheck_fd(L, 3);
    s.out_offset = check_position(L, 4);
    s.len = (size_t)alua_check_size(L, 5);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 6));
    LuaFile *const files[2] = {f, alua_test(L, 3, &file_class)};
    int64_t ret;

    while ((ret = file_call_two(L, files, splice_call, &s, NULL)) == -EAGAIN) {
        int want;
        int fd = splice_blocker(&s, &want);

        if (!lwait_fd(L, fd, want, deadline)) {
            return alua_timeout(L);
        }
        file_check(L);
    }
    if (ret < 0) {
        return splice_fail(L, f, ret);
    }
    lua_pushinteger(L, ret);
    return 1;
}

const luaL_Reg file_move_methods[] = {
    {"copy_range", file_copy_range},
    {"splice", file_splice},
    {NULL, NULL},
};
