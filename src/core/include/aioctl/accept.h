/*
 * aioctl/accept.h - listeners whose connections the kernel accepts unasked
 *
 * With the io_uring monitor one request in the kernel accepts all connections
 * that come (multishot accept, since Linux 5.19).  Elsewhere the listener is
 * watched, and whoever takes a connection accepts it.
 */
#ifndef AIOCTL_ACCEPT_H
#define AIOCTL_ACCEPT_H

#include "aioctl/decls.h"
#include "block/aio.h"

AIOCTL_BEGIN_DECLS

/* The connections of one listener that have not been taken. */
typedef struct AioAccepted AioAccepted;

/* NULL: no memory. */
AioAccepted *aio_accepted_new(void);

/* Closes what was not taken; nobody is told any more.  After the handler was
 * removed.  Home thread. */
void aio_accepted_free(AioAccepted *accepted);

/*
 * aio_set_fd_acceptor: aio_set_fd_handler() for a listener
 * @io_read: there is something to take
 *
 * Once some 64 wait to be taken the kernel is asked to stop until there is
 * none.  Those that come while externals are disabled (@is_external), or after
 * the handler was removed, wait in @accepted.
 */
void aio_set_fd_acceptor(AioContext *ctx, int fd, bool is_external,
                         IOHandler *io_read, AioAccepted *accepted,
                         void *opaque);

/*
 * aio_accepted_take: the next connection: non-blocking, close-on-exec, the
 * caller's
 *
 * -EAGAIN: there is none now; io_read will be called.  Another negative errno
 * is that of accept(2); after one of a context's ring set the handler anew.
 */
int aio_accepted_take(AioContext *ctx, int listener, AioAccepted *accepted);

/* Does the kernel accept for it at the moment?  Home thread. */
bool aio_accepted_is_armed(const AioAccepted *accepted);

AIOCTL_END_DECLS
#endif
