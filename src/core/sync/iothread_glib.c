/*
 * iothread_glib.c - an IOThread as the owner of a GMainContext
 *
 * The first question for the GMainContext makes it, and sends the thread a
 * bottom half that attaches the AioContext to it as a source; from the next
 * pass on the thread iterates the GMainContext.
 *
 * This is an object of its own in the archive: a program that does not ask for
 * a GMainContext does not load GLib.
 */
#include "base/check.h"
#include "sync/iothread_int.h"

#ifdef CONFIG_GLIB

#include <glib.h>

static void glib_pass(IOThread *iothread)
{
    g_main_context_iteration(iothread->glib_context, TRUE);
}

static void glib_end(IOThread *iothread)
{
    g_source_destroy(iothread->glib_source);
    g_source_unref(iothread->glib_source);
    g_main_context_pop_thread_default(iothread->glib_context);
}

static void glib_free(IOThread *iothread)
{
    g_main_context_unref(iothread->glib_context);
}

static const IOThreadRunner glib_runner = {
    .pass = glib_pass,
    .end = glib_end,
    .free = glib_free,
};

static void attach(void *opaque)
{
    IOThread *iothread = opaque;

    iothread->glib_source = aio_get_g_source(iothread->ctx);
    g_source_attach(iothread->glib_source, iothread->glib_context);
    g_main_context_push_thread_default(iothread->glib_context);
    iothread->runner = &glib_runner;
}

GMainContext *iothread_get_g_main_context(IOThread *iothread)
{
    qemu_mutex_lock(&iothread->lock);
    if (!iothread->glib_context) {
        iothread->glib_context = g_main_context_new();
        aio_bh_schedule_oneshot(iothread->ctx, attach, iothread);
    }
    qemu_mutex_unlock(&iothread->lock);
    return iothread->glib_context;
}
#else

GMainContext *iothread_get_g_main_context(IOThread *iothread)
{
    CHECKF(false, "this library was built without GLib (AIOCTL_GLIB=OFF)");
    return NULL;
}
#endif
