/*
 * iothread_int.h - what an IOThread is made of
 *
 * How the thread makes one pass over its context is exchangeable, so that the
 * GLib way (iothread_glib.c) can be an object of its own in the archive.
 */
#ifndef AIOCTL_SYNC_IOTHREAD_INT_H
#define AIOCTL_SYNC_IOTHREAD_INT_H

#include "aioctl/iothread.h"
#include "qemu/thread.h"

typedef struct IOThreadRunner {
    void (*pass)(IOThread *iothread); /* wait, and run what is to be run */
    void (*end)(IOThread *iothread);  /* in the thread, after the last pass */
    void (*free)(IOThread *iothread); /* when the thread has ended */
} IOThreadRunner;

struct IOThread {
    /* Fixed. */
    char *id;
    AioContext *ctx;
    QemuThread thread;
    int thread_id;
    AioIOThreadFunc *begin;
    AioIOThreadFunc *body;
    AioIOThreadFunc *end;
    void *opaque;

    /* The thread's own. */
    const IOThreadRunner *runner;
    bool leaving; /* set by the last bottom half */

    /* Under stop_lock, which the stopper holds until the thread has ended. */
    QemuMutex stop_lock;
    bool stopped;

    /* Under lock: iothread_glib.c. */
    QemuMutex lock;
    GMainContext *glib_context;
    GSource *glib_source;

    /* Under the lock of the registry. */
    bool listed; /* can be found; else only its name is taken */
    QTAILQ_ENTRY(IOThread) next;
};

#endif
