/*
 * files.c - aio_file_register(): files that the kernel keeps looked up
 *
 * A service of the io_uring engine; without it, and when the table is full or
 * refused, callers go on with the plain fd, and the statistics tell.
 */
#include <errno.h>

#include "base/check.h"
#include "engine/engine.h"
#include "loop/ring.h"

#ifdef CONFIG_LINUX_IO_URING
static int register_file(AioContext *ctx, int fd)
{
    if (!engine_is_ready(ctx, &engine_io_uring)) {
        return -ENOTSUP;
    }
    return ring_register_file(ctx->ring, fd);
}

static void unregister_file(AioContext *ctx, int slot)
{
    ring_unregister_file(ctx->ring, slot);
}
#else
static int register_file(AioContext *ctx, int fd)
{
    return -ENOTSUP;
}

static void unregister_file(AioContext *ctx, int slot)
{
}
#endif

int aio_file_register(AioContext *ctx, int fd)
{
    int slot = register_file(ctx, fd);

    if (slot < 0) {
        ctx->stats.registration_failures++;
    } else {
        ctx->stats.registered_files++;
    }
    return slot;
}

void aio_file_unregister(AioContext *ctx, int slot)
{
    CHECK(slot > 0 && ctx->stats.registered_files > 0);
    unregister_file(ctx, slot);
    ctx->stats.registered_files--;
}
