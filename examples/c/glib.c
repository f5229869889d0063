/*
 * glib.c - a context as a source of a GMainLoop
 *
 * GLib waits, also for what the context waits for, and dispatches both.
 *
 *     make glib && ./glib
 *
 * Output:
 *   bottom half
 *   coroutine: slept, then read "from GLib"
 *   GLib's timeout
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <glib.h>

#include <block/aio.h>
#include <qapi/error.h>
#include <qemu/coroutine.h>

typedef struct App {
    AioContext *ctx;
    GMainLoop *loop;
    int pipe[2];
} App;

static gboolean timeout(gpointer opaque)
{
    App *app = opaque;

    puts("GLib's timeout");
    g_main_loop_quit(app->loop);
    return G_SOURCE_REMOVE;
}

static gboolean write_later(gpointer opaque)
{
    App *app = opaque;

    if (write(app->pipe[1], "from GLib", 9) != 9) {
        perror("write");
        exit(EXIT_FAILURE);
    }
    return G_SOURCE_REMOVE;
}

static void coroutine_fn sleep_and_read(void *opaque)
{
    App *app = opaque;
    char buf[32];

    qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, 2 * SCALE_MS);
    g_timeout_add(2, write_later, app);
    yield_until_fd_readable(app->pipe[0]);
    ssize_t len = read(app->pipe[0], buf, sizeof(buf));
    if (len < 0) {
        perror("read");
        exit(EXIT_FAILURE);
    }
    printf("coroutine: slept, then read \"%.*s\"\n", (int)len, buf);
    g_timeout_add(2, timeout, app);
}

static void start(void *opaque)
{
    App *app = opaque;

    puts("bottom half");
    aio_co_enter(app->ctx, qemu_coroutine_create(sleep_and_read, app));
}

int main(void)
{
    App app = {0};
    Error *err = NULL;

    app.ctx = aio_context_new(&err);
    if (!app.ctx) {
        error_report_err(err);
        return EXIT_FAILURE;
    }
    if (pipe(app.pipe) < 0) {
        perror("pipe");
        return EXIT_FAILURE;
    }
    GSource *source = aio_get_g_source(app.ctx);
    g_source_attach(source, NULL); /* the default GMainContext */
    g_source_unref(source);        /* which has a reference of its own */

    app.loop = g_main_loop_new(NULL, FALSE);
    aio_bh_schedule_oneshot(app.ctx, start, &app);
    g_main_loop_run(app.loop);

    g_source_destroy(source);
    aio_context_unref(app.ctx);
    g_main_loop_unref(app.loop);
    close(app.pipe[0]);
    close(app.pipe[1]);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
