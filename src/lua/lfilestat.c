/*
 * lfilestat.c - what is known about a file: stat tables, size, alignment
 *
 * Everything that asks the kernel here may block on the disk: it runs on the
 * thread pool and fills in plain C structs; only then is Lua touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lfile.h"

#define SECTOR 512
#define PAGE 4096

int64_t file_size_of(int fd, const struct stat *st)
{
    uint64_t bytes;

    if (!S_ISBLK(st->st_mode)) {
        return st->st_size;
    }
    return ioctl(fd, BLKGETSIZE64, &bytes) < 0 ? -errno : (int64_t)bytes;
}

/* ---- alignment ---------------------------------------------------------- */

static bool statx_alignment(int fd, uint32_t *memory, uint32_t *offset)
{
#ifdef STATX_DIOALIGN
    struct statx stx;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
        (stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_offset_align > 0) {
        *memory = stx.stx_dio_mem_align;
        *offset = stx.stx_dio_offset_align;
        return true;
    }
#endif
    return false;
}

/* Does a read of one sector, to memory aligned to a sector only, work? */
static bool probe_sector(int fd)
{
    void *p = NULL;

    if (posix_memalign(&p, PAGE, 2 * PAGE) != 0) {
        return false;
    }
    ssize_t ret = pread(fd, (char *)p + SECTOR, SECTOR, 0);
    free(p);
    return ret >= 0;
}

void file_find_alignment(int fd, const struct stat *st, uint32_t *memory,
                         uint32_t *offset)
{
    int sector = 0;

    if (statx_alignment(fd, memory, offset)) {
        return;
    }
    if (S_ISBLK(st->st_mode) && ioctl(fd, BLKSSZGET, &sector) == 0) {
        *memory = *offset = (uint32_t)sector;
        return;
    }
    *memory = *offset = probe_sector(fd) ? SECTOR : PAGE;
}

/* ---- stat --------------------------------------------------------------- */

static int64_t device_size(const FileStat *st)
{
    int fd = st->fd >= 0 ? st->fd
                         : open(st->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint64_t bytes = 0;

    if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes) < 0) {
        bytes = 0; /* not ours to read: no size, like stat(1) */
    }
    if (fd >= 0 && fd != st->fd) {
        close(fd);
    }
    return (int64_t)bytes;
}

int64_t file_stat_call(void *arg)
{
    FileStat *st = arg;
    unsigned mask = STATX_BASIC_STATS | STATX_BTIME;
#ifdef STATX_DIOALIGN
    mask |= STATX_DIOALIGN;
#endif
    int flags = st->flags | (st->fd >= 0 ? AT_EMPTY_PATH : 0);
    int dir = st->fd >= 0 ? st->fd : AT_FDCWD;

    if (statx(dir, st->fd >= 0 ? "" : st->path, flags, mask, &st->stx) < 0) {
        return -errno;
    }
    st->size =
        S_ISBLK(st->stx.stx_mode) ? device_size(st) : (int64_t)st->stx.stx_size;
    return 0;
}

static const char *type_name(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "link";
    case S_IFBLK:
        return "block";
    case S_IFCHR:
        return "char";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    default:
        return "other";
    }
}

static void set_integer(lua_State *L, const char *key, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

static void set_time(lua_State *L, const char *key, struct statx_timestamp ts)
{
    lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9);
    lua_setfield(L, -2, key);
}

static uint64_t device_number(uint32_t major, uint32_t minor)
{
    return (uint64_t)major << 32 | minor;
}

void file_push_stat(lua_State *L, const FileStat *st)
{
    const struct statx *x = &st->stx;

    lua_createtable(L, 0, 18);
    lua_pushstring(L, type_name(x->stx_mode));
    lua_setfield(L, -2, "type");
    set_integer(L, "size", (uint64_t)st->size);
    set_integer(L, "mode", x->stx_mode);
    set_integer(L, "perm", x->stx_mode & 07777);
    set_integer(L, "uid", x->stx_uid);
    set_integer(L, "gid", x->stx_gid);
    set_integer(L, "nlink", x->stx_nlink);
    set_integer(L, "ino", x->stx_ino);
    set_integer(L, "dev", device_number(x->stx_dev_major, x->stx_dev_minor));
    set_integer(L, "rdev", device_number(x->stx_rdev_major, x->stx_rdev_minor));
    set_integer(L, "blksize", x->stx_blksize);
    set_integer(L, "blocks", x->stx_blocks);
    set_time(L, "atime", x->stx_atime);
    set_time(L, "mtime", x->stx_mtime);
    set_time(L, "ctime", x->stx_ctime);
    if (x->stx_mask & STATX_BTIME) {
        set_time(L, "btime", x->stx_btime);
    }
#ifdef STATX_DIOALIGN
    if (x->stx_mask & STATX_DIOALIGN) {
        set_integer(L, "dio_memory_align", x->stx_dio_mem_align);
        set_integer(L, "dio_offset_align", x->stx_dio_offset_align);
    }
#endif
}
