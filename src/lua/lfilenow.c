/*
 * lfilenow.c - reads of what lies in memory, without an engine
 *
 * To ask an engine, park and be woken costs as much as copying a few KiB out of
 * the page cache, so the task first asks the kernel for what it can give
 * without waiting (RWF_NOWAIT).  A file that keeps answering EAGAIN is asked
 * less and less often.  Files of tmpfs always answer: io_uring would give each
 * of their reads to a thread of the kernel.
 *
 * The rule that keeps it right: nothing here parks, so the memory needs no pin
 * and nobody can close the file meanwhile.  The rule that keeps it fair: after
 * TURN_BYTES the task lets the others run, and the loop look up.
 */
#include <sys/uio.h>

#include "base/syscall.h"
#include "lfile.h"
#include "qemu/osdep.h"
#include "task_private.h"
#include "trace.h"

enum {
    TURN_BYTES = 64 << 10,
    READ_COST = 4096,  /* bytes that a smaller read counts as */
    BACKOFF_MAX = 255, /* reads that go straight to the engine */
};

static void note_refusal(LuaFile *f, ssize_t ret)
{
    switch (ret) {
    case -EAGAIN:
        f->now_skip = f->now_backoff;
        f->now_backoff = MIN(2 * f->now_backoff + 1, (uint32_t)BACKOFF_MAX);
        break;
    case -EOPNOTSUPP: /* the file system */
    case -ENOSYS:     /* Linux before 4.14, or a seccomp filter */
    case -EPERM:
        f->now = NOW_NEVER;
        break;
    default: /* the engine will meet the same error, and tell of it */
        break;
    }
}

static ssize_t read_some(const LuaFile *f, const FileSpan *span, int64_t offset)
{
    int flags = f->now == NOW_IF_CACHED ? RWF_NOWAIT : 0;

    return syscall_preadv2(f->fd, span->iov, span->iovcnt, offset, flags);
}

/* Ends: each round but the last reads at least one byte. */
static ssize_t read_rounds(LuaVM *vm, LuaFile *f, FileSpan *span,
                           int64_t offset, size_t *moved)
{
    ssize_t ret;

    do {
        ret = read_some(f, span, offset + (int64_t)*moved);
        if (unlikely(ret < 0)) {
            note_refusal(f, ret);
            return ret;
        }
        vm->read_at_once += MAX((size_t)ret, (size_t)READ_COST);
        f->now_backoff = 0;
        *moved += (size_t)ret;
        if (ret == 0 || *moved == span->total) {
            return ret;
        }
        span_advance(span, (size_t)ret);
    } while (f->regular); /* the rest is not there, or not in the cache */
    return ret;
}

ssize_t file_now_read(LuaVM *vm, LuaFile *f, FileSpan *span, int64_t offset,
                      size_t *moved)
{
    if (likely(!trace_on)) {
        return read_rounds(vm, f, span, offset, moved);
    }
    uint64_t id =
        trace_async_begin("io", "read", f->fd, offset, (int64_t)span->total);
    ssize_t ret = read_rounds(vm, f, span, offset, moved);

    trace_async_end("io", "read", id, ret < 0 ? ret : (int64_t)*moved);
    return ret;
}

void file_now_make_way(lua_State *L)
{
    LuaVM *vm = alua_vm(L);

    if (unlikely(vm->read_at_once >= TURN_BYTES) && task_may_park(L)) {
        vm->read_at_once = 0;
        task_yield(L, vm->current);
    }
}
