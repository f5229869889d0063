/*
 * lfilerun.c - how a file operation waits
 *
 * The request lies on the C stack of the task that waits for it; the engine's
 * callback marks it done and wakes the task.  The rule that keeps it right:
 * file_run() does not return before the request is over, whatever happens to
 * the task, because the kernel may still write to the caller's memory.  So a
 * late or cancelled wait asks the engine to end the request, and then waits for
 * that without listening to cancels.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lfile.h"
#include "qapi/error.h"
#include "qemu/osdep.h"
#include "trace.h"

typedef struct FileWait {
    LuaTask *task;
    bool done;
} FileWait;

static void file_run_done(AioRequest *req)
{
    FileWait *wait = req->opaque;

    wait->done = true;
    task_wake(wait->task);
}

static FileOutcome file_reap(FileWait *wait, AioRequest *req, ParkResult why)
{
    aio_request_cancel(req);
    while (!wait->done) {
        task_park_uncancellable(wait->task, PARK_ON_WORLD);
    }
    if (why == PARK_CANCELLED) {
        return FILE_CANCELLED;
    }
    return req->ret == -ECANCELED ? FILE_LATE : FILE_DONE;
}

static const char *const op_names[AIO_OP__MAX] = {
    [AIO_OP_NOP] = "nop",
    [AIO_OP_READ] = "read",
    [AIO_OP_WRITE] = "write",
    [AIO_OP_READV] = "readv",
    [AIO_OP_WRITEV] = "writev",
    [AIO_OP_FSYNC] = "fsync",
    [AIO_OP_CALL] = "call",
    [AIO_OP_FDATASYNC] = "fdatasync",
    [AIO_OP_FALLOCATE] = "fallocate",
};

static uint64_t trace_request(const AioRequest *req)
{
    bool has_len = req->op == AIO_OP_READ || req->op == AIO_OP_WRITE ||
                   req->op == AIO_OP_FALLOCATE;

    return trace_async_begin("io", op_names[req->op], req->fd, req->offset,
                             has_len ? (int64_t)req->len : -1);
}

FileOutcome file_run(lua_State *L, LuaTask *t, const AioEngine *engine,
                     AioRequest *req, int64_t deadline_ns)
{
    LuaVM *vm = alua_vm(L);
    FileWait wait = {.task = t};
    FileOutcome outcome = FILE_DONE;

    req->done = file_run_done;
    req->opaque = &wait;
    uint64_t trace = unlikely(trace_on) ? trace_request(req) : 0;
    vm->io_in_flight++;
    aio_request_submit(task_context(t), engine, req);
    while (!wait.done) {
        ParkResult why = task_park(t, PARK_ON_WORLD, deadline_ns);
        if (why != PARK_WOKEN) {
            outcome = file_reap(&wait, req, why);
        }
    }
    vm->io_in_flight--;
    if (unlikely(trace)) {
        trace_async_end("io", op_names[req->op], trace, req->ret);
    }
    return outcome;
}

/* ---- calls on the thread pool ------------------------------------------- */

const AioEngine *file_threads_engine(lua_State *L, AioContext *ctx)
{
    Error *err = NULL;
    const AioEngine *threads =
        aio_engine_get(ctx, "threads", false, NULL, &err);

    if (!threads) {
        alua_raise_error(L, err);
        lua_error(L);
    }
    return threads;
}

static void enter_both(LuaFile *const files[2])
{
    for (int i = 0; i < 2; i++) {
        if (files[i]) {
            file_enter(files[i]);
        }
    }
}

static void leave_both(LuaFile *const files[2])
{
    for (int i = 0; i < 2; i++) {
        if (files[i]) {
            file_leave(files[i]);
        }
    }
}

int64_t file_call(lua_State *L, LuaFile *f, FileCall *fn, void *arg,
                  void (*undo)(void *arg))
{
    LuaFile *const files[2] = {f, NULL};

    return file_call_two(L, files, fn, arg, undo);
}

int64_t file_call_two(lua_State *L, LuaFile *const files[2], FileCall *fn,
                      void *arg, void (*undo)(void *arg))
{
    LuaTask *t = task_check_can_park(L);
    const AioEngine *threads = file_threads_engine(L, task_context(t));
    AioRequest req = {
        .op = AIO_OP_CALL,
        .fd = -1,
        .buf_index = -1,
        .call = fn,
        .arg = arg,
    };

    enter_both(files);
    FileOutcome outcome = file_run(L, t, threads, &req, -1);
    leave_both(files);
    if (outcome == FILE_CANCELLED) {
        if (undo) {
            undo(arg);
        }
        task_throw_cancel(L, t);
    }
    return req.ret;
}

/* ---- operations in flight on a file ------------------------------------- */

void file_enter(LuaFile *f)
{
    f->in_flight++;
}

void file_leave(LuaFile *f)
{
    if (--f->in_flight > 0 || !f->closing) {
        return;
    }
    if (f->closers.head) {
        waitq_wake_all(&f->closers); /* the first of them closes it */
    } else {
        file_close_fd(f);
    }
}

/* ---- results ------------------------------------------------------------ */

int path_result(lua_State *L, const char *path, int64_t ret, const char *call)
{
    if (ret < 0) {
        return alua_fail(L, (int)-ret, path, call);
    }
    lua_pushboolean(L, true);
    return 1;
}

int file_result(lua_State *L, const LuaFile *f, int64_t ret, const char *call)
{
    return path_result(L, f->path, ret, call);
}
