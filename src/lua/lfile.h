/*
 * lfile.h - what the files of class aio.file share
 *
 *   lfile.c         the class: closing, fields
 *   lfileopen.c     opening
 *   lfileengine.c   which engine a file uses
 *   lfileslot.c     its slot in the ring's registered files
 *   lfilerun.c      submit a request and wait for it: the one place that parks
 *   lfilenow.c      reads of what lies in memory, without an engine
 *   lfilescratch.c  memory that strings are read into
 *   lfilespan.c     the memory of a transfer: buffers, lists, strings
 *   lfileio.c       methods that move data
 *   lfilemeta.c     methods that do not: sync, truncate, size, allocate, ...
 *   lfilemove.c     methods that let the kernel move data between files
 *   lfilelock.c     locks on ranges
 *   lfilestd.c      standard streams
 *   lfilestat.c     stat tables
 *   lfilefs.c       functions on paths: stat, unlink, rename, readdir, ...
 *   lfileattr.c     functions on paths: readlink, chmod, utime
 *   lwatch.c        class aio.watch: inotify
 */
#ifndef LFILE_H
#define LFILE_H

#include <sys/stat.h>
#include <sys/uio.h>

#include "aioctl/request.h"
#include "lbuf.h"
#include "task.h"
#include "vm.h"

typedef enum FileSlotWish {
    SLOT_AUTO, /* once the file has been used a few times */
    SLOT_NOW,
    SLOT_NEVER,
} FileSlotWish;

/* May a read be made without an engine?  lfilenow.c */
typedef enum FileNow {
    NOW_NEVER,
    NOW_IF_CACHED, /* the kernel says whether it would wait */
    NOW_ALWAYS,    /* it never waits long */
} FileNow;

typedef struct LuaFile {
    AluaObject object;
    int fd;       /* -1: closed */
    bool closing; /* the last operation in flight closes fd */
    bool direct;  /* open with O_DIRECT */
    bool seekable;
    bool borrowed; /* fd is not ours to close */
    bool waits;    /* reading may have to wait for somebody: a pipe, a tty */
    bool regular;  /* a file or a disk: reads end short at its end only */
    FileNow now;
    uint32_t now_skip;    /* so many reads before asking again */
    uint32_t now_backoff; /* ... after the next refusal */
    uint32_t in_flight;
    uint32_t memory_align; /* what O_DIRECT asks of addresses, else 1 */
    uint32_t offset_align; /* ... of offsets and lengths, else 1 */
    int64_t position;      /* of the next read(n) */
    AioContext *ctx;       /* the one engine was made ready for */
    const AioEngine *engine;
    AioContext *slot_ctx; /* where it is registered, with a reference */
    int slot;             /* there */
    uint32_t uses;        /* before it is registered */
    FileSlotWish slot_wish;
    const char *fallback; /* why not the engine asked for; static */
    char *path;           /* malloc'ed, for messages */
    WaitQueue closers;    /* tasks in close() */
} LuaFile;

extern const AluaClass file_class;

/* The open file at argument 1 (or @arg); raises on a closed one. */
LuaFile *file_check(lua_State *L);
LuaFile *file_check_at(lua_State *L, int arg);

/* The deadline of the optional timeout at @arg; -1: none. */
static inline int64_t file_opt_deadline(lua_State *L, int arg)
{
    return likely(lua_isnoneornil(L, arg))
               ? -1
               : task_deadline(alua_opt_timeout(L, arg));
}

/* ---- lfilerun.c --------------------------------------------------------- */

/* How a wait ended.  On FILE_LATE and FILE_CANCELLED the request is over too:
 * the kernel has let go of the memory. */
typedef enum FileOutcome {
    FILE_DONE,
    FILE_LATE,      /* the deadline passed before it was done */
    FILE_CANCELLED, /* let go of everything, then task_throw_cancel() */
} FileOutcome;

/* What all requests have in common.  An initializer would be 21 words by a
 * string instruction, which takes as long as everything else here. */
static inline void file_request_init(AioRequest *req, int fd)
{
    req->fd = fd;
    req->buf_index = -1;
    req->flags = 0;
    req->file_slot = 0;
    req->chain = NULL;
    req->ret = 0;
    req->ctx = NULL;
    req->engine = NULL;
    req->next = NULL;
    req->chain_next = NULL;
    req->chain_state = 0;
    for (size_t i = 0; i < ARRAY_SIZE(req->private_data); i++) {
        req->private_data[i] = 0;
    }
}

/*
 * file_run: submit @req (done and opaque are filled in) and park until it ended
 * @deadline_ns: as for task_park()
 * Raises nothing.  A request that ended well in spite of its deadline counts
 * as done.
 */
FileOutcome file_run(lua_State *L, LuaTask *t, const AioEngine *engine,
                     AioRequest *req, int64_t deadline_ns);

typedef int64_t FileCall(void *arg);

/*
 * file_call: run fn(arg) on the thread pool; its result, or a negative errno
 * @f: kept open meanwhile; may be NULL
 * @arg: usually on the C stack
 * @undo: may be NULL.  When the task is cancelled meanwhile, undo(arg) is
 *        called once fn has ended or will not run any more, and then the cancel
 *        is raised.
 */
int64_t file_call(lua_State *L, LuaFile *f, FileCall *fn, void *arg,
                  void (*undo)(void *arg));

/* The engine of such calls, made ready for @ctx; raises without one. */
const AioEngine *file_threads_engine(lua_State *L, AioContext *ctx);

/* The same with two files that are kept open; each may be NULL. */
int64_t file_call_two(lua_State *L, LuaFile *const files[2], FileCall *fn,
                      void *arg, void (*undo)(void *arg));

/* An operation on @f begins and ends: holds off the closing of its fd. */
void file_enter(LuaFile *f);
void file_leave(LuaFile *f);

/*
 * file_pick_engine: sets engine, fallback and ctx of @f from @name (NULL: the
 * default) and f->direct
 * Pushes nothing and returns 0, or pushes the error triple and returns 3.
 */
int file_pick_engine(lua_State *L, LuaFile *f, AioContext *ctx,
                     const char *name);

/* The engine of @f, made ready for the context of @t. */
const AioEngine *file_engine(LuaFile *f, const LuaTask *t);

/* ---- lfileslot.c -------------------------------------------------------- */

/* Registers @f if it should be; its slot in @ctx, or 0. */
int file_take_slot(LuaFile *f, AioContext *ctx);

/* @f in the registered files of @ctx, or 0: for AioRequest.file_slot. */
static inline int file_slot(LuaFile *f, AioContext *ctx)
{
    return f->slot_ctx == ctx ? f->slot : file_take_slot(f, ctx);
}

void file_drop_slot(LuaFile *f);

/* Closes the descriptor, unless it is borrowed. */
void file_close_fd(LuaFile *f);

/* Pushes true, or the error triple when @ret is negative. */
int file_result(lua_State *L, const LuaFile *f, int64_t ret, const char *call);
/* The same for functions on paths. */
int path_result(lua_State *L, const char *path, int64_t ret, const char *call);

/* ---- lfilestat.c -------------------------------------------------------- */

typedef struct FileStat {
    int fd; /* -1: use path */
    const char *path;
    int flags; /* AT_SYMLINK_NOFOLLOW */
    struct statx stx;
    int64_t size; /* of the device, for block devices */
} FileStat;

/* For file_call(): fills in stx and size. */
int64_t file_stat_call(void *arg);
void file_push_stat(lua_State *L, const FileStat *st);

/* Bytes in the file or device @fd of type @mode; a negative errno. */
int64_t file_size_of(int fd, const struct stat *st);

/* What O_DIRECT on @fd asks for. */
void file_find_alignment(int fd, const struct stat *st, uint32_t *memory,
                         uint32_t *offset);

/* ---- lfilestd.c --------------------------------------------------------- */

/* Is it a kind of file whose reader may have to wait for a writer? */
bool file_may_wait(const struct stat *st);
/* Parks until a file of that kind has data, on engines that would block.
 * Returns 0, or pushes the timeout triple and returns 3. */
int file_wait_readable(lua_State *L, const LuaFile *f, int64_t deadline_ns);

/* ---- lfilescratch.c ----------------------------------------------------- */

enum { NOW_BYTES_MAX = 64 << 10 }; /* of a read at once, of scratch memory */

typedef struct FileScratch FileScratch;
struct FileScratch {
    uint8_t *base;
    BufSlab *memory; /* perhaps registered */
    FileScratch *next;
    int cls;
};

/* Memory for @size bytes of @f, or NULL. */
FileScratch *file_scratch_take(LuaVM *vm, const LuaFile *f, size_t size);
void file_scratch_give(LuaVM *vm, FileScratch *chunk);
/* Nothing is in flight any more. */
void file_scratch_close(LuaVM *vm);

/* ---- lfilespan.c -------------------------------------------------------- */

/* The memory of one transfer, pinned while it runs. */
typedef struct FileSpan {
    struct iovec one;  /* iov points here when there is only one piece */
    struct iovec *iov; /* consumed by span_advance() */
    int iovcnt;
    int pieces;
    LuaBuf *buf; /* the single buffer, or NULL */
    FileScratch *scratch;
    LuaBuf **bufs; /* with more pieces: one each, NULL for strings */
    size_t total;
    const void *start; /* of a single piece */
    bool to_string;    /* the caller wants a string: no memory before
                          span_need_scratch() */
} FileSpan;

typedef enum SpanUse {
    SPAN_READ,
    SPAN_WRITE,
} SpanUse;

/* From argument @arg; leaves at most one value on the stack, which must stay
 * there during the transfer. */
void span_check(lua_State *L, int arg, SpanUse use, const LuaFile *f,
                FileSpan *span);
/* Memory for a string that is to be read: pushes at most one value.  The
 * scratch is the caller's to give back, and good until the task next parks. */
void span_need_scratch(lua_State *L, const LuaFile *f, FileSpan *span);
/* The memory's slot in @ctx's registered buffers, or -1. */
static inline int span_slot(const FileSpan *span, const AioContext *ctx)
{
    if (span->buf) {
        return buf_slot(span->buf, ctx);
    }
    return span->scratch && span->scratch->memory->ctx == ctx
               ? span->scratch->memory->slot
               : -1;
}

void span_pin(FileSpan *span);
void span_unpin(FileSpan *span);
void span_advance(FileSpan *span, size_t n);

/* ---- lfilenow.c --------------------------------------------------------- */

/* Is it worth trying to read @size bytes of @f at once? */
static inline bool file_now_worth(const LuaVM *vm, LuaFile *f, size_t size)
{
    if (f->now == NOW_NEVER || size > NOW_BYTES_MAX || size == 0) {
        return false;
    }
    if (f->now == NOW_IF_CACHED && (vm->io_in_flight > 0 || vm->ready > 0)) {
        return false; /* an engine takes them all in one system call */
    }
    if (unlikely(f->now_skip > 0)) {
        f->now_skip--;
        return false;
    }
    return true;
}

/*
 * file_now_read: read without waiting, as far as that is possible
 * @span: consumed by what was read
 * @moved: grows by what was read
 * Returns: the last result of the system call, 0 at the end of the file, or a
 * negative errno: the rest is for an engine.
 */
ssize_t file_now_read(LuaVM *vm, LuaFile *f, FileSpan *span, int64_t offset,
                      size_t *moved);

/* After enough of such reads others get their turn; call it before looking at
 * arguments that they might close. */
void file_now_make_way(lua_State *L);

/* ---- tables of methods -------------------------------------------------- */

extern const luaL_Reg file_io_methods[];
extern const luaL_Reg file_meta_methods[];
extern const luaL_Reg file_move_methods[];
extern const luaL_Reg file_lock_methods[];
extern const luaL_Reg file_open_functions[];
extern const luaL_Reg file_fs_functions[];
extern const luaL_Reg file_attr_functions[];
extern const luaL_Reg file_std_functions[];
extern const luaL_Reg file_watch_functions[];
void lwatch_open_class(lua_State *L);

#endif
