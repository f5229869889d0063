/*
 * sysemu/iothread.h - a thread that runs a context
 *
 * Work comes to it from outside: bottom halves, coroutines, handlers and timers
 * of its context.  It busy-polls up to 32768 ns before it sleeps, unless
 * aio_context_set_poll_params() says otherwise.
 *
 * Whoever destroys an IOThread has taken its own bottom halves, handlers and
 * timers out of the context before; what is left over is named, and the program
 * aborts.  What was scheduled to run once before iothread_stop() has run.
 *
 * Threads: any, if not said otherwise.
 */
#ifndef IOTHREAD_H
#define IOTHREAD_H

#include "block/aio.h"

typedef struct IOThread IOThread;
typedef struct _GMainContext GMainContext;

/* How long an IOThread busy-polls if nobody says otherwise. */
#define IOTHREAD_POLL_MAX_NS_DEFAULT 32768ULL

AIOCTL_BEGIN_DECLS

/*
 * iothread_create: start a thread called @id with a context of its own
 * @id: not in use by another IOThread; NULL: "iothread0" and so on
 *
 * Returns: when the thread is about to poll; NULL with @errp set when @id is
 * taken, or the system refuses a context or a thread.
 */
IOThread *iothread_create(const char *id, Error **errp);

/* Ends the thread and waits for it.  The context stays, without a home.  Again:
 * nothing.  Not from the thread itself. */
void iothread_stop(IOThread *iothread);

/* The same, and drops the context and the object. */
void iothread_destroy(IOThread *iothread);

/* A copy of the name; the caller frees it. */
char *iothread_get_id(IOThread *iothread);

/* NULL when there is none.  The caller sees to it that it is not destroyed. */
IOThread *iothread_by_id(const char *id);

/* Its context; the caller takes a reference to keep it longer. */
AioContext *iothread_get_aio_context(IOThread *iothread);

/*
 * iothread_get_g_main_context: a GMainContext that the thread runs, for sources
 * of GLib's; the IOThread's own
 *
 * From the first call on the thread runs its AioContext as one source of that
 * GMainContext.  Programs that do not call this do not load GLib.
 */
GMainContext *iothread_get_g_main_context(IOThread *iothread);

/* Is the calling thread one of an IOThread? */
bool qemu_in_iothread(void);

/* The names that QEMU's tests use: create without a name, and destroy. */
IOThread *iothread_new(void);
void iothread_join(IOThread *iothread);

AIOCTL_END_DECLS
#endif
