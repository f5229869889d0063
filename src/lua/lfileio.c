/*
 * lfileio.c - methods of aio.file that move data
 *
 * All of them are one Transfer: check the arguments, check the alignment, pin
 * the memory, run requests until it is enough, unpin, push the result.  Between
 * task_check_can_park() and the unpinning nothing can raise.  With a buffer for
 * argument nothing is allocated.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lfile.h"

typedef struct TransferKind {
    const char *name; /* of the method, for messages */
    SpanUse use;
    bool exact; /* go on after a short transfer */
} TransferKind;

typedef struct Transfer {
    const TransferKind *kind;
    LuaFile *file;
    FileSpan span;
    int64_t offset; /* -1: at the file's own position */
    int64_t deadline_ns;
    size_t moved;
    int64_t ret;     /* the last request's */
    AioChain *chain; /* of a linked batch; then there is only one request */
} Transfer;

/* ---- alignment ---------------------------------------------------------- */

static int misaligned(lua_State *L, const Transfer *x, const char *what,
                      uint64_t value, uint32_t align)
{
    const char *as_hex = what[0] == 'a' ? "0x%" PRIx64 : "%" PRIu64;
    char number[32], message[512];

    snprintf(number, sizeof(number), as_hex, value);
    snprintf(message, sizeof(message),
             "%.300s: with O_DIRECT the %s must be a multiple of %u, got %s",
             x->file->path, what, align, number);
    return alua_fail(L, EINVAL, message, x->kind->name);
}

/* Pushes the error triple for the first thing that is off, else returns 0. */
static int check_alignment(lua_State *L, const Transfer *x)
{
    const LuaFile *f = x->file;

    if (x->offset > 0 && (x->offset & (f->offset_align - 1)) != 0) {
        return misaligned(L, x, "offset", (uint64_t)x->offset, f->offset_align);
    }
    for (int i = 0; i < x->span.iovcnt; i++) {
        const struct iovec *iov = &x->span.iov[i];
        if ((iov->iov_len & (f->offset_align - 1)) != 0) {
            return misaligned(L, x, "length", iov->iov_len, f->offset_align);
        }
        if (((uintptr_t)iov->iov_base & (f->memory_align - 1)) != 0) {
            return misaligned(L, x, "address", (uintptr_t)iov->iov_base,
                              f->memory_align);
        }
    }
    return 0;
}

/* ---- running ------------------------------------------------------------ */

static void fill_request(Transfer *x, AioContext *ctx, AioRequest *req)
{
    bool write = x->kind->use == SPAN_WRITE;

    file_request_init(req, x->file->fd);
    req->file_slot = file_slot(x->file, ctx);
    req->chain = x->chain;
    req->offset = x->offset < 0 ? -1 : x->offset + (int64_t)x->moved;
    if (x->span.pieces == 1) {
        req->op = write ? AIO_OP_WRITE : AIO_OP_READ;
        req->base = x->span.iov->iov_base;
        req->len = x->span.iov->iov_len;
        req->buf_index = span_slot(&x->span, ctx);
    } else {
        req->op = write ? AIO_OP_WRITEV : AIO_OP_READV;
        req->iov = x->span.iov;
        req->iovcnt = x->span.iovcnt;
    }
}

/* Ends: each round moves at least one byte, fails, or meets the end. */
static FileOutcome transfer_rounds(lua_State *L, Transfer *x, LuaTask *t,
                                   const AioEngine *engine)
{
    FileOutcome outcome;
    AioRequest req;

    do {
        fill_request(x, task_context(t), &req);
        outcome = file_run(L, t, engine, &req, x->deadline_ns);
        x->ret = req.ret;
        if (req.ret > 0) {
            x->moved += (size_t)req.ret;
            span_advance(&x->span, (size_t)req.ret);
        }
    } while (x->kind->exact && !x->chain && outcome == FILE_DONE &&
             req.ret > 0 && x->moved < x->span.total);
    return outcome;
}

/* Reads what needs no waiting; true when that was all. */
static bool transfer_at_once(lua_State *L, Transfer *x, LuaTask *t)
{
    LuaVM *vm = alua_vm(L);

    (void)file_slot(x->file, task_context(t)); /* it has been used */
    x->ret = file_now_read(vm, x->file, &x->span, x->offset, &x->moved);
    return x->ret >= 0 &&
           (x->ret == 0 || x->moved == x->span.total || !x->kind->exact);
}

/* What was read at once is a short read when nothing comes of the rest. */
static FileOutcome transfer_rest(lua_State *L, Transfer *x, LuaTask *t)
{
    bool have_some = x->moved > 0 && !x->kind->exact;
    FileOutcome outcome = transfer_rounds(L, x, t, file_engine(x->file, t));

    if (unlikely(have_some) && outcome != FILE_CANCELLED && x->ret <= 0) {
        x->ret = 0;
        outcome = FILE_DONE;
    }
    return outcome;
}

static FileOutcome transfer_run(lua_State *L, Transfer *x)
{
    LuaTask *t = task_check_can_park(L);
    LuaVM *vm = alua_vm(L);
    FileOutcome outcome = FILE_DONE;

    x->chain = task_chain(t);
    if (x->span.to_string) {
        span_need_scratch(L, x->file, &x->span);
    }
    file_enter(x->file);
    span_pin(&x->span);
    if (x->kind->use == SPAN_WRITE || x->chain ||
        !file_now_worth(vm, x->file, x->span.total) ||
        !transfer_at_once(L, x, t)) {
        outcome = transfer_rest(L, x, t);
    }
    span_unpin(&x->span);
    if (x->span.scratch) {
        file_scratch_give(vm, x->span.scratch);
    }
    file_leave(x->file);
    if (outcome == FILE_CANCELLED) {
        task_throw_cancel(L, t);
    }
    return outcome;
}

/* ---- results ------------------------------------------------------------ */

static int fail_at(lua_State *L, const Transfer *x, int err, const char *detail)
{
    char message[512];

    if (x->offset < 0) {
        return alua_fail(L, err, x->file->path, x->kind->name);
    }
    snprintf(message, sizeof(message), "%.300s at offset %" PRId64 "%s",
             x->file->path, x->offset + (int64_t)x->moved, detail);
    return alua_fail(L, err, message, x->kind->name);
}

static int fail_short(lua_State *L, const Transfer *x)
{
    char detail[96];

    snprintf(detail, sizeof(detail), ": end of file after %zu of %zu bytes",
             x->moved, x->span.total);
    return fail_at(L, x, ENODATA, detail);
}

static int fail_unwritten(lua_State *L, const Transfer *x)
{
    return fail_at(L, x, EIO,
                   x->chain ? ": a short write ends a linked batch"
                            : ": no progress");
}

static int transfer_result(lua_State *L, const Transfer *x)
{
    if (x->ret == -EBADF) { /* the descriptor is ours: it must be the mode */
        return fail_at(L, x, EBADF,
                       x->kind->use == SPAN_READ ? ": not open for reading"
                                                 : ": not open for writing");
    }
    if (x->ret < 0) {
        return fail_at(L, x, (int)-x->ret, "");
    }
    if (x->kind->exact && x->moved < x->span.total) {
        return x->kind->use == SPAN_READ ? fail_short(L, x)
                                         : fail_unwritten(L, x);
    }
    if (x->span.to_string) {
        lua_pushlstring(L, x->span.start, x->moved);
    } else {
        lua_pushinteger(L, (lua_Integer)x->moved);
    }
    return 1;
}

/* ---- methods ------------------------------------------------------------ */

static int transfer_do(lua_State *L, Transfer *x)
{
    int failed = x->file->direct ? check_alignment(L, x) : 0;

    if (failed > 0) {
        return failed;
    }
    if (transfer_run(L, x) == FILE_LATE) {
        return alua_timeout(L);
    }
    return transfer_result(L, x);
}

/* Field by field, as file_request_init() does. */
static void transfer_begin(lua_State *L, Transfer *x, const TransferKind *kind)
{
    file_now_make_way(L);
    x->kind = kind;
    x->file = file_check(L);
    x->moved = 0;
    x->ret = 0;
    x->chain = NULL;
}

/* Arguments: file, what, offset [, sec or {timeout=}] */
static int transfer_at(lua_State *L, const TransferKind *kind)
{
    Transfer x;

    transfer_begin(L, &x, kind);
    x.offset = luaL_checkinteger(L, 3);
    luaL_argcheck(L, x.offset >= 0, 3, "an offset must not be negative");
    x.deadline_ns = file_opt_deadline(L, 4);
    span_check(L, 2, kind->use, x.file, &x.span);
    return transfer_do(L, &x);
}

/**
 * f:pread(what: aio.What, offset: integer, sec?: aio.Wait) -> string|integer!
 *
 * A string, or the number of bytes. May be short; `""` or 0 at the end.
 */
static int file_pread(lua_State *L)
{
    static const TransferKind kind = {"pread", SPAN_READ, false};
    return transfer_at(L, &kind);
}

/**
 * f:read_exact(what: aio.What, offset: integer, sec?: aio.Wait) ->
 *     string|integer!
 *
 * As `pread`, never short: `nil, message, ENODATA` when the file ends before.
 */
static int file_read_exact(lua_State *L)
{
    static const TransferKind kind = {"read_exact", SPAN_READ, true};
    return transfer_at(L, &kind);
}

/**
 * f:pwrite(what: aio.What, offset: integer, sec?: aio.Wait) -> integer!
 *
 * The number of bytes written, which may be short.
 */
static int file_pwrite(lua_State *L)
{
    static const TransferKind kind = {"pwrite", SPAN_WRITE, false};
    return transfer_at(L, &kind);
}

/**
 * f:write_all(what: aio.What, offset: integer, sec?: aio.Wait) -> integer!
 *
 * As `pwrite`, but all of it.
 */
static int file_write_all(lua_State *L)
{
    static const TransferKind kind = {"write_all", SPAN_WRITE, true};
    return transfer_at(L, &kind);
}

/**
 * f:preadv(list: (Buf|string)[], offset: integer, sec?: aio.Wait) -> integer!
 * f:pwritev(list: (Buf|string)[], offset: integer, sec?: aio.Wait) -> integer!
 *
 * As `pread` and `pwrite` for lists only; an empty list raises.
 */
static int file_preadv(lua_State *L)
{
    static const TransferKind kind = {"preadv", SPAN_READ, false};
    luaL_checktype(L, 2, LUA_TTABLE);
    return transfer_at(L, &kind);
}

static int file_pwritev(lua_State *L)
{
    static const TransferKind kind = {"pwritev", SPAN_WRITE, false};
    luaL_checktype(L, 2, LUA_TTABLE);
    return transfer_at(L, &kind);
}

/* Arguments: file, what [, sec]; moves the file's position on. */
static int transfer_next(lua_State *L, const TransferKind *kind)
{
    Transfer x;

    transfer_begin(L, &x, kind);
    x.offset = x.file->seekable ? x.file->position : -1;
    x.deadline_ns = file_opt_deadline(L, 3);
    span_check(L, 2, kind->use, x.file, &x.span);
    int results = kind->use == SPAN_READ
                      ? file_wait_readable(L, x.file, x.deadline_ns)
                      : 0;
    results = results ? results : transfer_do(L, &x);
    x.file->position += (int64_t)x.moved;
    return results;
}

/**
 * f:read(what: aio.What, sec?: aio.Wait) -> string|integer!
 *
 * A string, or the number of bytes, from the file's position on; `""` or 0 at
 * the end.
 */
static int file_read(lua_State *L)
{
    static const TransferKind kind = {"read", SPAN_READ, false};
    return transfer_next(L, &kind);
}

/**
 * f:write(what: aio.What, sec?: aio.Wait) -> integer!
 *
 * The number of bytes: all of it, at the file's position.
 */
static int file_write(lua_State *L)
{
    static const TransferKind kind = {"write", SPAN_WRITE, true};
    return transfer_next(L, &kind);
}

const luaL_Reg file_io_methods[] = {
    {"pread", file_pread},
    {"pwrite", file_pwrite},
    {"preadv", file_preadv},
    {"pwritev", file_pwritev},
    {"read_exact", file_read_exact},
    {"write_all", file_write_all},
    {"read", file_read},
    {"write", file_write},
    {NULL, NULL},
};
