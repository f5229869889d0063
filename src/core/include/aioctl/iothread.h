/*
 * aioctl/iothread.h - IOThreads beyond sysemu/iothread.h
 */
#ifndef AIOCTL_IOTHREAD_H
#define AIOCTL_IOTHREAD_H

#include "aioctl/decls.h"
#include "sysemu/iothread.h"

AIOCTL_BEGIN_DECLS

/* Called in the thread itself, with its context. */
typedef void AioIOThreadFunc(AioContext *ctx, void *opaque);

typedef struct AioIOThreadParams {
    const char *id;      /* as for iothread_create(); also ps and gdb show it
                            (first 15 bytes) */
    int64_t poll_max_ns; /* the three of aio_context_set_poll_params() */
    int64_t poll_grow;
    int64_t poll_shrink;
    const char *fdmon;      /* as for aio_context_set_fdmon(); NULL: auto */
    const int *cpus;        /* processors to stay on, cpu_count of them; */
    unsigned cpu_count;     /* 0: those of the creating thread */
    AioIOThreadFunc *begin; /* before the first pass; may be NULL */
    AioIOThreadFunc *body;  /* polls the context itself, as long as it likes;
                               then the thread makes passes.  May be NULL */
    AioIOThreadFunc *end;   /* after the last one; may be NULL */
    void *opaque;
} AioIOThreadParams;

/* What iothread_create() uses. */
void aio_iothread_params_init(AioIOThreadParams *params);

/*
 * aio_iothread_new: iothread_create() with everything chosen
 *
 * Returns: NULL with @errp set, naming the value and the range, or what the
 * system refuses; then begin and end were not called.
 */
IOThread *aio_iothread_new(const AioIOThreadParams *params, Error **errp);

/* The kernel's id of the thread, as qemu_get_thread_id() there. */
int aio_iothread_thread_id(IOThread *iothread);

AIOCTL_END_DECLS
#endif
