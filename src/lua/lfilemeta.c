/*
 * lfilemeta.c - methods of aio.file that move no data
 *
 * Sync and allocation are operations of the engines; the rest are system calls
 * made on the thread pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lfile.h"

/* Runs one request without memory, whose op, flags and range are set; pushes
 * true or the error triple. */
static int file_simple(lua_State *L, LuaFile *f, AioRequest *req,
                       int timeout_arg, const char *name)
{
    int64_t deadline_ns = file_opt_deadline(L, timeout_arg);
    LuaTask *t = task_check_can_park(L);
    const AioEngine *engine = file_engine(f, t);

    int flags = req->flags;

    file_request_init(req, f->fd);
    req->flags = flags;
    req->chain = task_chain(t);
    req->file_slot = file_slot(f, task_context(t));
    file_enter(f);
    FileOutcome outcome = file_run(L, t, engine, req, deadline_ns);
    file_leave(f);
    if (outcome == FILE_CANCELLED) {
        task_throw_cancel(L, t);
    }
    return outcome == FILE_LATE ? alua_timeout(L)
                                : file_result(L, f, req->ret, name);
}

static int file_bare(lua_State *L, AioOp op, const char *name)
{
    LuaFile *f = file_check(L);
    AioRequest req;

    req.op = op;
    req.flags = 0;
    return file_simple(L, f, &req, 2, name);
}

/**
 * f:fsync(sec?: aio.Wait) -> true!
 *
 * It is on the disk.
 */
static int file_fsync(lua_State *L)
{
    return file_bare(L, AIO_OP_FSYNC, "fsync");
}

/**
 * f:fdatasync(sec?: aio.Wait) -> true!
 *
 * It is on the disk, with what is needed to find it, but without the times of
 * the file.
 */
static int file_fdatasync(lua_State *L)
{
    return file_bare(L, AIO_OP_FDATASYNC, "fdatasync");
}

/**
 * f:nop(sec?: aio.Wait) -> true!
 *
 * To the engine and back, for measuring.
 */
static int file_nop(lua_State *L)
{
    return file_bare(L, AIO_OP_NOP, "nop");
}

/* ---- space -------------------------------------------------------------- */

static void check_extent(lua_State *L, int64_t *offset, int64_t *len)
{
    *offset = luaL_checkinteger(L, 2);
    *len = luaL_checkinteger(L, 3);
    luaL_argcheck(L, *offset >= 0, 2, "an offset must not be negative");
    luaL_argcheck(L, *len > 0, 3, "a length must be positive");
}

static int file_fallocate(lua_State *L, int mode, const char *name)
{
    LuaFile *f = file_check(L);
    AioRequest req = {.op = AIO_OP_FALLOCATE, .flags = mode};
    int64_t len;

    check_extent(L, &req.offset, &len);
    req.len = (size_t)len;
    return file_simple(L, f, &req, 4, name);
}

/**
 * f:allocate(off: integer, len: integer, sec?: aio.Wait) -> true!
 *
 * Room is reserved, the file grows.
 */
static int file_allocate(lua_State *L)
{
    return file_fallocate(L, 0, "allocate");
}

/**
 * f:punch(off: integer, len: integer, sec?: aio.Wait) -> true!
 *
 * A hole, which reads as zeros.
 */
static int file_punch(lua_State *L)
{
    return file_fallocate(L, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          "punch");
}

/**
 * f:zero(off: integer, len: integer, sec?: aio.Wait) -> true!
 *
 * Zeros, without writing them.
 */
static int file_zero(lua_State *L)
{
    return file_fallocate(L, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                          "zero");
}

typedef struct FileRange {
    int fd;
    int whence;
    uint64_t range[2];
} FileRange;

static int64_t discard_call(void *arg)
{
    FileRange *r = arg;
    struct stat st;
    int ret;

    if (fstat(r->fd, &st) < 0) {
        return -errno;
    }
    if (S_ISBLK(st.st_mode)) {
        ret = ioctl(r->fd, BLKDISCARD, r->range);
    } else {
        ret = fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        (off_t)r->range[0], (off_t)r->range[1]);
    }
    return ret < 0 ? -errno : 0;
}

/**
 * f:discard(off: integer, len: integer) -> true!
 *
 * Nobody cares any more what is there.
 */
static int file_discard(lua_State *L)
{
    LuaFile *f = file_check(L);
    FileRange r = {.fd = f->fd};
    int64_t offset, len;

    check_extent(L, &offset, &len);
    r.range[0] = (uint64_t)offset;
    r.range[1] = (uint64_t)len;
    return file_result(L, f, file_call(L, f, discard_call, &r, NULL),
                       "discard");
}

static int64_t truncate_call(void *arg)
{
    FileRange *r = arg;
    return ftruncate(r->fd, (off_t)r->range[0]) < 0 ? -errno : 0;
}

/**
 * f:truncate(size: integer) -> true!
 *
 * Cuts it, or lets it grow by a hole.
 */
static int file_truncate(lua_State *L)
{
    LuaFile *f = file_check(L);
    int64_t size = luaL_checkinteger(L, 2);
    FileRange r = {.fd = f->fd, .range = {(uint64_t)size, 0}};

    luaL_argcheck(L, size >= 0, 2, "a size must not be negative");
    return file_result(L, f, file_call(L, f, truncate_call, &r, NULL),
                       "truncate");
}

/* ---- holes -------------------------------------------------------------- */

static int64_t seek_call(void *arg)
{
    FileRange *r = arg;
    off_t found = lseek(r->fd, (off_t)r->range[0], r->whence);
    return found < 0 ? -errno : found;
}

static int file_seek(lua_State *L, int whence, const char *name)
{
    LuaFile *f = file_check(L);
    int64_t offset = luaL_checkinteger(L, 2);
    FileRange r = {
        .fd = f->fd, .whence = whence, .range = {(uint64_t)offset, 0}};

    luaL_argcheck(L, offset >= 0, 2, "an offset must not be negative");
    int64_t found = file_call(L, f, seek_call, &r, NULL);
    if (found < 0) {
        return file_result(L, f, found, name);
    }
    lua_pushinteger(L, found);
    return 1;
}

/**
 * f:seek_data(off: integer) -> integer!
 *
 * Where the next data begins, at `off` or later. `ENXIO`: nowhere.
 */
static int file_seek_data(lua_State *L)
{
    return file_seek(L, SEEK_DATA, "seek_data");
}

/**
 * f:seek_hole(off: integer) -> integer!
 *
 * Where the next hole begins, at `off` or later, or the end of the file.
 * `ENXIO`: beyond it.
 */
static int file_seek_hole(lua_State *L)
{
    return file_seek(L, SEEK_HOLE, "seek_hole");
}

/* ---- facts -------------------------------------------------------------- */

static int64_t size_call(void *arg)
{
    FileRange *r = arg;
    struct stat st;
    return fstat(r->fd, &st) < 0 ? -errno : file_size_of(r->fd, &st);
}

/**
 * f:size() -> integer!
 *
 * Its bytes, also of a block device.
 */
static int file_size(lua_State *L)
{
    LuaFile *f = file_check(L);
    FileRange r = {.fd = f->fd};
    int64_t size = file_call(L, f, size_call, &r, NULL);

    if (size < 0) {
        return file_result(L, f, size, "size");
    }
    lua_pushinteger(L, size);
    return 1;
}

/**
 * f:stat() -> aio.Stat!
 * f:statx() -> aio.Stat!
 *
 * As `file.stat`, of the open file.
 */
static int file_stat(lua_State *L)
{
    LuaFile *f = file_check(L);
    FileStat st = {.fd = f->fd};
    int64_t ret = file_call(L, f, file_stat_call, &st, NULL);

    if (ret < 0) {
        return file_result(L, f, ret, "stat");
    }
    file_push_stat(L, &st);
    return 1;
}

static int64_t chmod_call(void *arg)
{
    FileRange *r = arg;
    return fchmod(r->fd, (mode_t)r->range[0]) < 0 ? -errno : 0;
}

/**
 * f:chmod(perm: integer) -> true!
 *
 * Changes who may do what.
 */
static int file_chmod(lua_State *L)
{
    LuaFile *f = file_check(L);
    lua_Integer perm = luaL_checkinteger(L, 2);
    FileRange r = {.fd = f->fd, .range = {(uint64_t)perm, 0}};

    luaL_argcheck(L, perm >= 0 && perm <= 07777, 2,
                  "permissions are 0 to 4095 (octal 7777)");
    return file_result(L, f, file_call(L, f, chmod_call, &r, NULL), "chmod");
}

static int64_t drop_cache_call(void *arg)
{
    FileRange *r = arg;
    return -posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED);
}

/**
 * f:drop_cache() -> true!
 *
 * What is read next comes from the disk.
 */
static int file_drop_cache(lua_State *L)
{
    LuaFile *f = file_check(L);
    FileRange r = {.fd = f->fd};
    return file_result(L, f, file_call(L, f, drop_cache_call, &r, NULL),
                       "drop_cache");
}

const luaL_Reg file_meta_methods[] = {
    {"nop", file_nop},
    {"fsync", file_fsync},
    {"fdatasync", file_fdatasync},
    {"allocate", file_allocate},
    {"punch", file_punch},
    {"zero", file_zero},
    {"discard", file_discard},
    {"truncate", file_truncate},
    {"seek_data", file_seek_data},
    {"seek_hole", file_seek_hole},
    {"size", file_size},
    {"stat", file_stat},
    {"statx", file_stat},
    {"chmod", file_chmod},
    {"drop_cache", file_drop_cache},
    {NULL, NULL},
};
