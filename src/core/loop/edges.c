/*
 * edges.c - handlers that are told of arrivals instead of of a state
 *
 * Whoever sets one reads until there is nothing more, or remembers that there
 * may be.  The monitor then need not be told again after each event.
 */
#include "aioctl/context.h"
#include "base/symbol.h"
#include "loop/context.h"

void aio_set_fd_edges(AioContext *ctx, int fd, bool is_external,
                      IOHandler *io_read, IOHandler *io_write,
                      uint32_t *unusual, void *opaque)
{
    AioHandler node = {
        .fd = fd,
        .is_external = is_external,
        .io_read = io_read,
        .io_write = io_write,
        .unusual = unusual,
        .opaque = opaque,
        .creator = CALLER_ADDRESS,
    };

    handler_set(ctx, &node);
}
