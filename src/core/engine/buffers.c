/*
 * buffers.c - aio_buffer_register(): buffers that the kernel keeps pinned
 *
 * A service of the io_uring engine; without it, and when the limit on locked
 * memory is reached, callers go on with plain buffers, and the statistics tell.
 */
#include <errno.h>

#include "base/check.h"
#include "engine/engine.h"
#include "loop/ring.h"

#ifdef CONFIG_LINUX_IO_URING
static int register_buffer(AioContext *ctx, void *base, size_t len)
{
    if (!engine_is_ready(ctx, &engine_io_uring)) {
        return -ENOTSUP;
    }
    return ring_register_buffer(ctx->ring, base, len);
}

static void unregister_buffer(AioContext *ctx, int slot)
{
    ring_unregister_buffer(ctx->ring, slot);
}
#else
static int register_buffer(AioContext *ctx, void *base, size_t len)
{
    return -ENOTSUP;
}

static void unregister_buffer(AioContext *ctx, int slot)
{
}
#endif

int aio_buffer_register(AioContext *ctx, void *base, size_t len)
{
    int slot = register_buffer(ctx, base, len);

    if (slot < 0) {
        ctx->stats.registration_failures++;
    } else {
        ctx->stats.registered_buffers++;
    }
    return slot;
}

void aio_buffer_unregister(AioContext *ctx, int slot)
{
    CHECKF(slot >= 0 && ctx->stats.registered_buffers > 0,
           "buffer slot %d is not registered", slot);
    unregister_buffer(ctx, slot);
    ctx->stats.registered_buffers--;
}
