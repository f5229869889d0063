/*
 * gsource.h - GLib's default loop as the loop of a program
 *
 * For the host's --glib.  Only where there is GLib (CONFIG_GLIB); whoever calls
 * these pulls in gsource.o, and needs the library.
 */
#ifndef AIOCTL_LOOP_GSOURCE_H
#define AIOCTL_LOOP_GSOURCE_H

#include "block/aio.h"

/*
 * gsource_poll: one iteration of the default GMainContext, which @ctx is
 * attached to by the first call
 *
 * Returns what aio_poll_more() would: did something run in @ctx?  Like that one
 * it may be called again by callbacks.  Iterations of GLib that others begin,
 * on top of this one, leave @ctx alone.  Home thread; not in a coroutine.
 */
bool gsource_poll(AioContext *ctx, bool blocking, unsigned more);

/* Has GLib called another source than @ctx, and that one us?  Then what runs
 * in @ctx must not be run by aio_poll() either.  Home thread. */
bool gsource_in_foreign_callback(AioContext *ctx);

/* Has GLib's loop sources besides @ctx, so that it could act on its own?  What
 * another thread is going to attach to it cannot be seen.  Home thread. */
bool gsource_may_act(AioContext *ctx);

/* Detaches @ctx, and gives up the reference to it; idempotent. */
void gsource_end(AioContext *ctx);

#endif
