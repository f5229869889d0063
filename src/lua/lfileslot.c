/*
 * lfileslot.c - files of the io_uring engine get a slot in the ring
 *
 * A file that has been used a few times is put into the registered-file table
 * of its context, so that the kernel need not look it up again; a file that is
 * opened for one read is not worth the two system calls.  Standard streams are
 * left out, because others may close them, and so are pipes and the like, whose
 * other end wants to see them closed.
 *
 * The rule that keeps it right: file_drop_slot() comes before the descriptor is
 * closed, and after the last operation.
 */
#include <string.h>

#include "lfile.h"

enum { USES_BEFORE = 8 };

static bool is_worth_it(LuaFile *f, const AioContext *ctx)
{
    if (f->slot_wish == SLOT_NEVER || f->ctx != ctx || f->slot_ctx) {
        return false;
    }
    if (f->slot_wish == SLOT_AUTO && ++f->uses < USES_BEFORE) {
        return false;
    }
    return f->seekable && !f->borrowed &&
           !strcmp(aio_engine_name(f->engine), "io_uring");
}

int file_take_slot(LuaFile *f, AioContext *ctx)
{
    int slot = is_worth_it(f, ctx) ? aio_file_register(ctx, f->fd) : 0;

    if (slot > 0) {
        aio_context_ref(ctx);
        f->slot_ctx = ctx;
        f->slot = slot;
    } else if (slot < 0 || f->uses >= USES_BEFORE) {
        f->slot_wish = SLOT_NEVER; /* once is enough to be told */
    }
    return f->slot_ctx == ctx ? slot : 0;
}

void file_drop_slot(LuaFile *f)
{
    if (f->slot_ctx) {
        aio_file_unregister(f->slot_ctx, f->slot);
        aio_context_unref(f->slot_ctx);
        f->slot_ctx = NULL;
        f->slot = 0;
    }
}
