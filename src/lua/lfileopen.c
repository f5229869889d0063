/*
 * lfileopen.c - opening files, on the thread pool
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lcheck.h"
#include "lfile.h"

typedef enum DirectMode {
    DIRECT_NO,
    DIRECT_TRY, /* go on without when the file system refuses */
    DIRECT_YES,
} DirectMode;

typedef struct FileOpen {
    const char *path;
    int flags;
    mode_t perm;
    DirectMode direct_mode;
    const char *engine;
    FileSlotWish slot_wish;

    int fd;
    bool direct, seekable, waits;
    FileNow now;
    bool regular;
    uint32_t memory_align, offset_align;
} FileOpen;

static int open_retry(const FileOpen *o, int extra)
{
    int fd;
    do {
        fd = open(o->path, o->flags | extra | O_CLOEXEC | O_NOCTTY, o->perm);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static int open_direct(FileOpen *o)
{
    if (o->direct_mode == DIRECT_NO) {
        return open_retry(o, 0);
    }

    int fd = open_retry(o, O_DIRECT);
    o->direct = fd >= 0;
    if (fd == -EINVAL && o->direct_mode == DIRECT_TRY) {
        fd = open_retry(o, 0);
    }
    return fd;
}

/* File systems in memory do not wait, and know no RWF_NOWAIT. */
static bool is_in_memory(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 &&
           (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static FileNow how_at_once(const FileOpen *o)
{
    if (o->direct || !o->seekable) {
        return NOW_NEVER;
    }
    return o->regular && is_in_memory(o->fd) ? NOW_ALWAYS : NOW_IF_CACHED;
}

/* O_DIRECT has no meaning on what is neither file nor device: drop it. */
static int inspect(FileOpen *o)
{
    struct stat st;

    if (fstat(o->fd, &st) < 0) {
        return -errno;
    }
    if (S_ISDIR(st.st_mode)) {
        return -EISDIR;
    }
    if (o->direct && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        o->direct = false;
        fcntl(o->fd, F_SETFL, fcntl(o->fd, F_GETFL) & ~O_DIRECT);
    }
    o->seekable = lseek(o->fd, 0, SEEK_CUR) >= 0;
    o->waits = !o->seekable && file_may_wait(&st);
    o->regular = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
    o->now = how_at_once(o);
    o->memory_align = o->offset_align = 1;
    if (o->direct) {
        file_find_alignment(o->fd, &st, &o->memory_align, &o->offset_align);
    }
    return 0;
}

static int64_t file_open_call(void *arg)
{
    FileOpen *o = arg;

    o->fd = open_direct(o);
    if (o->fd < 0) {
        return o->fd;
    }
    int ret = inspect(o);
    if (ret < 0) {
        close(o->fd);
        o->fd = -1;
    }
    return ret;
}

static void file_open_undo(void *arg)
{
    FileOpen *o = arg;

    if (o->fd >= 0) {
        close(o->fd);
    }
}

static int mode_flags(lua_State *L, int arg)
{
    static const struct {
        const char *mode;
        int flags;
    } modes[] = {
        {"r", O_RDONLY},
        {"r+", O_RDWR},
        {"w", O_WRONLY | O_CREAT | O_TRUNC},
        {"w+", O_RDWR | O_CREAT | O_TRUNC},
        {"a", O_WRONLY | O_CREAT | O_APPEND},
        {"a+", O_RDWR | O_CREAT | O_APPEND},
    };
    const char *mode = luaL_optstring(L, arg, "r");
    size_t len = strlen(mode);

    len -= len > 1 && mode[len - 1] == 'b'; /* as in "rb", "r+b" */
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strlen(modes[i].mode) == len &&
            strncmp(modes[i].mode, mode, len) == 0) {
            return modes[i].flags;
        }
    }
    luaL_argerror(L, arg, "invalid mode (one of r, r+, w, w+, a, a+)");
    return 0;
}

static DirectMode direct_option(lua_State *L, int arg)
{
    DirectMode mode = DIRECT_NO;
    int type = lua_getfield(L, arg, "direct");

    if (type == LUA_TBOOLEAN) {
        mode = lua_toboolean(L, -1) ? DIRECT_YES : DIRECT_NO;
    } else if (type == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "try")) {
        mode = DIRECT_TRY;
    } else if (type != LUA_TNIL) {
        luaL_error(L, "option 'direct': true, false or \"try\" expected");
    }
    lua_pop(L, 1);
    return mode;
}

/* The engine's name stays referenced by the options table. */
static void engine_option(lua_State *L, int arg, FileOpen *o)
{
    if (lua_getfield(L, arg, "engine") == LUA_TSTRING) {
        o->engine = lua_tostring(L, -1);
    } else if (!lua_isnil(L, -1)) {
        luaL_error(L, "option 'engine': a string expected, got %s",
                   luaL_typename(L, -1));
    }
    lua_pop(L, 1);
}

static FileSlotWish register_option(lua_State *L, int arg)
{
    bool given = lua_getfield(L, arg, "register") != LUA_TNIL;

    lua_pop(L, 1);
    if (!given) {
        return SLOT_AUTO;
    }
    return opt_boolean_field(L, arg, "register", false) ? SLOT_NOW : SLOT_NEVER;
}

static void open_options(lua_State *L, int arg, FileOpen *o)
{
    static const char *const known[] = {"direct", "engine", "create",   "excl",
                                        "perm",   "sync",   "register", NULL};
    if (lua_isnoneornil(L, arg)) {
        return;
    }
    luaL_checktype(L, arg, LUA_TTABLE);
    alua_check_options(L, arg, known);
    o->direct_mode = direct_option(L, arg);
    engine_option(L, arg, o);
    o->slot_wish = register_option(L, arg);
    o->flags |= opt_boolean_field(L, arg, "create", false) ? O_CREAT : 0;
    o->flags |= opt_boolean_field(L, arg, "excl", false) ? O_EXCL : 0;
    o->flags |= opt_boolean_field(L, arg, "sync", false) ? O_DSYNC : 0;
    o->perm = (mode_t)opt_size_field(L, arg, "perm", 0666);
}

/* EINVAL of open(2) says nothing; with O_DIRECT it has one likely cause. */
static int open_fail(lua_State *L, const FileOpen *o, int64_t ret)
{
    if (ret != -EINVAL || o->direct_mode != DIRECT_YES) {
        return path_result(L, o->path, ret, "open");
    }
    lua_pushfstring(L,
                    "%s: the file system has no O_DIRECT (direct = \"try\" "
                    "goes on without)",
                    o->path);
    return path_result(L, lua_tostring(L, -1), ret, "open");
}

/*
 * Pushes the open file, or the error triple.
 *
 * The engine is looked up first, so that a wrong name creates no file, and
 * again when the file turned out not to take O_DIRECT.
 */
static int open_push(lua_State *L, FileOpen *o)
{
    AioContext *ctx = task_context(task_check_can_park(L));
    LuaFile *f = alua_new(L, &file_class, sizeof(*f), 0);

    f->fd = -1;
    f->path = strdup(o->path);
    if (!f->path) {
        return luaL_error(L, "not enough memory");
    }
    bool direct = f->direct = o->direct_mode != DIRECT_NO;
    int failed = file_pick_engine(L, f, ctx, o->engine);
    if (failed > 0) {
        return failed;
    }
    int64_t ret = file_call(L, NULL, file_open_call, o, file_open_undo);
    if (ret < 0) {
        return open_fail(L, o, ret);
    }
    f->fd = o->fd; /* from here on the userdata owns it */
    f->direct = o->direct;
    f->seekable = o->seekable;
    f->slot_wish = o->slot_wish;
    f->waits = o->waits;
    f->now = o->now;
    f->regular = o->regular;
    f->memory_align = o->memory_align;
    f->offset_align = o->offset_align;
    failed = o->direct != direct ? file_pick_engine(L, f, ctx, o->engine) : 0;
    return failed > 0 ? failed : 1;
}

/**
 * alias aio.Engine = "auto"|"io_uring"|"linux_aio"|"threads"|string
 *
 * How files are read and written; with `!` at the end it must not fall back.
 */

/**
 * class aio.OpenOptions
 *
 * direct?: boolean|"try" - O_DIRECT; `"try"`: unless the file system refuses
 * engine?: aio.Engine
 * create?: boolean - make the file if there is none
 * excl?: boolean - fail if there is one
 * perm?: integer - of a new file, `0666` before the umask
 * sync?: boolean - each write is on the disk when it returns
 * register?: boolean - does the ring keep the file in its table, which spares
 *     looking it up per request on the io_uring engine: `true` from the first
 *     operation on, `false` never; by default after a few of them
 */

/**
 * alias aio.What = integer|string|Buf|(Buf|string)[]
 *
 * What is read and written: a count, which yields a string; a string, to be
 * written; a buffer or slice; or a list of buffers, filled or written one
 * after the other (lists to be written may hold strings).
 */

/**
 * class File (f)
 *
 * fd: integer - the descriptor, -1 when it is closed
 * path: string - as it was opened
 * engine: string - the one in use
 * fallback: string|nil - why not the one asked for
 * direct: boolean - is it O_DIRECT?
 * align: integer - what addresses, offsets and lengths must be multiples of
 * registered: boolean - is it in the ring's table?
 */

/**
 * file.open(path: string, mode?: string, options?: aio.OpenOptions) -> File!
 *
 * Parks, like all of the file's I/O. `mode` as for `io.open` (`"r"` by
 * default). Unknown options raise.
 */
static int file_open(lua_State *L)
{
    FileOpen o = {.perm = 0666, .fd = -1};

    o.path = lcheck_path(L, 1);
    o.flags = mode_flags(L, 2);
    open_options(L, 3, &o);
    return open_push(L, &o);
}

/**
 * file.tmp(folder?: string, options?: aio.OpenOptions) -> File!
 *
 * A file without a name, gone when closed.
 */
static int file_tmp(lua_State *L)
{
    const char *env = getenv("TMPDIR");
    FileOpen o = {.perm = 0600, .fd = -1};

    o.path = lua_isnoneornil(L, 1) ? (env && *env ? env : "/tmp")
                                   : lcheck_path(L, 1);
    open_options(L, 2, &o);
    o.flags |= O_TMPFILE | O_RDWR;
    return open_push(L, &o);
}

const luaL_Reg file_open_functions[] = {
    {"open", file_open},
    {"tmp", file_tmp},
    {NULL, NULL},
};
