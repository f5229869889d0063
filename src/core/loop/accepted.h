/*
 * accepted.h - what the monitor sees of an AioAccepted (aioctl/accept.h)
 */
#ifndef LOOP_ACCEPTED_H
#define LOOP_ACCEPTED_H

#include "aioctl/accept.h"

enum { ACCEPTED_ENOUGH = 64 }; /* from here on the kernel shall wait */

/* References are counted by any thread; the rest is the home thread's. */
struct AioAccepted {
    int refs;
    bool ended;     /* by its listener: what still comes is closed */
    bool refused;   /* it cannot: the listener is polled */
    bool paused;    /* there are enough; until all are taken */
    unsigned armed; /* requests in the kernel */
    int error;      /* negative errno that ended it, not yet told */
    int *fds;       /* first in, first out */
    unsigned head, count, size;
};

AioAccepted *accepted_ref(AioAccepted *a);
void accepted_unref(AioAccepted *a);

/* Something for accepted_take()? */
static inline bool accepted_any(const AioAccepted *a)
{
    return a && (a->count > 0 || a->error);
}

/*
 * accepted_done: @res is a new connection or a negative errno
 * Returns: true when whoever takes them should be told.
 */
bool accepted_done(AioAccepted *a, int res);

/* From now on another loop waits: listeners have to be polled. */
void accepted_poll_instead(AioContext *ctx);

#endif
