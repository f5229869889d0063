/*
 * glib.c - a context as a source of a GMainLoop
 *
 * GLib waits, also for what the context waits for, and dispatches both.
 *
 *     make glib && ./glib
 *
 * Output:
 *   bottom half
 *   coroutine: slept 2 ms
 *   GLib's timeout
 */
#include <stdio.h>
#include <stdlib.h>

#include <glib.h>

#include <block/aio.h>
#include <qapi/error.h>
#include <qemu/coroutine.h>

static gboolean timeout(gpointer loop)
{
    puts("GLib's timeout");
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static void coroutine_fn sleep_then_quit(void *loop)
{
    qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, 2 * SCALE_MS);
    puts("coroutine: slept 2 ms");
    g_timeout_add(2, timeout, loop);
}

static void start(void *loop)
{
    puts("bottom half");
    qemu_coroutine_enter(qemu_coroutine_create(sleep_then_quit, loop));
}

int main(void)
{
    AioContext *ctx = aio_context_new(&error_fatal);
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GSource *source = aio_get_g_source(ctx);

    g_source_attach(source, NULL); /* the default GMainContext */
    g_source_unref(source);        /* which has a reference of its own */
    aio_bh_schedule_oneshot(ctx, start, loop);
    g_main_loop_run(loop);

    g_source_destroy(source);
    aio_context_unref(ctx);
    g_main_loop_unref(loop);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
